"""The floor: what every service stands on. It knows nobody above it."""
