"""The outside: what faces the world, and what starts."""
