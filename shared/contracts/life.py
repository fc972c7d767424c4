"""The life of a request as one table, and the fold by which every reader comes to the same status and holder.

A fact that the table does not list, or that comes in a status it does not start from, leaves the status as it is
and is kept in the history: two services may state facts at the same time, and all readers see the same order.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.vocabulary import ENDINGS, Colour, HolderKind, Outcome, Role, Status

S = Status
OPEN = frozenset(Status) - ENDINGS
RESIDENT = "resident"
"""The holder's name while the resident is asked."""

TRANSITIONS: dict[type[Fact], tuple[frozenset[Status], Status]] = {
    r.RequestRejected: (frozenset({S.RECEIVED, S.TRIAGED}), S.REJECTED),
    r.RequestMerged: (OPEN, S.MERGED),
    r.RequestWithdrawn: (OPEN, S.WITHDRAWN),
    r.RequestTriaged: (frozenset({S.RECEIVED}), S.TRIAGED),
    r.TaskAssigned: (frozenset({S.TRIAGED, S.ASSIGNED, S.ACCEPTED, S.DISPUTED}), S.ASSIGNED),
    r.TaskAccepted: (frozenset({S.ASSIGNED}), S.ACCEPTED),
    r.TaskReturned: (frozenset({S.ASSIGNED, S.ACCEPTED}), S.TRIAGED),
    r.TaskRecalled: (frozenset({S.ASSIGNED, S.ACCEPTED}), S.TRIAGED),
    r.RequestAnswered: (frozenset({S.ACCEPTED}), S.ANSWERED),
    r.RequestDisputed: (frozenset({S.ANSWERED, S.CLOSED}), S.DISPUTED),
    r.RequestClosed: (frozenset({S.ANSWERED}), S.CLOSED),
    r.RequestArchived: (frozenset(ENDINGS) - {S.ARCHIVED}, S.ARCHIVED),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a request, since when; `name` is a service, an organisation's id, or `resident`."""

    kind: HolderKind
    name: str
    since: datetime
    liaison: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What the resident was asked, and who has the request again once he answered."""

    number: int
    asked_by: Holder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What any reader knows of a request from its history alone."""

    request_id: UUID
    status: Status
    received_at: datetime
    changed_at: datetime
    """The time of the last fact; never runs backwards."""
    holder: Holder | None
    receipt: str
    area: str | None = None
    category: str | None = None
    colour: Colour | None = None
    deadline: datetime | None = None
    lead: UUID | None = None
    """The lead task."""
    fulfil_by: datetime | None = None
    """Owed by the lead since its answer; None once fulfilled, or where nothing is owed."""
    question: Question | None = None
    """Open: the resident holds the request."""
    outcome: Outcome | None = None
    reopened: int = 0
    merged_into: UUID | None = None


def begin(event: Event[r.RequestReceived]) -> Life:
    """The life of a request that was just received."""
    fact = event.fact
    return Life(
        request_id=UUID(event.subject),
        status=Status.RECEIVED,
        received_at=fact.received_at,
        changed_at=event.time,
        holder=Holder(HolderKind.SERVICE, "triage", event.time),
        receipt=fact.receipt,
        area=fact.area,
    )


def applies(life: Life, fact: Fact) -> bool:
    """Whether the fact changes the status: listed, from this status and, for a task's fact, of the lead."""
    if isinstance(fact, r.TaskFact) and fact.role is not Role.LEAD:
        return False
    row = TRANSITIONS.get(type(fact))
    return row is not None and life.status in row[0]


def fold(life: Life, event: Event[Fact]) -> Life:
    """The life after one more event."""
    return advance(life, event.fact, event.time)


def advance(life: Life, fact: Fact, at: datetime) -> Life:
    """The life after one more fact; its time is the later of its own and the one before."""
    at = max(at, life.changed_at)
    changes: dict[str, Any] = {"changed_at": at}
    if isinstance(fact, r.RequestTriaged):
        changes |= {"category": fact.category, "colour": fact.colour, "deadline": fact.deadline}
    elif isinstance(fact, r.TaskFulfilled) and fact.role is Role.LEAD and life.fulfil_by is not None:
        changes |= {"fulfil_by": None, "holder": Holder(HolderKind.SERVICE, "followup", at)}
    else:
        changes |= _questioned(life, fact, at)
    if applies(life, fact):
        status = TRANSITIONS[type(fact)][1]
        changes |= {"status": status, "holder": _holder(life, status, fact, at)}
        changes |= {"fulfil_by": None, "question": None}
        changes |= _beside(life, fact)
    return replace(life, **changes)


ANSWERS_A_QUESTION = (r.RequestAmended, r.ResidentContacted, w.QuestionLapsed)
"""The resident wrote, somebody spoke with him, or it was waited for long enough."""


def _questioned(life: Life, fact: Fact, at: datetime) -> dict[str, Any]:
    """Who holds the request after a question to the resident, and after what ends it."""
    if isinstance(fact, w.ResidentQuestioned):
        if fact.role is not Role.LEAD or life.status is not S.ACCEPTED or life.question is not None:
            return {}
        asked = Question(fact.number, life.holder)
        return {"question": asked, "holder": Holder(HolderKind.RESIDENT, RESIDENT, at)}
    if life.question is None or not isinstance(fact, ANSWERS_A_QUESTION):
        return {}
    return {"question": None, "holder": _back(life.question, at)}


def _back(question: Question, at: datetime) -> Holder | None:
    """Who has it again once the resident was asked for long enough."""
    return question.asked_by and replace(question.asked_by, since=at)


def _beside(life: Life, fact: Fact) -> dict[str, Any]:
    """What else a fact that changes the status changes."""
    match fact:
        case r.TaskAssigned():
            return {"lead": fact.task_id}
        case r.RequestAnswered():
            return {"fulfil_by": fact.fulfil_by}
        case r.RequestDisputed():
            return {"reopened": life.reopened + 1, "outcome": None}
        case r.RequestClosed():
            return {"outcome": fact.outcome}
        case r.RequestMerged():
            return {"merged_into": fact.into}
        case _:
            return {}


def _holder(life: Life, status: Status, fact: Fact, at: datetime) -> Holder | None:
    """Who holds the request once it is in `status`; nobody once it has ended."""
    if status in ENDINGS:
        return None
    if isinstance(fact, r.TaskAssigned | r.TaskAccepted):
        return _held_by(life, Holder(HolderKind.ORGANISATION, fact.organisation, at, fact.liaison))
    if isinstance(fact, r.RequestAnswered):
        if fact.fulfil_by is not None:
            return life.holder if life.question is None else _back(life.question, at)
        return Holder(HolderKind.SERVICE, "followup", at)
    return Holder(HolderKind.SERVICE, "dispatch", at)


def _held_by(life: Life, holder: Holder) -> Holder:
    """The new holder, or the old one where it is the same: the time held runs on."""
    old = life.holder
    if old and (old.kind, old.name, old.liaison) == (holder.kind, holder.name, holder.liaison):
        return old
    return holder


@dataclass(frozen=True, slots=True)
class Known:
    """A request as a service knows that states facts about it itself.

    `life` is folded from the log alone, so that all services agree once they have read it to its end: two services may
    state facts at the same time, and only the log says which came first. `ahead` adds what this service has stated and
    not heard yet: what its verbs decide on. When all was heard, the two are the same.
    """

    life: Life
    ahead: Life
    unheard: int = 0

    def say(self, fact: Fact, at: datetime) -> "Known":
        """After this service stated a fact."""
        return replace(self, ahead=advance(self.ahead, fact, at), unheard=self.unheard + 1)

    def hear(self, event: Event[Fact], *, own: bool) -> "Known":
        """After the log brought an event; `own` where this service had stated it."""
        life = fold(self.life, event)
        unheard = max(0, self.unheard - 1) if own else self.unheard
        if unheard == 0:
            return Known(life, life)
        return Known(life, self.ahead if own else fold(self.ahead, event), unheard)
