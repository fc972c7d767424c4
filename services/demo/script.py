"""What the demo's residents ask for, when, and what they do afterwards: read from requests.jsonl."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.vocabulary import Category, Colour

OPENING = datetime.fromisoformat("2022-10-24T08:00:00+08:00")
"""When the platform opens; filings count their minutes from here."""
CLOSING = OPENING + timedelta(hours=60)
"""When the demo ends: after two and a half days."""
STORY = "the-second-dose"


class Step(BaseModel):
    """What happens to a filing afterwards; which fields there are depends on `do`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["amend", "withdraw", "rate", "reject", "merge", "replay"]
    after_minutes: int = 0
    """From the filing; a rating comes some time after the answer instead."""
    text: str = ""
    reason: str = ""
    into: str = ""
    """Name of the filing that this one is merged into."""
    solved: bool = True
    satisfaction: int | None = None
    comment: str | None = None


class Filing(BaseModel):
    """One line of requests.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str
    at_minutes: int = Field(ge=0)
    filer: str = Field(alias="as")
    """`resident`, or the name of a token: `operator`, `grid_worker`, `liaison:<organisation>`."""
    about: Category | None = None
    """The category that the author had in mind, as a person who reads the text would see it; not sent."""
    colour: Colour = Colour.GREEN
    """How urgent a person who reads the text would find it; not sent."""
    malformed: bool = False
    request: dict[str, Any] | None = None
    raw: str | None = None
    """A body that is no JSON, in place of `request`."""
    written_minutes_before: int | None = None
    then: tuple[Step, ...] = ()

    @property
    def at(self) -> datetime:
        """When it is filed."""
        return OPENING + timedelta(minutes=self.at_minutes)

    @property
    def is_english(self) -> bool:
        """Whether the resident reads English rather than Chinese."""
        return self.request is not None and str(self.request.get("text", "")).isascii()

    def body(self) -> dict[str, Any] | None:
        """What is sent: a form that was filled in offline says when."""
        if self.request is None or self.written_minutes_before is None:
            return self.request
        return self.request | {"filed_at": (self.at - timedelta(minutes=self.written_minutes_before)).isoformat()}

    def step(self, do: str) -> Step | None:
        """The first step of this kind."""
        return next((step for step in self.then if step.do == do), None)


def read_filings(path: Path) -> list[Filing]:
    """All filings, earliest first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted((Filing.model_validate(json.loads(line)) for line in lines), key=lambda filing: filing.at_minutes)
