"""What the holder of a task does: accept, return, contact, progress, answer, fulfil. Each says what follows. Pure.

Every act names the revision it was decided on; one that is too old is refused with what the task is now.
"""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from dispatch.assignment import Load, hand_to, new_clock
from dispatch.model import Case, Task, TaskStatus
from dispatch.routing import City, seat
from shared.contracts import requests as r
from shared.contracts.vocabulary import Medium, ReturnReason, Role, Stage, Status
from shared.identity import Kind, Principal
from shared.problems import NotInThisState, Problem, RevisionConflict


class TaskHeldByAnother(Problem):
    """You did not accept in time, and somebody else has the task now; `organisation` and `liaison` say who."""

    status = HTTPStatus.CONFLICT
    title = "Task held by another"


class ReturnRefused(Problem):
    """Your organisation has returned this task before, or you are the last resort. Ask the duty office to decide."""

    status = HTTPStatus.CONFLICT
    title = "Return refused"


class OwnerNotNamed(Problem):
    """A task that is not yours is somebody's: name another organisation of the directory in `belongs_to`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Owner not named"


class PromiseInThePast(Problem):
    """`fulfil_by` must lie in the future. Answer without it where everything is done already."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Promise in the past"


def _must_hold(task: Task, caller: Principal, revision: int) -> None:
    """Raise unless the caller may act on the task as it is now."""
    passed_on = caller.organisation != task.organisation or (
        task.level > 0 and caller.kind is Kind.LIAISON and task.status is TaskStatus.ASSIGNED
    )
    if passed_on:
        raise TaskHeldByAnother(organisation=task.organisation, liaison=task.liaison)
    if revision != task.revision:
        raise RevisionConflict(revision=task.revision)


def _must_be(task: Task, *states: TaskStatus) -> None:
    if task.status not in states:
        raise NotInThisState(
            f"The task is {task.status}; this can be done while it is {' or '.join(states)}.", state=task.status
        )


def accept(task: Task, caller: Principal, revision: int, now: datetime) -> r.TaskAccepted:
    """Sign for it; binds the person."""
    _must_hold(task, caller, revision)
    _must_be(task, TaskStatus.ASSIGNED)
    task.status, task.liaison = TaskStatus.ACCEPTED, caller.id
    task.revision += 1
    task.stop(now, Stage.ACCEPTED)
    return r.TaskAccepted(**task.about(), liaison=caller.id)


def give_back(
    case: Case,
    task: Task,
    caller: Principal,
    revision: int,
    reason: ReturnReason,
    belongs_to: str | None,
    city: City,
    now: datetime,
    load: Load,
) -> tuple[r.TaskReturned, r.TaskAssigned]:
    """Return it with a reason; bounded, and then a person at the backstop decides. The clocks run on."""
    _must_hold(task, caller, revision)
    _must_be(task, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED)
    limits = city.clocks.returns
    by_this = task.returned_by.count(task.organisation)
    if by_this >= limits.per_organisation or task.organisation == city.routing.backstop:
        raise ReturnRefused
    if reason is ReturnReason.NOT_OURS and belongs_to in {None, task.organisation}:
        raise OwnerNotNamed
    if belongs_to is not None and belongs_to not in city.organisations:
        raise OwnerNotNamed(f"There is no organisation {belongs_to} in the directory.")
    returned = r.TaskReturned(**task.about(), reason=reason, belongs_to=belongs_to)
    task.returned_by.append(task.organisation)
    task.arbitration = len(task.returned_by) >= limits.in_all or belongs_to in task.returned_by
    to = city.routing.backstop if task.arbitration or belongs_to is None else belongs_to
    return returned, hand_to(case, city, task, seat(city, to, 0, now, load), "returned", now)


def contact(task: Task, caller: Principal, revision: int, medium: Medium, now: datetime) -> r.ResidentContacted:
    """A human spoke with the resident."""
    _must_hold(task, caller, revision)
    _must_be(task, TaskStatus.ACCEPTED, TaskStatus.ANSWERED)
    task.revision += 1
    task.stop(now, Stage.CONTACTED)
    return r.ResidentContacted(**task.about(), medium=medium)


def progress(task: Task, caller: Principal, revision: int, text_id: UUID, text_hash: str) -> r.TaskProgressed:
    """News for the resident to read."""
    _must_hold(task, caller, revision)
    _must_be(task, TaskStatus.ACCEPTED, TaskStatus.ANSWERED)
    task.revision += 1
    return r.TaskProgressed(**task.about(), text_id=text_id, text_hash=text_hash)


def answer(
    case: Case,
    task: Task,
    caller: Principal,
    revision: int,
    text_id: UUID,
    text_hash: str,
    fulfil_by: datetime | None,
    now: datetime,
) -> r.RequestAnswered:
    """Say what was done or, with `fulfil_by`, what will have been done by then."""
    _must_hold(task, caller, revision)
    if task.role is not Role.LEAD:
        raise NotInThisState("Only the lead task answers; an assisting one is fulfilled.", state=task.role)
    _must_be(task, TaskStatus.ACCEPTED)
    if case.known.ahead.status is not Status.ACCEPTED:
        raise NotInThisState(state=case.known.ahead.status)
    if fulfil_by is not None and fulfil_by <= now:
        raise PromiseInThePast
    task.status, task.fulfil_by = TaskStatus.ANSWERED, fulfil_by
    task.revision += 1
    task.stop(now)
    if fulfil_by is not None:
        task.clocks[Stage.FULFILLED] = new_clock(now, fulfil_by, now)
    return r.RequestAnswered(**task.about(), text_id=text_id, text_hash=text_hash, fulfil_by=fulfil_by)


def fulfil(task: Task, caller: Principal, revision: int, now: datetime) -> r.TaskFulfilled:
    """What was promised has happened; or an assisting task is done."""
    _must_hold(task, caller, revision)
    _must_be(task, TaskStatus.ACCEPTED if task.role is Role.ASSISTING else TaskStatus.ANSWERED)
    if task.role is Role.LEAD and task.fulfil_by is None:
        raise NotInThisState("Nothing is owed: the answer promised nothing for later.", state=task.status)
    task.status, task.fulfil_by = TaskStatus.FULFILLED, None
    task.revision += 1
    task.stop(now)
    return r.TaskFulfilled(**task.about())


def must_be_in_work(case: Case) -> None:
    """Raise NotInThisState where nobody works on the case."""
    status = case.known.ahead.status
    if status not in {Status.ASSIGNED, Status.ACCEPTED}:
        raise NotInThisState("Nobody works on this request now.", state=status)
