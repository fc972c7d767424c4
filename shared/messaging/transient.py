"""Failures that pass: the closed list after which the same work is tried again, unchanged."""

import sqlalchemy.exc

from shared.bus import BusUnavailable

RETRY_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25P03"})
"""serialization failure, deadlock, lock not available, shutdown (three kinds), too many connections, idle timeout."""


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: database or bus away, or a conflict between transactions."""
    if isinstance(error, BusUnavailable | ConnectionError | TimeoutError | sqlalchemy.exc.TimeoutError):
        return True
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in RETRY_SQLSTATES
    return isinstance(error, OSError | sqlalchemy.exc.InterfaceError)
