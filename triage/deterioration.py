"""What raises a colour after triage: passing time, a deadline that comes near, a second contact. Pure.

The rules stand in policy.yaml. Each raises by one step, up to red, once; nothing here lowers a colour.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.vocabulary import Category, Colour, Status

HANDLED = frozenset({Status.ANSWERED})
"""Where somebody has said what will be done, waiting is no longer a danger in itself."""


class Deterioration(BaseModel):
    """A rule: of what colour a request must be, what must have come about, and whom it holds for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    when: Literal["waiting", "deadline", "second_contact"]
    """Time since receipt, time left to the deadline, or somebody getting in touch again."""
    colour: Colour
    minutes: Annotated[int, Field(ge=0, le=40_320)] = 0
    vulnerable: bool = False
    """Only for vulnerable people."""
    categories: frozenset[Category] = frozenset()
    """Only for these; empty for all."""

    def concerns(self, colour: Colour, category: Category, *, vulnerable: bool) -> bool:
        """Whether such a request may be raised by it."""
        return (
            colour is self.colour
            and (vulnerable or not self.vulnerable)
            and (not self.categories or category in self.categories)
        )

    def due_at(self, received_at: datetime, deadline: datetime | None) -> datetime | None:
        """When it raises, if nothing else happens; None where no time makes it."""
        if self.when == "waiting":
            return received_at + timedelta(minutes=self.minutes)
        if self.when == "deadline" and deadline:
            return deadline - timedelta(minutes=self.minutes)
        return None


def next_due(
    rules: Sequence[Deterioration],
    colour: Colour,
    category: Category,
    received_at: datetime,
    deadline: datetime | None,
    *,
    vulnerable: bool,
) -> tuple[datetime, Deterioration] | None:
    """The rule that raises such a request first by mere time, and when."""
    due = [
        (at, n, rule)
        for n, rule in enumerate(rules)
        if rule.concerns(colour, category, vulnerable=vulnerable) and (at := rule.due_at(received_at, deadline))
    ]
    if not due:
        return None
    at, _, rule = min(due, key=lambda each: each[:2])
    return at, rule


def by_contact(
    rules: Sequence[Deterioration], colour: Colour, category: Category, *, vulnerable: bool
) -> Deterioration | None:
    """The rule by which a second contact raises such a request."""
    return next(
        (
            rule
            for rule in rules
            if rule.when == "second_contact" and rule.concerns(colour, category, vulnerable=vulnerable)
        ),
        None,
    )
