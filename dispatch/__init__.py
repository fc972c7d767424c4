"""Dispatch: the directory, routing, cases of one or several tasks, and the clocks that never stop."""
