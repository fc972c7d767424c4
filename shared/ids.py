"""Ids: UUIDv7 (RFC 9562), so that they sort by when they were made and tell their age."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new id; always from real time and chance, whatever the service's clock says."""
    return UUID(int=uuid_utils.uuid7().int)


def made_at(identifier: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond; the year 1970 or nonsense for another version."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
