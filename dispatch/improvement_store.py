"""The table of improvements, and every query on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from dispatch.improvements import Improvement
from dispatch.store import At, metadata
from shared.contracts.vocabulary import ProblemKind, Stage
from shared.database import Transaction

improvements = sa.Table(
    "improvements",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("stage", sa.Text),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("words", sa.Text),
    sa.Column("due_at", At, nullable=False),
    sa.Column("since", At),
    sa.Column("until", At),
    sa.Column("request_id", sa.Uuid()),
    sa.Column("assigned_by", sa.Text, nullable=False),
    sa.Column("assigned_at", At, nullable=False),
    sa.Column("done_at", At),
    sa.Column("result", sa.Text),
    sa.Column("is_alarmed", sa.Boolean, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)
sa.Index("ix_improvements_list", improvements.c.due_at, improvements.c.id)


def _improvement(row: Mapping[Any, Any]) -> Improvement:
    stage = Stage(row["stage"]) if row["stage"] else None
    return Improvement(**{**row, "problem": ProblemKind(row["problem"]), "stage": stage})


async def save(connection: Transaction, held: Improvement) -> None:
    """Write it as it is now."""
    row = asdict(held)
    await connection.execute(insert(improvements).values(row).on_conflict_do_update(index_elements=["id"], set_=row))


async def find(connection: Transaction, improvement_id: UUID, *, lock: bool = False) -> Improvement | None:
    """The improvement; None where there is none."""
    query = sa.select(improvements).where(improvements.c.id == improvement_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return _improvement(row) if row else None


async def list_some(
    connection: Transaction,
    *,
    of: tuple[str | None, str] | None,
    only_open: bool,
    after: Sequence[Any] | None,
    limit: int,
) -> list[Improvement]:
    """By when they are due; with `of` (organisation, person) only theirs."""
    query = sa.select(improvements).order_by(improvements.c.due_at, improvements.c.id).limit(limit)
    if of is not None:
        query = query.where(sa.or_(improvements.c.organisation == of[0], improvements.c.holder == of[1]))
    if only_open:
        query = query.where(improvements.c.done_at.is_(None))
    if after is not None:
        query = query.where(sa.tuple_(improvements.c.due_at, improvements.c.id) > sa.tuple_(*after))
    return [_improvement(row) for row in (await connection.execute(query)).mappings()]
