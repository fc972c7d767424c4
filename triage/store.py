"""Triage's tables and every query on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY

from shared.contracts.vocabulary import Category, Language, Status, Vulnerability
from shared.database import Transaction, new_metadata
from shared.rows import JsonText, among, by_column, given, insert_given, upsert_given, value_of
from triage.model import MOST_COST, Assessment, Case
from triage.reading import Text

metadata = new_metadata()
Id = sa.Uuid()
At = sa.DateTime(timezone=True)
AS_JSON: TypeAdapter[Assessment] = TypeAdapter(Assessment)

# Where a request stands by the log, and which revision counts. A row is made by whichever comes first, fact or text.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, server_default=Status.RECEIVED.value),
    sa.Column("area", sa.Text),
    sa.Column("organisations", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("person_decided", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("alarms", sa.Integer, nullable=False, server_default="0"),
    sa.Column("received_at", At),
    sa.Column("review_due_at", At),  # null where nobody is asked
    sa.Column("review_order", sa.SmallInteger, nullable=False, server_default="0"),  # 0 is the dearest mistake
)
sa.Index(
    "ix_requests_reviews",
    requests.c.review_order,
    requests.c.review_due_at,
    requests.c.request_id,
    postgresql_where=requests.c.review_due_at.is_not(None),
)

assessments = sa.Table(
    "assessments",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("assessment", JsonText, nullable=False),
    sa.Column("decided_by_id", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("at", At, nullable=False),
)

texts = sa.Table(
    "texts",
    metadata,
    sa.Column("text_id", Id, primary_key=True),
    sa.Column("request_id", Id, nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("filed_at", At, nullable=False),
    sa.Column("received_at", At, nullable=False),
    sa.Column("stated_category", sa.Text),
    sa.Column("vulnerability", sa.Text),  # words of the form, a space between; null where none was ticked
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A revision as it is kept."""

    request_id: UUID
    revision: int
    assessment: Assessment
    at: datetime
    decided_by_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A place in the review queue."""

    case: Case
    order: int
    due_at: datetime


# Cases


async def lock_cases(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Case]:
    """Those that are known, locked until the end of the transaction."""
    rows = await connection.execute(_cases(ids).order_by(requests.c.request_id).with_for_update(of=requests))
    return {row.request_id: _case(row) for row in rows}


BEGIN = insert_given(requests, "request_id").on_conflict_do_nothing()


async def open_cases(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Case]:
    """All of them, locked; one that was not known begins here."""
    if ids:
        await connection.execute(BEGIN, by_column(("request_id",), [{"request_id": each} for each in sorted(ids)]))
    return await lock_cases(connection, ids)


async def find_case(connection: Transaction, request_id: UUID) -> Case | None:
    """The case, if it is known."""
    row = (await connection.execute(_cases([request_id]))).one_or_none()
    return _case(row) if row else None


def _cases(ids: Collection[UUID]) -> sa.Select[Any]:
    return (
        sa.select(requests, assessments.c.assessment)
        .outerjoin(
            assessments,
            sa.and_(assessments.c.request_id == requests.c.request_id, assessments.c.revision == requests.c.revision),
        )
        .where(among(requests.c.request_id, ids))
    )


def _case(row: Any) -> Case:
    return Case(
        request_id=row.request_id,
        status=Status(row.status),
        area=row.area,
        organisations=frozenset(row.organisations),
        revision=row.revision,
        current=AS_JSON.validate_json(row.assessment) if row.assessment else None,
        person_decided=row.person_decided,
        alarms=row.alarms,
        received_at=row.received_at,
    )


CHANGING = (
    "status",
    "area",
    "organisations",
    "revision",
    "person_decided",
    "alarms",
    "received_at",
    "review_due_at",
    "review_order",
)
_changed = given(requests, "request_id", *CHANGING)
SAVE_CASES = (
    sa.update(requests)
    .where(requests.c.request_id == _changed.c.request_id)
    .values({name: value_of(_changed, requests.c[name]) for name in CHANGING})
)


async def save_cases(connection: Transaction, cases: Iterable[Case]) -> None:
    """Write what changed of locked cases."""
    rows = [_row(case) for case in cases]
    if not rows:
        return
    await connection.execute(SAVE_CASES, by_column(("request_id", *CHANGING), rows))


def _row(case: Case) -> dict[str, Any]:
    asked = case.current if case.awaits_review else None
    return {
        "request_id": case.request_id,
        "status": case.status.value,
        "area": case.area,
        "organisations": sorted(case.organisations),
        "revision": case.revision,
        "person_decided": case.person_decided,
        "alarms": case.alarms,
        "received_at": case.received_at,
        "review_due_at": asked.review_due_at if asked else None,
        "review_order": MOST_COST - asked.cost if asked else 0,
    }


# Assessments and texts


ADD_DECISIONS = upsert_given(assessments, *assessments.c.keys(), key=("request_id", "revision"), keep=("reason",))


async def add_decisions(connection: Transaction, decisions: Sequence[Decision]) -> None:
    """Keep revisions."""
    if not decisions:
        return
    rows = [
        {
            "request_id": each.request_id,
            "revision": each.revision,
            "assessment": AS_JSON.dump_json(each.assessment).decode(),
            "decided_by_id": each.decided_by_id,
            "reason": each.reason,
            "at": each.at,
        }
        for each in decisions
    ]
    await connection.execute(ADD_DECISIONS, by_column(assessments.c.keys(), rows))


async def list_decisions(
    connection: Transaction, request_id: UUID, before_revision: int | None, limit: int
) -> list[Decision]:
    """Revisions, the newest first."""
    query = sa.select(assessments).where(assessments.c.request_id == request_id)
    if before_revision is not None:
        query = query.where(assessments.c.revision < before_revision)
    rows = await connection.execute(query.order_by(assessments.c.revision.desc()).limit(limit))
    return [
        Decision(
            request_id=row.request_id,
            revision=row.revision,
            assessment=AS_JSON.validate_json(row.assessment),
            at=row.at,
            decided_by_id=row.decided_by_id,
            reason=row.reason,
        )
        for row in rows
    ]


ADD_TEXTS = insert_given(texts, *texts.c.keys()).on_conflict_do_nothing()


async def add_texts(connection: Transaction, new: Mapping[UUID, Sequence[Text]]) -> None:
    """Keep the texts of requests."""
    rows = [
        {
            "text_id": text.id,
            "request_id": request_id,
            "text": text.text,
            "language": text.language.value,
            "filed_at": text.filed_at,
            "received_at": text.received_at,
            "stated_category": text.stated_category and text.stated_category.value,
            "vulnerability": " ".join(text.vulnerability) or None,
        }
        for request_id, said in new.items()
        for text in said
    ]
    if rows:
        await connection.execute(ADD_TEXTS, by_column(texts.c.keys(), rows))


async def load_texts(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, list[Text]]:
    """What was said on each of these requests, in the order in which it was received."""
    said: dict[UUID, list[Text]] = {each: [] for each in ids}
    rows = await connection.execute(
        sa.select(texts).where(among(texts.c.request_id, ids)).order_by(texts.c.received_at, texts.c.text_id)
    )
    for row in rows:
        said[row.request_id].append(
            Text(
                id=row.text_id,
                text=row.text,
                language=Language(row.language),
                filed_at=row.filed_at,
                received_at=row.received_at,
                stated_category=Category(row.stated_category) if row.stated_category else None,
                vulnerability=tuple(map(Vulnerability, (row.vulnerability or "").split())),
            )
        )
    return said


async def erase_texts(connection: Transaction, text_ids: Collection[UUID]) -> None:
    """Their retention is over."""
    if text_ids:
        await connection.execute(sa.delete(texts).where(among(texts.c.text_id, text_ids)))


async def erase_reasons(connection: Transaction, request_ids: Collection[UUID]) -> None:
    """What persons wrote about these requests goes with the requests' own texts."""
    if request_ids:
        await connection.execute(
            sa.update(assessments).where(among(assessments.c.request_id, request_ids)).values(reason=None)
        )


# Reviews


async def list_reviews(connection: Transaction, after: tuple[int, datetime, UUID] | None, limit: int) -> list[Review]:
    """The review queue: the dearest mistakes first, then what is due first."""
    place = sa.tuple_(requests.c.review_order, requests.c.review_due_at, requests.c.request_id)
    query = (
        sa.select(requests, assessments.c.assessment)
        .join(
            assessments,
            sa.and_(assessments.c.request_id == requests.c.request_id, assessments.c.revision == requests.c.revision),
        )
        .where(requests.c.review_due_at.is_not(None))
        .order_by(requests.c.review_order, requests.c.review_due_at, requests.c.request_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(place > sa.tuple_(*map(sa.literal, after)))
    rows = await connection.execute(query)
    return [Review(_case(row), row.review_order, row.review_due_at) for row in rows]
