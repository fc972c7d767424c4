"""What dispatch answers: tasks and directory entries as the API shows them. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dispatch.model import Case
from dispatch.tasks import Task, TaskStatus
from shared.contracts.vocabulary import Category, Colour, Role, Stage

RECALLED, NUDGED = "recalled", "nudged"


class NextDue(BaseModel):
    """The stage that is due first, when, and what happens if it is not done by then."""

    stage: Stage
    at: datetime
    then: str


class TaskShown(BaseModel):
    """One organisation's part in a request; send `revision` with what you do."""

    id: UUID
    request_id: UUID
    role: Role
    status: TaskStatus
    revision: int
    organisation: str
    liaison: str | None
    level: int
    rule: str
    attempt: int
    colour: Colour
    category: Category
    area: str | None
    deadline: datetime | None
    accept_by: datetime | None
    contact_by: datetime | None
    answer_by: datetime | None
    fulfil_by: datetime | None
    overdue: bool
    next_due: NextDue | None
    nudges: int
    returns: int
    needs_person: bool
    assigned_at: datetime | None
    created_at: datetime
    changed_at: datetime


class NudgeShown(BaseModel):
    """A nudge by hand: which stage it urges, and how many that stage has had."""

    request_id: UUID
    task_id: UUID
    stage: Stage
    count: int
    due_at: datetime


class EntryKept(BaseModel):
    """An entry of the directory; send `revision` with a change, 0 with a new one."""

    id: str
    revision: int
    changed_at: datetime
    changed_by: str
    is_removed: bool
    content: dict[str, Any]


class EntryHistory(EntryKept):
    """An entry with the states that it had before, newest first."""

    history: list[EntryKept]


class Change(BaseModel):
    """One entry that a file changes."""

    kind: str
    id: str
    change: str
    """`added`, `changed` or `removed`."""
    fields: list[str] = Field(default_factory=list)


class Applied(BaseModel):
    """What a file changes, or changed."""

    kind: str
    version: str
    dry_run: bool
    changes: list[Change]


def show(case: Case, task: Task, now: datetime) -> TaskShown:
    """The task as the API shows it."""
    running = task.running()
    return TaskShown(
        id=task.id,
        request_id=case.life.request_id,
        role=task.role,
        status=task.status,
        revision=task.revision,
        organisation=task.organisation,
        liaison=task.liaison,
        level=task.level,
        rule=task.rule,
        attempt=task.attempt,
        colour=case.colour,
        category=Category(case.life.category or Category.OTHER),
        area=case.life.area,
        deadline=case.deadline,
        accept_by=task.due(Stage.ACCEPTED),
        contact_by=task.due(Stage.CONTACTED),
        answer_by=task.due(Stage.ANSWERED),
        fulfil_by=task.due(Stage.FULFILLED),
        overdue=any(clock.is_overdue(now) for _, clock in running),
        next_due=next_due(task),
        nudges=sum(clock.nudges for clock in task.clocks.values()),
        returns=len(task.returned_by),
        needs_person=task.needs_person,
        assigned_at=task.assigned_at,
        created_at=task.created_at,
        changed_at=task.changed_at,
    )


def next_due(task: Task) -> NextDue | None:
    """What is due first on the task; None once nothing is."""
    running = task.running()
    if not running:
        return None
    stage, clock = running[0]
    return NextDue(stage=stage, at=clock.due_at, then=RECALLED if stage is Stage.ACCEPTED else NUDGED)


def differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], kind: str) -> Sequence[Change]:
    """What changes between two states of one kind of entry, by id."""
    changes = [Change(kind=kind, id=i, change="added") for i in after if i not in before]
    for i, new in after.items():
        old = before.get(i, new)
        if old != new:
            fields = sorted(f for f in old.keys() | new.keys() if old.get(f) != new.get(f))
            changes.append(Change(kind=kind, id=i, change="changed", fields=fields))
    return changes + [Change(kind=kind, id=i, change="removed") for i in before if i not in after]
