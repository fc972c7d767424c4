"""What time does to a case: reminders, nudges, a level higher told, and recall from whoever never acts. Pure."""

from datetime import datetime, timedelta

from dispatch.city import Post
from dispatch.clocks import Escalation, Nudge, Order, Publication, Reminder, Ring
from dispatch.concessions import hand_over, hands_over_at
from dispatch.model import Case
from dispatch.oversight import order
from dispatch.questions import lapse_if_due
from dispatch.routing import Duty
from dispatch.tasks import Task, TaskStatus
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Stage, SupervisionCause

BEYOND = len(Post)
"""The level of the backstop, seen from the organisation that a task came from."""
RETRY = timedelta(minutes=1)
"""How often a task that nobody could be reached for is tried again."""


def wake(case: Case, duty: Duty) -> None:
    """Do all that is due now."""
    for task in case.tasks:
        if task.status is TaskStatus.WAITING:
            case.assign(task, duty, task.level)
        lapse_if_due(case, task, duty.now)
        hand_over(case, task, duty)
        for stage, clock in task.running():
            for ring in clock.ring(duty.clocks, case.colour, duty.now):
                if _rung(case, task, stage, ring, clock.due_at, duty):
                    break


def next_moment(case: Case, duty: Duty) -> datetime | None:
    """When to wake next; None where nothing runs."""
    moments = [c.next_moment(duty.clocks, case.colour) for task in case.tasks for _, c in task.running()]
    moments += [moment for task in case.tasks for moment in (hands_over_at(task), task.question_until)]
    if any(task.status is TaskStatus.WAITING for task in case.tasks):
        moments.append(duty.now + RETRY)
    return min((moment for moment in moments if moment is not None), default=None)


def _rung(case: Case, task: Task, stage: Stage, ring: Ring, due_at: datetime, duty: Duty) -> bool:
    """State what the ring means; true where the task went to somebody else, and the clock with it."""
    match ring:
        case Reminder(percent):
            case.state(r.TaskReminded, task, stage=stage, percent=percent, due_at=due_at)
        case Escalation():
            case.state(r.TaskEscalated, task, stage=stage, level=task.level + 1)
        case Order():
            order(case, task, stage, SupervisionCause.OVERDUE, duty)
        case Publication():
            case.state(w.DelayPublicised, task, stage=stage, due_at=due_at)
        case Nudge():
            case.nudged(task, stage, ring, due_at)
            return stage is Stage.ACCEPTED and _recall(case, task, duty)
    return False


def _recall(case: Case, task: Task, duty: Duty) -> bool:
    """Take the task from somebody who did not accept and give it higher; false where nobody is higher.

    Behind the supervisor stands the backstop; behind the backstop's own supervisor, whoever comes on duty there.
    """
    if task.liaison is None:
        return False
    tried = [*task.tried, task.liaison]
    area, backstop = case.place(duty), duty.routing.backstop
    chosen = duty.choose(task.organisation, task.level + 1, tried, area=area)
    chosen = chosen or duty.choose(backstop, 0, tried, area=area)
    if chosen is None:
        return False
    case.state(r.TaskRecalled, task, liaison=task.liaison)
    if chosen.organisation != task.organisation:
        case.state(r.TaskEscalated, task, stage=Stage.ACCEPTED, level=BEYOND)
    elif chosen.level > task.level:
        case.state(r.TaskEscalated, task, stage=Stage.ACCEPTED, level=chosen.level)
    task.tried = tried
    case.give(task, chosen, duty)
    return True
