"""A service as small as one can be, on which the floor is tested: it notes what it hears."""
