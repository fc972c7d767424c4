"""The queue of deliveries: who may be sent to now, in which order, and what came of it.

An endpoint's deliveries are sent in the order in which their facts were read, several at once; of one request, one
after the other. A delivery that failed loses its place: those behind it are not held up until it is tried again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.callbacks.model import DRILLS, TEST_TYPE, UNSEEN_BY_HANDLERS, Attempt, DeliveryState, Endpoint, KeptFact
from services.callbacks.store import FACT_COLUMNS, At, as_fact, attempts, cases, deliveries, endpoints, facts
from shared.database import Transaction
from shared.ids import new_id
from shared.rows import among, by_column, given, insert_given

# By the database's clock, not by ours: a lease is about real time, whatever the service's clock shows.
DATABASE_NOW = sa.func.clock_timestamp()
NOW = sa.bindparam("now", type_=At)
PENDING = deliveries.c.state == DeliveryState.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A delivery in our hands until its lease ends."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    request_id: UUID | None
    type: str
    attempts: int
    tries: int
    """Attempts since it was created or replayed: its place in the schedule."""
    url: str
    lease: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A delivery after an attempt; still pending where `due_at` is set."""

    delivery: Taken
    attempt: Attempt
    due_at: datetime | None

    @property
    def state(self) -> DeliveryState:
        """What it is in now."""
        if self.attempt.succeeded:
            return DeliveryState.SUCCEEDED
        return DeliveryState.PENDING if self.due_at else DeliveryState.FAILED


COLUMNS = (
    "id", "endpoint_id", "event_id", "request_id", "number", "type", "state", "attempts", "tries", "created_at",
    "due_at",
)  # fmt: skip
ADD = insert_given(deliveries, *COLUMNS).on_conflict_do_nothing()


async def add_deliveries(connection: Transaction, wanted: Sequence[tuple[Endpoint, KeptFact]], now: datetime) -> None:
    """Queue facts for endpoints, in this order; what is queued or was sent already stays as it is."""
    rows = [_row(endpoint.id, fact.event_id, fact.request_id, fact.number, fact.type, now) for endpoint, fact in wanted]
    if rows:
        await connection.execute(ADD, by_column(COLUMNS, rows))


async def add_notice_deliveries(
    connection: Transaction, provider_id: UUID, notices: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Queue notices for the message provider."""
    rows = [_row(provider_id, n["id"], n["request_id"], 0, n["about"], now) for n in notices]
    if rows:
        await connection.execute(ADD, by_column(COLUMNS, rows))


def _row(
    endpoint_id: UUID, event_id: UUID, request_id: UUID | None, number: int, kind: str, now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "request_id": request_id,
        "number": number,
        "type": kind,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "tries": 0,
        "created_at": now,
        "due_at": now,
    }


def _due_of_endpoint() -> sa.FromClause:
    """What may be sent now to the endpoint of the outer query.

    Nothing of a request while an earlier fact of it is on its way or has not been tried yet.
    """
    busy = deliveries.alias()
    under_way = (
        sa.select(sa.func.count())
        .where(busy.c.endpoint_id == endpoints.c.id, busy.c.taken_until.is_not(None), busy.c.taken_until > DATABASE_NOW)
        .correlate(endpoints)
        .scalar_subquery()
    )
    earlier = deliveries.alias()
    waits = sa.exists().where(
        earlier.c.endpoint_id == deliveries.c.endpoint_id,
        earlier.c.request_id == deliveries.c.request_id,
        earlier.c.state == DeliveryState.PENDING,
        sa.tuple_(earlier.c.number, earlier.c.position) < sa.tuple_(deliveries.c.number, deliveries.c.position),
        sa.or_(earlier.c.tries == 0, earlier.c.taken_until > DATABASE_NOW),
    )
    return (
        sa.select(deliveries)
        .where(
            deliveries.c.endpoint_id == endpoints.c.id,
            PENDING,
            deliveries.c.due_at > sa.text("'-infinity'"),  # the condition of the index
            deliveries.c.due_at <= NOW,
            sa.or_(deliveries.c.taken_until.is_(None), deliveries.c.taken_until <= DATABASE_NOW),
            ~waits,
        )
        .order_by(deliveries.c.due_at, deliveries.c.position)
        .limit(sa.func.greatest(sa.bindparam("per_endpoint", type_=sa.Integer) - under_way, 0))
        .with_for_update(skip_locked=True)
        .correlate(endpoints)
        .lateral("due")
    )


def _take() -> sa.Executable:
    """Of each endpoint in turn."""
    due = _due_of_endpoint()
    in_turn = sa.func.row_number().over(partition_by=due.c.endpoint_id, order_by=(due.c.due_at, due.c.position))
    chosen = (
        sa.select(due.c.id, endpoints.c.url)
        .select_from(endpoints.join(due, sa.true()))
        .where(endpoints.c.enabled, sa.or_(endpoints.c.paused_until.is_(None), endpoints.c.paused_until <= NOW))
        .order_by(in_turn)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .cte("chosen")
    )
    until = DATABASE_NOW + sa.bindparam("lease_for", type_=sa.Interval)
    return (
        sa.update(deliveries)
        .where(deliveries.c.id == chosen.c.id)
        .values(taken_until=until, taken_by=sa.bindparam("lease"))
        .returning(deliveries, chosen.c.url)
    )


TAKE = _take()


async def take_due(
    connection: Transaction, now: datetime, *, most: int, per_endpoint: int, lease_seconds: float
) -> list[Taken]:
    """Take what is due, of each endpoint in turn, until the lease ends; a dead process's too once its lease is over.

    Losing this mark in a crash only means to send again, so that the commit need not wait for the disk.
    """
    await connection.execute(sa.text("set local synchronous_commit = off"))
    lease = new_id()
    values = {"now": now, "most": most, "per_endpoint": per_endpoint, "lease": lease}
    taken = await connection.execute(TAKE, values | {"lease_for": timedelta(seconds=lease_seconds)})
    rows = sorted(taken, key=lambda row: (row.due_at, row.position))
    names = ("id", "endpoint_id", "event_id", "request_id", "type", "attempts", "tries", "url")
    return [Taken(**{name: getattr(row, name) for name in names}, lease=lease) for row in rows]


async def still_ours(connection: Transaction, taken: Sequence[Taken]) -> set[tuple[UUID, UUID]]:
    """Which of these nobody else has taken since, locked: ids with leases."""
    rows = await connection.execute(
        sa.select(deliveries.c.id, deliveries.c.taken_by)
        .where(among(deliveries.c.id, [delivery.id for delivery in taken]))
        .order_by(deliveries.c.id)
        .with_for_update()
    )
    return {(row.id, row.taken_by) for row in rows}


SETTLED = ("id", "state", "attempts", "tries", "due_at")
_after = given(deliveries, *SETTLED)
SETTLE = (
    sa.update(deliveries)
    .where(deliveries.c.id == _after.c.id)
    .values({name: _after.c[name] for name in SETTLED if name != "id"} | {"taken_until": None, "taken_by": None})
)
ATTEMPTED = ("delivery_id", "number", "at", "duration_ms", "status_code", "error")
ADD_ATTEMPTS = insert_given(attempts, *ATTEMPTED).on_conflict_do_nothing()


async def settle(connection: Transaction, settled: Sequence[Settled]) -> None:
    """Save what came of attempts, and let the deliveries go."""
    if not settled:
        return
    rows = [
        {
            "id": one.delivery.id,
            "state": one.state,
            "attempts": one.delivery.attempts + 1,
            "tries": one.delivery.tries + 1,
            "due_at": one.due_at or one.attempt.at,
        }
        for one in settled
    ]
    await connection.execute(SETTLE, by_column(SETTLED, rows))
    tried = [
        {
            "delivery_id": one.delivery.id,
            "number": one.delivery.attempts + 1,
            "at": one.attempt.at,
            "duration_ms": one.attempt.duration_ms,
            "status_code": one.attempt.status_code,
            "error": one.attempt.error,
        }
        for one in settled
    ]
    await connection.execute(ADD_ATTEMPTS, by_column(ATTEMPTED, tried))


async def bring_forward(connection: Transaction, endpoint_ids: Collection[UUID]) -> None:
    """Let all that waits for endpoints that are back go now, in its old order."""
    if endpoint_ids:
        await connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.endpoint_id.in_(endpoint_ids), PENDING, deliveries.c.tries > 0)
            .values(due_at=deliveries.c.created_at)
        )


# Reading, and sending again


async def list_deliveries(
    connection: Transaction, endpoint_id: UUID, state: DeliveryState | None, before: int | None, limit: int
) -> list[tuple[Any, list[Any]]]:
    """An endpoint's deliveries, newest first, each with its attempts in order."""
    query = (
        sa.select(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id)
        .order_by(deliveries.c.position.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        query = query.where(deliveries.c.position < before)
    found = list(await connection.execute(query))
    tried: dict[UUID, list[Any]] = {row.id: [] for row in found}
    for row in await connection.execute(
        sa.select(attempts).where(attempts.c.delivery_id.in_(tried)).order_by(attempts.c.number)
    ):
        tried[row.delivery_id].append(row)
    return [(row, tried[row.id]) for row in found]


async def find_delivered_event(connection: Transaction, endpoint_id: UUID, delivery_id: UUID) -> UUID | None:
    """The event of one of the endpoint's deliveries."""
    query = sa.select(deliveries.c.event_id).where(
        deliveries.c.endpoint_id == endpoint_id, deliveries.c.id == delivery_id
    )
    event_id: UUID | None = (await connection.execute(query)).scalar()
    return event_id


async def list_facts_between(
    connection: Transaction, endpoint: Endpoint, since: datetime, until: datetime, limit: int
) -> list[KeptFact]:
    """Kept facts of this time that the endpoint is entitled to, in order."""
    query = (
        sa.select(*FACT_COLUMNS)
        .where(facts.c.at >= since, facts.c.at <= until, facts.c.type != TEST_TYPE)
        .order_by(facts.c.at, facts.c.event_id)
        .limit(limit)
    )
    if endpoint.event_types:
        query = query.where(facts.c.type.in_(endpoint.event_types))
    if endpoint.organisation is not None:
        query = query.where(
            facts.c.type.not_in(UNSEEN_BY_HANDLERS),
            sa.exists().where(
                cases.c.request_id == facts.c.request_id,
                sa.cast(cases.c.state, JSONB)["organisations"].contains([endpoint.organisation]),
            )
            | (facts.c.type.in_(DRILLS) & (facts.c.data["organisation"].astext == endpoint.organisation)),
        )
    return [as_fact(row) for row in await connection.execute(query)]


async def queue_again(connection: Transaction, endpoint: Endpoint, again: Sequence[KeptFact], now: datetime) -> None:
    """Queue facts for an endpoint anew, whether they were delivered, failed, or never queued."""
    rows = [_row(endpoint.id, fact.event_id, fact.request_id, fact.number, fact.type, now) for fact in again]
    if rows:
        new = insert(deliveries)
        anew = {
            "state": DeliveryState.PENDING,
            "tries": 0,
            "due_at": now,
            "created_at": now,
            "taken_by": None,
            "taken_until": None,
        }
        await connection.execute(new.on_conflict_do_update(index_elements=["endpoint_id", "event_id"], set_=anew), rows)
