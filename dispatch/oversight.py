"""Oversight: supervision orders (督办) with a leader and a due answer, and arbitration of what nobody wants. Pure."""

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from dispatch.routing import Duty
from dispatch.tasks import NoOrder, Supervision, Task, TaskStatus, TextRef, UnknownOrganisation, said
from shared.contracts import casework as w
from shared.contracts.vocabulary import Stage, SupervisionCause
from shared.problems import NotInThisState, Problem, RevisionConflict

if TYPE_CHECKING:
    from dispatch.model import Case

ARBITRATED = "arbitrated"


class UnknownLeader(Problem):
    """There is no such person. GET /v1/liaisons lists them; without `leader` it is the organisation's supervisor."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unknown leader"


MOVABLE = (TaskStatus.WAITING, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED)


def order(
    case: "Case",
    task: Task,
    stage: Stage,
    cause: SupervisionCause,
    duty: Duty,
    leader: str | None = None,
    note: TextRef | None = None,
) -> None:
    """Name a leader who owes an answer; while one is owed, there is no second order."""
    if _is_owed(task):
        return
    answer_by = duty.now + timedelta(minutes=duty.clocks.supervision_minutes[case.colour])
    named = leader or duty.leader(task.organisation)
    task.supervision = Supervision(leader=named, cause=cause, stage=stage, ordered_at=duty.now, answer_by=answer_by)
    task.start(Stage.SUPERVISED, duty.now, answer_by, duty.now, duty.policy_version)
    case.state(
        w.TaskSupervised,
        task,
        cause=cause,
        stage=stage,
        leader=named,
        answer_by=answer_by,
        policy_version=duty.policy_version,
        **said(note),
    )


def order_by_hand(case: "Case", leader: str | None, note: TextRef | None, duty: Duty) -> Task:
    """A supervisor orders it himself, for the stage that is due first."""
    lead = case.lead
    if lead is None or not (running := lead.running()) or _is_owed(lead):
        raise NotInThisState(state=case.status.value)
    order(case, lead, running[0][0], SupervisionCause.BY_HAND, duty, leader, note)
    lead.change(duty.now)
    return lead


def answer_order(case: "Case", task: Task, revision: int, text: TextRef, duty: Duty) -> None:
    """The leader answers."""
    if revision != task.revision:
        raise RevisionConflict(revision=task.revision)
    if task.supervision is None or not _is_owed(task):
        raise NoOrder
    task.supervision.answered_at = duty.now
    task.stop(duty.now, Stage.SUPERVISED)
    task.change(duty.now)
    leader = task.supervision.leader
    case.state(w.SupervisionAnswered, task, leader=leader, text_id=text.text_id, text_hash=text.text_hash)


def _is_owed(task: Task) -> bool:
    clock = task.clocks.get(Stage.SUPERVISED)
    return clock is not None and clock.is_running and task.is_open


def await_arbitration(case: "Case", task: Task, duty: Duty) -> None:
    """Nobody may return it any more: a person has so long to decide whose it is."""
    due = duty.now + timedelta(minutes=duty.clocks.arbitration_minutes[case.colour])
    task.start(Stage.ARBITRATED, duty.now, due, duty.now, duty.policy_version)


def arbitrate(case: "Case", organisation: str, note: TextRef | None, duty: Duty) -> Task:
    """A person decides whose the lead is, for good."""
    lead = case.lead
    if lead is None or lead.status not in MOVABLE:
        raise NotInThisState(state=case.status.value)
    if organisation not in duty.city.organisations:
        raise UnknownOrganisation
    lead.stop(duty.now, Stage.ARBITRATED, Stage.ACCEPTED)
    lead.needs_person, lead.arbitrated, lead.tried, lead.rule = False, True, [], ARBITRATED
    lead.organisation, lead.level = organisation, 0
    if organisation not in lead.organisations:
        lead.organisations.append(organisation)
    case.state(w.TaskArbitrated, lead, returns=len(lead.returned_by), **said(note))
    case.assign(lead, duty)
    return lead
