"""Tasks made good from facts that a lost state of the database had stated: the log is right.

What was decided anew on the way, from the facts of others, takes the ids and the moments that the log has. Pure.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dispatch.model import HIGHEST, Case
from dispatch.routing import Duty
from dispatch.tasks import Supervision, Task, TaskStatus
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.envelope import Event
from shared.contracts.vocabulary import Role, Stage, SupervisionCause, TransferCause

S = TaskStatus
UNCHANGING = (r.TaskReminded, r.TaskNudged, r.TaskEscalated, w.TaskDelivered, w.DelayPublicised, w.QuestionLapsed)
"""Facts after which nobody has to read the task again before he acts."""


def recall(case: Case, event: Event[Any], duty: Duty) -> None:
    """Do to the case's tasks what the fact says; it was folded into the life already."""
    fact = event.fact
    task = _task_of(case, fact, duty)
    if make_good := MAKES_GOOD.get(type(fact)):
        make_good(case, task, event, duty)
    if not isinstance(fact, UNCHANGING):
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
    task.start(Stage.ACCEPTED, at, fact.accept_by, at, fact.policy_version)
    task.duty_ends_at = duty.city.duty_ends(fact.liaison, at)
    _as_planned(case, task)
    if task.first_assigned_at is None:
        task.first_assigned_at = at
        case.start_work(task, duty, at)
        if fact.contact_by is not None:
            task.start(Stage.CONTACTED, at, fact.contact_by, at, fact.policy_version)
        if fact.answer_by is not None:
            task.start(Stage.ANSWERED, case.began_at, fact.answer_by, at, fact.policy_version)


def _as_planned(case: Case, task: Task) -> None:
    """A task that its playbook had planned is that step, and is planned no more."""
    for step in [step for step in case.planned if step.rule == task.rule]:
        task.step, task.required, task.asked, task.unit = step.id, step.required, step.quantity, step.unit
        case.planned.remove(step)


def _accepted(_case: Case, task: Task, event: Event[r.TaskAccepted], duty: Duty) -> None:
    task.status, task.liaison, task.question_ends_at = S.ACCEPTED, event.fact.liaison, None
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
        each.question_ends_at = None


def _answered(_case: Case, task: Task, event: Event[r.RequestAnswered], duty: Duty) -> None:
    task.status = S.ANSWERED
    task.stop(event.time)
    if event.fact.fulfil_by is not None:
        task.start(Stage.FULFILLED, event.time, event.fact.fulfil_by, event.time, duty.policy_version)


def _ended(_case: Case, task: Task, event: Event[Any], _duty: Duty) -> None:
    task.status = S.FULFILLED if isinstance(event.fact, r.TaskFulfilled) else S.CANCELLED
    task.stop(event.time)


def _reminded(_case: Case, task: Task, event: Event[r.TaskReminded], _duty: Duty) -> None:
    if clock := task.clocks.get(event.fact.stage):
        clock.reminded_percent = event.fact.percent


def _nudged(case: Case, task: Task, event: Event[r.TaskNudged], duty: Duty) -> None:
    if clock := task.clocks.get(event.fact.stage):
        clock.nudges = event.fact.count
        clock.let_pass(timedelta(minutes=duty.clocks.nudge_every_minutes[case.colour]), event.time)


def _escalated(_case: Case, task: Task, event: Event[r.TaskEscalated], _duty: Duty) -> None:
    """A level higher heard of it; one that reopens is followed by an assignment from that level on."""
    if clock := task.clocks.get(event.fact.stage):
        clock.escalated = True
        if not clock.is_running:
            task.level, task.first_assigned_at = min(event.fact.level, HIGHEST), None


def _confirmed(_case: Case, task: Task, event: Event[w.TaskConfirmed], _duty: Duty) -> None:
    task.confirmed_at, task.happens_at = event.time, event.fact.happens_at or task.happens_at


def _delivered(_case: Case, task: Task, event: Event[w.TaskDelivered], _duty: Duty) -> None:
    task.asked, task.delivered, task.unit = event.fact.asked, event.fact.delivered, event.fact.unit


def _transferred(_case: Case, task: Task, event: Event[w.TaskTransferred], _duty: Duty) -> None:
    task.transfers += event.fact.cause is TransferCause.BY_HAND


def _interim(_case: Case, task: Task, event: Event[w.RequestInterimAnswered], _duty: Duty) -> None:
    task.interim_at = event.time


def _questioned(_case: Case, task: Task, event: Event[w.ResidentQuestioned], _duty: Duty) -> None:
    task.questions, task.question_ends_at = event.fact.number, event.fact.answer_by


def _lapsed(_case: Case, task: Task, _event: Event[w.QuestionLapsed], _duty: Duty) -> None:
    task.question_ends_at = None


def _extended(_case: Case, task: Task, event: Event[w.TaskExtended], _duty: Duty) -> None:
    task.extended_to = event.fact.due_at
    if clock := task.clocks.get(event.fact.stage):
        clock.move(event.fact.due_at, event.time)


def _arbitrated(_case: Case, task: Task, event: Event[w.TaskArbitrated], _duty: Duty) -> None:
    task.arbitrated, task.needs_person, task.tried = True, False, []
    task.stop(event.time, Stage.ARBITRATED, Stage.ACCEPTED)


def _supervised(_case: Case, task: Task, event: Event[w.TaskSupervised], _duty: Duty) -> None:
    fact, at = event.fact, event.time
    task.supervision = Supervision(
        leader=fact.leader, cause=fact.cause, stage=fact.stage, ordered_at=at, answer_by=fact.answer_by
    )
    task.start(Stage.SUPERVISED, at, fact.answer_by, at, fact.policy_version)
    if (clock := task.clocks.get(fact.stage)) and fact.cause is SupervisionCause.OVERDUE:
        clock.supervised = True


def _order_answered(_case: Case, task: Task, event: Event[w.SupervisionAnswered], _duty: Duty) -> None:
    if task.supervision is not None:
        task.supervision.answered_at = event.time
    task.stop(event.time, Stage.SUPERVISED)


def _publicised(_case: Case, task: Task, event: Event[w.DelayPublicised], _duty: Duty) -> None:
    if clock := task.clocks.get(event.fact.stage):
        clock.publicised = True


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
    w.TaskConfirmed: _confirmed,
    w.TaskDelivered: _delivered,
    w.TaskTransferred: _transferred,
    w.RequestInterimAnswered: _interim,
    w.ResidentQuestioned: _questioned,
    w.QuestionLapsed: _lapsed,
    w.TaskExtended: _extended,
    w.TaskArbitrated: _arbitrated,
    w.TaskSupervised: _supervised,
    w.SupervisionAnswered: _order_answered,
    w.DelayPublicised: _publicised,
}
RECALLS: tuple[type[r.TaskFact], ...] = (*MAKES_GOOD, r.TaskProgressed)
"""All that dispatch states about tasks."""
