"""The views and the keys of callers: tables, and every query on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY

from services.gateway.model import View, next_due
from shared.contracts import TOPICS, Event, Fact
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Colour, Status, TextKind
from shared.database import Transaction, new_metadata
from shared.identity import Kind, Principal
from shared.messaging.tables import histories
from shared.messaging.work import Seen
from shared.names import Names
from shared.rows import JsonText, among, by_column, insert_given, upsert_given

metadata = new_metadata()
At = sa.DateTime(timezone=True)
Id = sa.Uuid
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Where nothing is owed: sorts behind everything that is."""


principals = sa.Table(
    "principals",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text),
    sa.Column("area", sa.Text),
    sa.Column("rights", ARRAY(sa.Text), nullable=False),
    sa.Column("issued_at", At, nullable=False),
    sa.Column("revoked_at", At),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("receipt", sa.Text, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("colour", sa.Text),
    sa.Column("urgency", sa.SmallInteger, nullable=False),  # 0 is red, or not triaged yet
    sa.Column("due_at", At, nullable=False),  # NEVER where nothing is owed
    sa.Column("received_at", At, nullable=False),
    sa.Column("area", sa.Text),
    sa.Column("handling", ARRAY(sa.Text), nullable=False),
    sa.Column("body", JsonText, nullable=False),
)
sa.Index(
    "ix_requests_queue",
    requests.c.urgency,
    requests.c.due_at,
    requests.c.received_at,
    requests.c.id,
    postgresql_where=requests.c.is_open,
)
sa.Index(
    "ix_requests_ended",
    requests.c.status,
    requests.c.received_at,
    requests.c.id,
    postgresql_where=~requests.c.is_open,
)

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", At, nullable=False),
    sa.Column("text_id", Id),
    sa.Column("fact", JsonText, nullable=False),
)

texts = sa.Table(
    "texts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("request_id", Id, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

names = Names(metadata)

VIEWS = TypeAdapter(View)


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of a timeline, with its text where that is kept."""

    number: int
    type: str
    at: datetime
    fact: str
    text_id: UUID | None
    text: str | None


async def load_views(connection: Transaction, ids: Iterable[UUID]) -> dict[UUID, View]:
    """The views of those of the requests that have one, kept from others until the transaction ends."""
    rows = await connection.execute(
        sa.select(requests.c.id, requests.c.body).where(among(requests.c.id, ids)).with_for_update()
    )
    return {row.id: VIEWS.validate_json(row.body) for row in rows}


async def find_view(connection: Transaction, request_id: UUID) -> View | None:
    """One view."""
    return await _find(connection, requests.c.id == request_id)


async def find_by_receipt(connection: Transaction, receipt: str) -> View | None:
    """The request with this receipt, whatever its status."""
    return await _find(connection, requests.c.receipt == receipt)


async def _find(connection: Transaction, condition: sa.ColumnElement[bool]) -> View | None:
    body = (await connection.execute(sa.select(requests.c.body).where(condition))).scalar()
    return VIEWS.validate_json(body) if body else None


VIEW_COLUMNS = tuple(requests.c.keys())
SAVE_VIEWS = upsert_given(requests, *VIEW_COLUMNS, key=("id",), keep=("receipt", "received_at"))


async def save_views(connection: Transaction, views: Iterable[View]) -> None:
    """Write views, new or changed."""
    rows = [_row(view) for view in views]
    await connection.execute(SAVE_VIEWS, by_column(VIEW_COLUMNS, rows))


def _row(view: View) -> dict[str, Any]:
    life = view.life
    return {
        "id": life.request_id,
        "receipt": life.receipt,
        "status": life.status.value,
        "is_open": view.is_open,
        "colour": life.colour and life.colour.value,
        "urgency": Colour.RED.rank - view.rank,
        "due_at": next_due(view) or NEVER,
        "received_at": life.received_at,
        "area": life.area,
        "handling": sorted(view.handling),
        "body": VIEWS.dump_json(view).decode(),
    }


ADD_ENTRIES = insert_given(timeline, *timeline.c.keys())


async def add_entries(connection: Transaction, entries: Sequence[tuple[UUID, int, datetime, Event[Fact]]]) -> None:
    """Append facts to timelines: request, number, time, fact."""
    rows = [
        {
            "request_id": request_id,
            "number": number,
            "type": event.type,
            "at": at,
            "text_id": getattr(event.fact, "text_id", None),
            "fact": event.fact.model_dump_json(exclude_none=True),
        }
        for request_id, number, at, event in entries
    ]
    await connection.execute(ADD_ENTRIES, by_column(timeline.c.keys(), rows))


async def list_entries(connection: Transaction, request_id: UUID, after: int = 0) -> list[Entry]:
    """A request's timeline after an entry, with the texts that are kept."""
    rows = await connection.execute(
        sa.select(timeline, texts.c.text)
        .outerjoin(texts, texts.c.id == timeline.c.text_id)
        .where(timeline.c.request_id == request_id, timeline.c.number > after)
        .order_by(timeline.c.number)
    )
    return [Entry(row.number, row.type, row.at, row.fact, row.text_id, row.text) for row in rows]


SAVE_TEXTS = upsert_given(texts, *texts.c.keys(), key=("id",), keep=("request_id", "kind"))


async def save_texts(connection: Transaction, recorded: Mapping[UUID, TextRecorded]) -> None:
    """Keep texts by their id; the newest replaces the older."""
    rows = [
        {"id": text_id, "request_id": text.request_id, "kind": text.kind.value, "text": text.text}
        for text_id, text in sorted(recorded.items())
    ]
    await connection.execute(SAVE_TEXTS, by_column(texts.c.keys(), rows))


async def remove_texts(connection: Transaction, ids: Iterable[UUID]) -> None:
    """Forget texts whose retention is over."""
    await connection.execute(sa.delete(texts).where(among(texts.c.id, ids)))


async def has_seen(connection: Transaction, marks: Sequence[Seen]) -> bool:
    """Whether all that the marks name has been taken into the views."""
    rows = await connection.execute(
        sa.select(histories.c.source, histories.c.key, sa.func.max(histories.c.last_sequence))
        .where(
            among(histories.c.topic, TOPICS),
            among(histories.c.key, (mark.subject for mark in marks)),
            among(histories.c.source, (mark.source for mark in marks)),
        )
        .group_by(histories.c.source, histories.c.key)
    )
    known = {(source, key): last for source, key, last in rows}
    return all(known.get((mark.source, mark.subject), 0) >= mark.sequence for mark in marks)


# The queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a page of the queue shall hold; the `own_` parts are what the caller is limited to."""

    statuses: tuple[Status, ...] = ()
    colours: tuple[Colour, ...] = ()
    organisation: str | None = None
    area: str | None = None
    overdue: bool | None = None
    words: str | None = None
    own_organisation: str | None = None
    own_area: str | None = None


async def list_queue(
    connection: Transaction, wanted: Wanted, now: datetime, after: Sequence[Any] | None, limit: int
) -> list[View]:
    """Open requests, the most urgent first: by colour, then by what is due next, then by when they were received."""
    return await _page(connection, queue_page(wanted, now, after, limit))


def queue_page(wanted: Wanted, now: datetime, after: Sequence[Any] | None, limit: int) -> sa.Select[Any]:
    """The query of a page.

    What it costs grows with the number of open requests at most, not with the history: its index holds the open ones
    alone, and `words` are sought in their texts one by one.
    """
    r = requests.c
    order = (r.urgency, r.due_at, r.received_at, r.id)
    query = sa.select(r.body).where(r.is_open, *_conditions(wanted, now)).order_by(*order).limit(limit)
    return query.where(sa.tuple_(*order) > _place(order, after)) if after else query


async def list_ended(
    connection: Transaction, wanted: Wanted, now: datetime, after: Sequence[Any] | None, limit: int
) -> list[View]:
    """Requests that ended in the one status wanted, the newest first."""
    order = (requests.c.received_at, requests.c.id)
    query = sa.select(requests.c.body).where(~requests.c.is_open, *_conditions(wanted, now)).limit(limit)
    if after:
        query = query.where(sa.tuple_(*order) < _place(order, after))
    return await _page(connection, query.order_by(*(column.desc() for column in order)))


async def _page(connection: Transaction, query: sa.Select[Any]) -> list[View]:
    return [VIEWS.validate_json(body) for body in (await connection.execute(query)).scalars()]


def _place(order: Sequence[sa.Column[Any]], after: Sequence[Any]) -> sa.Tuple:
    return sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(after, order, strict=True)))


def queue_place(view: View) -> tuple[int, datetime, datetime, UUID]:
    """Where a request stands in the queue: the cursor behind it."""
    return Colour.RED.rank - view.rank, next_due(view) or NEVER, view.life.received_at, view.life.request_id


def ended_place(view: View) -> tuple[datetime, UUID]:
    """Where a request stands among the ended: the cursor behind it."""
    return view.life.received_at, view.life.request_id


def _conditions(wanted: Wanted, now: datetime) -> Iterable[sa.ColumnElement[bool]]:
    r = requests.c
    if wanted.statuses:
        yield r.status.in_([status.value for status in wanted.statuses])
    if wanted.colours:
        yield r.colour.in_([colour.value for colour in wanted.colours])
    for organisation in filter(None, (wanted.organisation, wanted.own_organisation)):
        yield r.handling.contains([organisation])
    for area in filter(None, (wanted.area, wanted.own_area)):
        yield sa.or_(r.area == area, r.area.startswith(f"{area}/", autoescape=True))
    if wanted.overdue is not None:
        yield r.due_at < now if wanted.overdue else r.due_at >= now
    if wanted.words:
        yield _has_words(wanted.words)


def _has_words(words: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        requests.c.receipt.startswith(words.upper(), autoescape=True),
        sa.exists().where(
            texts.c.request_id == requests.c.id,
            texts.c.kind.in_([TextKind.REQUEST.value, TextKind.AMENDMENT.value]),
            texts.c.text.icontains(words, autoescape=True),
        ),
    )


# The keys of callers


async def add_key(connection: Transaction, key_id: str, token_hash: bytes, principal: Principal, now: datetime) -> None:
    """A new key for a principal; only the token's hash is kept."""
    await connection.execute(
        sa.insert(principals).values(
            key_id=key_id,
            token_hash=token_hash,
            kind=principal.kind.value,
            id=principal.id,
            organisation=principal.organisation,
            area=principal.area,
            rights=sorted(principal.rights),
            issued_at=now,
        )
    )


async def find_key(connection: Transaction, key_id: str) -> tuple[bytes, Principal] | None:
    """The hash and the principal of a key that is in force."""
    in_force = (principals.c.key_id == key_id, principals.c.revoked_at.is_(None))
    row = (await connection.execute(sa.select(principals).where(*in_force))).first()
    return (row.token_hash, _principal(row)) if row else None


async def list_keys(connection: Transaction) -> list[tuple[str, Principal, datetime, datetime | None]]:
    """All keys, without what they are: id, principal, issued, revoked."""
    rows = await connection.execute(sa.select(principals).order_by(principals.c.issued_at, principals.c.key_id))
    return [(row.key_id, _principal(row), row.issued_at, row.revoked_at) for row in rows]


async def revoke_key(connection: Transaction, key_id: str, now: datetime) -> bool:
    """Take a key out of force; False where no such key is in force."""
    changed = await connection.execute(
        sa.update(principals)
        .where(principals.c.key_id == key_id, principals.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount > 0


def _principal(row: Any) -> Principal:
    rights = frozenset(row.rights)
    return Principal(kind=Kind(row.kind), id=row.id, organisation=row.organisation, area=row.area, rights=rights)
