"""Ratings, look-back, reopening, closing, the watchdog, and the figures."""
