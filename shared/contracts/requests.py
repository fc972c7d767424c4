"""Facts about a request: topic `heed.requests`, key = the request's id. No free text, no personal data."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.envelope import Fact
from shared.contracts.vocabulary import (
    Addressee,
    AttemptOutcome,
    Category,
    Channel,
    Colour,
    Decider,
    DisputeReason,
    FiledBy,
    Language,
    Medium,
    NoticeOutcome,
    Outcome,
    PlaceDoubt,
    PlaceSource,
    RejectionReason,
    ReturnReason,
    Role,
    Stage,
    Vulnerability,
    WithdrawalReason,
)

TOPIC = "heed.requests"


class RequestFact(Fact):
    """A fact about one request."""

    TOPIC: ClassVar[str] = TOPIC


class TaskFact(RequestFact):
    """A fact about one task of a request's case."""

    STATED_BY: ClassVar[tuple[str, ...]] = ("dispatch",)

    task_id: UUID
    role: Role
    organisation: str
    """Id of the organisation whose task it is."""


# Stated by intake


class RequestReceived(RequestFact):
    """A request got its receipt; nothing may stand before it in a history."""

    TYPE: ClassVar[str] = "heed.request.received"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)

    receipt: str
    channel: Channel
    filed_by: FiledBy
    on_behalf: bool = False
    language: Language
    area: str | None = None
    """Id of the smallest area found, `pinghu/dushangang/huxiao/06`; None where no place was found."""
    place_source: PlaceSource
    place_confidence: float = Field(ge=0, le=1)
    place_doubt: PlaceDoubt | None = None
    """Why it is not sure that it is there."""
    contact_hash: str
    """Keyed hash of the contact's phone: equal for equal contacts, and no way back."""
    household_hash: str | None = None
    building_hash: str | None = None
    stated_category: Category | None = None
    """What the filer chose, if he chose."""
    persons: int | None = None
    vulnerability: tuple[Vulnerability, ...] = ()
    """What the filer ticked of those who need help: words of the form, nothing of the person."""
    text_id: UUID
    text_hash: str
    """Salted hash of the text, so that an outsider who is given the text can check it."""
    filed_at: datetime
    """When the person said it; dates in the text are read from it."""
    received_at: datetime
    """When Heed had it; clocks and cohorts run from it."""


class RequestRejected(RequestFact):
    """Not a valid request; the resident is told why."""

    TYPE: ClassVar[str] = "heed.request.rejected"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)

    reason: RejectionReason
    decided_by: Decider
    approved_by: str | None = None
    """Id of the account of the member of staff who decided; None where a rule did."""
    text_id: UUID | None = None
    text_hash: str | None = None


class RequestMerged(RequestFact):
    """Handled from now on within another request; its reporter is still told everything."""

    TYPE: ClassVar[str] = "heed.request.merged"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)

    into: UUID


class RequestWithdrawn(RequestFact):
    """Taken back on the resident's word."""

    TYPE: ClassVar[str] = "heed.request.withdrawn"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)

    reason: WithdrawalReason


class RequestAmended(RequestFact):
    """The resident, or somebody for him, added something."""

    TYPE: ClassVar[str] = "heed.request.amended"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)

    text_id: UUID
    text_hash: str


class RequestArchived(RequestFact):
    """Its retention is over: contact and texts are erased."""

    TYPE: ClassVar[str] = "heed.request.archived"
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)


# Stated by triage


class Reason(BaseModel):
    """One rule that fired, and where in the text: offsets in characters of the masked text, end exclusive."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    rule: str
    gives: str
    """What the rule speaks for: a colour, a category, `deadline`, `vulnerable`, `unsure` …"""
    text_id: UUID | None = None
    start: int | None = None
    end: int | None = None


class RequestTriaged(RequestFact):
    """Category, colour and deadline, with the reasons; a later revision replaces an earlier one."""

    TYPE: ClassVar[str] = "heed.request.triaged"
    STATED_BY: ClassVar[tuple[str, ...]] = ("triage",)

    revision: int = Field(ge=1)
    category: Category
    colour: Colour
    deadline: datetime | None = None
    """By when help is needed, as read from the text or set by a person."""
    needs: tuple[str, ...] = ()
    """What the request needs beside its lead: `transport`, `interpreter` … ; makes assisting tasks."""
    emergency: bool = False
    """Danger to life now: the resident is told at once whom to ring."""
    decided_by: Decider
    unsure: bool = False
    review_due_at: datetime | None = None
    """By when a person must confirm, where the machine is unsure."""
    reasons: tuple[Reason, ...] = ()
    policy_version: str


# Stated by dispatch


class TaskAssigned(TaskFact):
    """An organisation's liaison was given a task, with what is due when."""

    TYPE: ClassVar[str] = "heed.request.assigned"

    liaison: str
    """Id of the liaison or deputy."""
    rule: str
    """Id of the routing rule that chose the organisation; `backstop` where none fitted."""
    attempt: int = Field(ge=1)
    """How many times this task has been assigned, this one included."""
    accept_by: datetime
    contact_by: datetime | None = None
    """Only for the lead, as is answer_by."""
    answer_by: datetime | None = None
    policy_version: str
    beyond_capacity: bool = False
    """Whether he, and everybody else of his post on duty, had all that he can take: the reason that he has it yet."""
    text_id: UUID | None = None
    """A note given along with the task."""
    text_hash: str | None = None


class TaskAccepted(TaskFact):
    """The task was signed for: 签收."""

    TYPE: ClassVar[str] = "heed.request.accepted"

    liaison: str


class TaskReturned(TaskFact):
    """The organisation gave the task back: 退单."""

    TYPE: ClassVar[str] = "heed.request.returned"

    reason: ReturnReason
    belongs_to: str | None = None
    """Id of the organisation whose it is, where the reason is not_ours."""
    text_id: UUID | None = None
    text_hash: str | None = None


class TaskRecalled(TaskFact):
    """Taken from a liaison who did not accept in time; an assignment to the deputy follows."""

    TYPE: ClassVar[str] = "heed.request.recalled"

    liaison: str


class TaskCancelled(TaskFact):
    """The task is void, since the request ended otherwise."""

    TYPE: ClassVar[str] = "heed.request.cancelled"


class ResidentContacted(TaskFact):
    """A human of the organisation spoke with the resident."""

    TYPE: ClassVar[str] = "heed.request.contacted"

    medium: Medium


class TaskProgressed(TaskFact):
    """News from the work, for the resident to read."""

    TYPE: ClassVar[str] = "heed.request.progressed"

    text_id: UUID
    text_hash: str


class RequestAnswered(TaskFact):
    """The handler says what was done; with `fulfil_by`, what will have been done by then."""

    TYPE: ClassVar[str] = "heed.request.answered"

    text_id: UUID
    text_hash: str
    words_hash: str | None = None
    """Keyed hash of the plain words: equal for equal answers, whoever gave them, and no way back."""
    fulfil_by: datetime | None = None


class TaskFulfilled(TaskFact):
    """What an answer promised has happened; or an assisting task is done."""

    TYPE: ClassVar[str] = "heed.request.fulfilled"

    text_id: UUID | None = None
    """A note on what was done."""
    text_hash: str | None = None


class TaskReminded(TaskFact):
    """A clock has run to 50 or 80 %."""

    TYPE: ClassVar[str] = "heed.request.reminded"

    stage: Stage
    percent: int
    due_at: datetime


class TaskNudged(TaskFact):
    """A clock has run out, and the holder is urged: 催办. Repeats, and every one is counted."""

    TYPE: ClassVar[str] = "heed.request.nudged"

    stage: Stage
    count: int = Field(ge=1)
    """How many nudges the stage has had, this and the missed ones included."""
    missed: int = Field(ge=0, default=0)
    """How many moments passed unseen because a timer woke late."""
    due_at: datetime


class TaskEscalated(TaskFact):
    """A level higher hears of it."""

    TYPE: ClassVar[str] = "heed.request.escalated"

    stage: Stage
    level: int = Field(ge=1)


# Stated by followup


class RequestDisputed(RequestFact):
    """The answer does not stand; the request goes to somebody on duty now, one level higher."""

    TYPE: ClassVar[str] = "heed.request.disputed"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    reason: DisputeReason


class RequestClosed(RequestFact):
    """Looked back at, and over."""

    TYPE: ClassVar[str] = "heed.request.closed"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    outcome: Outcome


class RequestRated(RequestFact):
    """The resident's own word."""

    TYPE: ClassVar[str] = "heed.request.rated"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    solved: bool
    satisfaction: int | None = Field(default=None, ge=1, le=5)
    text_id: UUID | None = None
    text_hash: str | None = None
    counts: bool = True
    """False for a word after the window, or after the history went on: kept, and changes nothing."""
    device_hash: str | None = None
    """Keyed hash of the device or number that it came from, where the app names it."""


class ResidentVisited(RequestFact):
    """An attempt of a call-back or home visit, by somebody who did not handle the request."""

    TYPE: ClassVar[str] = "heed.request.visited"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    visit_id: UUID
    attempt: int = Field(ge=1)
    medium: Medium
    outcome: AttemptOutcome
    solved: bool | None = None
    satisfaction: int | None = Field(default=None, ge=1, le=5)


# Stated by callbacks


class PersonNotified(RequestFact):
    """A notice came to its end: delivered or not."""

    TYPE: ClassVar[str] = "heed.request.notified"
    STATED_BY: ClassVar[tuple[str, ...]] = ("callbacks",)

    notice_id: UUID
    addressee: Addressee
    organisation: str | None = None
    medium: Medium
    about: str
    """The event type that the notice tells of."""
    outcome: NoticeOutcome
