"""Standard answers to questions of policy: proposed to the person who answers, never sent by the machine alone. Pure.

They stand in answers.yaml, each with its source, the days between which it holds, and by when somebody must look
whether it still does. Outside those days it is not proposed.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.vocabulary import Category
from triage.signs import Hit

PREFIX = "answer."
"""Of the names under which the phrasebook finds what an answer answers."""
MOST = 3
"""Proposed on one request."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class StandardAnswer(BaseModel):
    """An answer that may be given again and again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    category: Category
    asks: _Asked
    """Phrases of the questions that it answers."""
    answer: _Said
    source: str = Field(min_length=1)
    valid_from: date
    valid_until: date | None = None
    review_by: date
    """By when somebody looks whether it still holds."""

    @model_validator(mode="after")
    def _in_order(self) -> "StandardAnswer":
        if self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self

    def holds_on(self, day: date) -> bool:
        """Whether it may be proposed on that day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class AnswersFile(BaseModel):
    """answers.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: tuple[StandardAnswer, ...] = ()


def proposed(answers: Iterable[StandardAnswer], hits: Iterable[Hit], day: date) -> list[tuple[StandardAnswer, Hit]]:
    """Those that answer what was asked and hold on that day, with what asked; the most asked first."""
    asked: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.name.startswith(PREFIX):
            asked.setdefault(hit.name.removeprefix(PREFIX), []).append(hit)
    known: Mapping[str, StandardAnswer] = {each.id: each for each in answers}
    found = [(known[name], spoken) for name, spoken in asked.items() if known[name].holds_on(day)]
    found.sort(key=lambda each: (-len(each[1]), each[0].id))
    return [(answer, max(spoken, key=lambda hit: hit.end - hit.start)) for answer, spoken in found[:MOST]]
