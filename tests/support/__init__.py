"""Plain helpers of the tests, imported by name."""
