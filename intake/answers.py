"""What intake's API answers."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from shared.contracts.vocabulary import Status


class Promises(BaseModel):
    """By when something will have happened."""

    triage_by: datetime


class Filed(BaseModel):
    """The receipt for a request."""

    id: UUID
    receipt: str
    status: Status
    tracking_token: str | None
    """Opens this one request, and rates its answer; for the resident alone.

    Null for whoever takes tasks himself: the notices carry it to the resident.
    """
    promises: Promises


class PossibleDuplicate(BaseModel):
    """An open request of the same contact."""

    id: UUID
    receipt: str
    status: Status
    received_at: datetime
    similarity: float
    """Of the texts, 0 to 1."""


class FiledForStaff(Filed):
    """The receipt, with what the same contact has asked for lately, the most alike first."""

    possible_duplicates: list[PossibleDuplicate]


class Standing(BaseModel):
    """Where a request stands after a command."""

    id: UUID
    status: Status
    merged_into: UUID | None = None


class Amended(BaseModel):
    """An amendment was added."""

    id: UUID
    status: Status
    text_id: UUID


class ContactView(BaseModel):
    """Who asks for help, and where; the look was logged."""

    id: UUID
    name: str | None
    phone: str
    address: str | None
    latitude: float | None
    longitude: float | None
    accuracy_m: float | None
    on_behalf_of: str | None
    originals: dict[UUID, str]
    """By text id: the texts as they were written, where marks like [phone] stand in the published ones."""
    tracking_token: str | None
    """For the service that tells the resident, which sends it along; null for people: it speaks for the resident."""


class LoggedView(BaseModel):
    """Who saw the contact, when and what for."""

    id: UUID
    viewer_kind: str
    viewer_id: str
    organisation: str | None
    purpose: str
    viewed_at: datetime
