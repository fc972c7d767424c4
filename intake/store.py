"""Intake's tables and every query on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from intake.duplicates import COMPARED_CHARACTERS, Candidate
from intake.model import Case, Tasks
from intake.places import Area, Areas
from shared.contracts.directory import AreaRecorded
from shared.contracts.life import OPEN, Known, Life
from shared.contracts.vocabulary import Category, Channel, Status
from shared.database import Transaction, new_metadata

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFiling:
    """What was filed with it."""

    request_id: UUID
    channel: Channel
    category: Category | None
    persons: int | None
    words: str
    details: bytes | None


def _rows(table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> sa.TableValuedAlias:
    """Columns of values as rows: one parameter each, so that a batch of any size is one prepared statement."""
    values = (sa.cast(list(column), sa.ARRAY(table.c[name].type)) for name, column in columns.items())
    return sa.func.unnest(*values).table_valued(*columns).render_derived()


def _insert(table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> Any:
    return insert(table).from_select(list(columns), sa.select(_rows(table, columns)))


# Filing


async def add_requests(connection: Transaction, new: Sequence[NewRequest]) -> set[UUID]:
    """Keep them; the ids of those that were: the others' receipts were taken."""
    received = [Status.RECEIVED.value] * len(new)
    columns: dict[str, Sequence[Any]] = {
        "request_id": [n.request_id for n in new],
        "receipt": [n.receipt for n in new],
        "status": received,
        "ahead": received,
        "unheard": [0] * len(new),
        "area": [n.area for n in new],
        "contact_hash": [n.contact_hash for n in new],
        "received_at": [n.received_at for n in new],
    }
    statement = _insert(requests, columns).on_conflict_do_nothing(index_elements=["receipt"])
    return set(await connection.scalars(statement.returning(requests.c.request_id)))


async def add_filings(connection: Transaction, new: Sequence[NewFiling]) -> None:
    """Keep what was filed."""
    columns: dict[str, Sequence[Any]] = {
        "request_id": [n.request_id for n in new],
        "channel": [n.channel.value for n in new],
        "category": [n.category and n.category.value for n in new],
        "persons": [n.persons for n in new],
        "words": [n.words for n in new],
        "details": [n.details for n in new],
    }
    await connection.execute(_insert(filings, columns))


async def add_originals(connection: Transaction, new: Sequence[tuple[UUID, UUID, bytes]]) -> None:
    """Keep texts as they were written: (text, request, sealed words)."""
    if new:
        text_ids, request_ids, words = zip(*new, strict=True)
        columns = {"text_id": text_ids, "request_id": request_ids, "words": words}
        await connection.execute(_insert(originals, columns))


async def list_candidates(connection: Transaction, hashes: Collection[str], since: datetime) -> list[Candidate]:
    """The open requests of these contacts received since then, the newest of each."""
    if not hashes:
        return []
    wanted = _rows(requests, {"contact_hash": sorted(hashes)})
    newest = (
        sa.select(requests)
        .where(
            requests.c.contact_hash == wanted.c.contact_hash,
            requests.c.received_at >= since,
            requests.c.ahead.in_(sorted(OPEN)),
        )
        .order_by(requests.c.received_at.desc())
        .limit(MOST_CANDIDATES)
        .lateral()
    )
    words = sa.func.left(filings.c.words, COMPARED_CHARACTERS).label("words")
    query = sa.select(newest, words).select_from(
        wanted.join(newest, sa.true()).join(filings, filings.c.request_id == newest.c.request_id)
    )
    return [
        Candidate(
            request_id=r.request_id,
            receipt=r.receipt,
            status=Status(r.ahead),
            received_at=r.received_at,
            contact_hash=r.contact_hash,
            words=r.words,
        )
        for r in await connection.execute(query)
    ]


# Cases


async def lock_cases(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Case]:
    """The requests with these ids, locked in one order, with their tasks; unknown ids are left out."""
    query = sa.select(requests).where(requests.c.request_id == sa.any_(_array(requests, "request_id", sorted(ids))))
    found = list(await connection.execute(query.order_by(requests.c.request_id).with_for_update()))
    return await _with_tasks(connection, found)


async def find_case(connection: Transaction, request_id: UUID) -> Case | None:
    """One request, not locked."""
    found = list(await connection.execute(sa.select(requests).where(requests.c.request_id == request_id)))
    return (await _with_tasks(connection, found)).get(request_id)


async def find_id(connection: Transaction, receipt: str) -> UUID | None:
    """The request that has this receipt."""
    return await connection.scalar(sa.select(requests.c.request_id).where(requests.c.receipt == receipt))


async def save_cases(connection: Transaction, cases: Collection[Case]) -> None:
    """Write where requests stand, and their tasks."""
    if not cases:
        return
    known = [case.known for case in cases]
    columns: dict[str, Sequence[Any]] = {
        "request_id": [k.life.request_id for k in known],
        "status": [k.life.status.value for k in known],
        "ahead": [k.ahead.status.value for k in known],
        "unheard": [k.unheard for k in known],
        "merged_into": [k.ahead.merged_into for k in known],
    }
    new = _rows(requests, columns)
    statement = sa.update(requests).where(requests.c.request_id == new.c.request_id)
    await connection.execute(statement.values({name: new.c[name] for name in columns if name != "request_id"}))
    await _save_tasks(connection, {case.known.life.request_id: case.tasks for case in cases})


async def _save_tasks(connection: Transaction, of: Mapping[UUID, Tasks]) -> None:
    rows = [(request, task, body, is_open) for request, has in of.items() for (task, body), is_open in has.items()]
    if rows:
        names = ("request_id", "task_id", "organisation", "is_open")
        statement = _insert(tasks, dict(zip(names, zip(*sorted(rows), strict=True), strict=True)))
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["request_id", "task_id", "organisation"],
                set_={"is_open": statement.excluded.is_open},
                where=tasks.c.is_open != statement.excluded.is_open,
            )
        )


async def _with_tasks(connection: Transaction, rows: Sequence[sa.Row[Any]]) -> dict[UUID, Case]:
    of: dict[UUID, dict[tuple[UUID, str], bool]] = {row.request_id: {} for row in rows}
    if of:
        wanted = _array(tasks, "request_id", list(of))
        for task in await connection.execute(sa.select(tasks).where(tasks.c.request_id == sa.any_(wanted))):
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


def _array(table: sa.Table, column: str, values: Sequence[Any]) -> Any:
    return sa.cast(values, sa.ARRAY(table.c[column].type))


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
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["area"], set_={"names": statement.excluded.names, "polygon": statement.excluded.polygon}
        ),
        [
            {"area": f.area, "names": [f.name.zh, f.name.en, *f.aliases], "polygon": f.polygon}
            for _, f in sorted(new.items())
        ],
    )


async def load_atlas_version(connection: Transaction) -> int:
    """Grows with every change of an area."""
    return int((await connection.execute(sa.select(atlas.c.version))).scalar_one())


async def load_areas(connection: Transaction) -> Areas:
    """All areas, arranged for finding."""
    return Areas(
        Area(id=row.area, names=tuple(row.names), polygon=tuple((x, y) for x, y in row.polygon))
        for row in await connection.execute(sa.select(areas))
    )
