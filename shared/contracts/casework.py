"""How a case is worked, in further facts of `heed.requests`, all stated by dispatch.

None of them changes the status: they stand in the history, and the promises follow from them. A question changes the
holder: the resident, until he answers or its time is over.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.requests import TaskFact
from shared.contracts.vocabulary import Stage, SupervisionCause, TransferCause


class TaskConfirmed(TaskFact):
    """An organisation says that its part is arranged: the hospital has a place, the vehicle is booked."""

    TYPE: ClassVar[str] = "heed.request.confirmed"

    happens_at: datetime | None = None
    """When it will happen; what follows in the playbook is arranged for that time."""
    text_id: UUID | None = None
    text_hash: str | None = None


class TaskDelivered(TaskFact):
    """A part of the quantity that was asked for is there; the task goes on until all of it is."""

    TYPE: ClassVar[str] = "heed.request.delivered"

    quantity: int = Field(ge=1)
    delivered: int = Field(ge=1)
    """All so far, this included."""
    asked: int = Field(ge=1)
    unit: str
    """A word of the city's playbooks: `box`, `litre` …"""


class TaskTransferred(TaskFact):
    """The task went to a colleague; an assignment to him follows."""

    TYPE: ClassVar[str] = "heed.request.transferred"

    cause: TransferCause
    from_liaison: str
    liaison: str
    text_id: UUID | None = None
    text_hash: str | None = None


class RequestInterimAnswered(TaskFact):
    """The lead of a hard case says how far it is; the clock of the answer runs on."""

    TYPE: ClassVar[str] = "heed.request.interim_answered"

    text_id: UUID
    text_hash: str


class ResidentQuestioned(TaskFact):
    """The lead cannot go on without an answer from the resident, who holds the request now; every clock runs on."""

    TYPE: ClassVar[str] = "heed.request.questioned"

    number: int = Field(ge=1)
    """The how-manieth question of the task; it may ask only so often."""
    answer_by: datetime
    """Until when the resident is waited for; then the request is the lead's again."""
    policy_version: str
    text_id: UUID
    text_hash: str


class QuestionLapsed(TaskFact):
    """The resident did not answer in time, or the request has become red: it is the lead's again."""

    TYPE: ClassVar[str] = "heed.request.question_lapsed"

    number: int = Field(ge=1)


class TaskExtended(TaskFact):
    """The answer is promised for later: once, asked for before the time was up, never for red."""

    TYPE: ClassVar[str] = "heed.request.extended"

    stage: Stage
    before: datetime
    """When it was due until now."""
    due_at: datetime
    hard: bool = False
    """A supervisor found it a hard case, and there is an interim answer."""
    policy_version: str
    text_id: UUID
    text_hash: str


class TaskArbitrated(TaskFact):
    """A person decided whose it is, for good: `organisation` has it, and may not return it."""

    TYPE: ClassVar[str] = "heed.request.arbitrated"

    returns: int = Field(ge=0)
    """How often the task had been returned."""
    text_id: UUID | None = None
    text_hash: str | None = None


class TaskSupervised(TaskFact):
    """A supervision order: 督办. A named leader owes an answer."""

    TYPE: ClassVar[str] = "heed.request.supervised"

    cause: SupervisionCause
    stage: Stage
    """The stage that is late, or that has to be done again."""
    leader: str
    """Id of the person who answers for it."""
    answer_by: datetime
    policy_version: str
    text_id: UUID | None = None
    text_hash: str | None = None


class SupervisionAnswered(TaskFact):
    """The leader answered the supervision order."""

    TYPE: ClassVar[str] = "heed.request.supervision_answered"

    leader: str
    text_id: UUID
    text_hash: str


class DelayPublicised(TaskFact):
    """The delay stands in the public notice: 通报."""

    TYPE: ClassVar[str] = "heed.request.publicised"

    stage: Stage
    due_at: datetime
