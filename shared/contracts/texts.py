"""Texts: topic `heed.texts`, key = the text's id, compacted; phone and id numbers masked; erased by a tombstone."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Fact
from shared.contracts.vocabulary import Category, Channel, Language, TextKind, Vulnerability

TOPIC = "heed.texts"


class TextRecorded(Fact):
    """A text that belongs to a request; the event's subject is the request's id.

    A `request` or `amendment` text carries all that triage works on, so that triage needs no other fact.
    """

    TYPE: ClassVar[str] = "heed.text.recorded"
    TOPIC: ClassVar[str] = TOPIC
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake", "dispatch", "followup")

    text_id: UUID
    request_id: UUID
    kind: TextKind
    text: str
    language: Language
    filed_at: datetime
    received_at: datetime
    channel: Channel | None = None
    stated_category: Category | None = None
    persons: int | None = None
    vulnerability: tuple[Vulnerability, ...] = ()
    """What the filer ticked of those who need help."""


class TextErased(Fact):
    """The text's retention is over: carried as a tombstone, a record without a value."""

    TYPE: ClassVar[str] = "heed.text.erased"
    TOPIC: ClassVar[str] = TOPIC
    STATED_BY: ClassVar[tuple[str, ...]] = ("intake",)
