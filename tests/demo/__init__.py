"""Tests of the demo and of the sample city that it plays in."""
