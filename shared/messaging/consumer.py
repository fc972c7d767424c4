"""The consumer: takes events from the bus in batches, one transaction each; what cannot be handled is parked alone.

In one transaction: how far was read, which facts are known, what the service makes of them, what it states.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import structlog

from shared.bus import Bus, Delivered, Partition, Reader
from shared.contracts import Arrival, Event, Fact, Record, decode
from shared.contracts.operations import AlarmRaised
from shared.contracts.vocabulary import AlarmKind
from shared.database import Database, Transaction
from shared.messaging import parking
from shared.messaging.inbox import take_in
from shared.messaging.positions import Positions, StaleLease
from shared.messaging.recovery import RecoveringWork, Recovery
from shared.messaging.transient import is_transient
from shared.messaging.work import Work

Take = Callable[[Work, Sequence[Event[Fact]]], Awaitable[None]]
log = structlog.get_logger()


class Consumer:
    """Reads the topics of one service, as far as this process holds their partitions."""

    def __init__(
        self,
        name: str,
        database: Database,
        bus: Bus,
        positions: Positions,
        now: Callable[[], datetime],
        take: Take,
        handles: Collection[type[Fact]],
        recalls: Collection[type[Fact]],
        topics: Sequence[str],
        batch_events: int,
        recovery: Recovery,
    ) -> None:
        """`take` handles the facts in `handles`, in the transaction it is given; of others only the number is kept."""
        self._recovery = recovery
        self._name, self._database, self._bus, self._positions = name, database, bus, positions
        self._now, self._take, self._topics, self._batch_events = now, take, topics, batch_events
        self._types = frozenset(fact.TYPE for fact in handles)
        self._recalls = frozenset(fact.TYPE for fact in recalls)
        self._partitions: list[Partition] = []
        self._claimed_at = -1e9

    async def step(
        self, reader: Reader, time: float, claim_every_seconds: float, patience_seconds: float
    ) -> list[Work]:
        """Read and handle what is there, or comes within this patience: the work done, none where nothing was.

        `time` is monotonic, in seconds.
        """
        if not self._partitions:
            self._partitions = [p for topic in self._topics for p in await self._bus.partitions(topic)]
        if time - self._claimed_at >= claim_every_seconds:
            await self._positions.claim(self._partitions)
            self._claimed_at = time
        batch = await reader.read(self._positions.read_from, self._batch_events, patience_seconds)
        return await self.handle(batch) if batch else []

    async def handle(self, batch: Sequence[Delivered]) -> list[Work]:
        """Handle a batch in one transaction; where that fails for good, event by event, parking those that fail."""
        to = {delivered.partition: delivered.position + 1 for delivered in batch}
        records = [delivered.record for delivered in batch]
        try:
            try:
                done = [await self._together(to, records)]
            except Exception as error:
                if isinstance(error, StaleLease) or is_transient(error):
                    raise
                if not isinstance(error, _NotTogether):
                    log.warning("batch_failed", service=self._name, error=type(error).__name__, events=len(batch))
                done = await self._one_by_one(to, records)
        except StaleLease:
            log.warning("lease_lost", service=self._name)
            return []
        self._positions.read_from.update(to)
        return done

    async def _together(self, to: dict[Partition, int], records: Sequence[Record]) -> Work:
        arrivals = [Arrival.of(record) for record in records]
        async with self._database.transaction() as connection:
            await self._positions.advance(connection, to)
            work = self._new_work(connection)
            blocked = await parking.subjects_parked(connection, sorted({a.subject for a in arrivals}))
            if blocked:
                raise _NotTogether
            await self._apply(work, arrivals)
            await self._flush(work, records)
        return work

    async def _one_by_one(self, to: dict[Partition, int], records: Sequence[Record]) -> list[Work]:
        async with self._database.transaction() as connection:
            await self._positions.advance(connection, to)
            return [await self._alone(connection, record) for record in records]

    async def _alone(self, connection: Transaction, record: Record) -> Work:
        """Handle one record in a savepoint; park it where it fails, or where its subject has a queue."""
        subject = parking.subject_of(record)
        if await parking.is_queue_open(connection, subject):
            return await self._park(connection, record, "behind", behind=True)
        work = self._new_work(connection)
        try:
            async with connection.begin_nested():
                await self._apply(work, [Arrival.of(record)])
                await self._flush(work, [record])
        except Exception as error:
            if is_transient(error):
                raise
            log.error("event_parked", service=self._name, error=type(error).__name__, event_type=_type(record))  # noqa: TRY400 a traceback may quote the data
            return await self._park(connection, record, type(error).__name__, behind=False)
        return work

    async def _park(self, connection: Transaction, record: Record, error: str, *, behind: bool) -> Work:
        work = self._new_work(connection)
        await parking.park(work, record, error, behind=behind)
        await self._flush(work, [record])
        return work

    def _new_work(self, connection: Transaction) -> Work:
        kind = Work if self._recovery.is_over else RecoveringWork
        return kind(connection, self._now(), self._name)

    async def _flush(self, work: Work, records: Sequence[Record]) -> None:
        await work.flush()
        if isinstance(work, RecoveringWork):
            await self._recovery.forget(work.connection, records)

    async def _apply(self, work: Work, arrivals: Sequence[Arrival]) -> None:
        fresh = await take_in(work.connection, arrivals)
        if isinstance(work, RecoveringWork):
            work.foretold = await self._recovery.foretold_among(work.connection, fresh.arrivals)
        for late in fresh.gaps:
            log.error("sequence_gap", service=self._name, source=late.source, event_type=late.type)
            work.state(AlarmRaised(service=self._name, kind=AlarmKind.SEQUENCE_GAP), late.subject)
        handled = (decode(arrival.record) for arrival in fresh.arrivals if self._is_for_us(work, arrival))
        if events := [event for event in handled if event]:
            await self._take(work, events)

    def _is_for_us(self, work: Work, arrival: Arrival) -> bool:
        if arrival.type in self._types:
            return True
        return arrival.type in self._recalls and arrival.record.headers.get("ce_id") in work.foretold

    async def retry(self, work: Work, records: Sequence[Record]) -> None:
        """Handle records that come out of the parking place; raises StillFails."""
        try:
            await self._apply(work, [Arrival.of(record) for record in records])
        except Exception as error:
            if is_transient(error):
                raise
            raise parking.StillFails(error=type(error).__name__) from error


class _NotTogether(Exception):
    """The batch holds events that must queue behind parked ones."""


def _type(record: Record) -> str:
    return record.headers.get("ce_type", "unknown")
