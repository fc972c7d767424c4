"""Tasks made good from facts that a lost state of the database had stated: the log is right.

What was decided anew on the way, from the facts of others, takes the ids and the moments that the log has. Pure.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dispatch.model import HIGHEST, Case
from dispatch.routing import Duty
from dispatch.tasks import Task, TaskStatus
from shared.contracts import requests as r
from shared.contracts.envelope import Event
from shared.contracts.vocabulary import Role, Stage

S = TaskStatus


def recall(case: Case, event: Event[Any], duty: Duty) -> None:
    """Do to the case's tasks what the fact says; it was folded into the life already."""
    fact = event.fact
    task = _task_of(case, fact, duty)
    if make_good := MAKES_GOOD.get(type(fact)):
        make_good(case, task, event, duty)
    if not isinstance(fact, r.TaskReminded | r.TaskNudged | r.TaskEscalated):
        task.changed_at = event.time
        task.revision += 1


def _task_of(case: Case, fact: r.TaskFact, duty: Duty) -> Task:
    """The task that the fact is about: by its id, else the one decided anew in its place, else a new one."""
    for task in case.tasks:
        if task.id == fact.task_id:
            return task
    for task in case.tasks:
        if task.role is fact.role and (task.role is Role.LEAD or fact.organisation in task.organisations):
            task.id = fact.task_id
            task.attempt, task.revision, task.first_assigned_at = 0, 0, None
            task.clocks.clear()
            return task
    task = Task(
        id=fact.task_id,
        role=fact.role,
        organisation=fact.organisation,
        rule="",
        created_at=duty.now,
        changed_at=duty.now,
        revision=0,
        organisations=[fact.organisation],
    )
    case.tasks.append(task)
    return task


def _assigned(case: Case, task: Task, event: Event[r.TaskAssigned], duty: Duty) -> None:
    fact, at = event.fact, event.time
    person = duty.city.liaisons.get(fact.liaison)
    task.organisation, task.liaison, task.rule = fact.organisation, fact.liaison, fact.rule
    task.level = person.post.level if person else task.level
    if fact.organisation not in task.organisations:
        task.organisations.append(fact.organisation)
    task.status, task.assigned_at, task.attempt = S.ASSIGNED, at, fact.attempt
    task.stop(at, Stage.ASSIGNED)
    task.start(Stage.ACCEPTED, at, fact.accept_by, at)
    if task.first_assigned_at is None:
        task.first_assigned_at = at
        case.start_work(task, duty, at)
        if fact.contact_by is not None:
            task.start(Stage.CONTACTED, at, fact.contact_by, at)
        if fact.answer_by is not None:
            task.start(Stage.ANSWERED, case.began_at, fact.answer_by, at)


def _accepted(_case: Case, task: Task, event: Event[r.TaskAccepted], duty: Duty) -> None:
    task.status, task.liaison = S.ACCEPTED, event.fact.liaison
    person = duty.city.liaisons.get(event.fact.liaison)
    task.level = max(task.level, person.post.level if person else 0)
    task.stop(event.time, Stage.ACCEPTED)


def _returned(_case: Case, task: Task, event: Event[r.TaskReturned], _duty: Duty) -> None:
    task.returned_by.append(event.fact.organisation)
    task.tried, task.status, task.liaison, task.level = [], S.WAITING, None, 0
    task.stop(event.time, Stage.ACCEPTED)


def _recalled(_case: Case, task: Task, event: Event[r.TaskRecalled], _duty: Duty) -> None:
    task.tried = [*task.tried, event.fact.liaison]


def _contacted(case: Case, _task: Task, event: Event[r.ResidentContacted], _duty: Duty) -> None:
    for each in case.tasks:
        each.stop(event.time, Stage.CONTACTED)


def _answered(_case: Case, task: Task, event: Event[r.RequestAnswered], _duty: Duty) -> None:
    task.status = S.ANSWERED
    task.stop(event.time)
    if event.fact.fulfil_by is not None:
        task.start(Stage.FULFILLED, event.time, event.fact.fulfil_by, event.time)


def _ended(_case: Case, task: Task, event: Event[Any], _duty: Duty) -> None:
    task.status = S.FULFILLED if isinstance(event.fact, r.TaskFulfilled) else S.CANCELLED
    task.stop(event.time)


def _reminded(_case: Case, task: Task, event: Event[r.TaskReminded], _duty: Duty) -> None:
    if clock := task.clocks.get(event.fact.stage):
        clock.reminded_percent = event.fact.percent


def _nudged(case: Case, task: Task, event: Event[r.TaskNudged], duty: Duty) -> None:
    if clock := task.clocks.get(event.fact.stage):
        clock.nudges = event.fact.count
        clock.moments = clock.passed(timedelta(minutes=duty.clocks.nudge_every_minutes[case.colour]), event.time)


def _escalated(_case: Case, task: Task, event: Event[r.TaskEscalated], _duty: Duty) -> None:
    """A level higher heard of it; one that reopens is followed by an assignment from that level on."""
    if clock := task.clocks.get(event.fact.stage):
        clock.escalated = True
        if not clock.is_running:
            task.level, task.first_assigned_at = min(event.fact.level, HIGHEST), None


MAKES_GOOD: dict[type[r.TaskFact], Callable[[Case, Task, Event[Any], Duty], None]] = {
    r.TaskAssigned: _assigned,
    r.TaskAccepted: _accepted,
    r.TaskReturned: _returned,
    r.TaskRecalled: _recalled,
    r.ResidentContacted: _contacted,
    r.RequestAnswered: _answered,
    r.TaskFulfilled: _ended,
    r.TaskCancelled: _ended,
    r.TaskReminded: _reminded,
    r.TaskNudged: _nudged,
    r.TaskEscalated: _escalated,
}
RECALLS: tuple[type[r.TaskFact], ...] = (*MAKES_GOOD, r.TaskProgressed)
"""All that dispatch states about tasks."""
