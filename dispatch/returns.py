"""Returns (退单): when a task may be given back, and to whom it goes then. Pure."""

from typing import TYPE_CHECKING

from dispatch.oversight import await_arbitration, order
from dispatch.routing import BACKSTOP, Duty, Route
from dispatch.tasks import (
    EvidenceMissing,
    OwnerNotNamed,
    ReturnsExhausted,
    Task,
    TaskStatus,
    TextRef,
    UnknownOrganisation,
    said,
)
from shared.contracts import requests as r
from shared.contracts.vocabulary import ReturnReason, Role, Stage, SupervisionCause

if TYPE_CHECKING:
    from dispatch.model import Case

NAMED = "named-on-return"
SECOND = 2
"""The return at which a leader has to answer for it."""


def give_back(
    case: "Case",
    task: Task,
    revision: int,
    reason: ReturnReason,
    belongs_to: str | None,
    note: TextRef | None,
    duty: Duty,
) -> None:
    """The organisation returns the task; within the limits it goes to whom it belongs, else a person decides."""
    task.check(revision, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED)
    check_return(task, reason, belongs_to, duty, has_evidence=note is not None)
    case.state(r.TaskReturned, task, reason=reason, belongs_to=belongs_to, **said(note))
    task.returned_by.append(task.organisation)
    task.tried = []
    task.stop(duty.now, Stage.ACCEPTED, Stage.ARBITRATED)
    route = route_after_return(case, task, reason, belongs_to, duty)
    task.organisation, task.rule, task.level = route.organisation, route.rule, 0
    if task.organisation not in task.organisations:
        task.organisations.append(task.organisation)
    if task.needs_person:
        await_arbitration(case, task, duty)
    case.assign(task, duty)
    if len(task.returned_by) == SECOND:
        order(case, task, Stage.ACCEPTED, SupervisionCause.SECOND_RETURN, duty)


def check_return(task: Task, reason: ReturnReason, belongs_to: str | None, duty: Duty, *, has_evidence: bool) -> None:
    """Raise where the holder may not return the task so: nobody says "not ours" without saying whose, and why."""
    if task.arbitrated:
        raise ReturnsExhausted(returns=len(task.returned_by))
    if not has_evidence:
        raise EvidenceMissing
    if reason is ReturnReason.NOT_OURS and belongs_to is None:
        raise OwnerNotNamed
    if belongs_to is not None and belongs_to not in duty.city.organisations:
        raise UnknownOrganisation
    if belongs_to == task.organisation:
        raise OwnerNotNamed("You named your own organisation. Say in `belongs_to` whose it is.")
    if task.organisation == duty.routing.backstop and belongs_to is None:
        raise OwnerNotNamed("Nobody stands behind you: say in `belongs_to` whose it is.")
    limits = duty.clocks.returns
    count = task.returned_by.count(task.organisation)
    if count >= limits.per_organisation or len(task.returned_by) >= limits.in_all:
        raise ReturnsExhausted(returns=len(task.returned_by))


def route_after_return(case: "Case", task: Task, reason: ReturnReason, belongs_to: str | None, duty: Duty) -> Route:
    """Whose the task is, its return counted: the named owner's, else by the rules; after the last, a person decides.

    A return by the backstop is such a decision; two that name each other are not.
    """
    backstop = Route(duty.routing.backstop, BACKSTOP)
    exhausted = len(task.returned_by) >= duty.clocks.returns.in_all
    task.needs_person = belongs_to in task.returned_by or (exhausted and task.organisation != backstop.organisation)
    if task.needs_person:
        return backstop
    if belongs_to is not None:
        return Route(belongs_to, NAMED)
    if task.role is Role.ASSISTING or reason is ReturnReason.MORE_INFORMATION_NEEDED or case.life.category is None:
        return backstop
    return duty.route(case.life.category, case.place(duty), case.colour, task.returned_by)
