"""What those who run Heed must know: topic `heed.operations`, key = the subject's id."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Fact
from shared.contracts.vocabulary import AlarmKind, Stage

TOPIC = "heed.operations"
SERVICES = ("intake", "triage", "dispatch", "followup", "callbacks", "gateway")


class OperationFact(Fact):
    """A fact about the system itself; `service` is where it happened."""

    TOPIC: ClassVar[str] = TOPIC
    STATED_BY: ClassVar[tuple[str, ...]] = SERVICES

    service: str


class EventParked(OperationFact):
    """An event could not be handled, or stands behind one that could not."""

    TYPE: ClassVar[str] = "heed.event.parked"

    event_id: UUID
    event_type: str
    error: str
    """The error's kind, never its text: a text may hold personal data."""
    behind: bool = False


class EventRetried(OperationFact):
    """A parked event was handled after all."""

    TYPE: ClassVar[str] = "heed.event.retried"

    event_id: UUID


class EventDropped(OperationFact):
    """A person decided that a parked event is not to be handled."""

    TYPE: ClassVar[str] = "heed.event.dropped"

    event_id: UUID


class AlarmRaised(OperationFact):
    """Something went silent or wrong; `subject` says about what."""

    TYPE: ClassVar[str] = "heed.alarm.raised"

    kind: AlarmKind
    request_id: UUID | None = None
    stage: Stage | None = None
    count: int = 1
    """How many times it has been raised for this subject."""


class AlarmCleared(OperationFact):
    """What the alarm was about has been put right."""

    TYPE: ClassVar[str] = "heed.alarm.cleared"
    STATED_BY: ClassVar[tuple[str, ...]] = ("triage", "dispatch", "followup", "callbacks")

    kind: AlarmKind
    request_id: UUID | None = None


class LogSealed(OperationFact):
    """The running hash of a partition up to a position: from now on nothing before it changes unnoticed."""

    TYPE: ClassVar[str] = "heed.log.sealed"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    topic: str
    partition: int = Field(ge=0)
    first_position: int = Field(ge=0)
    """Position of the first record in the hash."""
    from_position: int = Field(ge=0)
    """Up to where the seal before this one reached; `first_position` in the first."""
    to_position: int = Field(ge=0)
    """The position after the last record in the hash."""
    records: int = Field(ge=1)
    """How many records are in the hash."""
    hash: str
    """SHA-256 in hexadecimal digits, as docs/verify.md says exactly."""
