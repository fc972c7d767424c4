"""What a holder may ask for: more time, once; an interim answer; and a colleague who takes over. Pure.

None of it makes minutes vanish: the clocks of contact and answer run on over every transfer, and an extension is stated
with what was promised before.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from dispatch.city import OnDuty
from dispatch.routing import Duty
from dispatch.tasks import (
    ExtensionRefused,
    InterimAnswerMissing,
    NotOnDuty,
    NotTheLead,
    RedNeverExtends,
    Task,
    TaskStatus,
    TextRef,
    TransfersExhausted,
    said,
)
from shared.contracts import casework as w
from shared.contracts.vocabulary import Colour, Role, Stage, TransferCause

if TYPE_CHECKING:
    from datetime import datetime

    from dispatch.model import Case

HELD = (TaskStatus.ASSIGNED, TaskStatus.ACCEPTED)
HAND_OVER_RETRY = timedelta(minutes=30)
"""How often it is tried again where nobody came on duty after the holder."""


def interim_answer(case: "Case", task: Task, revision: int, text: TextRef, duty: Duty) -> None:
    """Say how far it is; no clock stops."""
    if task.role is not Role.LEAD:
        raise NotTheLead
    task.check(revision, TaskStatus.ACCEPTED)
    task.interim_at = duty.now
    task.change(duty.now)
    case.state(w.RequestInterimAnswered, task, text_id=text.text_id, text_hash=text.text_hash)


def extend(
    case: "Case", task: Task, revision: int, until: "datetime", text: TextRef, duty: Duty, *, hard: bool
) -> None:
    """Promise the answer for later; `hard` by a supervisor's word, for longer, after an interim answer."""
    if task.role is not Role.LEAD:
        raise NotTheLead
    task.check(revision, TaskStatus.ACCEPTED)
    if case.colour is Colour.RED:
        raise RedNeverExtends
    clock = task.clocks[Stage.ANSWERED]
    latest = _latest(case, task, duty, hard=hard)
    if task.extended_to is not None or clock.is_overdue(duty.now) or not clock.due_at < until <= latest:
        raise ExtensionRefused(latest=latest.isoformat())
    if hard and task.interim_at is None:
        raise InterimAnswerMissing
    before = clock.due_at
    clock.move(until, duty.now)
    clock.policy_version = duty.policy_version
    task.extended_to = until
    task.change(duty.now)
    case.state(
        w.TaskExtended,
        task,
        stage=Stage.ANSWERED,
        before=before,
        due_at=until,
        hard=hard,
        policy_version=duty.policy_version,
        text_id=text.text_id,
        text_hash=text.text_hash,
    )


def _latest(case: "Case", task: Task, duty: Duty, *, hard: bool) -> "datetime":
    clock, policy = task.clocks[Stage.ANSWERED], duty.clocks.extension
    if hard:
        latest = case.began_at + timedelta(minutes=policy.hard_minutes)
    else:
        latest = clock.due_at + (clock.due_at - clock.started_at) * policy.percent / 100
    needed = case.deadline
    return latest if needed is None or needed <= duty.now else max(clock.due_at, min(latest, needed))


def transfer(case: "Case", task: Task, revision: int, liaison: str, note: TextRef | None, duty: Duty) -> None:
    """Hand the task to a colleague on duty; who never accepted it hands on the clock as well."""
    task.check(revision, *HELD)
    if task.transfers >= duty.clocks.transfers:
        raise TransfersExhausted
    person = duty.city.liaisons.get(liaison)
    there = duty.city.all_on_duty(task.organisation, duty.now)
    if person is None or liaison == task.liaison or liaison not in there:
        raise NotOnDuty(on_duty=[one for one in there if one != task.liaison])
    task.transfers += 1
    latest = task.due(Stage.ACCEPTED) if task.status is TaskStatus.ASSIGNED else None
    _move(case, task, OnDuty(task.organisation, liaison, person.post.level), TransferCause.BY_HAND, duty, note, latest)


def hands_over_at(task: Task) -> "datetime | None":
    """When it goes to the next shift; while the resident holds it, there is nothing to hand over."""
    return task.duty_ends_at if task.status in HELD and task.question_until is None else None


def hand_over(case: "Case", task: Task, duty: Duty) -> None:
    """At the end of the holder's duty the task goes to who came on duty at his post; where nobody did, it stays."""
    ends_at = hands_over_at(task)
    if ends_at is None or duty.now < ends_at or task.liaison is None:
        return
    ends = duty.city.duty_ends(task.liaison, duty.now)
    there = [p for p in duty.city.on_duty(task.organisation, task.level, duty.now) if p not in task.tried]
    if ends is not None:  # his shifts were changed meanwhile, and he is still there
        task.duty_ends_at = ends
    elif not there:
        task.duty_ends_at = duty.now + HAND_OVER_RETRY
    else:
        chosen = duty.pick(task.organisation, task.level, there, area=case.place(duty))
        duty.loads[chosen.liaison] += 1
        _move(case, task, chosen, TransferCause.SHIFT_CHANGE, duty, None, None)


def _move(
    case: "Case",
    task: Task,
    chosen: OnDuty,
    cause: TransferCause,
    duty: Duty,
    note: TextRef | None,
    latest: "datetime | None",
) -> None:
    case.state(
        w.TaskTransferred, task, cause=cause, from_liaison=task.liaison or "", liaison=chosen.liaison, **said(note)
    )
    case.give(task, chosen, duty, latest=latest)
