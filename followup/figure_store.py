"""Tables of the figures: moves, and the cells and sketches that they are folded into; what was excluded, and why.

A change of a request writes one row, its move. `fold` spreads many moves over the cells at once, so that the cells
they share, the whole hour above all, are written once and not by every transaction. Whoever reads figures
adds in what is not folded yet (`see`): what was committed before is in them, and nothing is half in them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert

from followup.bulletin import EXCLUSIONS, HOURS, Excluded, Tallies
from followup.cells import DIMENSIONS, OPENING, TOTAL, Bucket, Cell, Profile, Sum, horizon, spans, spread
from followup.figures import NOTHING, Counts
from followup.stages import Spent
from followup.store import At, Id, cases, metadata
from shared.contracts.requests import TOPIC
from shared.contracts.vocabulary import Decider, RejectionReason
from shared.database import Transaction
from shared.messaging.positions import as_of
from shared.rows import JsonText, by_column, insert_given

FOLDED_AT_ONCE = 100
"""Moves in one transaction: enough to share cells, few enough (10 to 25 ms) not to keep the process from its calls."""
HOURS_SHOWN = 1000
GROUPS_SHOWN = 1000
HOUR = "hour"
"""Grouped by the hour of receipt itself, not by that of the day."""
D = TypeVar("D", bound=str)
COUNTS = TypeAdapter(dict[str, int])
SPENT = TypeAdapter(list[tuple[str, int, int]])

moves = sa.Table(
    "moves",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", At, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in Profile._fields[1:]),
    sa.Column("counts", JsonText, nullable=False),
    sa.Column("spent", JsonText, nullable=False),
)

cells = sa.Table(
    "cells",
    metadata,
    sa.Column("dimension", sa.Text, primary_key=True),
    sa.Column("size", sa.Text, primary_key=True),
    sa.Column("at", At, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("second", sa.Text, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in Counts._fields),
)

sketches = sa.Table(
    "sketches",
    metadata,
    sa.Column("size", sa.Text, primary_key=True),
    sa.Column("at", At, primary_key=True),
    sa.Column("colour", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("bucket", sa.SmallInteger, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)

# Rejected requests: what the figures leave out, for anybody to look through.
exclusions = sa.Table(
    "exclusions",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("received_at", At, nullable=False),
    sa.Column("rejected_at", At, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text),
)
sa.Index("ix_exclusions_list", exclusions.c.rejected_at, exclusions.c.request_id)


# Writing

WRITTEN = [name for name in moves.c.keys() if name != "number"]  # noqa: SIM118 a collection of columns, no dictionary
ADD_MOVES = insert_given(moves, *WRITTEN)


async def add_moves(connection: Transaction, sums: Mapping[Profile, Sum]) -> None:
    """Write what changed, to be folded soon."""
    rows = [
        profile._asdict()
        | {
            "counts": COUNTS.dump_json({name: n for name, n in change.counts._asdict().items() if n}).decode(),
            "spent": SPENT.dump_json([(*spent, n) for spent, n in change.spent.items() if n]).decode(),
        }
        for profile, change in sums.items()
        if not change.is_nothing
    ]
    if rows:
        await connection.execute(ADD_MOVES, by_column(WRITTEN, rows))


_oldest = sa.select(moves.c.number).order_by(moves.c.number).limit(FOLDED_AT_ONCE).with_for_update()
TAKE_MOVES = sa.delete(moves).where(moves.c.number.in_(_oldest.scalar_subquery())).returning(*moves.c[*WRITTEN])
_new_cells = insert_given(cells, *cells.c.keys())
ADD_TO_CELLS = _new_cells.on_conflict_do_update(
    index_elements=list(Cell._fields), set_={name: cells.c[name] + _new_cells.excluded[name] for name in Counts._fields}
)
_new_buckets = insert_given(sketches, *sketches.c.keys())
ADD_TO_SKETCHES = _new_buckets.on_conflict_do_update(
    index_elements=list(Bucket._fields), set_={"n": sketches.c.n + _new_buckets.excluded.n}
)


async def fold(connection: Transaction) -> int:
    """Fold the oldest moves into the cells and sketches, and say how many they were.

    Always in one order, so that no two transactions block each other.
    """
    taken = (await connection.execute(TAKE_MOVES)).all()
    changed, buckets = _spread(taken)
    if changed:
        rows = [cell._asdict() | counts._asdict() for cell, counts in sorted(changed.items())]
        await connection.execute(ADD_TO_CELLS, by_column(cells.c.keys(), rows))
    if buckets:
        given = [bucket._asdict() | {"n": n} for bucket, n in sorted(buckets.items())]
        await connection.execute(ADD_TO_SKETCHES, by_column(sketches.c.keys(), given))
    return len(taken)


def _spread(rows: Sequence[sa.Row[Any]]) -> tuple[dict[Cell, Counts], dict[Bucket, int]]:
    """What these moves add to which cells and buckets."""
    sums: dict[Profile, Sum] = defaultdict(Sum)
    for row in rows:
        change = sums[Profile(*row[: len(Profile._fields)])]
        took = Counter({Spent(stage, bucket): n for stage, bucket, n in SPENT.validate_json(row.spent)})
        change.counts = change.counts.plus(Counts(**COUNTS.validate_json(row.counts)))
        change.spent.update(took)
    return spread(sums.items())


async def add_exclusions(connection: Transaction, rejected: Sequence[Mapping[str, Any]]) -> None:
    """List rejected requests; each is listed once."""
    if rejected:
        await connection.execute(insert(exclusions).on_conflict_do_nothing(), list(rejected))


# Reading

Sums = dict[tuple[str, str], Counts]
"""Sums by value, and second value where there are two dimensions."""
Sketches = dict[tuple[str, str], dict[int, int]]
"""How many requests stand in each bucket, by colour and stage."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The figures as of one moment."""

    connection: Transaction
    read_to: str
    """How far the log was read by then."""
    cells: Mapping[Cell, Counts]
    """What the moves that were not folded by then add."""
    buckets: Mapping[Bucket, int]


async def see(connection: Transaction) -> Seen:
    """What all that this transaction reads is as of. To be called first in it.

    It does not fold: another that folds at the same time would make it fail.
    """
    read_to = await as_of(connection, TOPIC)
    return Seen(connection, read_to, *_spread((await connection.execute(sa.select(*moves.c[*WRITTEN]))).all()))


async def read_figures(
    connection: Transaction, by: Sequence[str], begin: datetime, end: datetime
) -> tuple[Counts, Sums, Sketches, str]:
    """Of all requests received in [begin, end), with all that was committed: the sum, the sums by value of one
    dimension or two, the sketches, and how far the log was read."""
    seen = await see(connection)
    whole = await sum_whole(seen, begin, end)
    groups: Sums = {}
    if HOUR in by:
        other = next((dimension for dimension in by if dimension != HOUR), TOTAL)
        groups = await list_hours(seen, other, begin, end)
    elif by:
        groups = await sum_cells(seen, ",".join(kept_order(by)), begin, end)
    return whole, groups, await sum_sketches(seen, begin, end), seen.read_to


async def read_tallies(connection: Transaction, now: datetime) -> tuple[Tallies, list[Excluded]]:
    """What a bulletin of all requests since opening is made of, with the hours that it shows, seen at one moment."""
    seen = await see(connection)
    begin, end = OPENING, horizon(now)
    groups = {name: await sum_cells(seen, name, begin, end) for name in DIMENSIONS}
    tallies = Tallies(
        whole=await sum_whole(seen, begin, end),
        hours=await list_hours(seen, "colour", now - timedelta(hours=HOURS), end),
        groups={name: {value: counts for (value, _), counts in found.items()} for name, found in groups.items()},
        sketches=await sum_sketches(seen, begin, end),
    )
    newest = sa.select(exclusions).order_by(exclusions.c.rejected_at.desc(), exclusions.c.request_id.desc())
    rows = (await connection.execute(newest.limit(EXCLUSIONS))).all()
    return tallies, [
        Excluded(r.request_id, r.rejected_at, RejectionReason(r.reason), Decider(r.decided_by), r.approved_by)
        for r in rows
    ]


def kept_order(by: Sequence[D]) -> list[D]:
    """The dimensions in the order in which sums by them are kept: the hour first, then as in `DIMENSIONS`."""
    order = (HOUR, *DIMENSIONS)
    return sorted(by, key=order.index)


async def reconcile(
    connection: Transaction, begin: datetime, end: datetime, *, count: bool
) -> tuple[Counts, dict[str, int] | None]:
    """The sum over all requests, and with `count` how many cases there are in each status, seen at one moment."""
    whole = await sum_whole(await see(connection), begin, end)
    return whole, await count_cases(connection) if count else None


def _within(table: sa.Table, begin: datetime, end: datetime) -> sa.ColumnElement[bool]:
    """The rows that make up the requests received in [begin, end), which are whole hours."""
    size, at = table.c.size, table.c.at
    return sa.or_(*(sa.and_(size == name, at >= first, at < last) for name, first, last in spans(begin, end)))


def _is_within(sum_of: Cell | Bucket, begin: datetime, end: datetime) -> bool:
    """Whether `_within` takes it."""
    return any(sum_of.size == name and first <= sum_of.at < last for name, first, last in spans(begin, end))


async def sum_cells(seen: Seen, dimension: str, begin: datetime, end: datetime) -> Sums:
    """Sums over the requests received in [begin, end), whole hours, or days for a pair: at most GROUPS_SHOWN, those
    with the most requests, by value."""
    sums = [sa.func.sum(cells.c[name]).label(name) for name in Counts._fields]
    query = (
        sa.select(cells.c.value, cells.c.second, *sums)
        .where(cells.c.dimension == dimension, _within(cells, begin, end))
        .group_by(cells.c.value, cells.c.second)
        .having(sa.func.sum(cells.c.received) > 0)
        .order_by(sa.desc("received"), cells.c.value, cells.c.second)
        .limit(GROUPS_SHOWN)
    )
    rows = (await seen.connection.execute(query)).all()
    found = {(row[0], row[1]): Counts(*(int(n) for n in row[2:])) for row in rows}
    for cell, counts in seen.cells.items():
        if cell.dimension == dimension and _is_within(cell, begin, end):
            key = cell.value, cell.second
            found[key] = found.get(key, NOTHING).plus(counts)
    return _in_order(found)


async def list_hours(seen: Seen, dimension: str, begin: datetime, end: datetime) -> Sums:
    """Sums by hour of receipt and value of the dimension, in [begin, end), in order: at most the last HOURS_SHOWN."""
    query = (
        sa.select(cells.c.at, cells.c.value, *(cells.c[name] for name in Counts._fields))
        .where(cells.c.dimension == dimension, cells.c.size == "hour", cells.c.at >= begin, cells.c.at < end)
        .where(cells.c.received > 0)
        .order_by(cells.c.at.desc(), cells.c.value)
        .limit(HOURS_SHOWN)
    )
    rows = (await seen.connection.execute(query)).all()
    found = {(row[0].isoformat(), row[1]): Counts(*row[2:]) for row in rows}
    for cell, counts in seen.cells.items():
        if (cell.dimension, cell.size) == (dimension, "hour") and begin <= cell.at < end:
            key = cell.at.isoformat(), cell.value
            found[key] = found.get(key, NOTHING).plus(counts)
    return _in_order(found)


def _in_order(found: Sums) -> Sums:
    """Those with a request, by value."""
    return {key: counts for key, counts in sorted(found.items()) if counts.received}


async def sum_whole(seen: Seen, begin: datetime, end: datetime) -> Counts:
    """The sum over all requests received in [begin, end), whole hours."""
    found = await sum_cells(seen, TOTAL, begin, end)
    return found.get(("", ""), Counts())


async def sum_sketches(seen: Seen, begin: datetime, end: datetime) -> Sketches:
    """By colour and stage, how many of the requests received in [begin, end) stand in each bucket."""
    query = (
        sa.select(sketches.c.colour, sketches.c.stage, sketches.c.bucket, sa.func.sum(sketches.c.n).label("n"))
        .where(_within(sketches, begin, end))
        .group_by(sketches.c.colour, sketches.c.stage, sketches.c.bucket)
        .having(sa.func.sum(sketches.c.n) != 0)
    )
    found: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for colour, stage, bucket, n in await seen.connection.execute(query):
        found[colour, stage][bucket] = int(n)
    for at, n in seen.buckets.items():
        if _is_within(at, begin, end):
            found[at.colour, at.stage][at.bucket] += n
    kept = {key: {bucket: n for bucket, n in sketch.items() if n} for key, sketch in found.items()}
    return {key: sketch for key, sketch in kept.items() if sketch}


async def count_cases(connection: Transaction) -> dict[str, int]:
    """How many requests are in each status, counted one by one: takes as long as there are requests."""
    query = sa.select(cases.c.status, sa.func.count()).group_by(cases.c.status)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def list_exclusions(
    connection: Transaction, *, reason: RejectionReason | None, after: Sequence[Any] | None, limit: int
) -> list[dict[str, Any]]:
    """Rejected requests by when they were, with why and on whose word."""
    order = (exclusions.c.rejected_at, exclusions.c.request_id)
    query = sa.select(exclusions).order_by(*order).limit(limit)
    if reason is not None:
        query = query.where(exclusions.c.reason == reason)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after))
    return [dict(row) for row in (await connection.execute(query)).mappings()]
