"""Tables of dispatch, and every query on them.

A case and each of its tasks are kept whole, as documents; the columns beside are what lists are made by.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY

from dispatch.model import Case
from dispatch.tasks import Task, Together
from shared.contracts.vocabulary import Colour
from shared.database import Transaction, new_metadata
from shared.rows import JsonText, among, by_column, upsert_given

metadata = new_metadata()
At = sa.DateTime(timezone=True)
ANSWERED = ("answered", "fulfilled")
URGENCY = {Colour.RED: 0, Colour.YELLOW: 1, Colour.GREEN: 2}

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("request_id", sa.Uuid(), primary_key=True),
    sa.Column("document", JsonText, nullable=False),
    sa.Column("household", sa.Text),
    sa.Column("building", sa.Text),
)
for _hash in (cases.c.household, cases.c.building):
    sa.Index(f"ix_cases_{_hash.name}", _hash, postgresql_where=sa.text(f"{_hash.name} is not null"))
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("request_id", sa.Uuid(), sa.ForeignKey("cases.request_id"), nullable=False, index=True),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("liaison", sa.Text),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("urgency", sa.SmallInteger, nullable=False),
    sa.Column("due_at", At),
    sa.Column("changed_at", At, nullable=False),
    sa.Column("organisations", ARRAY(sa.Text), nullable=False),
    sa.Column("document", JsonText, nullable=False),
    sa.Column("created_at", At, nullable=False),
)
_OPEN, _OVER = sa.text("is_open"), sa.text("not is_open")
sa.Index("ix_tasks_open", tasks.c.urgency, tasks.c.due_at, tasks.c.id, postgresql_where=_OPEN)
sa.Index("ix_tasks_open_of", tasks.c.organisation, tasks.c.urgency, tasks.c.due_at, tasks.c.id, postgresql_where=_OPEN)
sa.Index("ix_tasks_over", tasks.c.changed_at, tasks.c.id, postgresql_where=_OVER)
sa.Index("ix_tasks_over_of", tasks.c.organisation, tasks.c.changed_at, tasks.c.id, postgresql_where=_OVER)
_CASE, _TASK = TypeAdapter(Case), TypeAdapter(Task)
NOT_KEPT = {"tasks", "facts"}


# Cases


async def lock_cases(
    connection: Transaction, request_ids: Iterable[UUID], *, skip_locked: bool = False
) -> dict[UUID, Case]:
    """The cases of these requests, for update, always in one order; with `skip_locked`, those that nobody holds."""
    wanted = sorted(set(request_ids))
    rows = await connection.execute(
        sa.select(cases)
        .where(among(cases.c.request_id, wanted))
        .order_by(cases.c.request_id)
        .with_for_update(skip_locked=skip_locked)
    )
    found = {row.request_id: _CASE.validate_json(row.document) for row in rows}
    parts = await connection.execute(
        sa.select(tasks.c.request_id, tasks.c.document)
        .where(among(tasks.c.request_id, found))
        .order_by(tasks.c.request_id, tasks.c.position)
    )
    for row in parts:
        found[row.request_id].tasks.append(_TASK.validate_json(row.document))
    return found


async def find_request_of(connection: Transaction, task_id: UUID) -> UUID | None:
    """The request that the task belongs to."""
    found: UUID | None = await connection.scalar(sa.select(tasks.c.request_id).where(tasks.c.id == task_id))
    return found


async def find_case(connection: Transaction, task_id: UUID) -> Case | None:
    """The case of a task with that one task alone, to be read."""
    row = (await connection.execute(_shown().where(tasks.c.id == task_id))).first()
    return _case_of(row) if row else None


SAVE_CASES = upsert_given(cases, *cases.c.keys(), key=("request_id",))


async def save_cases(connection: Transaction, changed: Sequence[Case]) -> None:
    """Keep the cases; their tasks are kept by save_tasks."""
    if not changed:
        return
    rows = [
        {
            "request_id": c.life.request_id,
            "document": _CASE.dump_json(c, exclude=NOT_KEPT).decode(),
            "household": c.household,
            "building": c.building,
        }
        for c in sorted(changed, key=lambda c: c.life.request_id)
    ]
    await connection.execute(SAVE_CASES, by_column(cases.c.keys(), rows))


SAVE_TASKS = upsert_given(tasks, *tasks.c.keys(), key=("id",), keep=("request_id", "position", "created_at"))


async def save_tasks(connection: Transaction, changed: Sequence[Case]) -> None:
    """Keep the tasks of these cases."""
    rows = [_task_row(case, n, task) for case in changed for n, task in enumerate(case.tasks)]
    if not rows:
        return
    await connection.execute(SAVE_TASKS, by_column(tasks.c.keys(), sorted(rows, key=lambda row: row["id"])))


def _task_row(case: Case, position: int, task: Task) -> dict[str, Any]:
    running = task.running()
    return {
        "id": task.id,
        "request_id": case.life.request_id,
        "position": position,
        "organisation": task.organisation,
        "liaison": task.liaison,
        "level": task.level,
        "status": task.status.value,
        "is_open": task.is_open,
        "urgency": URGENCY[case.colour],
        "due_at": running[0][1].due_at if running else None,
        "changed_at": task.changed_at,
        "organisations": task.organisations,
        "document": _TASK.dump_json(task).decode(),
        "created_at": task.created_at,
    }


async def count_loads(connection: Transaction) -> Counter[str]:
    """How many open tasks each organisation, and each person, has."""
    rows = await connection.execute(
        sa.select(tasks.c.organisation, tasks.c.liaison, sa.func.count().label("n"))
        .where(tasks.c.is_open)
        .group_by(tasks.c.organisation, tasks.c.liaison)
    )
    loads: Counter[str] = Counter()
    for organisation, liaison, n in rows:
        loads[organisation] += n
        if liaison is not None:
            loads[liaison] += n
    return loads


MOST_TOGETHER = 200  # of one building, at a time


async def find_together(connection: Transaction, task_id: UUID, by: Together) -> list[tuple[UUID, UUID, int]]:
    """Other open leads of the same organisation for the same household or building: request, task, revision."""
    own, its_case = tasks.alias(), cases.alias()
    others = (
        sa.select(tasks.c.request_id, tasks.c.id, tasks.c.document)
        .select_from(own)
        .join(its_case, its_case.c.request_id == own.c.request_id)
        .join(cases, cases.c[by.value] == its_case.c[by.value])
        .join(tasks, tasks.c.request_id == cases.c.request_id)
        .where(own.c.id == task_id, tasks.c.id != task_id, tasks.c.organisation == own.c.organisation)
        .where(tasks.c.position == 0, tasks.c.is_open)
        .order_by(tasks.c.request_id)
        .limit(MOST_TOGETHER)
    )
    rows = await connection.execute(others)
    return [(row.request_id, row.id, _TASK.validate_json(row.document).revision) for row in rows]


async def count_first_routes(connection: Transaction, since: datetime) -> tuple[int, int]:
    """Of the leads answered since then: how many the first organisation answered, and how many there are."""
    right = tasks.c.organisations[1] == tasks.c.organisation
    over = (~tasks.c.is_open, tasks.c.changed_at >= since, tasks.c.position == 0, tasks.c.status.in_(ANSWERED))
    row = (await connection.execute(sa.select(sa.func.count().filter(right), sa.func.count()).where(*over))).one()
    return row[0], row[1]


async def count_backlog(connection: Transaction, since: datetime) -> dict[str, tuple[int, int, int, int]]:
    """By organisation, of leads: open, open and red, come since then, answered since then."""
    answered = sa.and_(tasks.c.changed_at >= since, tasks.c.status.in_(ANSWERED))
    counts = (tasks.c.is_open, sa.and_(tasks.c.is_open, tasks.c.urgency == 0), tasks.c.created_at >= since, answered)
    rows = await connection.execute(
        sa.select(tasks.c.organisation, *(sa.func.count().filter(count) for count in counts))
        .where(tasks.c.position == 0)
        .where(sa.or_(tasks.c.is_open, sa.and_(~tasks.c.is_open, tasks.c.changed_at >= since)))  # an index for each
        .group_by(tasks.c.organisation)
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


async def list_waiting(connection: Transaction) -> list[UUID]:
    """The requests with a task that nobody could be reached for."""
    rows = await connection.scalars(
        sa.select(tasks.c.request_id).where(tasks.c.is_open, tasks.c.status == "waiting").distinct()
    )
    return list(rows)


# Lists of tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks a list shows."""

    request_id: UUID | None = None
    organisation: str | None = None
    status: str | None = None
    overdue: bool | None = None
    mine_level: int | None = None
    """Only those up to this level, or held by `holder`."""
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after this row of this group, as it stood at `now`."""

    now: datetime
    group: int
    at: datetime
    task_id: UUID


OVER = 2 * len(URGENCY)
"""The last group: tasks on which nothing is owed, latest change first."""


async def list_tasks(
    connection: Transaction, wanted: Wanted, now: datetime, after: Place | None, limit: int
) -> list[tuple[int, datetime, Case]]:
    """A page by urgency: overdue before the rest, red before yellow before green, then what is due first.

    Each group is read off an index, and only until the page is full; so no page costs more as history grows.
    """
    page: list[tuple[int, datetime, Case]] = []
    for group in range(after.group if after else 0, OVER + 1):
        if not _may_hold(group, wanted):
            continue
        query = _group(group, wanted, now)
        if after and group == after.group:
            query = query.where(_after(group, after))
        rows = await connection.execute(query.limit(limit - len(page)))
        page += [(group, row.changed_at if group == OVER else row.due_at, _case_of(row)) for row in rows]
        if len(page) >= limit:
            break
    return page


def _may_hold(group: int, wanted: Wanted) -> bool:
    """Whether the list asks for such tasks at all: without a status or a request it shows what is open."""
    if group == OVER:
        return (wanted.status or wanted.request_id) is not None and wanted.overdue is not True
    return wanted.overdue is None or wanted.overdue == (group < len(URGENCY))


def _after(group: int, place: Place) -> sa.ColumnElement[bool]:
    if group == OVER:
        return sa.tuple_(tasks.c.changed_at, tasks.c.id) < sa.tuple_(place.at, place.task_id)
    return sa.tuple_(tasks.c.due_at, tasks.c.id) > sa.tuple_(place.at, place.task_id)


def _group(group: int, wanted: Wanted, now: datetime) -> sa.Select[Any]:
    query = _filtered(wanted)
    if group == OVER:
        return query.where(~tasks.c.is_open).order_by(tasks.c.changed_at.desc(), tasks.c.id.desc())
    overdue, urgency = group < len(URGENCY), group % len(URGENCY)
    due = tasks.c.due_at <= now if overdue else tasks.c.due_at > now
    return query.where(tasks.c.is_open, tasks.c.urgency == urgency, due).order_by(tasks.c.due_at, tasks.c.id)


def _filtered(wanted: Wanted) -> sa.Select[Any]:
    query = _shown()
    if wanted.request_id is not None:
        query = query.where(tasks.c.request_id == wanted.request_id)
    if wanted.organisation is not None:
        query = query.where(tasks.c.organisation == wanted.organisation)
    if wanted.status is not None:
        query = query.where(tasks.c.status == wanted.status)
    if wanted.mine_level is not None:
        query = query.where(sa.or_(tasks.c.level <= wanted.mine_level, tasks.c.liaison == wanted.holder))
    return query


def _shown() -> sa.Select[Any]:
    return sa.select(
        tasks.c.document.label("task"), tasks.c.due_at, tasks.c.changed_at, cases.c.document.label("case")
    ).join(cases, cases.c.request_id == tasks.c.request_id)


def _case_of(row: Any) -> Case:
    case = _CASE.validate_json(row.case)
    case.tasks.append(_TASK.validate_json(row.task))
    return case
