"""The bus as a durable log in PostgreSQL: for a town on one box.

An append locks the row of its partition, so that the order of positions is the order of commits; NOTIFY wakes readers.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import asyncpg
import structlog

from shared.bus import BusUnavailable, Delivered, Partition, number_of
from shared.clock import Clock
from shared.contracts.envelope import Record
from shared.database import SESSION, Database, as_libpq, assert_outside_transaction, migrate

CHANNEL = "heed_log"
RECONNECT_SECONDS = 1.0
AWAY = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.InternalClientError, TimeoutError)  # fmt: skip
"""The library says InternalClientError where it notices that a connection ended only as it begins the next thing."""
log = structlog.get_logger()

RESERVE = """
with locked as (
    select p.topic, p.number, p.next_position, w.n
    from log_partitions p join unnest($1::text[], $2::int[], $3::bigint[]) w (topic, number, n) using (topic, number)
    order by p.topic, p.number for update of p
)
update log_partitions p set next_position = p.next_position + l.n
from locked l where p.topic = l.topic and p.number = l.number
returning p.topic, p.number, l.next_position
"""
READ = """
select l.topic, l.number, l.position, l.key, l.headers, l.value
from unnest($1::text[], $2::int[], $3::bigint[]) w (topic, number, position)
cross join lateral (
    select * from log where log.topic = w.topic and log.number = w.number and log.position >= w.position
    order by log.position limit $4
) l
"""
COLUMNS = ("topic", "number", "position", "key", "headers", "value")


class PostgresBus:
    """The log in the tables `log` and `log_partitions` of one database."""

    def __init__(self, url: str, partitions: int = 4) -> None:
        """`partitions` is how many each topic gets when it is first used."""
        self._url = as_libpq(url)
        self._count = partitions
        self._known: dict[str, list[Partition]] = {}
        self._pool: asyncpg.Pool | None = None
        self._ear: asyncpg.Connection | None = None
        self._listening: asyncio.Task[None] | None = None
        self._arrivals = 0
        self._clock = Clock()
        self._arrived = asyncio.Event()

    async def start(self) -> None:
        """Connect, and create the tables; what is started stays as it is."""
        if self._listening:
            return
        database = Database(self._url, connections=1)
        try:
            await migrate(database, Path(__file__).parent / "migrations", "log_version")
        finally:
            await database.close()
        self._pool = await asyncpg.create_pool(
            self._url, min_size=0, max_size=4, server_settings=SESSION, timeout=10, init=_use_json
        )
        self._ear = await self._listen()
        self._listening = asyncio.create_task(self._keep_listening(), name="bus-listen")

    async def stop(self) -> None:
        """Disconnect."""
        if self._listening:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        if self._ear:  # a task that is cancelled before its first step ends without its `finally`
            self._ear.terminate()
            self._ear = None
        if self._pool:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        if (pool := self._pool) is None:
            raise BusUnavailable("the bus is not started")
        try:
            async with pool.acquire() as connection:
                if pool is not self._pool:  # stopped meanwhile; the pool overlooks what was only being opened
                    connection.terminate()
                    raise BusUnavailable("the bus was stopped")
                yield connection
        except AWAY as away:
            raise BusUnavailable("the bus does not answer") from away

    async def publish(self, records: Sequence[Record]) -> None:
        """Append all records in one transaction, in this order."""
        assert_outside_transaction()
        grouped: dict[Partition, list[Record]] = defaultdict(list)
        for record in records:
            partitions = await self.partitions(record.topic)
            grouped[partitions[number_of(record.key, len(partitions))]].append(record)
        async with self._connection() as connection, connection.transaction():
            rows = await connection.fetch(
                RESERVE, [p.topic for p in grouped], [p.number for p in grouped], [len(g) for g in grouped.values()]
            )
            next_position = {Partition(r["topic"], r["number"]): r["next_position"] for r in rows}
            await connection.copy_records_to_table(
                "log",
                columns=COLUMNS,
                records=[
                    (*partition, next_position[partition] + n, r.key, dict(r.headers), r.value)
                    for partition, group in grouped.items()
                    for n, r in enumerate(group)
                ],
            )
            await connection.execute(f"notify {CHANNEL}")

    async def partitions(self, topic: str) -> list[Partition]:
        """All partitions of the topic, made where the topic is new."""
        if topic not in self._known:
            async with self._connection() as connection:
                await connection.execute(
                    "insert into log_partitions (topic, number, next_position)"
                    " select $1, n, 0 from generate_series(0, $2::int - 1) n"
                    " where not exists (select from log_partitions where topic = $1) on conflict do nothing",
                    topic,
                    self._count,
                )
                rows = await connection.fetch(
                    "select number from log_partitions where topic = $1 order by number", topic
                )
            self._known[topic] = [Partition(topic, row["number"]) for row in rows]
        return self._known[topic]

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """For each partition the position that the next record will have."""
        for topic in topics:
            await self.partitions(topic)
        async with self._connection() as connection:
            rows = await connection.fetch(
                "select topic, number, next_position from log_partitions where topic = any($1::text[])", list(topics)
            )
        return {Partition(r["topic"], r["number"]): r["next_position"] for r in rows}

    async def positions_at(self, topics: Sequence[str], at: datetime) -> dict[Partition, int]:
        """By bisection on the times of the events, so that a long log is not read through."""
        ends = await self.ends(topics)
        low, high = dict.fromkeys(ends, 0), dict(ends)
        while unsure := {p: (low[p] + high[p]) // 2 for p in ends if low[p] < high[p]}:
            found = {d.partition: d for d in reversed(await self.read(unsure, len(unsure)))}
            for partition, middle in unsure.items():
                delivered = found.get(partition)
                if delivered is None or datetime.fromisoformat(delivered.record.headers["ce_time"]) >= at:
                    high[partition] = middle
                else:
                    low[partition] = delivered.position + 1
        return low

    @asynccontextmanager
    async def reader(self, group: str | None = None) -> AsyncIterator["PostgresReader"]:  # noqa: ARG002 nobody asks this bus
        """Somebody who reads; any number may, on the connections that all share."""
        yield PostgresReader(self)

    async def read(self, positions: Mapping[Partition, int], limit: int) -> list[Delivered]:
        """What is there now; each partition gives its share, so that none starves."""
        share = max(1, limit // max(1, len(positions)))
        async with self._connection() as connection:
            rows = await connection.fetch(
                READ, [p.topic for p in positions], [p.number for p in positions], list(positions.values()), share
            )
        return [
            Delivered(
                partition=Partition(row["topic"], row["number"]),
                position=row["position"],
                record=Record(topic=row["topic"], key=row["key"], headers=row["headers"], value=row["value"]),
            )
            for row in rows
        ]

    @property
    def arrivals(self) -> int:
        """Grows when something was published, by whomever."""
        return self._arrivals

    async def more_than(self, arrivals: int, timeout_seconds: float) -> None:
        """Return when there were more arrivals than these, or after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self._arrivals <= arrivals:
                    await self._arrived.wait()

    def _signal(self, *_: object) -> None:
        self._arrivals += 1
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def _listen(self) -> asyncpg.Connection:
        """A connection that hears NOTIFY."""
        connection = await asyncpg.connect(self._url, server_settings={"application_name": "heed-listen"})
        try:
            await connection.add_listener(CHANNEL, self._signal)
        except BaseException:
            connection.terminate()
            raise
        self._signal()
        return connection

    async def _keep_listening(self) -> None:
        """Make a new listening connection whenever one breaks. Readers poll meanwhile."""
        while self._ear:
            lost = asyncio.Event()
            self._ear.add_termination_listener(lambda _, lost=lost: lost.set())
            if not self._ear.is_closed():
                await lost.wait()
            log.warning("bus_listener_lost")
            self._ear = await self._listen_again()

    async def _listen_again(self) -> asyncpg.Connection:
        while True:
            try:
                return await self._listen()
            except AWAY:
                await self._clock.pause(RECONNECT_SECONDS)


class PostgresReader:
    """Reads, and waits for the signal of a publisher where there is nothing."""

    def __init__(self, bus: PostgresBus) -> None:
        self._bus = bus

    async def read(
        self, positions: Mapping[Partition, int], limit: int, patience_seconds: float = 0.0
    ) -> list[Delivered]:
        """What is there, or what comes within this time."""
        arrivals = self._bus.arrivals
        found = await self._bus.read(positions, limit)
        if found or not patience_seconds:
            return found
        await self._bus.more_than(arrivals, patience_seconds)
        return await self._bus.read(positions, limit)

    async def report(self) -> None:
        """This bus shows nobody's position: the services' metrics do."""


async def _use_json(connection: asyncpg.Connection) -> None:
    """Headers as dictionaries; in binary, since COPY knows nothing else."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + json.dumps(value).encode(),
        decoder=lambda value: json.loads(value[1:]),
        schema="pg_catalog",
        format="binary",
    )
