"""What a caller is shown of a request: everyone the same history, each as much of it as is theirs to know."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from services.gateway.disclosed import WORDS
from services.gateway.model import View, is_overdue, promises
from services.gateway.store import Entry
from services.gateway.words import HOLDING_SERVICES, RESIDENT
from shared.contracts import FACTS
from shared.contracts import requests as r
from shared.contracts.directory import Named
from shared.contracts.ledger import total
from shared.contracts.vocabulary import (
    Addressee,
    Category,
    Channel,
    Colour,
    HolderKind,
    Outcome,
    Role,
    Status,
)
from shared.identity import Principal


class Promises(TypedDict, total=False):
    """What is owed now, and by when; what was kept, or is void, is absent."""

    triage_by: datetime
    accept_by: datetime
    contact_by: datetime
    answer_by: datetime
    fulfil_by: datetime


class HolderShown(BaseModel):
    """Who holds the request, and since when."""

    kind: HolderKind
    name: str = Field(description="A service of Heed, the id of an organisation, or `resident`.")
    title: Named | None = Field(description="The holder's name for people, where it is known.")
    since: datetime
    liaison: str | None = Field(description="The liaison or deputy; null for residents.")


class SpanShown(BaseModel):
    """A holder's time."""

    kind: HolderKind
    name: str
    title: Named | None
    liaison: str | None = Field(description="Null for residents.")
    since: datetime
    until: datetime | None = Field(description="Null while it lasts.")
    seconds: float


class LedgerShown(BaseModel):
    """Who held the request when: the seconds of all spans add up to those that it was open."""

    seconds: float
    spans: list[SpanShown]


class AnswerShown(BaseModel):
    """The answer that stands: not disputed, from the lead."""

    text: str | None = Field(description="Null once its retention is over.")
    at: datetime
    organisation: str
    title: Named | None
    fulfil_by: datetime | None


class QuestionShown(BaseModel):
    """What the resident is asked, and until when he is waited for; an amendment answers it."""

    text: str | None = Field(description="Null once its retention is over.")
    at: datetime
    answer_by: datetime
    organisation: str
    title: Named | None


class TaskShown(BaseModel):
    """A task of the case; its `revision` is to be had from /v1/tasks."""

    id: UUID
    role: Role
    organisation: str
    title: Named | None
    liaison: str | None
    state: str


class EntryShown(BaseModel):
    """A fact of the timeline; beside these fields it has those of its type that the caller may know (docs/events)."""

    model_config = ConfigDict(extra="allow")

    number: int = Field(description="Counts the request's facts from 1; a number that is missing is not the caller's.")
    type: str
    at: datetime


class Summary(BaseModel):
    """A request as it stands."""

    id: UUID
    receipt: str
    status: Status
    category: Category | None
    colour: Colour | None
    deadline: datetime | None = Field(description="By when help is needed, as the text or a person says.")
    promises: Promises
    first_answer_by: datetime | None = Field(
        description="When the answer was promised before an extension; figures go by this. Null where it was not moved."
    )
    overdue: bool = Field(description="Whether something promised is late at this moment.")
    holder: HolderShown | None
    channel: Channel
    area: str | None
    area_title: Named | None
    filed_at: datetime
    received_at: datetime
    outcome: Outcome | None
    tasks: list[TaskShown] | None = Field(description="Null for residents, who hear one voice.")


class Counts(BaseModel):
    """How often things happened to a request; for staff and handlers."""

    reasons: int
    nudges: int
    reminders: int
    returns: int
    recalls: int
    escalations: int
    supervisions: int
    transfers: int
    questions: int
    amendments: int
    reopened: int


class RequestShown(Summary):
    """A request with its answer and all that happened to it."""

    question: QuestionShown | None = Field(description="Open; null once it was answered or its time is over.")
    answer: AnswerShown | None
    merged_into: UUID | None = Field(description="Null for residents.")
    counts: Counts | None = Field(description="Null for residents.")
    ledger: LedgerShown
    timeline: list[EntryShown]


Names = Mapping[str, Named]


def is_inside(caller: Principal) -> bool:
    """Whether the caller sees what is between the offices."""
    return caller.is_staff or caller.is_handler


def ids_named(view: View) -> Iterable[str]:
    """The organisations and the area whose names a view needs."""
    yield from view.organisations
    if view.life.area:
        yield view.life.area


def summary(view: View, caller: Principal, names: Names, now: datetime) -> dict[str, Any]:
    """The fields of a Summary."""
    life, inside = view.life, is_inside(caller)
    return {
        "id": life.request_id,
        "receipt": life.receipt,
        "status": life.status,
        "category": life.category,
        "colour": life.colour,
        "deadline": life.deadline,
        "promises": promises(view),
        "first_answer_by": view.first_answer_by,
        "overdue": is_overdue(view, now),
        "holder": _holder(view, names, inside=inside),
        "channel": view.channel,
        "area": life.area,
        "area_title": names.get(life.area or ""),
        "filed_at": view.filed_at,
        "received_at": life.received_at,
        "outcome": life.outcome,
        "tasks": _tasks(view, names) if inside else None,
    }


def request(view: View, entries: Sequence[Entry], caller: Principal, names: Names, now: datetime) -> RequestShown:
    """The whole request as the caller may see it."""
    inside = is_inside(caller)
    return RequestShown.model_validate(
        {
            **summary(view, caller, names, now),
            "question": _question(view, entries, names),
            "answer": _answer(view, entries, names),
            "merged_into": view.life.merged_into if inside else None,
            "counts": _counts(view) if inside else None,
            "ledger": _ledger(view, names, now, inside=inside),
            "timeline": [shown for e in entries if (shown := entry(e, caller, names))],
        }
    )


def entry(stored: Entry, caller: Principal, names: Names) -> EntryShown | None:
    """A fact as the caller may see it; None where it is not for them."""
    kind = FACTS[stored.type]
    words, inside = WORDS[kind], is_inside(caller)
    if (words.from_residents and not inside) or (words.from_handlers and caller.is_handler):
        return None
    fact = kind.model_validate_json(stored.fact)
    if isinstance(fact, r.PersonNotified) and not inside and fact.addressee is not Addressee.RESIDENT:
        return None
    told = words.all | words.inside if inside else words.all
    fields = fact.model_dump(include=set(told), exclude_none=True)
    if "text_id" in fields:
        fields["text"] = stored.text
    if "reasons" in fields:
        fields["reasons"] = len(fields["reasons"])
    if title := names.get(fields.get("organisation", "")):
        fields["title"] = title
    return EntryShown.model_validate({**fields, "number": stored.number, "type": stored.type, "at": stored.at})


def waits_for_text(stored: Entry) -> bool:
    """Whether the fact has a text that is not here: on its way, on another topic, or erased since."""
    return stored.text_id is not None and stored.text is None


def _holder(view: View, names: Names, *, inside: bool) -> HolderShown | None:
    holder = view.life.holder
    if holder is None:
        return None
    return HolderShown(
        kind=holder.kind,
        name=holder.name,
        title=_title(holder.kind, holder.name, names),
        since=holder.since,
        liaison=holder.liaison if inside else None,
    )


def _title(kind: HolderKind, name: str, names: Names) -> Named | None:
    match kind:
        case HolderKind.ORGANISATION:
            return names.get(name)
        case HolderKind.SERVICE:
            return HOLDING_SERVICES.get(name)
        case HolderKind.RESIDENT:
            return RESIDENT


def _ledger(view: View, names: Names, now: datetime, *, inside: bool) -> LedgerShown:
    spans = [
        SpanShown(
            kind=span.kind,
            name=span.name,
            title=_title(span.kind, span.name, names),
            liaison=span.liaison if inside else None,
            since=span.since,
            until=span.until,
            seconds=span.lasted(now).total_seconds(),
        )
        for span in view.ledger
    ]
    return LedgerShown(seconds=total(view.ledger, now).total_seconds(), spans=spans)


def _question(view: View, entries: Sequence[Entry], names: Names) -> QuestionShown | None:
    asked = view.question
    if asked is None or view.life.question is None:
        return None
    return QuestionShown(
        text=next((e.text for e in entries if e.text_id == asked.text_id), None),
        at=asked.at,
        answer_by=asked.answer_by,
        organisation=asked.organisation,
        title=names.get(asked.organisation),
    )


def _answer(view: View, entries: Sequence[Entry], names: Names) -> AnswerShown | None:
    answer = view.answer
    if answer is None:
        return None
    return AnswerShown(
        text=next((e.text for e in entries if e.text_id == answer.text_id), None),
        at=answer.at,
        organisation=answer.organisation,
        title=names.get(answer.organisation),
        fulfil_by=answer.fulfil_by,
    )


def _tasks(view: View, names: Names) -> list[TaskShown]:
    lead_first = sorted(view.tasks, key=lambda task: (task.role is not Role.LEAD, task.id))
    return [
        TaskShown(
            id=task.id,
            role=task.role,
            organisation=task.organisation,
            title=names.get(task.organisation),
            liaison=task.liaison,
            state=task.state,
        )
        for task in lead_first
    ]


def _counts(view: View) -> Counts:
    names = ("reminders", "returns", "recalls", "escalations", "supervisions", "transfers", "questions", "amendments")
    return Counts(
        reasons=view.reasons,
        nudges=view.nudges,
        reopened=view.life.reopened,
        **{name: view.counts.get(name, 0) for name in names},
    )
