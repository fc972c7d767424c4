"""The bus: topics of ordered, durable partitions. What every adapter promises; one contract suite holds them to it.

- `publish` returns once every record is durable, and keeps the order of the records it was given, across topics too:
  a reader who sees a record can read those before it.
- Equal keys go to the same partition. Within a partition, positions grow in the order in which records can be read:
  a reader never finds a record before a position that it has already passed.
- A record may stand more than once in the log, where a publisher was cut off before it heard of its success.
- Reading moves nothing: each reader says from where it reads, and keeps its positions itself.
- While the bus is away, every call raises BusUnavailable; afterwards nothing that was published is missing.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.contracts.envelope import Record


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A record where it stands in the log."""

    partition: Partition
    position: int
    record: Record


class BusUnavailable(ConnectionError):
    """The bus does not answer; try again later, nothing is lost."""


class Bus(Protocol):
    """A durable log of topics."""

    async def start(self) -> None:
        """Connect, and create what is missing."""
        ...

    async def stop(self) -> None:
        """Disconnect; may be called twice."""
        ...

    async def publish(self, records: Sequence[Record]) -> None:
        """Append the records, in this order."""
        ...

    async def partitions(self, topic: str) -> list[Partition]:
        """All partitions of the topic."""
        ...

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """For each partition the position that the next record will have."""
        ...

    async def read(self, positions: Mapping[Partition, int], limit: int) -> list[Delivered]:
        """At most about `limit` records from these positions on, each partition in its order; does not wait."""
        ...

    async def wait(self, timeout_seconds: float) -> None:
        """Return when records may have come since the last call of this task, or after the timeout."""
        ...


def number_of(key: str, partitions: int) -> int:
    """The number of the partition for a key."""
    return zlib.crc32(key.encode()) % partitions
