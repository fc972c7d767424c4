"""Parking: an event that cannot be handled waits, with those behind it on the same subject, until a person decides."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from shared.contracts import Record
from shared.contracts.operations import EventDropped, EventParked, EventRetried
from shared.database import Transaction
from shared.ids import new_id
from shared.messaging.tables import parked
from shared.messaging.work import Work
from shared.problems import NotFound, Problem

PARKED_AMONG = (
    sa.select(parked.c.subject)
    .where(parked.c.subject == sa.any_(sa.bindparam("subjects", type_=ARRAY(sa.Text))))
    .distinct()
)
LOCK_QUEUE = sa.text("select pg_advisory_xact_lock(hashtext('heed parked'), hashtext(:subject))")
ABOUT_PARKING = frozenset({EventParked.TYPE, EventRetried.TYPE, EventDropped.TYPE})
"""Whoever reads these sets them aside without a word: each would ask for the next, for ever."""


class StillFails(Problem):
    """The event cannot be handled even now; `error` names the fault. Mend its cause first, or leave the event out."""

    status = HTTPStatus.CONFLICT
    title = "Still fails"


def subject_of(record: Record) -> str:
    """What the record is about; its key where it does not say."""
    return record.headers.get("ce_subject", record.key)


async def subjects_parked(connection: Transaction, subjects: Sequence[str]) -> frozenset[str]:
    """Those of the subjects behind which events must queue."""
    if not subjects:
        return frozenset()
    rows = await connection.execute(PARKED_AMONG, {"subjects": list(subjects)})
    return frozenset(rows.scalars())


async def is_queue_open(connection: Transaction, subject: str) -> bool:
    """Whether the subject has a queue, which stays as it is until this transaction ends: nobody takes it out
    meanwhile and leaves behind what is about to join it."""
    if not await subjects_parked(connection, [subject]):
        return False
    await connection.execute(LOCK_QUEUE, {"subject": subject})
    return bool(await subjects_parked(connection, [subject]))


async def park(work: Work, record: Record, error: str, *, behind: bool) -> None:
    """Set the record aside, and say so on heed.operations."""
    event_id, kind = _id_of(record), record.headers.get("ce_type", "unknown")
    await work.connection.execute(
        sa.insert(parked).values(
            event_id=event_id,
            topic=record.topic,
            key=record.key,
            type=kind,
            subject=subject_of(record),
            headers=dict(record.headers),
            payload=record.value,
            error=error,
            behind=behind,
            parked_at=work.now,
        )
    )
    if kind not in ABOUT_PARKING:
        said = EventParked(service=work.source, event_id=event_id, event_type=kind, error=error, behind=behind)
        work.state(said, subject_of(record))


def _id_of(record: Record) -> UUID:
    try:
        return UUID(record.headers.get("ce_id", ""))
    except ValueError:
        return new_id()


async def list_parked(connection: Transaction) -> list[dict[str, Any]]:
    """What is parked here, oldest first; without the data, which may not be for everyone's eyes."""
    rows = await connection.execute(
        sa.select(
            parked.c.event_id,
            parked.c.topic,
            parked.c.type,
            parked.c.subject,
            parked.c.error,
            parked.c.behind,
            parked.c.parked_at,
        )
        .order_by(parked.c.position)
        .limit(1000)
    )
    return [dict(row) for row in rows.mappings()]


async def take_out(work: Work, event_id: UUID, *, drop: bool) -> list[Record]:
    """Remove the subject's queue from the parking place: to be handled again in this transaction, in order.

    With `drop`, the named event is left out. Raises NotFound.
    """
    subject = (await work.connection.execute(sa.select(parked.c.subject).where(parked.c.event_id == event_id))).scalar()
    if subject is None:
        raise NotFound("No event with this id is parked here.")
    await work.connection.execute(LOCK_QUEUE, {"subject": subject})
    rows = (
        await work.connection.execute(sa.select(parked).where(parked.c.subject == subject).order_by(parked.c.position))
    ).all()
    if event_id not in {row.event_id for row in rows}:
        raise NotFound("Somebody else has just taken this event out.")
    await work.connection.execute(sa.delete(parked).where(parked.c.subject == subject))
    records = []
    for row in rows:
        dropped = drop and row.event_id == event_id
        said = EventDropped if dropped else EventRetried
        if row.type not in ABOUT_PARKING:
            work.state(said(service=work.source, event_id=row.event_id), subject)
        if not dropped:
            records.append(Record(topic=row.topic, key=row.key, headers=row.headers, value=row.payload))
    return records


async def oldest_parked_at(connection: Transaction) -> tuple[int, datetime | None]:
    """How many events are parked, and since when the oldest."""
    row = (await connection.execute(sa.select(sa.func.count(), sa.func.min(parked.c.parked_at)))).one()
    return row[0], row[1]
