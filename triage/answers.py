"""What triage's API answers."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel

from shared.contracts.requests import Reason
from shared.contracts.vocabulary import Category, Colour, Decider, Language, Vulnerability


class ReasonShown(Reason):
    """A reason, with the words in which the rule found it; null where it has none, or where the text was erased."""

    words: str | None = None


class AssessmentShown(BaseModel):
    """One revision of what triage decided; the newest is the one that counts."""

    revision: int
    category: Category
    subcategory: str | None
    """What it is about more closely, `dialysis`, as in the category's tree; null where nothing says."""
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


class PolicyApplied(BaseModel):
    """What applying a policy did, or with `dry_run` would do."""

    version: str
    before: str | None
    differs: list[str]
    """The files that are not as they were."""
    applied: bool


class PolicyVersionShown(BaseModel):
    """A version of the policy; `applied_by` is null for what ships with Heed."""

    version: str
    applied_at: datetime
    applied_by: str | None


class PolicyShown(BaseModel):
    """The version in force, and all that were, the one applied last first."""

    version: str | None
    versions: list[PolicyVersionShown]


class TextShown(BaseModel):
    """A text that triage works on, masked."""

    text: str
    language: Language
    filed_at: datetime
    received_at: datetime
    stated_category: Category | None
    vulnerability: list[Vulnerability] = []


class LoggedShown(BaseModel):
    """What the machine decided last on a request, and the texts it decided on."""

    request_id: UUID
    texts: list[TextShown]
    category: Category
    colour: Colour
    deadline: datetime | None
    policy_version: str


class NodeShown(BaseModel):
    """A category below another, and what to ask when a request is about it."""

    id: str
    name: dict[Language, str]
    ask: dict[Language, list[str]]


class CategoryTreeShown(BaseModel):
    """A category of the top level, with those below it."""

    id: Category
    name: dict[Language, str]
    ask: dict[Language, list[str]]
    below: list[NodeShown]


class StandardAnswerShown(BaseModel):
    """An answer that fits what was asked: for the person who answers to use, change or leave."""

    id: str
    answer: dict[Language, str]
    source: str
    valid_from: date
    valid_until: date | None
    review_by: date
    review_overdue: bool
    """Somebody should look whether it still holds."""
    words: str
    """What asked for it."""
