"""Intake's tables and every query on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB, insert

from intake.duplicates import COMPARED_CHARACTERS, Candidate
from intake.model import Case, Tasks
from intake.places import Area, Areas
from shared.contracts.directory import AreaRecorded
from shared.contracts.life import OPEN, Known, Life
from shared.contracts.shapes import Geometry, Shape, shape_of
from shared.contracts.vocabulary import Category, Channel, Status
from shared.database import Transaction, new_metadata
from shared.rows import among, by_attribute, by_column, given, insert_given

metadata = new_metadata()
Id = sa.Uuid()
At = sa.DateTime(timezone=True)
MOST_CANDIDATES = 50
"""Of one contact: an office's phone may stand on hundreds."""

# Where a request stands: `status` as the log says, `ahead` with what intake has stated and not heard yet.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("receipt", sa.Text, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("ahead", sa.Text, nullable=False),
    sa.Column("unheard", sa.Integer, nullable=False),
    sa.Column("area", sa.Text),
    sa.Column("contact_hash", sa.Text, nullable=False),
    sa.Column("received_at", At, nullable=False),
    sa.Column("merged_into", Id),
    sa.Index(None, "contact_hash", "received_at"),
)

# What was filed, written once, in the transaction of the request's row. Details are sealed; null where they were lost.
filings = sa.Table(
    "filings",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("persons", sa.Integer),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("details", sa.LargeBinary),
)

# Texts as they were written, sealed, where the text that left has marks in it.
originals = sa.Table(
    "originals",
    metadata,
    sa.Column("text_id", Id, primary_key=True),
    sa.Column("request_id", Id, nullable=False, index=True),
    sa.Column("words", sa.LargeBinary, nullable=False),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("task_id", Id, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("is_open", sa.Boolean, nullable=False),
)

contact_views = sa.Table(
    "contact_views",
    metadata,
    sa.Column("view_id", Id, primary_key=True),
    sa.Column("request_id", Id, nullable=False),
    sa.Column("viewer_kind", sa.Text, nullable=False),
    sa.Column("viewer_id", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("viewed_at", At, nullable=False),
    sa.Index(None, "request_id", "view_id"),
)

areas = sa.Table(
    "areas",
    metadata,
    sa.Column("area", sa.Text, primary_key=True),
    sa.Column("names", JSONB, nullable=False),
    sa.Column("polygon", JSONB, nullable=False),
    sa.Column("shape", JSONB(none_as_null=True)),
)

# One row, changed with every change of an area, so that a process sees that another has changed them.
atlas = sa.Table(
    "atlas",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """A request to be kept."""

    request_id: UUID
    receipt: str
    area: str | None
    contact_hash: str
    received_at: datetime
    status: Status = Status.RECEIVED
    ahead: Status = Status.RECEIVED
    unheard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFiling:
    """What was filed with it."""

    request_id: UUID
    channel: Channel
    category: Category | None
    persons: int | None
    words: str
    details: bytes | None


# Filing


NEW_REQUEST = ("request_id", "receipt", "status", "ahead", "unheard", "area", "contact_hash", "received_at")
ADD_REQUESTS = (
    insert_given(requests, *NEW_REQUEST)
    .on_conflict_do_nothing(index_elements=["receipt"])
    .returning(requests.c.request_id)
)
ADD_FILINGS = insert_given(filings, *filings.c.keys())
ADD_ORIGINALS = insert_given(originals, *originals.c.keys())


async def add_requests(connection: Transaction, new: Sequence[NewRequest]) -> set[UUID]:
    """Keep them; the ids of those that were: the others' receipts were taken."""
    return set(await connection.scalars(ADD_REQUESTS, by_attribute(NEW_REQUEST, new)))


async def add_filings(connection: Transaction, new: Sequence[NewFiling]) -> None:
    """Keep what was filed."""
    await connection.execute(
        ADD_FILINGS,
        by_column(filings.c.keys(), ({name: getattr(one, name) for name in NewFiling.__slots__} for one in new)),
    )


async def add_originals(connection: Transaction, new: Sequence[tuple[UUID, UUID, bytes]]) -> None:
    """Keep texts as they were written: (text, request, sealed words)."""
    if new:
        names = originals.c.keys()
        await connection.execute(ADD_ORIGINALS, by_column(names, (dict(zip(names, one, strict=True)) for one in new)))


def _candidates() -> sa.Select[Any]:
    wanted = given(requests, "contact_hash")
    newest = (
        sa.select(requests)
        .where(
            requests.c.contact_hash == wanted.c.contact_hash,
            requests.c.received_at >= sa.bindparam("since", type_=At),
            requests.c.ahead.in_(sorted(OPEN)),
        )
        .order_by(requests.c.received_at.desc())
        .limit(MOST_CANDIDATES)
        .lateral()
    )
    words = sa.func.left(filings.c.words, COMPARED_CHARACTERS).label("words")
    return sa.select(newest, words).select_from(
        wanted.join(newest, sa.true()).join(filings, filings.c.request_id == newest.c.request_id)
    )


CANDIDATES = _candidates()


async def list_candidates(connection: Transaction, hashes: Collection[str], since: datetime) -> list[Candidate]:
    """The open requests of these contacts received since then, the newest of each."""
    if not hashes:
        return []
    wanted = by_column(("contact_hash",), ({"contact_hash": one} for one in sorted(hashes)))
    return [
        Candidate(
            request_id=r.request_id,
            receipt=r.receipt,
            status=Status(r.ahead),
            received_at=r.received_at,
            contact_hash=r.contact_hash,
            words=r.words,
        )
        for r in await connection.execute(CANDIDATES, wanted | {"since": since})
    ]


# Cases


async def lock_cases(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Case]:
    """The requests with these ids, locked in one order, with their tasks; unknown ids are left out."""
    query = sa.select(requests).where(among(requests.c.request_id, ids))
    found = list(await connection.execute(query.order_by(requests.c.request_id).with_for_update()))
    return await _with_tasks(connection, found)


async def find_case(connection: Transaction, request_id: UUID) -> Case | None:
    """One request, not locked."""
    found = list(await connection.execute(sa.select(requests).where(requests.c.request_id == request_id)))
    return (await _with_tasks(connection, found)).get(request_id)


async def find_id(connection: Transaction, receipt: str) -> UUID | None:
    """The request that has this receipt."""
    return await connection.scalar(sa.select(requests.c.request_id).where(requests.c.receipt == receipt))


CHANGING = ("status", "ahead", "unheard", "merged_into")
_changed = given(requests, "request_id", *CHANGING)
SAVE_CASES = (
    sa.update(requests)
    .where(requests.c.request_id == _changed.c.request_id)
    .values({name: _changed.c[name] for name in CHANGING})
)


async def save_cases(connection: Transaction, cases: Collection[Case]) -> None:
    """Write where requests stand, and their tasks."""
    if not cases:
        return
    known = [case.known for case in cases]
    rows = [
        {
            "request_id": k.life.request_id,
            "status": k.life.status.value,
            "ahead": k.ahead.status.value,
            "unheard": k.unheard,
            "merged_into": k.ahead.merged_into,
        }
        for k in known
    ]
    await connection.execute(SAVE_CASES, by_column(("request_id", *CHANGING), rows))
    await _save_tasks(connection, {case.known.life.request_id: case.tasks for case in cases})


_new_tasks = insert_given(tasks, *tasks.c.keys())
SAVE_TASKS = _new_tasks.on_conflict_do_update(
    index_elements=["request_id", "task_id", "organisation"],
    set_={"is_open": _new_tasks.excluded.is_open},
    where=tasks.c.is_open != _new_tasks.excluded.is_open,
)


async def _save_tasks(connection: Transaction, of: Mapping[UUID, Tasks]) -> None:
    rows = [(request, task, body, is_open) for request, has in of.items() for (task, body), is_open in has.items()]
    if rows:
        names = tasks.c.keys()
        new = (dict(zip(names, row, strict=True)) for row in sorted(rows))
        await connection.execute(SAVE_TASKS, by_column(names, new))


async def _with_tasks(connection: Transaction, rows: Sequence[sa.Row[Any]]) -> dict[UUID, Case]:
    of: dict[UUID, dict[tuple[UUID, str], bool]] = {row.request_id: {} for row in rows}
    if of:
        for task in await connection.execute(sa.select(tasks).where(among(tasks.c.request_id, of))):
            of[task.request_id][task.task_id, task.organisation] = task.is_open
    return {row.request_id: Case(_known(row), of[row.request_id]) for row in rows}


def _known(row: sa.Row[Any]) -> Known:
    return Known(_life(row, row.status), _life(row, row.ahead), row.unheard)


def _life(row: sa.Row[Any], status: str) -> Life:
    """A life as far as intake needs it: who holds a request is for others to know."""
    return Life(
        request_id=row.request_id,
        status=Status(status),
        received_at=row.received_at,
        changed_at=row.received_at,
        holder=None,
        receipt=row.receipt,
        area=row.area,
        merged_into=row.merged_into,
    )


# Contact details


async def load_filing(connection: Transaction, request_id: UUID) -> NewFiling:
    """What was filed; details are None where they were lost."""
    row = (await connection.execute(sa.select(filings).where(filings.c.request_id == request_id))).one()
    return NewFiling(
        request_id=request_id,
        channel=Channel(row.channel),
        category=row.category and Category(row.category),
        persons=row.persons,
        words=row.words,
        details=row.details,
    )


async def list_originals(connection: Transaction, request_id: UUID) -> list[tuple[UUID, bytes]]:
    """The sealed originals of a request's texts, in the order they came."""
    query = sa.select(originals).where(originals.c.request_id == request_id).order_by(originals.c.text_id)
    return [(row.text_id, row.words) for row in await connection.execute(query)]


async def add_view(connection: Transaction, view: Mapping[str, Any]) -> None:
    """Log that somebody saw the contact."""
    await connection.execute(sa.insert(contact_views).values(**view))


async def list_views(connection: Transaction, request_id: UUID, after: UUID | None, limit: int) -> list[Any]:
    """Who saw the contact, the first first; those after a view."""
    query = sa.select(contact_views).where(contact_views.c.request_id == request_id)
    if after:
        query = query.where(contact_views.c.view_id > after)
    return list(await connection.execute(query.order_by(contact_views.c.view_id).limit(limit)))


# Areas


async def save_areas(connection: Transaction, recorded: Iterable[AreaRecorded]) -> None:
    """Keep the areas as they are now."""
    new = {fact.area: fact for fact in recorded}
    statement = insert(areas)
    await connection.execute(sa.update(atlas).values(version=atlas.c.version + 1))
    changed = {name: statement.excluded[name] for name in ("names", "polygon", "shape")}
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["area"], set_=changed),
        [
            {
                "area": f.area,
                "names": [f.name.zh, f.name.en, *f.aliases],
                "polygon": f.polygon,
                "shape": f.shape.model_dump() if f.shape else None,
            }
            for _, f in sorted(new.items())
        ],
    )


async def load_atlas_version(connection: Transaction) -> int:
    """Grows with every change of an area."""
    return int((await connection.execute(sa.select(atlas.c.version))).scalar_one())


_SHAPE: TypeAdapter[Geometry | None] = TypeAdapter(Shape | None)


def _shape(polygon: list[list[float]], shape: Any) -> Geometry | None:
    return shape_of(tuple((x, y) for x, y in polygon), _SHAPE.validate_python(shape))


async def load_areas(connection: Transaction) -> Areas:
    """All areas, arranged for finding."""
    return Areas(
        Area(id=row.area, names=tuple(row.names), shape=_shape(row.polygon, row.shape))
        for row in await connection.execute(sa.select(areas))
    )
