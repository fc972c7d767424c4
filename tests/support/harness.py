"""One service on a real database, fed by hand: no bus runs, no loop runs, and the clock is turned."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import SecretStr

from shared.bus import Delivered, Partition
from shared.clock import Clock, TurnedClock
from shared.contracts import Event, Fact, Record, decode, encode
from shared.identity import Principal
from shared.messaging.tables import outbox, parked
from shared.messaging.work import Work
from shared.service import Service
from shared.settings import Settings
from shared.tokens import IdentitySigner, make_identity_keys
from tests.support.builders import START
from tests.support.postgres import PostgresServer

PRIVATE_KEY, PUBLIC_KEY = make_identity_keys()
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgISE="
Build = Callable[[Settings, Clock | None], FastAPI]


def test_settings(**values: Any) -> Settings:
    """Settings with secrets for tests; databases are given by the harness."""
    defaults: dict[str, Any] = {
        "identity_private_key": SecretStr(PRIVATE_KEY),
        "identity_public_key": PUBLIC_KEY,
        "tracking_secret": SecretStr(SECRET),
        "hash_secret": SecretStr(SECRET),
        "encryption_keys": SecretStr(f"1:{SECRET}"),
        "instance": "test",
        "poll_seconds": 0.2,
    }
    return Settings(**(defaults | values))


test_settings.__test__ = False  # type: ignore[attr-defined] # pytest must not take it for a test


class Harness:
    """A service between your hands."""

    def __init__(self, app: FastAPI, clock: TurnedClock) -> None:
        self.app, self.clock = app, clock
        self.service: Service = app.state.service
        self._signer = IdentitySigner(PRIVATE_KEY)
        self._position = 0

    @classmethod
    @asynccontextmanager
    async def start(
        cls, build: Build, postgres: PostgresServer, *, at: datetime = START, **values: Any
    ) -> AsyncIterator["Harness"]:
        """Build the service on a fresh database and migrate it; `values` go into the settings."""
        url = await postgres.copy_database(await cls._migrated(build, postgres))
        clock = TurnedClock(at)
        app = build(test_settings(database=url, bus=url, **values), clock)
        harness = cls(app, clock)
        await harness.service.start()
        await harness.service.positions.claim([Partition("test", 0)])
        try:
            yield harness
        finally:
            await harness.service.stop()

    @classmethod
    async def _migrated(cls, build: Build, postgres: PostgresServer) -> str:
        """A database of the service as after its first start, made once in a session, to be copied for each test."""
        name = build.__module__.split(".")[-2]
        if name not in postgres.templates:
            url = await postgres.fresh_database(name)
            service: Service = build(test_settings(database=url, bus=url), TurnedClock(START)).state.service
            await service.start()
            await service.stop()
            postgres.templates[name] = url
        return postgres.templates[name]

    def client(self, principal: Principal | None = None, **headers: str) -> httpx2.AsyncClient:
        """A caller, as the gateway would forward him."""
        if principal is not None:
            headers["heed-identity"] = self._signer.sign(principal)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, raise_app_exceptions=False),
            base_url="http://service",
            headers=headers,
        )

    async def take(self, *events: Event[Fact]) -> None:
        """Hand events to the service as one batch of the bus: deduplicated, parked where they fail."""
        await self.take_records(*(encode(event) for event in events))

    async def take_records(self, *records: Record) -> None:
        """Hand records to the service as one batch of the bus."""
        consumer = self.service.consumer
        assert consumer is not None
        partition = Partition("test", 0)
        batch = [
            Delivered(partition=partition, position=self._position + n, record=record)
            for n, record in enumerate(records)
        ]
        self._position += len(batch)
        await consumer.handle(batch)
        self.service.arrivals.signal()

    async def stated(self, *kinds: type[Fact]) -> list[Event[Any]]:
        """Every fact stated so far, in order; of these kinds where any is named."""
        rows = await self.rows(sa.select(outbox).order_by(outbox.c.position))
        events = [
            decode(Record(topic=r["aggregatetype"], key=r["aggregateid"], headers=r["headers"], value=r["payload"]))
            for r in rows
        ]
        return [e for e in events if e is not None and (not kinds or isinstance(e.fact, kinds))]

    async def parked(self) -> Sequence[dict[str, Any]]:
        """What was parked."""
        return await self.rows(sa.select(parked).order_by(parked.c.position))

    async def rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        """The rows of a query on the service's database."""
        async with self.service.database.transaction() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def everything(self) -> dict[str, list[str]]:
        """Every row of every table of the service, as text; but for how far was read, and the hash of what was."""
        async with self.service.database.transaction() as connection:
            tables = await connection.execute(
                sa.text(
                    "select tablename from pg_tables where schemaname = 'public'"
                    " and tablename not in ('positions', 'chains')"
                )
            )
            return {
                table: list((await connection.execute(sa.text(f"select t::text from {table} t order by 1"))).scalars())
                for table in tables.scalars()
            }

    async def turn(self, to: datetime | None = None, **by: float) -> None:
        """Turn the clock, stopping at each timer on the way to fire it."""
        until = to or self.clock.now() + timedelta(**by)
        timers = self.service.timers
        assert timers is not None
        while (due := await timers.next_due_at()) is not None and due <= until:
            self.clock.turn(max(due, self.clock.now()))
            await self.fire_due()
        self.clock.turn(until)

    async def fire_due(self) -> list[Work]:
        """Fire all that is due now, without turning the clock."""
        timers = self.service.timers
        assert timers is not None
        done: list[Work] = []
        while fired := await timers.fire_due():
            done += fired
        return done


def project_root() -> Path:
    """The folder of pyproject.toml."""
    return Path(__file__).parents[2]
