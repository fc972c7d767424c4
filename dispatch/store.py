"""Dispatch's tables, and every query on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from dispatch.files import FileKind
from dispatch.model import Case, Task
from shared.database import Transaction, new_metadata

metadata = new_metadata()
At = sa.DateTime(timezone=True)

# A case is one document, changed as a whole under its row's lock.
cases = sa.Table(
    "cases",
    metadata,
    sa.Column("request_id", sa.Uuid, primary_key=True),
    sa.Column("document", JSONB, nullable=False),
)

# What lists of tasks are made of; follows the document.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("request_id", sa.Uuid, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("organisations", ARRAY(sa.Text), nullable=False),
    sa.Column("liaison", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("colour_rank", sa.SmallInteger, nullable=False),
    sa.Column("due_at", At, nullable=False),
    sa.Index("ix_tasks_request_id", "request_id"),
    sa.Index("ix_tasks_open", "organisation", "colour_rank", "due_at", "id", postgresql_where=sa.text("is_open")),
    sa.Index("ix_tasks_all_open", "colour_rank", "due_at", "id", postgresql_where=sa.text("is_open")),
    sa.Index("ix_tasks_status", "organisation", "status", "colour_rank", "due_at", "id"),
)

# Every version of every file that was in force; the newest of a kind is.
files = sa.Table(
    "files",
    metadata,
    sa.Column("revision", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("applied_at", At, nullable=False),
    sa.Column("applied_by", sa.Text, nullable=False),
)

CASE = TypeAdapter(Case)
NEVER = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
"""Stands for "nothing is due", so that such tasks sort last."""


async def lock_cases(connection: Transaction, request_ids: Iterable[UUID]) -> dict[UUID, Case]:
    """The cases of these requests, locked until the end of the transaction, always in the same order."""
    wanted = sorted(set(request_ids))
    query = sa.select(cases.c.document).where(cases.c.request_id.in_(wanted)).order_by(cases.c.request_id)
    found = [CASE.validate_python(row) for row in (await connection.execute(query.with_for_update())).scalars()]
    return {case.request_id: case for case in found}


async def find_request_of(connection: Transaction, task_id: UUID) -> UUID | None:
    """The request to which a task belongs."""
    found: UUID | None = (await connection.execute(sa.select(tasks.c.request_id).where(tasks.c.id == task_id))).scalar()
    return found


async def load_cases(connection: Transaction, request_ids: Iterable[UUID]) -> dict[UUID, Case]:
    """The cases of these requests, to be read only."""
    query = sa.select(cases.c.document).where(cases.c.request_id.in_(sorted(set(request_ids))))
    found = [CASE.validate_python(row) for row in (await connection.execute(query)).scalars()]
    return {case.request_id: case for case in found}


async def save_cases(connection: Transaction, changed: Iterable[Case]) -> None:
    """Write cases and their tasks, new or changed."""
    ordered = sorted(changed, key=lambda case: case.request_id)
    if not ordered:
        return
    new = insert(cases)
    await connection.execute(
        new.on_conflict_do_update(index_elements=["request_id"], set_={"document": new.excluded.document}),
        [{"request_id": case.request_id, "document": CASE.dump_python(case, mode="json")} for case in ordered],
    )
    rows = [_row(case, task) for case in ordered for task in case.tasks]
    if rows:
        new = insert(tasks)
        changing = ("organisation", "organisations", "liaison", "status", "is_open", "colour_rank", "due_at")
        await connection.execute(
            new.on_conflict_do_update(index_elements=["id"], set_={name: new.excluded[name] for name in changing}),
            rows,
        )


def _row(case: Case, task: Task) -> dict[str, Any]:
    due = task.next_due() if task.is_open else None
    return {
        "id": task.id,
        "request_id": case.request_id,
        "organisation": task.organisation,
        "organisations": task.organisations,
        "liaison": task.liaison,
        "status": task.status.value,
        "is_open": task.is_open,
        "colour_rank": -case.colour.rank,
        "due_at": due[1] if due else NEVER,
    }


async def load_by_liaison(connection: Transaction) -> Mapping[str, int]:
    """How many open tasks each liaison has."""
    query = sa.select(tasks.c.liaison, sa.func.count()).where(tasks.c.is_open).group_by(tasks.c.liaison)
    return {row[0]: row[1] for row in await connection.execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which tasks are wanted; open ones, unless a status is named."""

    organisation: str | None = None
    status: str | None = None
    request_id: UUID | None = None
    overdue_at: datetime | None = None


After = tuple[int, datetime, UUID]
"""The sort values of the last row of a page: colour rank (red first), due, id."""


async def list_tasks(connection: Transaction, wanted: Filter, after: After | None, limit: int) -> Sequence[Any]:
    """A page of tasks: the most urgent colour first, then what is due first."""
    query = sa.select(tasks.c.id, tasks.c.request_id, tasks.c.colour_rank, tasks.c.due_at)
    if wanted.status is not None:
        query = query.where(tasks.c.status == wanted.status)
    elif wanted.request_id is None:
        query = query.where(tasks.c.is_open)
    if wanted.request_id is not None:
        query = query.where(tasks.c.request_id == wanted.request_id)
    if wanted.organisation is not None:
        query = query.where(tasks.c.organisation == wanted.organisation)
    if wanted.overdue_at is not None:
        query = query.where(tasks.c.is_open, tasks.c.due_at <= wanted.overdue_at)
    order = (tasks.c.colour_rank, tasks.c.due_at, tasks.c.id)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*(sa.literal(value) for value in after)))
    return (await connection.execute(query.order_by(*order).limit(limit))).all()


async def newest_revision(connection: Transaction) -> int | None:
    """The revision of the newest file; None where there is none."""
    revision: int | None = (await connection.execute(sa.select(sa.func.max(files.c.revision)))).scalar()
    return revision


async def load_files(connection: Transaction) -> dict[FileKind, tuple[int, Any]]:
    """For each kind the revision and content of the file in force."""
    newest = sa.select(sa.func.max(files.c.revision)).group_by(files.c.kind)
    query = sa.select(files).where(files.c.revision.in_(newest))
    return {FileKind(row.kind): (row.revision, row.content) for row in await connection.execute(query)}


async def lock_files(connection: Transaction) -> None:
    """One change of files at a time."""
    await connection.execute(sa.text("lock table files in share row exclusive mode"))


async def add_file(connection: Transaction, kind: FileKind, version: str, content: Any, at: datetime, by: str) -> int:
    """Bring a file into force; its revision."""
    added = sa.insert(files).values(kind=kind.value, version=version, content=content, applied_at=at, applied_by=by)
    revision: int = (await connection.execute(added.returning(files.c.revision))).scalar_one()
    return revision


async def list_versions(connection: Transaction, limit: int = 100) -> list[dict[str, Any]]:
    """What was brought into force, newest first."""
    columns = (files.c.revision, files.c.kind, files.c.version, files.c.applied_at, files.c.applied_by)
    rows = await connection.execute(sa.select(*columns).order_by(files.c.revision.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]
