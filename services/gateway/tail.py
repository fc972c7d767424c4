"""The operators' tail: the bus as it is, live or from any point back, with an id from which one can go on."""

import heapq
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.bus import TOPIC_PREFIX, Bus, BusUnavailable, Delivered, Partition, write_positions
from shared.bus import read_positions as parse_positions
from shared.clock import Clock
from shared.contracts import TOPICS, Record
from shared.problems import InvalidInput

BATCH = 500
BEGINNING, LATEST = "beginning", "latest"
Positions = dict[Partition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events are wanted; empty means all."""

    types: frozenset[str] = frozenset()
    request: str | None = None

    def lets(self, record: Record) -> bool:
        """Whether the record is wanted."""
        headers = record.headers
        if self.types and headers.get("ce_type") not in self.types:
            return False
        return self.request is None or headers.get("ce_subject") == self.request


@dataclass(frozen=True, slots=True)
class Told:
    """An event, or none where much was passed over, and the id from which to go on after it."""

    id: str
    event: dict[str, Any] | None


def topics_named(names: Sequence[str]) -> tuple[str, ...]:
    """The topics meant by names with or without `heed.`, several by comma; all where none is named."""
    wanted = [name.strip() for item in names for name in item.split(",") if name.strip()]
    topics = tuple(name if name.startswith(TOPIC_PREFIX) else TOPIC_PREFIX + name for name in wanted) or TOPICS
    unknown = sorted(set(topics) - set(TOPICS))
    if unknown:
        raise InvalidInput(f"There is no topic {', '.join(unknown)}. There are {', '.join(TOPICS)}.")
    return topics


def read_positions(text: str) -> Positions:
    """The positions in an id that we gave; raises InvalidInput."""
    try:
        positions = parse_positions(text)
    except ValueError:
        positions = {}
    if not positions or not {partition.topic for partition in positions} <= set(TOPICS):
        raise InvalidInput("This is no position that we gave: `<topic>:<number>,…;<topic>:…`.")
    return positions


async def start_positions(bus: Bus, topics: Sequence[str], start: str) -> Positions:
    """From where to read: `beginning`, `latest`, a time of RFC 3339, or positions. Raises InvalidInput."""
    ends = await bus.ends(topics)
    if start == LATEST:
        return ends
    if start == BEGINNING:
        return dict.fromkeys(ends, 0)
    if ":" in start and start.split(":", 1)[0] in {topic.removeprefix(TOPIC_PREFIX) for topic in TOPICS}:
        given = read_positions(start)
        return {partition: min(given.get(partition, 0), end) for partition, end in ends.items()}
    return await bus.positions_at(topics, _read_time(start))


def _read_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("`from` is `beginning`, `latest`, a time such as 2026-03-02T08:00:00Z, or an event's id.")
    return at


def time_of(record: Record) -> datetime:
    """When the fact was stated."""
    return datetime.fromisoformat(record.headers["ce_time"])


def structured(record: Record) -> dict[str, Any]:
    """The record as a CloudEvent in structured mode."""
    attributes = {name.removeprefix("ce_"): value for name, value in record.headers.items() if name.startswith("ce_")}
    if record.value is None:
        return attributes
    return attributes | {"datacontenttype": "application/json", "data": json.loads(record.value)}


async def follow(
    bus: Bus, clock: Clock, positions: Positions, wanted: Filter, poll_seconds: float
) -> AsyncIterator[Told]:
    """Every event from these positions on, for ever; between partitions by their times, within one in its order."""
    positions = dict(positions)
    async with bus.reader() as reader:
        while True:
            try:
                batch = await reader.read(positions, BATCH, poll_seconds)
            except BusUnavailable:
                await clock.pause(poll_seconds)
                continue
            told = False
            for delivered in _merged(batch):
                positions[delivered.partition] = delivered.position + 1
                if wanted.lets(delivered.record):
                    told = True
                    yield Told(write_positions(positions), structured(delivered.record))
            if batch and not told:
                yield Told(write_positions(positions), None)


def _merged(batch: Sequence[Delivered]) -> list[Delivered]:
    by_partition: dict[Partition, list[Delivered]] = defaultdict(list)
    for delivered in batch:
        by_partition[delivered.partition].append(delivered)
    return list(heapq.merge(*by_partition.values(), key=lambda delivered: time_of(delivered.record)))
