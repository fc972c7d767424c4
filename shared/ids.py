"""Ids: UUIDv7 (RFC 9562), so that they sort by when they were made and tell their age."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new id; always from real time and chance, whatever the service's clock says."""
    return UUID(int=uuid_utils.uuid7().int)


def derived_id(of: UUID, *words: object) -> UUID:
    """The one id of what follows from a thing: the same whenever it is worked out again, and of the same age."""
    chance = hashlib.sha256("|".join(map(str, (of, *words))).encode()).digest()
    age, rest = of.int >> 80, int.from_bytes(chance[:10])
    return UUID(int=(age << 80) | (0x7 << 76) | (rest & ~(0xF << 76) & ~(0x3 << 62)) | (0x2 << 62))


def made_at(identifier: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond; the year 1970 or nonsense for another version."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
