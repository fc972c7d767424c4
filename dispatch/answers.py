"""What dispatch answers: tasks and directory entries as the API shows them. Pure."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dispatch.clocks import Clock, Escalation, Nudge, Order, Publication, Reminder, Ring
from dispatch.differences import Change
from dispatch.model import Case
from dispatch.routing import Duty
from dispatch.tasks import Task, TaskStatus, Together
from shared.contracts.vocabulary import Category, Colour, Role, Stage, SupervisionCause

THEN = {Reminder: "reminded", Nudge: "nudged", Escalation: "escalated", Order: "supervised", Publication: "publicised"}
RECALLED = "recalled"


class NextDue(BaseModel):
    """The stage that is due first, when, and what happens if it is not done by then."""

    stage: Stage
    at: datetime
    then: str


class Consequence(BaseModel):
    """What happens at a moment if the stage is not done by then, and whom it concerns."""

    stage: Stage
    at: datetime
    then: str
    who: str | None
    """Id of the person who is told, or who gets it; None where that is decided then."""


class Promised(BaseModel):
    """What is owed on a task by when, and the policy that says so."""

    stage: Stage
    due_at: datetime
    overdue: bool
    nudges: int
    policy_version: str


class OrderShown(BaseModel):
    """A supervision order."""

    leader: str
    cause: SupervisionCause
    stage: Stage
    ordered_at: datetime
    answer_by: datetime
    answered_at: datetime | None


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
    promises: list[Promised]
    coming: list[Consequence]
    """What happens next if nothing is done, in order; for the stage that is due first."""
    open_together: dict[Together, int] | None = None
    """How many other open requests of the same household or building its organisation leads; where one is read."""
    together: list[UUID] = Field(default_factory=list)
    """The other requests that this was done for as well."""
    waits_for: list[str]
    """The required tasks that a lead's answer waits for."""
    questions: int
    question_until: datetime | None = Field(
        description="Until when the resident holds it; null where nothing is asked."
    )
    supervision: OrderShown | None
    step: str | None
    required: bool
    confirmed_at: datetime | None
    happens_at: datetime | None
    asked: int | None
    delivered: int
    unit: str | None
    extended: bool
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


class FirstRoutes(BaseModel):
    """How often the organisation that a request was routed to first was the one that answered it."""

    since: datetime
    share: float | None
    n: int
    of: int
    low: float | None
    """The 95 % Wilson interval."""
    high: float | None


class EntryKept(BaseModel):
    """An entry of the directory; send `revision` with a change, 0 with a new one."""

    id: str
    revision: int
    changed_at: datetime
    changed_by: str
    assured_at: datetime | None
    """When it was last confirmed to be right, by a change or by the word of somebody who knows."""
    assured_by: str | None
    is_removed: bool
    content: dict[str, Any]


class EntryHistory(EntryKept):
    """An entry with the states that it had before, newest first."""

    history: list[EntryKept]


class Applied(BaseModel):
    """What a file changes, or changed."""

    kind: str
    version: str
    dry_run: bool
    changes: list[Change]


def show(case: Case, task: Task, now: datetime, duty: Duty) -> TaskShown:
    """The task as the API shows it."""
    running = task.running()
    plain = {name: getattr(task, name) for name in TaskShown.model_fields if hasattr(task, name)}
    return TaskShown.model_validate(
        {
            **plain,
            "request_id": case.life.request_id,
            "colour": case.colour,
            "category": case.life.category or Category.OTHER,
            "area": case.life.area,
            "deadline": case.deadline,
            "accept_by": task.due(Stage.ACCEPTED),
            "contact_by": task.due(Stage.CONTACTED),
            "answer_by": task.due(Stage.ANSWERED),
            "fulfil_by": task.due(Stage.FULFILLED),
            "overdue": any(clock.is_overdue(now) for _, clock in running),
            "next_due": next_due(task),
            "promises": [_promised(stage, clock, now) for stage, clock in running],
            "coming": coming(case, task, duty),
            "waits_for": case.waits_for if task.role is Role.LEAD and task.is_open else [],
            "supervision": asdict(task.supervision) if task.supervision else None,
            "extended": task.extended_to is not None,
            "nudges": sum(clock.nudges for clock in task.clocks.values()),
            "returns": len(task.returned_by),
        }
    )


def _promised(stage: Stage, clock: Clock, now: datetime) -> Promised:
    return Promised(
        stage=stage,
        due_at=clock.due_at,
        overdue=clock.is_overdue(now),
        nudges=clock.nudges,
        policy_version=clock.policy_version,
    )


def coming(case: Case, task: Task, duty: Duty) -> list[Consequence]:
    """What happens next, in order, if the stage that is due first is not done."""
    running = task.running()
    if not running:
        return []
    stage, clock = running[0]
    moments = clock.upcoming(duty.clocks, case.colour)
    return [
        Consequence(
            stage=stage,
            at=at,
            then=RECALLED if stage is Stage.ACCEPTED and isinstance(ring, Nudge) else THEN[type(ring)],
            who=_who(task, stage, ring, duty),
        )
        for at, ring in sorted(moments, key=lambda moment: moment[0])
    ]


def _who(task: Task, stage: Stage, ring: Ring, duty: Duty) -> str | None:
    """Whom it concerns, as things stand now."""
    match ring:
        case Order():
            return duty.leader(task.organisation)
        case Escalation():
            return next(iter(duty.city.on_duty(task.organisation, task.level + 1, duty.now)), None)
        case Nudge() if stage is Stage.ACCEPTED:
            return next(iter(duty.city.on_duty(task.organisation, task.level + 1, duty.now)), duty.routing.backstop)
        case _:
            return task.liaison


def next_due(task: Task) -> NextDue | None:
    """What is due first on the task; None once nothing is."""
    running = task.running()
    if not running:
        return None
    stage, clock = running[0]
    return NextDue(stage=stage, at=clock.due_at, then=RECALLED if stage is Stage.ACCEPTED else THEN[Nudge])
