"""Looking back at an answer, in further facts of `heed.requests`, all stated by followup.

None of them changes the status; a finding that does is followed by `heed.request.disputed`.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.requests import RequestFact
from shared.contracts.vocabulary import Finding


class RatingReminded(RequestFact):
    """The resident has not rated the answer; he is asked once more."""

    TYPE: ClassVar[str] = "heed.request.rating_reminded"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    until: datetime
    """Until when he may rate."""


class RequestInspected(RequestFact):
    """An inspector scored the answer, with its proof before him: 0 to 2 for each of five criteria."""

    TYPE: ClassVar[str] = "heed.request.inspected"
    STATED_BY: ClassVar[tuple[str, ...]] = ("followup",)

    visit_id: UUID
    organisation: str
    """Id of the organisation whose answer it is."""
    answers_what_was_asked: int = Field(ge=0, le=2)
    concrete_action_and_time: int = Field(ge=0, le=2)
    right_owner_and_contact: int = Field(ge=0, le=2)
    plain_and_polite: int = Field(ge=0, le=2)
    proof_attached: int = Field(ge=0, le=2)
    passed: bool
    finding: Finding
