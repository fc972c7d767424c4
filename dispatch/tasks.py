"""A task: one organisation's part in a case, with its clocks. Pure; what moves it stands in model.py."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import UUID

from dispatch.clocks import Clock
from shared.contracts.vocabulary import Role, Stage, SupervisionCause
from shared.problems import NotInThisState, Problem, RevisionConflict


@dataclass(frozen=True, slots=True)
class TextRef:
    """Where a text is, and its salted hash."""

    text_id: UUID
    text_hash: str
    words_hash: str | None = None
    """Keyed hash of the plain words, for an answer: equal for equal ones."""


def said(note: TextRef | None) -> dict[str, Any]:
    """The fields by which a fact names a text."""
    return {"text_id": note.text_id, "text_hash": note.text_hash} if note else {}


class TaskStatus(StrEnum):
    """Where a task is in its life."""

    WAITING = "waiting"
    """Nobody could be reached yet to take it."""
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class Together(StrEnum):
    """With which other requests something is done at once."""

    HOUSEHOLD = "household"
    BUILDING = "building"


class TaskHeldByAnother(Problem):
    """Somebody else holds this task now; `organisation` and `liaison` say who. Leave it to them."""

    status = HTTPStatus.CONFLICT
    title = "Task held by another"


class NotTheLead(Problem):
    """Only the lead task answers. Say `fulfil` when your part is done."""

    status = HTTPStatus.CONFLICT
    title = "Not the lead"


class NothingOwed(Problem):
    """The answer promised nothing that is still to come."""

    status = HTTPStatus.CONFLICT
    title = "Nothing owed"


class ReturnsExhausted(Problem):
    """This task was returned as often as it may be. Handle it, or ask the duty office to decide whose it is."""

    status = HTTPStatus.CONFLICT
    title = "Returns exhausted"


class OwnerNotNamed(Problem):
    """Say in `belongs_to` whose it is: another organisation of the directory."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Owner not named"


class UnknownOrganisation(Problem):
    """There is no organisation of this id. GET /v1/organisations lists them."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unknown organisation"


class AlreadyHasTask(Problem):
    """This organisation has an open task on the request already; `task_id` says which."""

    status = HTTPStatus.CONFLICT
    title = "Already has a task"


class FulfilmentInThePast(Problem):
    """`fulfil_by` is when what you promise will have happened. Give a time to come, or leave it out."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Fulfilment in the past"


class RedNeverExtends(Problem):
    """What is red gets no more time. Ask for help instead, or for a supervisor's word."""

    status = HTTPStatus.CONFLICT
    title = "Red never extends"


class ExtensionRefused(Problem):
    """An answer gets more time once, asked for before it is due; `latest` says how late it may be."""

    status = HTTPStatus.CONFLICT
    title = "Extension refused"


class InterimAnswerMissing(Problem):
    """A hard case gets more time only after an interim answer. Have one given first."""

    status = HTTPStatus.CONFLICT
    title = "Interim answer missing"


class EvidenceMissing(Problem):
    """Say in `note` what shows it: who was asked, which rule, which place. A return without evidence is refused."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Evidence missing"


class NotOnDuty(Problem):
    """A task goes only to a colleague who is on duty now; `on_duty` names those who are."""

    status = HTTPStatus.CONFLICT
    title = "Not on duty"


class TransfersExhausted(Problem):
    """This task was handed on as often as it may be. Handle it."""

    status = HTTPStatus.CONFLICT
    title = "Transfers exhausted"


class RequiredTasksOpen(Problem):
    """The answer waits for help that is required; `tasks` names it. Have it confirmed, or waived by the desk."""

    status = HTTPStatus.CONFLICT
    title = "Required tasks open"


class HappensInThePast(Problem):
    """`happens_at` is when it will happen. Give a time to come, or leave it out."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Happens in the past"


class QuantityRefused(Problem):
    """That is more than is still asked for; `open` says how much that is."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Quantity refused"


class NoOrder(Problem):
    """There is no supervision order on this task that waits for an answer."""

    status = HTTPStatus.CONFLICT
    title = "No order"


@dataclass(slots=True, kw_only=True)
class Supervision:
    """A supervision order: who answers for it, why, by when."""

    leader: str
    cause: SupervisionCause
    stage: Stage
    ordered_at: datetime
    answer_by: datetime
    answered_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Task:
    """One organisation's part in a case: the lead answers, the others assist."""

    id: UUID
    role: Role
    organisation: str
    rule: str
    created_at: datetime
    changed_at: datetime
    liaison: str | None = None
    level: int = 0
    """0: with the liaison on duty, 1: with the deputy, 2: with the supervisor of its organisation."""
    status: TaskStatus = TaskStatus.WAITING
    revision: int = 1
    attempt: int = 0
    assigned_at: datetime | None = None
    first_assigned_at: datetime | None = None
    """The first assignment, or the first since the request was reopened."""
    clocks: dict[Stage, Clock] = field(default_factory=dict)
    organisations: list[str] = field(default_factory=list)
    """All that have or had it."""
    tried: list[str] = field(default_factory=list)
    """People who let it lie since it last began at the bottom."""
    returned_by: list[str] = field(default_factory=list)
    needs_person: bool = False
    """Returned as often as it may be: a person must decide whose it is."""
    arbitrated: bool = False
    """A person decided whose it is: it is not returned again."""
    transfers: int = 0
    """How often it was handed to a colleague by hand."""
    duty_ends_at: datetime | None = None
    """When the duty of its holder ends: then it is handed over."""
    extended_to: datetime | None = None
    interim_at: datetime | None = None
    """The last interim answer."""
    questions: int = 0
    """How often the resident was asked something."""
    question_ends_at: datetime | None = None
    """Until when his answer is waited for, as he was told; None where nothing is asked."""
    supervision: Supervision | None = None
    confirmed_at: datetime | None = None
    """When its organisation said that its part is arranged."""
    happens_at: datetime | None = None
    """For when it is, or is to be, arranged."""
    step: str | None = None
    """Its step in the case's playbook."""
    required: bool = False
    """Whether the lead's answer waits for it."""
    asked: int | None = None
    """How much was asked for, where it is a quantity."""
    unit: str | None = None
    delivered: int = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody still owes something on it."""
        if self.status is TaskStatus.ANSWERED:
            return self.owes_fulfilment
        return self.status in {TaskStatus.WAITING, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED}

    @property
    def owes_fulfilment(self) -> bool:
        """Whether its answer promised something that has not been said to have happened."""
        return self.status is TaskStatus.ANSWERED and Stage.FULFILLED in self.clocks

    @property
    def question_until(self) -> datetime | None:
        """Until when the resident holds it: never longer than until the answer is due. None where nothing is asked."""
        if self.question_ends_at is None or self.status is not TaskStatus.ACCEPTED:
            return None
        return min(self.question_ends_at, self.due(Stage.ANSWERED) or self.question_ends_at)

    def due(self, stage: Stage) -> datetime | None:
        """When the stage is, or was, due."""
        clock = self.clocks.get(stage)
        return clock.due_at if clock else None

    def running(self) -> list[tuple[Stage, Clock]]:
        """The clocks that run, the one that is due first before the others."""
        if not self.is_open:
            return []
        return sorted(((s, c) for s, c in self.clocks.items() if c.is_running), key=lambda at: at[1].due_at)

    def start(self, stage: Stage, started_at: datetime, due_at: datetime, now: datetime, policy_version: str) -> None:
        """Start a stage's clock; the nudges it has had before stay counted."""
        before = self.clocks.get(stage)
        self.clocks[stage] = Clock(
            started_at=started_at,
            due_at=due_at,
            watched_from=now,
            nudges=before.nudges if before else 0,
            is_order=stage is Stage.SUPERVISED,
            policy_version=policy_version,
        )

    def stop(self, now: datetime, *stages: Stage) -> None:
        """Stop these clocks; all, where none is named."""
        for stage in stages or tuple(self.clocks):
            if clock := self.clocks.get(stage):
                clock.stop(now)

    def change(self, now: datetime) -> None:
        """Note that something changed on which somebody may have decided."""
        self.revision += 1
        self.changed_at = now

    def check(self, revision: int, *states: TaskStatus) -> None:
        """Raise where the caller decided on an older revision, or where the state does not allow it."""
        if revision != self.revision:
            raise RevisionConflict(revision=self.revision)
        if self.status not in states:
            raise NotInThisState(state=self.status.value)
