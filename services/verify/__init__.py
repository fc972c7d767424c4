"""`heed verify`: the log read once more by a second way, and compared with its seals and with what the API says."""

from services.verify.command import show
from services.verify.run import Report, verify_over_api

__all__ = ["Report", "show", "verify_over_api"]
