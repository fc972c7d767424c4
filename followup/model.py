"""What followup knows of a request: its life, and what look-back, watchdog and figures need; folded from the log. Pure.

Only facts that came back from the log move the life, so that this service agrees with all others about their order.
What followup has stated and not yet read again stands in `settled` and `rated`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from followup.course import Course, begin_course, go_on
from followup.plan import Promises
from shared.contracts import casework as w
from shared.contracts import lookback as b
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, applies
from shared.contracts.life import begin as begin_life
from shared.contracts.life import fold as fold_life
from shared.contracts.vocabulary import (
    Addressee,
    AlarmKind,
    AttemptOutcome,
    Channel,
    DisputeReason,
    NoticeOutcome,
    RejectionReason,
    Role,
    Status,
)


class NothingReceived(Exception):
    """A fact about a request of which no `received` was read: the log is broken, and the event is parked."""


class Stratum(NamedTuple):
    """The part of all answers that an answer is looked back at with, fixed when it came up for it."""

    category: str
    colour: str
    organisation: str
    certain: bool
    """Drawn whatever the lot."""


class Proof(NamedTuple):
    """What shows that something was done: who said so, when, in which text."""

    type: str
    at: datetime
    organisation: str
    text_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request as followup sees it."""

    life: Life
    channel: Channel
    contact_hash: str | None = None
    """Keyed hash of the contact's phone."""
    entered_at: datetime
    """Since when it is in its status."""
    answer_due: datetime
    """The earliest answer promised by dispatch; until it promised, what the plan says for the colour."""
    organisation: str | None = None
    """Whose lead task it is or was last."""
    organisations: tuple[str, ...] = ()
    """All that have or had a task, sorted."""
    acknowledged: bool = False
    """The resident was told that it was received."""
    promised: bool = False
    contact_due: datetime | None = None
    """The earliest first contact promised; None before the first assignment."""
    spoke_at: datetime | None = None
    """The last word from the holder in the present assignment, the assignment included."""
    in_touch: bool = False
    """The holder has spoken with the resident in the present assignment."""
    contacted_at: datetime | None = None
    """First human contact; an answer counts as one."""
    answered_at: datetime | None = None
    """The last answer; None again once its fulfilment was missed, which counts as unanswered."""
    stands: bool = False
    """The last answer has not been disputed."""
    rejected: RejectionReason | None = None
    ended_at: datetime | None = None
    """When nothing more was owed: closed, rejected, merged or withdrawn."""
    ended_as: Status | None = None
    """As which of these it ended; archiving leaves both."""
    solved: bool | None = None
    """The resident's last word that counts, by rating or call-back."""
    satisfaction: int | None = None
    open_from: datetime | None = None
    """Since when the present answer may be rated and looked back at; None while fulfilment is owed."""
    rated: bool = False
    """The resident has rated the present answer."""
    heard: bool = False
    """The resident of the drawn answer was heard."""
    reminded: bool = False
    """He was asked once more to rate it."""
    supervised: bool = False
    """There was a supervision order."""
    stratum: Stratum | None = None
    """Of the present answer; None before it came up for look-back."""
    answer_text: UUID | None = None
    """The present answer's words."""
    proofs: tuple[Proof, ...] = ()
    """What was confirmed, delivered and fulfilled; of very many the last."""
    settled: Status | None = None
    """CLOSED or DISPUTED, where we have stated it and not yet read it from the log."""
    drawn: str | None = None
    """Why the present answer was drawn for a call-back; None where it was not."""
    visit_due_at: datetime | None = None
    """When the open call-back is due; None where there is none."""
    alarms: dict[AlarmKind, int] = field(default_factory=dict)
    """Open alarms of the watchdog, each with how often it was raised."""
    wake_at: datetime | None = None
    """When its timer is set to; it may wake early, never late."""
    course: Course = field(default_factory=Course)
    """What the figures need of its history."""
    counted_at: datetime | None = None
    """As of when the figures hold its contribution; None before the first."""

    @property
    def request_id(self) -> UUID:
        """The request's id."""
        return self.life.request_id

    @property
    def status(self) -> Status:
        """The status by the log, or what we have stated since."""
        return self.settled or self.life.status


def begin(event: Event[r.RequestReceived], promises: Promises) -> Case:
    """The case of a request that was just received."""
    life = begin_life(event)
    return Case(
        life=life,
        channel=event.fact.channel,
        contact_hash=event.fact.contact_hash,
        entered_at=event.time,
        answer_due=life.received_at + promises.answered.of(None),
        course=begin_course(event),
    )


def fold(case: Case | None, event: Event[Fact], promises: Promises) -> Case:
    """The case after one more fact of its history.

    Raises NothingReceived where the history does not begin with `received`.
    """
    if isinstance(event.fact, r.RequestReceived):
        return case or begin(cast("Event[r.RequestReceived]", event), promises)
    if case is None:
        raise NothingReceived(event.subject)
    life = fold_life(case.life, event)
    changes: Changes = {"life": life, "course": go_on(case.course, event.fact, case.life, life)}
    if learn := LEARNS.get(type(event.fact)):
        changes |= learn(case, event.fact, life, promises)
    if life.status is not case.life.status:
        changes |= _entered(life)
    return replace(case, **changes)


MOST_PROOFS = 20
ProvingFact = r.TaskFulfilled | w.TaskConfirmed | w.TaskDelivered
Changes = dict[str, Any]
"""Fields of a case with their new values; gathered first, since copying a case once per fact is what costs."""
Learn = Callable[[Case, Any, Life, Promises], Changes]
"""What a fact teaches: the case before it, the fact, the life after it, the plan's promises."""


def _entered(life: Life) -> Changes:
    """What a new status brings."""
    changes: Changes = {"entered_at": life.changed_at, "settled": None}
    if life.status not in {Status.ANSWERED, Status.CLOSED}:
        changes["visit_due_at"] = None
    if life.status is not Status.ARCHIVED:
        ended = life.status.is_ending
        changes |= {"ended_at": life.changed_at if ended else None, "ended_as": life.status if ended else None}
    return changes


def _triaged(case: Case, _fact: r.RequestTriaged, life: Life, promises: Promises) -> Changes:
    if case.promised:
        return {}
    due = life.received_at + promises.answered.of(life.colour)
    if life.deadline and life.deadline > life.received_at:
        due = min(due, life.deadline)
    return {"answer_due": due}


def _assigned(case: Case, fact: r.TaskAssigned, life: Life, promises: Promises) -> Changes:
    changes: Changes = {"organisations": tuple(sorted({*case.organisations, fact.organisation}))}
    if not applies(case.life, fact):
        return changes
    changes |= {"organisation": fact.organisation, "spoke_at": life.changed_at, "in_touch": False}
    contact_by = fact.contact_by or life.changed_at + promises.contacted.of(life.colour)
    changes["contact_due"] = min(contact_by, case.contact_due or contact_by)
    if fact.answer_by is not None:
        earliest = min(fact.answer_by, case.answer_due) if case.promised else fact.answer_by
        changes |= {"promised": True, "answer_due": earliest}
    return changes


def _spoke(_case: Case, fact: r.TaskFact, life: Life, _promises: Promises) -> Changes:
    return {"spoke_at": life.changed_at} if fact.role is Role.LEAD else {}


def _contacted(case: Case, fact: r.ResidentContacted, life: Life, _promises: Promises) -> Changes:
    changes: Changes = {"contacted_at": case.contacted_at or life.changed_at}
    return changes | {"spoke_at": life.changed_at, "in_touch": True} if fact.role is Role.LEAD else changes


def _answered(case: Case, fact: r.RequestAnswered, life: Life, _promises: Promises) -> Changes:
    if not applies(case.life, fact):
        return {}
    at = life.changed_at
    return {
        "spoke_at": at,
        "contacted_at": case.contacted_at or at,
        "answered_at": at,
        "stands": True,
        "open_from": at if fact.fulfil_by is None else None,
        "rated": False,
        "heard": False,
        "reminded": False,
        "drawn": None,
        "visit_due_at": None,
        "stratum": None,
        "answer_text": fact.text_id,
    }


def _fulfilled(case: Case, fact: r.TaskFulfilled, life: Life, promises: Promises) -> Changes:
    kept = case.life.fulfil_by is not None and life.fulfil_by is None
    changes = _proved(case, fact, life, promises)
    return changes | {"open_from": life.changed_at} if kept else changes


def _proved(case: Case, fact: ProvingFact, life: Life, promises: Promises) -> Changes:
    proof = Proof(fact.TYPE, life.changed_at, fact.organisation, getattr(fact, "text_id", None))
    return _spoke(case, fact, life, promises) | {"proofs": (*case.proofs, proof)[-MOST_PROOFS:]}


def _rejected(case: Case, fact: r.RequestRejected, _life: Life, _promises: Promises) -> Changes:
    return {"rejected": fact.reason} if applies(case.life, fact) else {}


def _disputed(case: Case, fact: r.RequestDisputed, _life: Life, _promises: Promises) -> Changes:
    if not applies(case.life, fact):
        return {}
    missed = {"answered_at": None} if fact.reason is DisputeReason.FULFILMENT_MISSED else {}
    return {"stands": False, "open_from": None, "drawn": None} | missed


def _rated(case: Case, fact: r.RequestRated, _life: Life, _promises: Promises) -> Changes:
    return {"rated": True} | _heard(case) | _word(case, fact) if fact.counts else {}


def _visited(case: Case, fact: r.ResidentVisited, _life: Life, _promises: Promises) -> Changes:
    spoke = fact.outcome is AttemptOutcome.REACHED and fact.solved is not None
    return _heard(case) | _word(case, fact) if spoke else {}


def _heard(case: Case) -> Changes:
    """Coverage counts a drawn answer once, whichever way its resident was heard."""
    if case.drawn is None or case.heard:
        return {}
    return {"heard": True}


def _word(case: Case, fact: r.RequestRated | r.ResidentVisited) -> Changes:
    return {"solved": fact.solved, "satisfaction": fact.satisfaction or case.satisfaction}


def _notified(_case: Case, fact: r.PersonNotified, _life: Life, _promises: Promises) -> Changes:
    told = fact.addressee is Addressee.RESIDENT and fact.outcome is NoticeOutcome.DELIVERED
    return {"acknowledged": True} if told and fact.about == r.RequestReceived.TYPE else {}


def _supervised(_case: Case, _fact: w.TaskSupervised, _life: Life, _promises: Promises) -> Changes:
    return {"supervised": True}


def _reminded(_case: Case, _fact: b.RatingReminded, _life: Life, _promises: Promises) -> Changes:
    return {"reminded": True}


LEARNS: dict[type[Fact], Learn] = {
    r.RequestTriaged: _triaged,
    r.TaskAssigned: _assigned,
    r.TaskAccepted: _spoke,
    r.ResidentContacted: _contacted,
    r.TaskProgressed: _spoke,
    w.TaskConfirmed: _proved,
    w.TaskDelivered: _proved,
    w.RequestInterimAnswered: _spoke,
    w.ResidentQuestioned: _spoke,
    w.SupervisionAnswered: _spoke,
    r.RequestAnswered: _answered,
    r.TaskFulfilled: _fulfilled,
    r.RequestRejected: _rejected,
    r.RequestDisputed: _disputed,
    r.RequestRated: _rated,
    r.ResidentVisited: _visited,
    r.PersonNotified: _notified,
    w.TaskSupervised: _supervised,
    b.RatingReminded: _reminded,
}
"""What each fact teaches beyond the life itself."""
