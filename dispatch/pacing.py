"""The pace of a case: when each stage of each task is due, and how that moves when colour or deadline change. Pure."""

from datetime import datetime
from typing import TYPE_CHECKING

from dispatch.clocks import Pace, pace
from dispatch.routing import Duty
from dispatch.tasks import Task
from shared.contracts.vocabulary import Colour, Role, Stage

if TYPE_CHECKING:
    from dispatch.model import Case


def pace_of(case: "Case", duty: Duty) -> Pace:
    """How long each stage may take; a deadline counts as it stood when it became known."""
    category = (case.life.category,) if case.life.category else ()
    lead = duty.clocks.lead((*case.needs, *category))
    known_at = case.deadline_known_at or duty.now
    return pace(duty.clocks, case.colour, case.began_at, case.deadline, lead, known_at)


def move_clocks(case: "Case", before: Colour, duty: Duty) -> None:
    """Give every running clock its new due moment; of a request that was raised, only to an earlier one."""
    new = pace_of(case, duty)
    raised = case.colour.rank > before.rank
    for task in case.tasks:
        for stage, clock in task.running():
            due = _due(case, task, stage, new, duty.now)
            if due is None:
                continue
            if stage is Stage.ACCEPTED and due < clock.due_at:
                due = min(clock.due_at, max(due, duty.now + new.accepted))
            clock.move(min(due, clock.due_at) if raised else due, duty.now)
            clock.policy_version = duty.policy_version


def _due(case: "Case", task: Task, stage: Stage, new: Pace, now: datetime) -> datetime | None:
    """When a stage is due at this pace; None where it does not depend on the pace."""
    match stage:
        case Stage.ASSIGNED:
            return case.began_at + new.assigned
        case Stage.ACCEPTED:
            return task.assigned_at + new.accepted if task.assigned_at else None
        case Stage.CONTACTED:
            return task.first_assigned_at + new.contacted if task.first_assigned_at else None
        case Stage.ANSWERED:
            return _answer_by(case, task, case.began_at + new.answered, now)
        case Stage.FULFILLED:
            return help_by(case, task, new, now) if task.role is Role.ASSISTING else None
        case _:
            return None


def _answer_by(case: "Case", task: Task, due: datetime, now: datetime) -> datetime:
    """An extension that was given stands, but not against a deadline to come, and never for red."""
    if task.extended_to is None or case.colour is Colour.RED:
        return due
    if case.deadline is not None and case.deadline > now:
        return due
    return max(due, task.extended_to)


def help_by(case: "Case", task: Task, new: Pace, now: datetime) -> datetime:
    """When an assistant must have done his part: at the time it is arranged for, else by a deadline to come."""
    if task.happens_at is not None:
        return task.happens_at
    if case.deadline is not None and case.deadline > now:
        return case.deadline
    return case.began_at + new.answered
