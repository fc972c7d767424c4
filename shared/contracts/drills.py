"""Reachability drills: facts on topic `heed.operations`, key = the drill's id."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.operations import OperationFact


class DrillFact(OperationFact):
    """A fact about one organisation's part in a drill."""

    STATED_BY: ClassVar[tuple[str, ...]] = ("dispatch",)

    drill_id: UUID
    organisation: str


class DrillAsked(DrillFact):
    """All people of an organisation are asked whether they can be reached; each answers by the time named."""

    TYPE: ClassVar[str] = "heed.drill.asked"

    liaisons: tuple[str, ...]
    """Ids of its liaisons, deputies and supervisors."""
    answer_by: datetime


class DrillClosed(DrillFact):
    """The time to answer is over."""

    TYPE: ClassVar[str] = "heed.drill.closed"

    asked: int = Field(ge=0)
    answered: int = Field(ge=0)
    unreached: tuple[str, ...] = ()
    """Ids of those who were on duty at some time of the drill and did not answer."""
