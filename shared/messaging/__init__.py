"""What carries facts between a service's own database and the bus, without losing or repeating an effect."""
