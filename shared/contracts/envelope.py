"""A fact in its envelope: CloudEvents 1.0 attributes around a pydantic model, and both as a record of the bus."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"


class Fact(BaseModel):
    """What happened, in words of our vocabulary; the base of every model that crosses a boundary.

    A subclass names its CloudEvents type, its topic and the services that state it. Readers ignore fields they don't
    know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    STATED_BY: ClassVar[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A message as the bus carries it (Kafka binary mode): headers, and a value that is null for a tombstone."""

    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes | None


class NotAnEvent(ValueError):
    """A record that does not carry the CloudEvents attributes we need."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that carries an event, by its attributes; its data is not read yet."""

    record: Record
    type: str
    source: str
    subject: str
    sequence: int

    @classmethod
    def of(cls, record: Record) -> "Arrival":
        """Raises NotAnEvent where an attribute is missing or malformed."""
        headers = record.headers
        try:
            source = headers["ce_source"].removeprefix("/heed/")
            return cls(record, headers["ce_type"], source, headers["ce_subject"], int(headers["ce_sequence"]))
        except KeyError as missing:
            raise NotAnEvent(f"the record has no header {missing}") from missing
        except ValueError as malformed:
            raise NotAnEvent("the record's ce_sequence is no number") from malformed

    @property
    def topic(self) -> str:
        """The topic it came on."""
        return self.record.topic

    @property
    def key(self) -> str:
        """The key under which its source numbers its facts."""
        return self.record.key


F_co = TypeVar("F_co", bound=Fact, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[F_co]):
    """A fact with its CloudEvents attributes.

    `sequence` counts, without gaps from 1, the facts that `source` stated under `key` on that topic.
    `subject` is the request's id where the fact is about a request, else the id of what it is about.
    """

    id: UUID
    source: str
    subject: str
    key: str
    time: datetime
    sequence: int
    fact: F_co
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """The CloudEvents type, `heed.<noun>.<past participle>`."""
        return self.fact.TYPE

    @property
    def topic(self) -> str:
        """The topic this type is stated on."""
        return self.fact.TOPIC
