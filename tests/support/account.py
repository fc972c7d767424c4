"""An account of the log: every request's life folded from its beginning, to be compared with what the services say."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from services import standalone
from shared.bus import Bus
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.contracts import Event, Fact, Record, decode
from shared.contracts.life import Life, begin, fold
from shared.contracts.requests import TOPIC, RequestReceived
from shared.embedded import EmbeddedPostgres

STRANGER = "stranger"
"""The source of events that tests put into the log, which are no part of any history."""
STATUSES = {
    "intake": "select request_id::text, status from requests",
    "triage": "select request_id::text, status from requests",
    "dispatch": "select request_id::text, document->'life'->>'status' from cases",
    "followup": "select request_id::text, status from cases",
    "gateway": "select id::text, status from requests",
}
"""Where each service keeps what it has folded."""


async def read_log(connection: asyncpg.Connection) -> list[Event[Fact]]:
    """All facts about requests, each once, every request's in their order."""
    rows = await connection.fetch(
        "select key, headers::text as headers, value from log where topic = $1 order by number, position", TOPIC
    )
    return each_once(
        Record(topic=TOPIC, key=row["key"], headers=_headers(row["headers"]), value=row["value"]) for row in rows
    )


async def read_topic(bus: Bus, topic: str) -> list[Record]:
    """All records of a topic, in the order of each partition."""
    found: list[Record] = []
    ends = await bus.ends([topic])
    positions = dict.fromkeys(ends, 0)
    async with bus.reader() as reader:
        while any(positions[p] < end for p, end in ends.items()):
            for delivered in await reader.read(positions, 1000, 5):
                found.append(delivered.record)
                positions[delivered.partition] = delivered.position + 1
    return found


def each_once(records: Iterable[Record]) -> list[Event[Fact]]:
    """The events in these records, each once; no history may lack a number."""
    seen: dict[tuple[str, str], int] = {}
    events = []
    for record in records:
        if record.headers["ce_source"] == f"/heed/{STRANGER}":
            continue
        event = decode(record)
        assert event is not None
        at = (event.key, event.source)
        if event.sequence > seen.get(at, 0):
            assert event.sequence == seen.get(at, 0) + 1, f"a number is missing in {at}"
            seen[at] = event.sequence
            events.append(event)
    return events


def _headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = json.loads(text)
    return headers


def lives(events: Iterable[Event[Fact]]) -> dict[str, Life]:
    """The life of each request."""
    found: dict[str, Life] = {}
    for event in events:
        if isinstance(event.fact, RequestReceived):
            assert event.subject not in found, "a request was received twice"
            found[event.subject] = begin(event)  # type: ignore[arg-type] # the line above says what it is
        else:
            found[event.subject] = fold(found[event.subject], event)
    return found


class Books:
    """The databases of a system on one box, read beside it, and its log."""

    def __init__(self, var: Path, server: EmbeddedPostgres) -> None:
        self._var, self._server = var, server
        self._map = var / "cluster.json"
        """There where the log is Kafka's."""

    @classmethod
    @asynccontextmanager
    async def open(cls, var: Path) -> AsyncIterator["Books"]:
        """Beside the running system, which runs on afterwards."""
        server = await EmbeddedPostgres.start(var / "postgres")
        try:
            yield cls(var, server)
        finally:
            await server.stop()

    @property
    def admin_url(self) -> str:
        """The server, as its superuser."""
        return self._server.admin_url

    async def url(self, name: str) -> str:
        """A service's database, in its own role."""
        secret = (self._var / "secrets" / f"database_{name}").read_text()
        return await self._server.ensure_database(f"heed_{name}", secret)

    async def connect(self, name: str) -> asyncpg.Connection:
        """A connection to a service's database."""
        return await asyncpg.connect(await self.url(name))

    async def fetch(self, name: str, query: str) -> list[Any]:
        """Rows of a service's database."""
        connection = await self.connect(name)
        try:
            rows: list[Any] = await connection.fetch(query)
            return rows
        finally:
            await connection.close()

    async def everything(self, name: str, *but: str) -> dict[str, list[str]]:
        """Every row of every table of a service, as text; but for these tables."""
        tables = await self.fetch(name, "select tablename from pg_tables where schemaname = 'public'")
        return {
            table: [row for (row,) in await self.fetch(name, f"select t::text from {table} t order by 1")]
            for (table,) in tables
            if table not in but
        }

    async def unsettled(self) -> list[str]:
        """What is still on its way: rows in an outbox, and partitions that are not read to their end."""
        ends = {tuple(row[:2]): row[2] for row in await self.fetch("bus", "select * from log_partitions")}
        found = []
        for name in standalone.NAMES:
            if waiting := (await self.fetch(name, "select count(*) from outbox"))[0][0]:
                found.append(f"{name} has {waiting} to state")
            read = await self.fetch(name, "select topic, number, position from positions")
            found += [f"{name}: {at[0]} of {ends[*at]}" for *at, position in read if position != ends[*at]]
        return found

    async def log(self) -> list[Event[Fact]]:
        """All facts about requests."""
        if self._map.exists():
            bus = KafkaBus(Address.of(json.loads(self._map.read_text())["bus"]))
            try:
                return each_once(await read_topic(bus, TOPIC))
            finally:
                await bus.stop()
        connection = await self.connect("bus")
        try:
            return await read_log(connection)
        finally:
            await connection.close()

    async def disagreements(self) -> list[str]:
        """What a service says of a request otherwise than the log does."""
        by_log = {key: life.status.value for key, life in lives(await self.log()).items()}
        found = []
        for service, query in STATUSES.items():
            said = {row[0]: row[1] for row in await self.fetch(service, query)}
            found += [
                f"{service}: {key} is {said.get(key)}, by the log {status}"
                for key, status in by_log.items()
                if said.get(key) != status
            ]
            found += [f"{service}: {key} is on no log" for key in said if key not in by_log]
        return found
