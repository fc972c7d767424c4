"""The watchdog: from the log alone, with clocks of its own, it notices what went silent at any stage. Pure.

It asks nobody and trusts no other clock: a watch is a silence that is allowed until a moment. Past it an alarm is
raised, and raised again after each further span; it is cleared when the silence ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from followup.lookback import window_ends
from followup.model import Case
from followup.plan import Plan
from shared.contracts.vocabulary import AlarmKind, Stage, Status


@dataclass(frozen=True, slots=True)
class Watch:
    """A silence that is allowed until `due_at`, and about what."""

    kind: AlarmKind
    due_at: datetime
    stage: Stage | None = None

    def count(self, now: datetime, every: timedelta) -> int:
        """How often it is to have been raised by now, moments slept through included."""
        return 0 if now < self.due_at else 1 + (now - self.due_at) // every

    def next_at(self, now: datetime, every: timedelta) -> datetime:
        """The next moment to raise it."""
        return self.due_at + self.count(now, every) * every


@dataclass(frozen=True, slots=True)
class Looked:
    """What the watchdog found: the case with its open alarms, what to raise (watch and count), what to clear."""

    case: Case
    raised: tuple[tuple[Watch, int], ...]
    cleared: tuple[AlarmKind, ...]


def watches(case: Case, plan: Plan) -> Iterator[Watch]:
    """The silences that are being watched in the case's present state; none once it has ended."""
    life, limits = case.life, plan.watchdog
    if case.status.is_ending:
        return
    if not case.acknowledged:
        limit = limits.acknowledged.of(life.colour)
        yield Watch(AlarmKind.NOT_ACKNOWLEDGED, life.received_at + limit, Stage.ACKNOWLEDGED)
    if watch := _of_stage(case, plan):
        yield watch


def _of_stage(case: Case, plan: Plan) -> Watch | None:
    life, limits = case.life, plan.watchdog
    if case.settled is not None:
        return None  # we have just ended this stage ourselves; the next begins when the log says so
    match life.status:
        case Status.RECEIVED:
            return Watch(AlarmKind.NOT_TRIAGED, life.received_at + limits.triaged.of(life.colour))
        case Status.TRIAGED | Status.DISPUTED:
            since = life.received_at if case.spoke_at is None else case.entered_at
            return Watch(AlarmKind.NOT_ASSIGNED, since + limits.assigned.of(life.colour), Stage.ASSIGNED)
        case Status.ASSIGNED | Status.ACCEPTED:
            return _of_holder(case, plan)
        case Status.ANSWERED:
            return _of_look_back(case, plan)
        case _:
            return None


def _of_holder(case: Case, plan: Plan) -> Watch:
    """The holder's silence: before accepting, before speaking with the resident, before answering."""
    limits, since = plan.watchdog, case.spoke_at or case.entered_at
    if case.status is Status.ASSIGNED:
        stage, limit = Stage.ACCEPTED, limits.accepted
    elif not case.in_touch:
        stage, limit = Stage.CONTACTED, limits.contacted
    else:
        stage, limit = Stage.ANSWERED, limits.answered
    return Watch(AlarmKind.SILENT, since + limit.of(case.life.colour), stage)


def _of_look_back(case: Case, plan: Plan) -> Watch | None:
    """What is owed after the answer: the fulfilment, then the call-back, else the end of the window."""
    colour, limits = case.life.colour, plan.watchdog
    if case.life.fulfil_by is not None:
        due = case.life.fulfil_by + plan.fulfilment_grace + limits.fulfilled.of(colour)
        return Watch(AlarmKind.SILENT, due, Stage.FULFILLED)
    expected = case.visit_due_at or window_ends(case, plan)
    if expected is None:
        return None
    return Watch(AlarmKind.NOT_LOOKED_BACK, expected + limits.looked_back.of(colour))


def look(case: Case, plan: Plan, now: datetime, *, may_raise: bool) -> Looked:
    """What to raise and to clear now.

    Nothing is raised while reading the log (`may_raise` false): what is overdue may be mended by the next fact.
    """
    every = plan.watchdog.repeat.of(case.life.colour)
    due = {watch.kind: watch for watch in watches(case, plan) if now >= watch.due_at}
    cleared = tuple(kind for kind in case.alarms if kind not in due)
    open_alarms = {kind: count for kind, count in case.alarms.items() if kind in due}
    raised = []
    if may_raise:
        for kind, watch in due.items():
            count = watch.count(now, every)
            if count > open_alarms.get(kind, 0):
                open_alarms[kind] = count
                raised.append((watch, count))
    if open_alarms != case.alarms:
        case = replace(case, alarms=open_alarms)
    return Looked(case, tuple(raised), cleared)


def moments(case: Case, plan: Plan, now: datetime) -> list[datetime]:
    """When to look again; a past one where something is to be raised already."""
    every = plan.watchdog.repeat.of(case.life.colour)
    return [
        watch.due_at if watch.count(now, every) > case.alarms.get(watch.kind, 0) else watch.next_at(now, every)
        for watch in watches(case, plan)
    ]
