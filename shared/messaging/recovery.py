"""A service whose database was restored from an older state: it learns from the log what it had stated since.

Its numbers go on after those that the log has; what it would state once more while it reads on is dropped, since the
log has it; and until it has heard all of that again, it takes no commands and fires no timers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import structlog

from shared.bus import Bus, BusUnavailable, Partition, Reader
from shared.contracts import TOPICS, Arrival, NotAnEvent, Record
from shared.database import Database, Transaction
from shared.messaging.tables import foretold, leases, positions, statements
from shared.messaging.work import RESERVE_TO, STATEMENT_COLUMNS, Stated, Work
from shared.rows import by_column, given, insert_given

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
SKEW_SECONDS = 60.0
"""By how much the clocks of database and brokers may differ."""
READ_EVENTS = 2000
PATIENCE_SECONDS = 5.0
FORETOLD = ("topic", "key", "sequence", "event_id", "type", "is_restated")
ADD = insert_given(foretold, *FORETOLD).on_conflict_do_nothing()
_keys = given(statements, "topic", "key")
LAST = sa.select(statements).join(_keys, sa.and_(statements.c.topic == _keys.c.topic, statements.c.key == _keys.c.key))
_of = given(foretold, "topic", "key")
AHEAD = (
    sa.select(foretold)
    .join(_of, sa.and_(foretold.c.topic == _of.c.topic, foretold.c.key == _of.c.key))
    .where(~foretold.c.is_restated)
    .order_by(foretold.c.topic, foretold.c.key, foretold.c.sequence)
    .with_for_update(of=foretold)
)
KEY = ("topic", "key", "sequence")
_at = given(foretold, *KEY)
AT = sa.and_(*(foretold.c[name] == _at.c[name] for name in KEY))
FOUND = sa.select(foretold.c.event_id).join(_at, AT)
RESTATED = sa.update(foretold).where(AT).values(is_restated=True)
HEARD = sa.delete(foretold).where(
    foretold.c.topic == _at.c.topic, foretold.c.key == _at.c.key, foretold.c.sequence <= _at.c.sequence
)
log = structlog.get_logger()


class RecoveringWork(Work):
    """Work of a service that still hears what a lost state of its database had stated."""

    async def new_among(self, stated: Sequence[Stated]) -> list[Stated]:
        """Those that the log does not have; of a type it has ahead under that key, as many as are ahead are dropped."""
        at = sorted({(s.fact.TOPIC, s.key) for s in stated})
        rows = await self.connection.execute(
            AHEAD, by_column(("topic", "key"), ({"topic": t, "key": k} for t, k in at))
        )
        ahead: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for row in rows:
            ahead[row.topic, row.key, row.type].append(row.sequence)
        new, restated = [], []
        for one in stated:
            known = ahead[one.fact.TOPIC, one.key, one.fact.TYPE]
            if known:
                restated.append({"topic": one.fact.TOPIC, "key": one.key, "sequence": known.pop(0)})
            else:
                new.append(one)
        if restated:
            await self.connection.execute(RESTATED, by_column(KEY, restated))
        return new


class Recovery:
    """What the log has from this service that its database does not know of; nothing, after a usual start."""

    def __init__(self, name: str, database: Database, bus: Bus, topics: Sequence[str], lease_seconds: float) -> None:
        """`topics` are those that the service reads, and on which it hears its own facts again."""
        self._name, self._database, self._bus, self._topics = name, database, bus, frozenset(topics)
        self._margin = timedelta(seconds=lease_seconds + SKEW_SECONDS)
        self._one_learns = asyncio.Lock()
        self.has_learned = False
        self.is_over = False

    async def learn(self) -> None:
        """Read what was appended since this database was last in use, once; raises BusUnavailable."""
        async with self._one_learns:
            if not self.has_learned:
                await self._learn()

    async def _learn(self) -> None:
        at, ends = await self._begin(), await self._bus.ends(TOPICS)
        found = 0
        async with self._bus.reader() as reader:
            while at := {p: position for p, position in at.items() if position < ends[p]}:
                found += await self._learn_from(reader, at)
        self.has_learned = True
        await self.look()
        if found:
            log.warning("database_is_older_than_the_log", service=self._name, facts=found)

    async def _learn_from(self, reader: Reader, at: dict[Partition, int]) -> int:
        """Learn from the next records, and move `at` behind them."""
        batch = await reader.read(at, READ_EVENTS, PATIENCE_SECONDS)
        if not batch:
            raise BusUnavailable("the bus does not give what it has")
        at |= {delivered.partition: delivered.position + 1 for delivered in batch}
        own = self._own(delivered.record for delivered in batch)
        return await self._keep(own) if own else 0

    def _own(self, records: Iterable[Record]) -> list[Arrival]:
        own = []
        for record in records:
            try:
                arrival = Arrival.of(record)
            except NotAnEvent:
                continue
            if arrival.source == self._name:
                own.append(arrival)
        return own

    async def _begin(self) -> dict[Partition, int]:
        """From where: nothing that was stated since this database was last in use stands before."""
        async with self._database.transaction() as connection:
            used = sa.union_all(sa.select(positions.c.expires_at), sa.select(leases.c.expires_at)).subquery()
            used_at: datetime | None = await connection.scalar(sa.select(sa.func.max(used.c.expires_at)))
            read = {Partition(r.topic, r.number): r.position for r in await connection.execute(sa.select(positions))}
        since = await self._bus.positions_at(TOPICS, used_at - self._margin if used_at else BEGINNING)
        return {partition: max(position, read.get(partition, 0)) for partition, position in since.items()}

    async def _keep(self, own: Sequence[Arrival]) -> int:
        async with self._database.transaction() as connection:
            at = sorted({(a.topic, a.key) for a in own})
            keys = by_column(("topic", "key"), ({"topic": topic, "key": key} for topic, key in at))
            last = {(r.topic, r.key): r.last_sequence for r in await connection.execute(LAST, keys)}
            unknown = {(a.topic, a.key, a.sequence): a for a in own if a.sequence > last.get((a.topic, a.key), 0)}
            if not unknown:
                return 0
            highest: dict[tuple[str, str], int] = {}
            for topic, key, sequence in sorted(unknown):
                highest[topic, key] = sequence
            numbers = [{"topic": t, "key": k, "last_sequence": n} for (t, k), n in sorted(highest.items())]
            await connection.execute(RESERVE_TO, by_column(STATEMENT_COLUMNS, numbers))
            rows = [_row(at, arrival) for at, arrival in sorted(unknown.items()) if arrival.topic in self._topics]
            if rows:
                await connection.execute(ADD, by_column(FORETOLD, rows))
        return len(unknown)

    async def look(self) -> None:
        """See whether it is over."""
        if self.has_learned and not self.is_over:
            async with self._database.transaction() as connection:
                self.is_over = not await connection.scalar(sa.select(sa.exists(sa.select(foretold))))
            if self.is_over:
                log.info("agrees_with_the_log", service=self._name)

    async def foretold_among(self, connection: Transaction, arrivals: Sequence[Arrival]) -> frozenset[str]:
        """The ids of own facts among these that this database had not known of."""
        own = self._own(arrival.record for arrival in arrivals)
        return frozenset(await connection.scalars(FOUND, by_column(KEY, map(_at_of, own)))) if own else frozenset()

    async def forget(self, connection: Transaction, records: Sequence[Record]) -> None:
        """Own facts came back from the log: they are not ahead any more."""
        if own := self._own(records):
            await connection.execute(HEARD, by_column(KEY, map(_at_of, own)))


def _at_of(arrival: Arrival) -> Mapping[str, object]:
    return {"topic": arrival.topic, "key": arrival.key, "sequence": arrival.sequence}


def _row(at: tuple[str, str, int], arrival: Arrival) -> Mapping[str, object]:
    topic, key, sequence = at
    return {
        "topic": topic,
        "key": key,
        "sequence": sequence,
        "event_id": arrival.record.headers.get("ce_id", ""),
        "type": arrival.type,
        "is_restated": False,
    }
