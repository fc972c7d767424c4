"""The bus: topics of ordered, durable partitions. What every adapter promises; one contract suite holds them to it.

- `publish` returns once every record is durable. Records about one subject keep the order in which they were given,
  across topics too: whoever sees the later one can read the earlier one.
- Equal keys go to the same partition. Within a partition, positions grow in the order in which records can be read:
  a reader never finds a record before a position that it has already passed.
- A record may stand more than once in the log, where a publisher was cut off before it heard of its success.
- Reading moves nothing: each reader says from where it reads, and keeps its positions itself.
- While the bus is away, a call waits for it or raises BusUnavailable; afterwards nothing that was published is missing.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
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

    async def positions_at(self, topics: Sequence[str], at: datetime) -> dict[Partition, int]:
        """For each partition a position before which nothing was stated at this time or later."""
        ...

    def reader(self, group: str | None = None) -> AbstractAsyncContextManager["Reader"]:
        """Somebody who reads, for as long as the block lasts; `group` names him to the bus's own tools."""
        ...


class Reader(Protocol):
    """One who reads the log, one call after the other."""

    async def read(
        self, positions: Mapping[Partition, int], limit: int, patience_seconds: float = 0.0
    ) -> list[Delivered]:
        """At most about `limit` records from these positions on, each partition in its order and with its share.

        Waits so long for the first. Without patience it may find nothing although something has just come.
        """
        ...

    async def report(self) -> None:
        """Tell the bus how far was read, for its own tools to show; nobody reads on from there."""
        ...


def number_of(key: str, partitions: int) -> int:
    """The number of the partition for a key."""
    return zlib.crc32(key.encode()) % partitions


TOPIC_PREFIX = "heed."
LONGEST_POSITION = 18


def write_positions(positions: Mapping[Partition, int]) -> str:
    """`requests:12,40;texts:3,0`: for each topic the next position in each of its partitions, which are all there."""
    by_topic: dict[str, list[int]] = defaultdict(list)
    for partition, position in sorted(positions.items()):
        by_topic[partition.topic].append(position)
    return ";".join(f"{t.removeprefix(TOPIC_PREFIX)}:{','.join(map(str, at))}" for t, at in by_topic.items())


def read_positions(text: str) -> dict[Partition, int]:
    """The positions in what `write_positions` writes; raises ValueError where it is nothing of the kind."""
    positions: dict[Partition, int] = {}
    for part in text.split(";") if text else ():
        name, _, written = part.partition(":")
        numbers = written.split(",")
        if not all(n.isdigit() and len(n) <= LONGEST_POSITION for n in numbers):
            raise ValueError("no positions")
        positions |= {Partition(TOPIC_PREFIX + name, n): int(number) for n, number in enumerate(numbers)}
    return positions
