"""The course of a request as the figures need it: when each stage was reached first, and what was counted. Pure.

Kept beside the case and folded with it. Only what the history says goes in; what it means stands in `figures`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, applies
from shared.contracts.vocabulary import Addressee, Colour, Decider, DisputeReason, NoticeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened when, and how often; None and 0 where it did not."""

    filed_at: datetime | None = None
    """When the person said it, where that was before Heed had it."""
    acknowledged_at: datetime | None = None
    triaged_at: datetime | None = None
    confirmed_at: datetime | None = None
    """When a person decided after the machine had been unsure."""
    unsure: bool = False
    first_colour: Colour | None = None
    colour_at_answer: Colour | None = None
    """The colour at the first answer."""
    assigned_at: datetime | None = None
    """The first assignment of the lead."""
    offered_at: datetime | None = None
    """The last assignment of the lead."""
    accepted_after: timedelta | None = None
    """From an assignment to its acceptance, the first time."""
    fulfilled_at: datetime | None = None
    """The last time that a promised fulfilment was kept."""
    first_organisation: str | None = None
    organisation: str | None = None
    """Whose the lead is or was last."""
    answered_by: str | None = None
    """Whose the last answer is."""
    nudges: int = 0
    supervisions: int = 0
    returns: int = 0
    recalls: int = 0
    hops: int = 0
    missed_fulfilments: int = 0


def begin_course(event: Event[r.RequestReceived]) -> Course:
    """The course of a request that was just received."""
    fact = event.fact
    return Course(filed_at=fact.filed_at if fact.filed_at < fact.received_at else None)


Changes = dict[str, Any]
Note = Callable[[Course, Any, Life, Life], Changes]
"""What a fact adds: the course before it, the fact, the life before and after it."""


def go_on(course: Course, fact: Fact, before: Life, after: Life) -> Course:
    """The course after one more fact."""
    note = NOTES.get(type(fact))
    changes = note(course, fact, before, after) if note else {}
    return replace(course, **changes) if changes else course


def _notified(course: Course, fact: r.PersonNotified, _before: Life, after: Life) -> Changes:
    told = fact.addressee is Addressee.RESIDENT and fact.outcome is NoticeOutcome.DELIVERED
    if not told or fact.about != r.RequestReceived.TYPE or course.acknowledged_at:
        return {}
    return {"acknowledged_at": after.changed_at}


def _triaged(course: Course, fact: r.RequestTriaged, _before: Life, after: Life) -> Changes:
    changes: Changes = {}
    if course.triaged_at is None:
        changes |= {"triaged_at": after.changed_at, "first_colour": fact.colour}
    if fact.decided_by is Decider.PERSON:
        if course.unsure and course.confirmed_at is None:
            changes["confirmed_at"] = after.changed_at
    elif fact.unsure:
        changes["unsure"] = True
    return changes


def _assigned(course: Course, fact: r.TaskAssigned, before: Life, after: Life) -> Changes:
    if not applies(before, fact):
        return {}
    changes: Changes = {"offered_at": after.changed_at, "organisation": fact.organisation}
    if course.assigned_at is None:
        return changes | {"assigned_at": after.changed_at, "first_organisation": fact.organisation}
    return changes | {"hops": course.hops + (fact.organisation != course.organisation)}


def _accepted(course: Course, fact: r.TaskAccepted, before: Life, after: Life) -> Changes:
    if course.accepted_after is not None or course.offered_at is None or not applies(before, fact):
        return {}
    return {"accepted_after": after.changed_at - course.offered_at}


def _answered(course: Course, fact: r.RequestAnswered, before: Life, after: Life) -> Changes:
    if not applies(before, fact):
        return {}
    colour = course.colour_at_answer or after.colour
    return {"answered_by": course.organisation, "colour_at_answer": colour, "fulfilled_at": None}


def _fulfilled(_course: Course, _fact: r.TaskFulfilled, before: Life, after: Life) -> Changes:
    kept = before.fulfil_by is not None and after.fulfil_by is None
    return {"fulfilled_at": after.changed_at} if kept else {}


def _nudged(course: Course, fact: r.TaskNudged, _before: Life, _after: Life) -> Changes:
    return {"nudges": course.nudges + 1 + fact.missed}


def _supervised(course: Course, _fact: w.TaskSupervised, _before: Life, _after: Life) -> Changes:
    return {"supervisions": course.supervisions + 1}


def _returned(course: Course, _fact: r.TaskReturned, _before: Life, _after: Life) -> Changes:
    return {"returns": course.returns + 1}


def _recalled(course: Course, _fact: r.TaskRecalled, _before: Life, _after: Life) -> Changes:
    return {"recalls": course.recalls + 1}


def _disputed(course: Course, fact: r.RequestDisputed, before: Life, _after: Life) -> Changes:
    if not applies(before, fact) or fact.reason is not DisputeReason.FULFILMENT_MISSED:
        return {}
    return {"missed_fulfilments": course.missed_fulfilments + 1}


NOTES: dict[type[Fact], Note] = {
    r.PersonNotified: _notified,
    r.RequestTriaged: _triaged,
    r.TaskAssigned: _assigned,
    r.TaskAccepted: _accepted,
    r.RequestAnswered: _answered,
    r.TaskFulfilled: _fulfilled,
    r.TaskNudged: _nudged,
    w.TaskSupervised: _supervised,
    r.TaskReturned: _returned,
    r.TaskRecalled: _recalled,
    r.RequestDisputed: _disputed,
}
"""What each fact adds to the course."""
