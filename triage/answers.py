"""What triage's API answers."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from shared.contracts.requests import Reason
from shared.contracts.vocabulary import Category, Colour, Decider


class ReasonShown(Reason):
    """A reason, with the words in which the rule found it; null where it has none, or where the text was erased."""

    words: str | None = None


class AssessmentShown(BaseModel):
    """One revision of what triage decided; the newest is the one that counts."""

    revision: int
    category: Category
    colour: Colour
    deadline: datetime | None
    needs: list[str]
    emergency: bool
    reasons: list[ReasonShown]
    decided_by: Decider
    decided_by_id: str | None
    """Who, where it was a person."""
    reason: str | None
    """Why, in that person's words."""
    unsure: bool
    review_due_at: datetime | None
    policy_version: str
    at: datetime


class ReviewShown(BaseModel):
    """A request that a person must look at; send `revision` with what you decide."""

    request_id: UUID
    revision: int
    category: Category
    colour: Colour
    deadline: datetime | None
    emergency: bool
    area: str | None
    review_due_at: datetime
    overdue: bool
