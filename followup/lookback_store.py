"""Tables of look-back, its draws, traces and improvements, and every query on them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from followup.model import Stratum
from followup.quality import Cell, Tally
from followup.retrospective import Improvement
from followup.sampling import Lot, Reason
from followup.store import metadata
from followup.tracing import Trace, TraceKind
from shared.contracts.vocabulary import Colour, ProblemKind, Stage
from shared.database import Transaction
from shared.rows import by_column, insert_given

At = sa.DateTime(timezone=True)
Id = sa.Uuid()

# Every answer that came up for look-back, and what the draw made of it.
lots = sa.Table(
    "lots",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("opened_at", At, primary_key=True),
    sa.Column("period", sa.Date, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("colour", sa.Text),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("number", sa.Double, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("noted_at", At, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),
)
sa.Index("ix_lots_draw", lots.c.period, lots.c.organisation, lots.c.number, lots.c.request_id)

# The periods whose seed was committed to.
periods = sa.Table(
    "periods",
    metadata,
    sa.Column("period", sa.Date, primary_key=True),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("commitment", sa.Text, nullable=False),
    sa.Column("committed_at", At, nullable=False),
    sa.Column("closed_at", At),
    sa.Column("revealed_at", At),
    sa.Column("plan", sa.Text),
)

strata = sa.Table(
    "strata",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("colour", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("certain", sa.Boolean, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in Tally._fields),
)

traces = sa.Table(
    "traces",
    metadata,
    sa.Column("event_id", Id, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("request_id", Id, nullable=False),
    sa.Column("received_at", At, nullable=False),
    sa.Column("at", At, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("stage", sa.Text),
    sa.Column("due_at", At),
    sa.Column("hashes", ARRAY(sa.Text), nullable=False),
)
sa.Index("ix_traces_at", traces.c.at)
sa.Index("ix_traces_received_at", traces.c.received_at)

improvements = sa.Table(
    "improvements",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("stage", sa.Text),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("due_at", At, nullable=False),
    sa.Column("since", At),
    sa.Column("until", At),
    sa.Column("request_id", Id),
    sa.Column("assigned_at", At, nullable=False),
    sa.Column("done_at", At),
)


# Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period of the draw; `plan` is the one by which it was closed, as JSON."""

    period: date
    days: int
    commitment: str
    committed_at: datetime
    closed_at: datetime | None
    revealed_at: datetime | None
    plan: str | None


_new_lots = insert_given(lots, *lots.c.keys())
SAVE_LOTS = _new_lots.on_conflict_do_update(
    index_elements=["request_id", "opened_at"], set_={"reason": _new_lots.excluded.reason}
)


async def save_lots(connection: Transaction, made: Collection[Lot]) -> None:
    """Write lots; of one that is known, only why it was drawn."""
    rows = [asdict(one) for one in sorted(made, key=lambda one: (one.request_id, one.opened_at))]
    if rows:
        await connection.execute(SAVE_LOTS, by_column(lots.c.keys(), rows))


async def set_drawn(connection: Transaction, drawn: Mapping[tuple[UUID, datetime], Reason]) -> None:
    """Note why these answers, known before, were drawn after all."""
    for (request_id, opened_at), reason in sorted(drawn.items()):
        this = sa.and_(lots.c.request_id == request_id, lots.c.opened_at == opened_at)
        await connection.execute(sa.update(lots).where(this).values(reason=reason))


async def set_gone(connection: Transaction, gone: Collection[tuple[UUID, datetime]]) -> None:
    """Note that these could not be topped up any more."""
    for request_id, opened_at in sorted(gone):
        this = sa.and_(lots.c.request_id == request_id, lots.c.opened_at == opened_at)
        await connection.execute(sa.update(lots).where(this).values(gone=True))


async def count_drawn(connection: Transaction, period: date) -> dict[str, int]:
    """How many of each organisation's answers were drawn in the period; every organisation with any is there."""
    drawn = sa.func.count(lots.c.reason)
    query = sa.select(lots.c.organisation, drawn).where(lots.c.period == period).group_by(lots.c.organisation)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def list_undrawn(connection: Transaction, period: date, organisation: str) -> list[tuple[UUID, datetime]]:
    """Those of an organisation that were passed over in the period, the lowest lot first."""
    query = (
        sa.select(lots.c.request_id, lots.c.opened_at)
        .where(lots.c.period == period, lots.c.organisation == organisation, lots.c.reason.is_(None))
        .order_by(lots.c.number, lots.c.request_id)
    )
    return [(row.request_id, row.opened_at) for row in await connection.execute(query)]


async def count_lots(connection: Transaction, period: date) -> tuple[int, int]:
    """How many answers came up in the period, and how many of them were drawn."""
    query = sa.select(sa.func.count(), sa.func.count(lots.c.reason)).where(lots.c.period == period)
    row = (await connection.execute(query)).one()
    return row[0], row[1]


async def list_lots(connection: Transaction, period: date, after: Sequence[Any] | None, limit: int) -> list[Lot]:
    """The lots of a period by request and time."""
    query = sa.select(lots).where(lots.c.period == period).order_by(lots.c.request_id, lots.c.opened_at).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(lots.c.request_id, lots.c.opened_at) > sa.tuple_(*after))
    return [_lot(row) for row in (await connection.execute(query)).mappings()]


def _lot(row: Mapping[Any, Any]) -> Lot:
    colour = Colour(row["colour"]) if row["colour"] else None
    reason = Reason(row["reason"]) if row["reason"] else None
    return Lot(**{**row, "colour": colour, "reason": reason})


async def add_period(connection: Transaction, period: date, days: int, commitment: str, now: datetime) -> bool:
    """Note that a period's seed is committed to; False where it was before."""
    row = {"period": period, "days": days, "commitment": commitment, "committed_at": now}
    added = await connection.execute(insert(periods).values(row).on_conflict_do_nothing().returning(periods.c.period))
    return added.one_or_none() is not None


async def find_period(connection: Transaction, period: date) -> Period | None:
    """The period; None where nothing was committed for it."""
    row = (await connection.execute(sa.select(periods).where(periods.c.period == period))).mappings().one_or_none()
    return Period(**row) if row else None


async def list_periods(connection: Transaction, limit: int) -> list[Period]:
    """The latest periods, the last first."""
    query = sa.select(periods).order_by(periods.c.period.desc()).limit(limit)
    return [Period(**row) for row in (await connection.execute(query)).mappings()]


async def set_period(connection: Transaction, period: date, **values: object) -> None:
    """Change these columns of a period."""
    await connection.execute(sa.update(periods).where(periods.c.period == period).values(values))


# Figures


_new_strata = insert_given(strata, *strata.c.keys())
ADD_TO_STRATA = _new_strata.on_conflict_do_update(
    index_elements=list(Cell._fields), set_={n: strata.c[n] + _new_strata.excluded[n] for n in Tally._fields}
)


async def add_to_strata(connection: Transaction, tallies: Mapping[Cell, Tally]) -> None:
    """Add to the sums; always in one order, so that no two transactions block each other."""
    rows = [cell._asdict() | tally._asdict() for cell, tally in sorted(tallies.items()) if tally != Tally()]
    if rows:
        await connection.execute(ADD_TO_STRATA, by_column(strata.c.keys(), rows))


async def sum_strata(connection: Transaction, begin: date, end: date) -> dict[Stratum, Tally]:
    """Sums by stratum, over the requests received on the days of [begin, end)."""
    key = [strata.c[name] for name in Stratum._fields]
    query = sa.select(*key, *(sa.func.sum(strata.c[name]) for name in Tally._fields)).group_by(*key)
    rows = await connection.execute(query.where(strata.c.day >= begin, strata.c.day < end))
    return {Stratum(*row[: len(key)]): Tally(*(int(n) for n in row[len(key) :])) for row in rows}


# Traces


ADD_TRACES = insert_given(traces, *traces.c.keys()).on_conflict_do_nothing()


async def add_traces(connection: Transaction, left: Sequence[Trace]) -> None:
    """Keep what histories left behind."""
    if left:
        rows = [asdict(trace) | {"hashes": list(trace.hashes)} for trace in left]
        await connection.execute(ADD_TRACES, by_column(traces.c.keys(), rows))


async def list_traces(
    connection: Transaction, begin: datetime, end: datetime, kinds: Collection[TraceKind], *, by_receipt: bool = False
) -> list[Trace]:
    """Traces of these kinds that happened in [begin, end); with `by_receipt`, of requests received in it."""
    when = traces.c.received_at if by_receipt else traces.c.at
    query = sa.select(traces).where(when >= begin, when < end, traces.c.kind.in_(sorted(kinds)))
    return [_trace(row) for row in (await connection.execute(query)).mappings()]


def _trace(row: Mapping[Any, Any]) -> Trace:
    stage = Stage(row["stage"]) if row["stage"] else None
    return Trace(**{**row, "kind": TraceKind(row["kind"]), "stage": stage, "hashes": tuple(row["hashes"])})


# Improvements


async def save_improvements(
    connection: Transaction, assigned: Sequence[Improvement], done: Mapping[UUID, datetime]
) -> None:
    """Keep those that were handed out, then note those that are done."""
    if assigned:
        rows = [asdict(one) for one in assigned]
        await connection.execute(insert(improvements).on_conflict_do_nothing(), rows)
    for id_, at in sorted(done.items()):
        open_ = sa.and_(improvements.c.id == id_, improvements.c.done_at.is_(None))
        await connection.execute(sa.update(improvements).where(open_).values(done_at=at))


async def list_improvements(connection: Transaction, begin: datetime, end: datetime) -> list[Improvement]:
    """Those handed out before `end`, and not done before `begin`; by when they are due."""
    alive = sa.or_(improvements.c.done_at.is_(None), improvements.c.done_at >= begin)
    query = sa.select(improvements).where(improvements.c.assigned_at < end, alive)
    rows = (await connection.execute(query.order_by(improvements.c.due_at, improvements.c.id))).mappings()
    return [_improvement(row) for row in rows]


def _improvement(row: Mapping[Any, Any]) -> Improvement:
    stage = Stage(row["stage"]) if row["stage"] else None
    return Improvement(**{**row, "problem": ProblemKind(row["problem"]), "stage": stage})
