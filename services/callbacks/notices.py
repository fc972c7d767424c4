"""Who is told what when something happens to a request, in which words. Pure; the words stand in notices.yaml.

A resident hears one voice: only the lead task's facts are told, never those of assisting ones. Who is told is decided
on the request as it stood before the fact; a fact that changes nothing by the table of a request's life is not told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import lookback as b
from shared.contracts import requests as r
from shared.contracts.drills import DrillAsked
from shared.contracts.life import TRANSITIONS, Life, applies, begin, fold
from shared.contracts.vocabulary import Addressee, Language, Medium, Role
from shared.ids import derived_id

ENDS_A_TASK = (r.TaskReturned, r.TaskRecalled, r.TaskCancelled)
Said = Mapping[str, str]
"""The same in each language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What callbacks knows of a request."""

    life: Life
    language: Language
    """The resident's."""
    organisations: frozenset[str] = frozenset()
    """Those that have or had a task."""
    open_tasks: Mapping[str, str] = field(default_factory=dict)
    """Task id to organisation."""
    lead_organisation: str | None = None
    """The last that the resident was told has it."""
    emergency_told: bool = False
    facts: int = 0
    """How many facts of it were read."""

    @property
    def request_id(self) -> UUID:
        """The request's id."""
        return self.life.request_id

    def after(self, event: Event[Fact]) -> "Case":
        """The case after one more fact."""
        fact = event.fact
        case = replace(self, life=fold(self.life, event), facts=self.facts + 1)
        if isinstance(fact, r.RequestTriaged):
            return replace(case, emergency_told=case.emergency_told or fact.emergency)
        return _after_task(case, fact) if isinstance(fact, r.TaskFact) else case


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A notice to be written: to whom, which words, and what goes into them."""

    request_id: UUID
    addressee: Addressee
    words: str
    organisation: str | None = None
    liaison: str | None = None
    named: str | None = None
    """Id of the organisation that the words speak of."""
    by: datetime | None = None
    values: Mapping[str, str] = field(default_factory=dict)


def begin_case(event: Event[r.RequestReceived]) -> Case:
    """The case of a request that was just received."""
    return Case(life=begin(event), language=event.fact.language, facts=1)


def _after_task(case: Case, fact: r.TaskFact) -> Case:
    case = replace(case, organisations=case.organisations | {fact.organisation})
    tasks = {task: owner for task, owner in case.open_tasks.items() if task != str(fact.task_id)}
    if isinstance(fact, r.TaskAssigned):
        lead = fact.organisation if fact.role is Role.LEAD else case.lead_organisation
        tasks[str(fact.task_id)] = fact.organisation
        return replace(case, open_tasks=tasks, lead_organisation=lead)
    return replace(case, open_tasks=tasks) if isinstance(fact, ENDS_A_TASK) else case


def to_resident(before: Case, fact: Fact) -> Draft | None:
    """What the resident is told of a fact, if anything."""
    if isinstance(fact, r.TaskFact) and fact.role is not Role.LEAD:
        return None
    if type(fact) in TRANSITIONS and not isinstance(fact, r.RequestTriaged) and not applies(before.life, fact):
        return None
    named = fact.organisation if isinstance(fact, r.TaskFact) else None
    draft = Draft(request_id=before.request_id, addressee=Addressee.RESIDENT, words="", named=named)
    match fact:
        case r.RequestTriaged() if fact.emergency and not before.emergency_told:
            return replace(draft, words="emergency")
        case r.TaskAssigned() if fact.organisation != before.lead_organisation:
            return _with_time(replace(draft, words="assigned"), fact.answer_by)
        case r.RequestAnswered():
            return _with_time(replace(draft, words="answered"), fact.fulfil_by)
        case r.RequestClosed():
            return replace(draft, words=f"closed_{fact.outcome}")
        case r.RequestRejected():
            return replace(draft, words="rejected", values={"reason": fact.reason})
        case _:
            words = _PLAIN.get(type(fact))
            return replace(draft, words=words, by=_by(fact)) if words else None


def _by(fact: Fact) -> datetime | None:
    """The moment that the words name."""
    if isinstance(fact, b.RatingReminded):
        return fact.until
    if isinstance(fact, w.ResidentQuestioned):
        return fact.answer_by
    return fact.due_at if isinstance(fact, w.TaskExtended) else None


_PLAIN: dict[type[Fact], str] = {
    r.TaskProgressed: "progressed",
    w.RequestInterimAnswered: "progressed",
    w.TaskExtended: "extended",
    w.ResidentQuestioned: "questioned",
    r.TaskFulfilled: "fulfilled",
    b.RatingReminded: "rating_reminded",
    r.RequestDisputed: "reopened",
    r.RequestMerged: "merged",
    r.RequestWithdrawn: "withdrawn",
}
_TOLD_TO_THE_MERGED = (
    r.TaskProgressed,
    w.RequestInterimAnswered,
    r.RequestAnswered,
    r.TaskFulfilled,
    r.RequestDisputed,
    r.RequestClosed,
)
_ENDS_THE_JOINT_MATTER = (r.RequestWithdrawn, r.RequestRejected)


def to_merged(draft: Draft, fact: Fact, follower: Case) -> Draft | None:
    """What somebody is told whose request was merged into the one of `draft`: all that concerns him too."""
    if isinstance(fact, _TOLD_TO_THE_MERGED):
        return replace(draft, request_id=follower.request_id)
    if isinstance(fact, _ENDS_THE_JOINT_MATTER):
        return replace(draft, request_id=follower.request_id, words="joint_ended")
    return None


def to_handlers(before: Case, fact: Fact) -> list[Draft]:
    """What liaisons and supervisors are told of a fact, whatever the task's role."""
    if isinstance(fact, r.RequestAmended):
        owners = sorted(set(before.open_tasks.values()))
        return [_to_liaison(before, owner, "amended") for owner in owners]
    if not isinstance(fact, r.TaskFact):
        return []
    draft = _to_liaison(before, fact.organisation, "")
    if isinstance(fact, w.TaskSupervised | w.DelayPublicised):
        return [_of_oversight(draft, fact)]
    draft = _of_task(draft, fact)
    return [draft] if draft.words else []


def _of_oversight(draft: Draft, fact: w.TaskSupervised | w.DelayPublicised) -> Draft:
    """What the leader, or every supervisor's desk, is told."""
    draft = replace(draft, addressee=Addressee.SUPERVISOR, values={"stage": fact.stage})
    if isinstance(fact, w.TaskSupervised):
        return replace(draft, words="supervised", liaison=fact.leader, by=fact.answer_by)
    return replace(draft, words="publicised", by=fact.due_at)


def _of_task(draft: Draft, fact: r.TaskFact) -> Draft:
    match fact:
        case r.TaskAssigned():
            return replace(draft, words="assigned", by=fact.accept_by, liaison=fact.liaison)
        case r.TaskReminded():
            values = {"stage": fact.stage, "percent": str(fact.percent)}
            return replace(draft, words="reminded", by=fact.due_at, values=values)
        case r.TaskNudged():
            values = {"stage": fact.stage, "count": str(fact.count)}
            return replace(draft, words="nudged", by=fact.due_at, values=values)
        case r.TaskEscalated():
            values = {"stage": fact.stage, "level": str(fact.level)}
            return replace(draft, addressee=Addressee.SUPERVISOR, words="escalated", values=values)
        case r.TaskRecalled():
            return replace(draft, words="recalled", liaison=fact.liaison)
        case w.QuestionLapsed():
            return replace(draft, words="question_lapsed")
        case r.TaskCancelled():
            return replace(draft, words="cancelled")
        case _:
            return draft


def _to_liaison(case: Case, organisation: str, words: str) -> Draft:
    return Draft(
        request_id=case.request_id,
        addressee=Addressee.LIAISON,
        words=words,
        organisation=organisation,
        named=organisation,
    )


def _with_time(draft: Draft, by: datetime | None) -> Draft:
    return replace(draft, words=f"{draft.words}_with_time", by=by) if by else draft


def write(
    draft: Draft, case: Case, names: Mapping[str, Said], words: Mapping[str, Any], zone: tzinfo
) -> dict[str, str]:
    """The notice in each language. `names`: organisations'; `words`: notices.yaml as it stands in the file."""
    template: Said = words[draft.addressee][draft.words]
    return {
        language: text.format(**_values(draft, case, names, words, zone, language))
        for language, text in template.items()
    }


def write_drill(event: Event[DrillAsked], words: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """The notice, as a row, by which an organisation's people are asked whether they can be reached."""
    fact = event.fact
    by = fact.answer_by.astimezone(zone)
    template: Said = words[Addressee.LIAISON]["drill"]
    return {
        "id": derived_id(event.id, fact.organisation, Medium.APP),
        "request_id": None,
        "addressee": Addressee.LIAISON,
        "organisation": fact.organisation,
        "liaison": None,
        "medium": Medium.APP,
        "about": event.type,
        "event_id": event.id,
        "text": {language: text.format(by=by.strftime(words["time"][language])) for language, text in template.items()},
        "language": Language.ZH,
    }


def _values(
    draft: Draft, case: Case, names: Mapping[str, Said], words: Mapping[str, Any], zone: tzinfo, language: str
) -> dict[str, str]:
    """What may stand in a notice: of the vocabulary, the word in this language."""
    values = {key: words[key][value][language] if key in words else value for key, value in draft.values.items()}
    values["receipt"] = case.life.receipt
    values["colour"] = words["colour"][case.life.colour or "none"][language]
    if draft.named:
        values["organisation"] = names.get(draft.named, {}).get(language, draft.named)
    if draft.by:
        values["by"] = draft.by.astimezone(zone).strftime(words["time"][language])
    return values
