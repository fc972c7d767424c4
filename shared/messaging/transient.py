"""Failures that pass: the closed list after which the same work is tried again, unchanged."""

import sqlalchemy.exc

from shared.bus import BusUnavailable

RETRY_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25P03"})
"""serialization failure, deadlock, lock not available, shutdown (three kinds), idle timeout."""
RETRY_CLASSES = frozenset({"08", "53", "58"})
"""The connection, resources (a full disk, memory, too many connections), the system under the server."""


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: database or bus away, or a conflict between transactions."""
    if isinstance(error, BusUnavailable | ConnectionError | TimeoutError | sqlalchemy.exc.TimeoutError):
        return True
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state in RETRY_SQLSTATES or state[:2] in RETRY_CLASSES
    return isinstance(error, OSError | sqlalchemy.exc.InterfaceError)
