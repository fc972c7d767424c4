"""One transaction's worth of what came in, what changed, what goes out."""

from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.contracts import Event, Fact, encode
from shared.database import Transaction
from shared.ids import new_id
from shared.messaging.tables import outbox, statements, timers
from shared.rows import among, by_column, given, insert_given, upsert_given

OUTBOX_COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "headers", "payload")
ADD_FACTS = insert_given(outbox, *OUTBOX_COLUMNS)

STATEMENT_COLUMNS = ("topic", "key", "last_sequence")
_taken = insert_given(statements, *STATEMENT_COLUMNS)
RESERVE = _taken.on_conflict_do_update(
    index_elements=["topic", "key"],
    set_={"last_sequence": statements.c.last_sequence + _taken.excluded.last_sequence},
).returning(statements.c.topic, statements.c.key, statements.c.last_sequence)

_known = insert_given(statements, *STATEMENT_COLUMNS)
RESERVE_TO = _known.on_conflict_do_update(
    index_elements=["topic", "key"],
    set_={"last_sequence": sa.func.greatest(statements.c.last_sequence, _known.excluded.last_sequence)},
)
"""The numbers up to these are taken, by whomever."""

TIMER_COLUMNS = ("key", "kind", "due_at", "data")
SET_TIMERS = upsert_given(timers, *TIMER_COLUMNS, key=("key", "kind"))
_gone = given(timers, "key", "kind")
CANCEL_TIMERS = sa.delete(timers).where(timers.c.key == _gone.c.key, timers.c.kind == _gone.c.kind)


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to do at `due_at` for `key`; there is one per key and kind."""

    kind: str
    key: str
    due_at: datetime
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact that this transaction states, not numbered yet."""

    fact: Fact
    subject: str
    key: str


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a reader must have read to know what was just written: the header Heed-Seen."""

    source: str
    subject: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.source}:{self.subject}:{self.sequence}"


seen_in_call: ContextVar[list[Seen] | None] = ContextVar("seen_in_call", default=None)


def say_seen(seen: Sequence[Seen]) -> None:
    """Note, for the answer to the present call, the last of what was stated on each subject."""
    said = seen_in_call.get()
    if said is not None:
        said.extend({(s.source, s.subject): s for s in seen}.values())


class Work:
    """Collects facts and timers, and writes them in few statements just before the commit."""

    def __init__(self, connection: Transaction, now: datetime, source: str, traceparent: str | None = None) -> None:
        """`source` is the service that states; `now` is the time of everything that happens in here."""
        self.connection = connection
        self.now = now
        self.source = source
        self.seen: list[Seen] = []
        self.foretold: frozenset[str] = frozenset()
        """Ids of own facts in this batch that a lost state of the database had stated; to be made good here."""
        self.next_timer_at: datetime | None = None
        self._traceparent = traceparent
        self._stated: list[Stated] = []
        self._timers: dict[tuple[str, str], Timer | None] = {}
        self._cancelled_keys: set[str] = set()

    def state(self, fact: Fact, subject: UUID | str, key: UUID | str | None = None) -> None:
        """State a fact: it goes to the bus once this transaction is committed, after those stated before it."""
        self._stated.append(Stated(fact, str(subject), str(key or subject)))

    def set_timer(self, kind: str, key: str, due_at: datetime, data: dict[str, Any] | None = None) -> None:
        """Set the timer of this kind and key, instead of the one it may have."""
        self._timers[key, kind] = Timer(kind, key, due_at, data or {})

    def cancel_timers(self, key: str, *kinds: str) -> None:
        """Cancel the key's timers of these kinds; all of them where none is named."""
        for kind in kinds:
            self._timers[key, kind] = None
        if not kinds:
            self._cancelled_keys.add(key)
            self._timers = {at: timer for at, timer in self._timers.items() if at[0] != key}

    @property
    def has_stated(self) -> bool:
        """Whether the relay has something to do."""
        return bool(self.seen)

    async def flush(self) -> None:
        """Write what was collected; the floor calls it last in the transaction."""
        await self._write_timers()
        if self._stated:
            await self._write_facts()

    async def new_among(self, stated: Sequence[Stated]) -> Sequence[Stated]:
        """Those to be stated: all."""
        return stated

    async def _write_facts(self) -> None:
        stated_now = await self.new_among(self._stated)
        if not stated_now:
            self._stated.clear()
            return
        counts: dict[tuple[str, str], int] = defaultdict(int)
        for stated in stated_now:
            counts[stated.fact.TOPIC, stated.key] += 1
        number = await self._reserve(counts)
        rows = []
        for stated in stated_now:
            at = stated.fact.TOPIC, stated.key
            number[at] += 1
            event = Event(
                id=new_id(),
                source=self.source,
                subject=stated.subject,
                key=stated.key,
                time=self.now,
                sequence=number[at],
                fact=stated.fact,
                traceparent=self._traceparent,
            )
            record = encode(event)
            rows.append(
                {
                    "id": event.id,
                    "aggregatetype": record.topic,
                    "aggregateid": record.key,
                    "type": event.type,
                    "headers": dict(record.headers),
                    "payload": record.value,
                }
            )
            if stated.key == stated.subject:
                self.seen.append(Seen(self.source, stated.subject, number[at]))
        await self.connection.execute(ADD_FACTS, by_column(OUTBOX_COLUMNS, rows))
        self._stated.clear()

    async def _reserve(self, counts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        """Take the next numbers of each history; always in one order, so that no two transactions block each other."""
        rows = [{"topic": topic, "key": key, "last_sequence": n} for (topic, key), n in sorted(counts.items())]
        result = await self.connection.execute(RESERVE, by_column(STATEMENT_COLUMNS, rows))
        return {(topic, key): last - counts[topic, key] for topic, key, last in result}

    async def _write_timers(self) -> None:
        gone = [{"key": key, "kind": kind} for (key, kind), timer in self._timers.items() if timer is None]
        if self._cancelled_keys:
            await self.connection.execute(sa.delete(timers).where(among(timers.c.key, sorted(self._cancelled_keys))))
        if gone:
            await self.connection.execute(CANCEL_TIMERS, by_column(("key", "kind"), gone))
        due = sorted((t for t in self._timers.values() if t), key=lambda t: (t.key, t.kind))
        if due:
            rows = [{"key": t.key, "kind": t.kind, "due_at": t.due_at, "data": t.data} for t in due]
            await self.connection.execute(SET_TIMERS, by_column(TIMER_COLUMNS, rows))
            self.next_timer_at = min(t.due_at for t in due)
        self._timers.clear()
        self._cancelled_keys.clear()
