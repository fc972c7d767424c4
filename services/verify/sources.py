"""Two ways to the records of the log: by the public API with a token, or at the bus itself."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from services.verify.asking import Api
from shared.bus import Bus, Partition, read_positions, write_positions

Positions = dict[Partition, int]
PAGE_RECORDS = 2000
PATIENCE_SECONDS = 5.0


class Standing(NamedTuple):
    """A record where it stands."""

    at: Partition
    position: int
    key: str
    headers: Mapping[str, str]
    value: bytes | None


class Source(Protocol):
    """The log, wherever it is read."""

    async def ends(self, topics: Sequence[str]) -> Positions:
        """For each partition the position that its next record will have."""
        ...

    async def page(self, positions: Positions) -> list[Standing]:
        """The next records from these positions on, each partition in its order; none where none comes for a while.

        `positions` has every partition of its topics.
        """
        ...


class OverApi:
    """The log as `GET /v1/log` gives it out."""

    def __init__(self, api: Api, page_records: int = PAGE_RECORDS) -> None:
        """`page_records` is about how many records come with a call."""
        self._api, self._page_records = api, page_records

    async def ends(self, topics: Sequence[str]) -> Positions:
        """As the gateway says."""
        return read_positions((await self._api.get("/v1/log", topic=list(topics), **{"from": "latest"}))["ends"])

    async def page(self, positions: Positions) -> list[Standing]:
        """One page."""
        topics = sorted({at.topic for at in positions})
        page = await self._api.get(
            "/v1/log", topic=topics, limit=self._page_records, **{"from": write_positions(positions)}
        )
        return [
            Standing(
                Partition(item["topic"], item["partition"]),
                item["position"],
                item["key"],
                item["headers"],
                None if item["value"] is None else b64decode(item["value"]),
            )
            for item in page["items"]
        ]


class AtTheBus:
    """The log itself, for whoever can reach it."""

    def __init__(self, bus: Bus) -> None:
        """`bus` is started."""
        self._bus = bus

    async def ends(self, topics: Sequence[str]) -> Positions:
        """As the bus says."""
        return await self._bus.ends(topics)

    async def page(self, positions: Positions) -> list[Standing]:
        """One batch, by a reader of its own."""
        async with self._bus.reader() as reader:
            batch = await reader.read(positions, PAGE_RECORDS, PATIENCE_SECONDS)
        return [Standing(d.partition, d.position, d.record.key, d.record.headers, d.record.value) for d in batch]
