"""What those who run Heed must know: topic `heed.operations`, key = the subject's id."""

from typing import ClassVar
from uuid import UUID

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
