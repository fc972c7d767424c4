"""The city's plan for follow-up as data: rating window, look-back shares, call-backs, watchdog limits. Pure.

The file is YAML (deploy/sample/followup.yaml shows every key); a key that is missing or unknown is refused at start.
All spans are in minutes unless the key says days.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.vocabulary import AttemptOutcome, Category, Colour, Medium

Minutes = Annotated[int, Field(ge=0)]
TRIES = 3
"""Attempts before a resident counts as unreached [DOMAIN, Life of a request]."""


class Part(BaseModel):
    """A part of the plan: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(Part):
    """Minutes by colour; `untriaged` holds before triage, where none is given it is red's: in doubt the higher."""

    red: Minutes
    yellow: Minutes
    green: Minutes
    untriaged: Minutes | None = None

    def of(self, colour: Colour | None) -> timedelta:
        """The limit for a colour; for None, that of a request not yet triaged."""
        if colour is not None:
            return timedelta(minutes=int(getattr(self, colour)))
        return timedelta(minutes=self.red if self.untriaged is None else self.untriaged)


class Promises(Part):
    """What counts as promised where dispatch has promised nothing: from receipt, and contact from assignment."""

    answered: Limits = Limits(red=120, yellow=1440, green=4320)
    contacted: Limits = Limits(red=15, yellow=60, green=240)


class Share(Part):
    """The share of a stratum that is called back; an omitted key fits any."""

    category: Category | None = None
    colour: Colour | None = None
    organisation: str | None = None
    share: float = Field(ge=0, le=1)

    def fits(self, category: str | None, colour: Colour | None, organisation: str | None) -> bool:
        """Whether a request of this category, colour and lead organisation is in the stratum."""
        pairs = ((self.category, category), (self.colour, colour), (self.organisation, organisation))
        return all(wanted is None or wanted == found for wanted, found in pairs)


class LookBack(Part):
    """Who is called back after an answer."""

    always: tuple[Colour, ...]
    """Colours of which every one is drawn; reopened requests always are."""
    shares: tuple[Share, ...]
    """The first that fits decides; where none fits, nobody is drawn."""
    at_least_per_organisation: int = Field(ge=0)
    """Drawn per organisation and month of receipt, or all if there are fewer."""
    top_up_after_minutes: Minutes
    """When, after the answer, an organisation with too few drawn gets this one drawn too."""

    @property
    def top_up_after(self) -> timedelta:
        """How long after the look-back opened an organisation's number is looked at."""
        return timedelta(minutes=self.top_up_after_minutes)


class CallBack(Part):
    """How often, how, and how long after what a resident is tried again."""

    media: tuple[Medium, Medium, Medium]
    """The medium of each try; the three together use at least two."""
    retry_minutes: dict[AttemptOutcome, tuple[Minutes, Minutes]]
    """Per outcome, the wait after a first and after a second failed try."""

    @model_validator(mode="after")
    def _complete(self) -> "CallBack":
        if len(set(self.media)) < 2:
            raise ValueError("media must name at least two different media")
        if missing := set(AttemptOutcome) - {AttemptOutcome.REACHED} - set(self.retry_minutes):
            raise ValueError(f"retry_minutes lacks {', '.join(sorted(missing))}")
        return self


class Watchdog(Part):
    """How long silence may last at each stage; a little above dispatch's own clocks, which should act first."""

    acknowledged: Limits
    triaged: Limits
    assigned: Limits
    accepted: Limits
    contacted: Limits
    answered: Limits
    fulfilled: Limits
    looked_back: Limits
    repeat: Limits
    """The alarm is raised again after each such span."""

    @model_validator(mode="after")
    def _repeats(self) -> "Watchdog":
        if not all((self.repeat.red, self.repeat.yellow, self.repeat.green)):
            raise ValueError("repeat must be at least a minute for each colour")
        return self


class Plan(Part):
    """Everything a city decides about follow-up."""

    version: str = Field(min_length=1)
    rating_window_days: int = Field(ge=1)
    fulfilment_grace_minutes: Minutes
    promises: Promises
    look_back: LookBack
    call_back: CallBack
    watchdog: Watchdog

    @property
    def rating_window(self) -> timedelta:
        """How long a resident may rate, from the answer or from the fulfilment that was owed."""
        return timedelta(days=self.rating_window_days)

    @property
    def fulfilment_grace(self) -> timedelta:
        """How late a promised fulfilment may be stated before it counts as missed."""
        return timedelta(minutes=self.fulfilment_grace_minutes)


def parse(document: Mapping[str, Any]) -> Plan:
    """The plan in a document; pydantic.ValidationError names each place that is wrong."""
    return Plan.model_validate(document)
