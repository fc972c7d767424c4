"""What the read side knows of a request: its life, its tasks, what is owed by when. Folded from its history alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import cast
from uuid import UUID

from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.ledger import Ledger, begin_ledger, hold
from shared.contracts.life import Life, begin, fold
from shared.contracts.vocabulary import Category, Channel, Colour, Decider, FiledBy, Language, Role, Status

TASK_STATES: Mapping[type[Fact], str] = MappingProxyType(
    {
        r.TaskAssigned: "assigned",
        r.TaskAccepted: "accepted",
        r.TaskReturned: "returned",
        r.TaskRecalled: "recalled",
        r.TaskCancelled: "cancelled",
        r.RequestAnswered: "answered",
        r.TaskFulfilled: "fulfilled",
    }
)
OVER = frozenset({"returned", "cancelled"})
COUNTED: Mapping[type[Fact], str] = MappingProxyType(
    {
        r.TaskReminded: "reminders",
        r.TaskReturned: "returns",
        r.TaskRecalled: "recalls",
        r.TaskEscalated: "escalations",
        w.TaskTransferred: "transfers",
        w.TaskSupervised: "supervisions",
        w.ResidentQuestioned: "questions",
        r.RequestAmended: "amendments",
    }
)
UNTRIAGED_RANK = Colour.RED.rank
"""What nobody has looked at yet may be red: in doubt, the higher colour."""
TRIAGE_WITHIN = timedelta(minutes=1)
"""What intake promises whoever files, before a colour is known."""
BEFORE_ANSWER = frozenset({Status.TRIAGED, Status.ASSIGNED, Status.ACCEPTED, Status.DISPUTED})


RECEIPT = re.compile(r"([2-9A-Z]{4})[\s.\-_]*([2-9A-Z]{4})[\s.\-_]*([2-9A-Z])")
"""A receipt as a person may write it down."""


class HistoryWithoutBeginning(LookupError):
    """A fact about a request of which no receipt is known; it waits, parked, until that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of the case, as its last fact left it."""

    id: UUID
    role: Role
    organisation: str
    liaison: str | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The lead's answer that stands."""

    text_id: UUID
    at: datetime
    organisation: str
    fulfil_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the resident was asked last; whether it is open, his life says."""

    text_id: UUID
    at: datetime
    organisation: str
    answer_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One request, as everything that was stated about it adds up."""

    life: Life
    channel: Channel
    filed_by: FiledBy
    on_behalf: bool
    language: Language
    stated_category: Category | None
    persons: int | None
    filed_at: datetime
    entries: int = 1
    """How many facts its timeline has; the number of the last."""
    revision: int = 0
    """Of the assessment; 0 before the first."""
    reasons: int = 0
    emergency: bool = False
    triage_by: datetime | None = None
    accept_by: datetime | None = None
    contact_by: datetime | None = None
    answer_by: datetime | None = None
    first_answer_by: datetime | None = None
    """When the answer was promised before it was moved; None where it was not."""
    question: Question | None = None
    contacted: bool = False
    answer: Answer | None = None
    tasks: tuple[Task, ...] = ()
    organisations: frozenset[str] = frozenset()
    """All that have or had a task."""
    nudges: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ledger: Ledger = ()
    """Who held it when."""

    @property
    def is_open(self) -> bool:
        """Whether it is in the queue."""
        return not self.life.status.is_ending

    @property
    def rank(self) -> int:
        """How urgent its colour is; what has none yet counts as the highest."""
        return UNTRIAGED_RANK if self.life.colour is None else self.life.colour.rank

    @property
    def handling(self) -> frozenset[str]:
        """The organisations with a task that still stands."""
        return frozenset(t.organisation for t in self.tasks if not _is_over(t))


def _is_over(task: Task) -> bool:
    return task.state in OVER or (task.role is Role.ASSISTING and task.state == "fulfilled")


def as_receipt(words: str) -> str | None:
    """The receipt that the words are, in its own spelling; None where they are none."""
    read = RECEIPT.fullmatch(words.strip().upper())
    return "-".join(read.groups()) if read else None


def promises(view: View) -> dict[str, datetime]:
    """What is owed now, and by when; a promise that was kept, or is void, is not among them."""
    status = view.life.status
    if status.is_ending:
        return {}
    owed = {
        "triage_by": view.triage_by if status is not Status.ANSWERED else None,
        "accept_by": view.accept_by if status is Status.ASSIGNED else None,
        "contact_by": view.contact_by if status in BEFORE_ANSWER and not view.contacted else None,
        "answer_by": view.answer_by if status in BEFORE_ANSWER else None,
        "fulfil_by": view.life.fulfil_by,
    }
    return {name: at for name, at in owed.items() if at is not None}


def next_due(view: View) -> datetime | None:
    """The earliest moment at which something is owed."""
    return min(promises(view).values(), default=None)


def is_overdue(view: View, now: datetime) -> bool:
    """Whether something owed is late."""
    due = next_due(view)
    return due is not None and due < now


def advance(view: View | None, event: Event[Fact]) -> View:
    """The view after one more fact. Raises HistoryWithoutBeginning where the receipt is missing."""
    if isinstance(event.fact, r.RequestReceived):
        return view or _begin(cast("Event[r.RequestReceived]", event))
    if view is None:
        raise HistoryWithoutBeginning(event.subject)
    before, life = view.life.status, fold(view.life, event)
    view = replace(view, life=life, ledger=hold(view.ledger, view.life, life), entries=view.entries + 1)
    if isinstance(event.fact, r.TaskFact):
        view = _after_task(view, event.fact)
    return _after(view, event.fact, changed=view.life.status is not before)


def _begin(event: Event[r.RequestReceived]) -> View:
    fact, life = event.fact, begin(event)
    return View(
        life=life,
        ledger=begin_ledger(life),
        channel=fact.channel,
        filed_by=fact.filed_by,
        on_behalf=fact.on_behalf,
        language=fact.language,
        stated_category=fact.stated_category,
        persons=fact.persons,
        filed_at=fact.filed_at,
        triage_by=fact.received_at + TRIAGE_WITHIN,
    )


def _after_task(view: View, fact: r.TaskFact) -> View:
    """Its task's state, and who has or had a task."""
    state = TASK_STATES.get(type(fact))
    if state is None:
        return view
    old = next((t for t in view.tasks if t.id == fact.task_id), None)
    liaison = fact.liaison if isinstance(fact, r.TaskAssigned | r.TaskAccepted) else old and old.liaison
    task = Task(id=fact.task_id, role=fact.role, organisation=fact.organisation, liaison=liaison or None, state=state)
    others = tuple(t for t in view.tasks if t.id != fact.task_id)
    return replace(view, tasks=(*others, task), organisations=view.organisations | {fact.organisation})


def _after(view: View, fact: Fact, changed: bool) -> View:
    """What the fact promises, keeps or counts; `changed`: whether it changed the status."""
    if name := COUNTED.get(type(fact)):
        view = replace(view, counts={**view.counts, name: view.counts.get(name, 0) + 1})
    if isinstance(fact, r.TaskFact):
        view = _promised(view, fact)
    match fact:
        case r.RequestTriaged():
            return _triaged(view, fact)
        case r.RequestAnswered() if changed:
            answer = Answer(
                text_id=fact.text_id,
                at=view.life.changed_at,
                organisation=fact.organisation,
                fulfil_by=fact.fulfil_by,
            )
            return replace(view, answer=answer)
        case r.RequestDisputed() if changed:
            view = replace(view, contact_by=None, answer_by=None, first_answer_by=None)
            return replace(view, answer=None, contacted=False)
        case _:
            return view


def _promised(view: View, fact: r.TaskFact) -> View:
    """What a task's fact promises, or what was owed and has happened."""
    match fact:
        case r.TaskAssigned(role=Role.LEAD):
            return replace(
                view,
                accept_by=fact.accept_by,
                contact_by=fact.contact_by or view.contact_by,
                answer_by=fact.answer_by or view.answer_by,
            )
        case w.TaskExtended(role=Role.LEAD):
            return replace(view, answer_by=fact.due_at, first_answer_by=view.first_answer_by or fact.before)
        case w.ResidentQuestioned(role=Role.LEAD):
            asked = Question(
                text_id=fact.text_id,
                at=view.life.changed_at,
                organisation=fact.organisation,
                answer_by=fact.answer_by,
            )
            return replace(view, question=asked)
        case r.ResidentContacted():
            return replace(view, contacted=True)
        case r.TaskNudged():
            return replace(view, nudges=view.nudges + 1 + fact.missed)
        case _:
            return view


def _triaged(view: View, fact: r.RequestTriaged) -> View:
    asked = fact.unsure and fact.decided_by is Decider.MACHINE
    return replace(
        view,
        revision=fact.revision,
        reasons=len(fact.reasons),
        emergency=fact.emergency,
        triage_by=fact.review_due_at if asked else None,
    )
