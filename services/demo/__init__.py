"""The demo: a throwaway system, a sample city that asks it for help, simulated people who give it, and a fast clock."""

from services.demo.run import play

__all__ = ["play"]
