"""The tables of drills, and every query on them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dispatch.city import Post
from dispatch.drills import Asked, Drill
from dispatch.store import At, metadata
from shared.database import Transaction
from shared.rows import among

drills = sa.Table(
    "drills",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("asked_at", At, nullable=False),
    sa.Column("asked_by", sa.Text),
    sa.Column("answer_by", At, nullable=False),
    sa.Column("closed_at", At),
    sa.Column("policy_version", sa.Text, nullable=False),
)
sa.Index("ix_drills_list", drills.c.asked_at, drills.c.id)
drill_people = sa.Table(
    "drill_people",
    metadata,
    sa.Column("drill_id", sa.Uuid(), sa.ForeignKey("drills.id"), primary_key=True),
    sa.Column("liaison", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),
    sa.Column("is_expected", sa.Boolean, nullable=False),
    sa.Column("answered_at", At),
    sa.Column("answered_by", sa.Text),
)
_MISSING = drill_people.c.is_expected & drill_people.c.answered_at.is_(None)
STREAK = 20
"""How many drills back it is counted how often in a row somebody of an organisation did not answer."""


async def add(connection: Transaction, drill: Drill, people: Sequence[Asked]) -> None:
    """Keep a drill that begins, with everybody who is asked."""
    await connection.execute(sa.insert(drills).values(asdict(drill)))
    if people:
        rows = [asdict(one) | {"drill_id": drill.id, "post": one.post.value} for one in people]
        await connection.execute(sa.insert(drill_people), rows)


async def find(connection: Transaction, drill_id: UUID, *, lock: bool = False, hold_open: bool = False) -> Drill | None:
    """The drill; with `lock` to close it, with `hold_open` nobody closes it before this transaction ends."""
    query = sa.select(drills).where(drills.c.id == drill_id)
    if lock or hold_open:
        query = query.with_for_update(read=hold_open)
    row = (await connection.execute(query)).mappings().first()
    return Drill(**row) if row else None


async def last_drill(connection: Transaction) -> Drill | None:
    """The one that began last."""
    query = sa.select(drills).order_by(drills.c.asked_at.desc(), drills.c.id.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return Drill(**row) if row else None


async def list_people(connection: Transaction, drill_id: UUID, organisation: str | None = None) -> list[Asked]:
    """Everybody who is asked, or those of one organisation."""
    query = sa.select(*(c for c in drill_people.c if c.name != "drill_id")).where(drill_people.c.drill_id == drill_id)
    if organisation is not None:
        query = query.where(drill_people.c.organisation == organisation)
    rows = (await connection.execute(query)).mappings()
    return [Asked(**{**row, "post": Post(row["post"])}) for row in rows]


async def save_answers(
    connection: Transaction, drill_id: UUID, liaisons: Collection[str], now: datetime, by: str
) -> None:
    """Note that these can be reached; a second answer changes nothing."""
    await connection.execute(
        sa.update(drill_people)
        .where(drill_people.c.drill_id == drill_id, among(drill_people.c.liaison, sorted(liaisons)))
        .where(drill_people.c.answered_at.is_(None))
        .values(answered_at=now, answered_by=by)
    )


async def close(connection: Transaction, drill_id: UUID, now: datetime) -> None:
    """From now on no answer counts."""
    await connection.execute(sa.update(drills).where(drills.c.id == drill_id).values(closed_at=now))


async def last_unreached(connection: Transaction) -> list[str]:
    """Who did not answer the drill that was closed last."""
    last = (
        sa.select(drills.c.id).where(drills.c.closed_at.is_not(None)).order_by(drills.c.asked_at.desc()).limit(1)
    ).scalar_subquery()
    rows = await connection.scalars(sa.select(drill_people.c.liaison).where(drill_people.c.drill_id == last, _MISSING))
    return list(rows)


async def list_missing(connection: Transaction, before: datetime) -> list[set[str]]:
    """For each closed drill that began before then, the newest first: the organisations with somebody missing."""
    closed = (
        sa.select(drills.c.id, drills.c.asked_at)
        .where(drills.c.closed_at.is_not(None), drills.c.asked_at < before)
        .order_by(drills.c.asked_at.desc())
        .limit(STREAK)
    ).subquery()
    rows = await connection.execute(
        sa.select(closed.c.id, sa.func.array_agg(drill_people.c.organisation.distinct()).filter(_MISSING))
        .select_from(closed)
        .outerjoin(drill_people, drill_people.c.drill_id == closed.c.id)
        .group_by(closed.c.id, closed.c.asked_at)
        .order_by(closed.c.asked_at.desc())
    )
    return [set(names or ()) for _, names in rows]


async def list_some(
    connection: Transaction, *, organisation: str | None, after: Sequence[Any] | None, limit: int
) -> list[tuple[Drill, int, int, int]]:
    """A page of drills, the newest first, each with how many are asked, have answered, and are missing."""
    of = drill_people.c.drill_id == drills.c.id
    if organisation is not None:
        of &= drill_people.c.organisation == organisation
    answered = drill_people.c.answered_at.is_not(None)
    query = (
        sa.select(
            drills,
            sa.func.count(drill_people.c.liaison).label("asked"),
            sa.func.count().filter(answered).label("answered"),
            sa.func.count().filter(_MISSING).label("missing"),
        )
        .select_from(drills)
        .outerjoin(drill_people, of)
        .group_by(drills.c.id)
        .order_by(drills.c.asked_at.desc(), drills.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(drills.c.asked_at, drills.c.id) < sa.tuple_(*after))
    rows = (await connection.execute(query)).mappings()
    names = [c.name for c in drills.c]
    return [(Drill(**{n: row[n] for n in names}), row["asked"], row["answered"], row["missing"]) for row in rows]
