"""Tables of followup, and every query on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY, insert

from followup.lookback import Visit, VisitState
from followup.model import Case, Stratum
from followup.plan import Plan
from shared.contracts.life import Life
from shared.contracts.requests import TOPIC
from shared.contracts.vocabulary import AlarmKind, Medium
from shared.database import Transaction, new_metadata
from shared.messaging.positions import as_of
from shared.names import Names
from shared.rows import JsonText, among, by_column, upsert_given

metadata = new_metadata()
At = sa.DateTime(timezone=True)
Id = sa.Uuid()
CASE = TypeAdapter(Case)


cases = sa.Table(
    "cases",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("organisations", ARRAY(sa.Text), nullable=False),
    sa.Column("body", JsonText, nullable=False),
)

visits = sa.Table(
    "visits",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("request_id", Id, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.SmallInteger, nullable=False),
    sa.Column("due_at", At, nullable=False),
    sa.Column("medium", sa.Text, nullable=False),
    sa.Column("media", ARRAY(sa.Text), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("opened_at", At, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("colour", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("certain", sa.Boolean, nullable=False),
    sa.Column("answer_text", Id),
    sa.Column("answered_at", At),
    sa.Column("score", ARRAY(sa.SmallInteger)),
)
sa.Index("ix_visits_work", visits.c.due_at, visits.c.id, postgresql_where=visits.c.state == VisitState.OPEN.value)
sa.Index("ix_visits_unscored", visits.c.due_at, visits.c.id, postgresql_where=visits.c.score.is_(None))

# The open alarms of all services, as heed.operations tells them.
alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("request_id", Id),
    sa.Column("stage", sa.Text),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("raised_at", At, nullable=False),
    sa.Column("last_at", At, nullable=False),
)
sa.Index("ix_alarms_list", alarms.c.raised_at, alarms.c.subject, alarms.c.kind, alarms.c.service)

names = Names(metadata)

# Every plan that was in force; the newest is. The seed of the draws stays with it and leaves the database never.
plans = sa.Table(
    "plans",
    metadata,
    sa.Column("number", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("body", JsonText, nullable=False),
    sa.Column("seed", sa.LargeBinary, nullable=False),
    sa.Column("applied_at", At, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The plan in force, with the seed of the draws."""

    plan: Plan
    seed: bytes


# The plan


async def find_policy(connection: Transaction) -> Policy | None:
    """The plan in force; None before the first."""
    newest = sa.select(plans.c.body, plans.c.seed).order_by(plans.c.number.desc()).limit(1)
    row = (await connection.execute(newest)).one_or_none()
    return Policy(Plan.model_validate_json(row.body), row.seed) if row else None


async def load_policy(connection: Transaction) -> Policy:
    """The plan in force; one is applied at start."""
    policy = await find_policy(connection)
    if policy is None:
        raise LookupError("no follow-up plan was applied yet")
    return policy


async def add_policy(connection: Transaction, policy: Policy, now: datetime) -> None:
    """Put a plan into force."""
    row = {"version": policy.plan.version, "body": policy.plan.model_dump_json(), "seed": policy.seed}
    await connection.execute(sa.insert(plans), row | {"applied_at": now})


# Cases


async def find_case(connection: Transaction, request_id: UUID) -> Case | None:
    """The case as it is now; None where it is not known."""
    body = await connection.scalar(sa.select(cases.c.body).where(cases.c.request_id == request_id))
    return CASE.validate_json(body) if body else None


async def lock_cases(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Case]:
    """Those of the cases that are known, locked; always in one order, so that no two transactions block each other."""
    if not ids:
        return {}
    query = sa.select(cases.c.body).where(among(cases.c.request_id, ids)).order_by(cases.c.request_id)
    rows = (await connection.execute(query.with_for_update())).scalars()
    return {case.request_id: case for case in map(CASE.validate_json, rows)}


SAVE_CASES = upsert_given(cases, *cases.c.keys(), key=("request_id",))


async def save_cases(connection: Transaction, changed: Iterable[Case]) -> None:
    """Write the cases as they are now."""
    rows = [
        {
            "request_id": c.request_id,
            "status": c.life.status.value,
            "organisations": list(c.organisations),
            "body": CASE.dump_json(c).decode(),
        }
        for c in sorted(changed, key=lambda case: case.request_id)
    ]
    if rows:
        await connection.execute(SAVE_CASES, by_column(cases.c.keys(), rows))


async def list_lives(
    connection: Transaction, after: UUID | None, limit: int
) -> tuple[list[tuple[UUID, str, Life]], str]:
    """Each request with the status it is listed as and its life, by id; and how far the log was read by then."""
    read = await as_of(connection, TOPIC)
    query = sa.select(cases.c.request_id, cases.c.status, cases.c.body).order_by(cases.c.request_id).limit(limit)
    if after is not None:
        query = query.where(cases.c.request_id > after)
    rows = await connection.execute(query)
    return [(row.request_id, row.status, CASE.validate_json(row.body).life) for row in rows], read


# Visits


def _visit(row: Any) -> Visit:
    return Visit(
        id=row.id,
        request_id=row.request_id,
        reason=row.reason,
        state=VisitState(row.state),
        attempt=row.attempt,
        due_at=row.due_at,
        medium=Medium(row.medium),
        media=tuple(Medium(medium) for medium in row.media),
        revision=row.revision,
        opened_at=row.opened_at,
        stratum=Stratum(*(getattr(row, name) for name in Stratum._fields)),
        answer_text=row.answer_text,
        answered_at=row.answered_at,
        score=tuple(row.score) if row.score is not None else None,
    )


def _row(visit: Visit) -> dict[str, Any]:
    row = asdict(visit) | visit.stratum._asdict() | {"media": list(visit.media)}
    del row["stratum"]
    return row | {"score": list(visit.score) if visit.score is not None else None}


async def find_visit(connection: Transaction, visit_id: UUID, *, lock: bool = False) -> Visit | None:
    """The visit; None where there is none. Lock it only after its case."""
    query = sa.select(visits).where(visits.c.id == visit_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _visit(row) if row else None


async def add_visits(connection: Transaction, new: Sequence[Visit]) -> None:
    """Plan call-backs."""
    if new:
        await connection.execute(sa.insert(visits), [_row(visit) for visit in new])


async def save_visit(connection: Transaction, visit: Visit) -> None:
    """Write the visit as it is now."""
    await connection.execute(sa.update(visits).where(visits.c.id == visit.id).values(_row(visit)))


async def void_visits(connection: Transaction, request_ids: Collection[UUID]) -> None:
    """What was planned for these requests is void: they went on otherwise."""
    if request_ids:
        planned = sa.and_(among(visits.c.request_id, request_ids), visits.c.state == VisitState.OPEN)
        await connection.execute(sa.update(visits).where(planned).values(state=VisitState.VOID))


async def list_visits(
    connection: Transaction,
    *,
    to_score: bool,
    due_by: datetime | None,
    not_of: str | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[tuple[Visit, Case]]:
    """Open visits by when they are due, with their cases; none whose case the organisation `not_of` handled.

    With `to_score`, those whose answer has no score yet, whatever became of the call.
    """
    waits = visits.c.score.is_(None) if to_score else visits.c.state == sa.literal_column(f"'{VisitState.OPEN.value}'")
    query = (
        sa.select(visits, cases.c.body)
        .join(cases, cases.c.request_id == visits.c.request_id)
        .where(waits)
        .order_by(visits.c.due_at, visits.c.id)
        .limit(limit)
    )
    if due_by is not None:
        query = query.where(visits.c.due_at <= due_by)
    if not_of is not None:
        query = query.where(sa.literal(not_of) != sa.all_(cases.c.organisations))
    if after is not None:
        query = query.where(sa.tuple_(visits.c.due_at, visits.c.id) > sa.tuple_(*after))
    return [(_visit(row), CASE.validate_json(row.body)) for row in await connection.execute(query)]


# Alarms


async def save_alarms(
    connection: Transaction, cleared: Collection[tuple[str, str, str]], raised: Sequence[Mapping[str, Any]]
) -> None:
    """Delete what was cleared (service, subject, kind), then write what was raised; the first time stays."""
    key = (alarms.c.service, alarms.c.subject, alarms.c.kind)
    if cleared:
        await connection.execute(sa.delete(alarms).where(sa.tuple_(*key).in_(sorted(cleared))))
    if raised:
        new = insert(alarms)
        kept = {name: new.excluded[name] for name in ("stage", "count", "last_at")}
        await connection.execute(
            new.on_conflict_do_update(index_elements=["service", "subject", "kind"], set_=kept), list(raised)
        )


async def list_alarms(
    connection: Transaction, *, kind: AlarmKind | None, after: Sequence[Any] | None, limit: int
) -> list[dict[str, Any]]:
    """Open alarms, the oldest first."""
    order = (alarms.c.raised_at, alarms.c.subject, alarms.c.kind, alarms.c.service)
    query = sa.select(alarms).order_by(*order).limit(limit)
    if kind is not None:
        query = query.where(alarms.c.kind == kind)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after))
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def count_alarms(connection: Transaction) -> dict[str, int]:
    """How many alarms of each kind are open."""
    query = sa.select(alarms.c.kind, sa.func.count()).group_by(alarms.c.kind)
    return {row[0]: row[1] for row in await connection.execute(query)}
