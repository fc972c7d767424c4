"""Draws that anyone can check, and problems handed out to be put right, in further facts of `heed.operations`."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.operations import OperationFact
from shared.contracts.vocabulary import ProblemKind, Stage


class DrawCommitted(OperationFact):
    """The seed of a period's draw is fixed: its SHA-256, published before the period begins."""

    TYPE: ClassVar[str] = "heed.draw.committed"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    period: date
    """The first day of the period (UTC)."""
    days: int = Field(ge=1)
    commitment: str
    """SHA-256 of the seed, in hex."""


class DrawRevealed(OperationFact):
    """The look-backs of a period are over: its seed, so that anyone can draw again and compare."""

    TYPE: ClassVar[str] = "heed.draw.revealed"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    period: date
    days: int = Field(ge=1)
    seed: str
    """In hex."""
    answers: int = Field(ge=0)
    """How many answers came up for look-back in the period."""
    drawn: int = Field(ge=0)


class ImprovementAssigned(OperationFact):
    """What went wrong was handed out to be put right: to a holder, by a due time."""

    TYPE: ClassVar[str] = "heed.improvement.assigned"
    STATED_BY: ClassVar[tuple[str, ...]] = ("dispatch",)

    improvement_id: UUID
    problem: ProblemKind
    stage: Stage | None = None
    organisation: str
    holder: str
    """Id of the person who answers for it."""
    due_at: datetime
    since: datetime | None = None
    """The problem was found among requests received from here …"""
    until: datetime | None = None
    """… to here; both absent where a single look-back found it."""
    request_id: UUID | None = None
    """The request of the single look-back."""


class ImprovementDone(OperationFact):
    """The holder says that it is put right."""

    TYPE: ClassVar[str] = "heed.improvement.done"
    STATED_BY: ClassVar[tuple[str, ...]] = ("dispatch",)

    improvement_id: UUID
