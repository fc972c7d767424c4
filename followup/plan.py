"""The city's plan for follow-up as data: rating window, look-back shares, call-backs, watchdog limits. Pure.

The file is YAML (deploy/sample/followup.yaml shows every key); a key that is missing or unknown is refused at start.
All spans are in minutes unless the key says days.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.vocabulary import AttemptOutcome, Category, Colour, Finding, Medium

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


class Criterion(StrEnum):
    """What an answer is scored by, 0 to 2 each."""

    ANSWERS_WHAT_WAS_ASKED = "answers_what_was_asked"
    CONCRETE_ACTION_AND_TIME = "concrete_action_and_time"
    RIGHT_OWNER_AND_CONTACT = "right_owner_and_contact"
    PLAIN_AND_POLITE = "plain_and_polite"
    PROOF_ATTACHED = "proof_attached"


class Findings(Part):
    """What follows from the score of an answer."""

    failed: Finding
    """It did not pass."""
    zero: Finding
    """It passed, with a 0 in a criterion that is not essential."""


class LookBack(Part):
    """Who is called back after an answer."""

    always: tuple[Colour, ...]
    """Colours of which every one is drawn; reopened requests always are."""
    shares: tuple[Share, ...]
    """The first that fits decides; where none fits, nobody is drawn."""
    complained_at_most: int = Field(ge=0, le=5)
    """A resident's mark up to which his request counts as complained of, and is always drawn."""
    period_days: int = Field(ge=1)
    """How long one seed draws; at the end of the period an organisation with too few drawn is topped up."""
    at_least_per_organisation: int = Field(ge=0)
    """Drawn per organisation and period, or all if there are fewer."""
    seed_published_after_days: int = Field(ge=0)
    """After the end of the period: by then its call-backs are over."""
    pass_at: int = Field(ge=0, le=10)
    """The score of an answer, of 10, from which it passes where no essential criterion is 0."""
    essential: tuple[Criterion, ...]
    """Criteria of which none may be 0."""
    findings: Findings

    @property
    def period(self) -> timedelta:
        """How long one seed draws."""
        return timedelta(days=self.period_days)

    @property
    def seed_published_after(self) -> timedelta:
        """How long after the end of the period the seed is published."""
        return timedelta(days=self.seed_published_after_days)


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


class Suspicions(Part):
    """From when on a pattern is shown as suspicious; docs/look-back.md says what each means."""

    rush_minutes: Annotated[int, Field(ge=1)]
    """So shortly before it was due …"""
    rush_answers: Annotated[int, Field(ge=2)]
    """… so many answers of one organisation …"""
    rush_share: float = Field(gt=0, le=1)
    """… and at least this share of all it gave in that hour and the hour before."""
    same_answers: Annotated[int, Field(ge=2)]
    """The same words of one organisation to so many requests."""
    same_answers_except: tuple[Category, ...]
    """Where the same words are meant to go out many times: questions with a standard answer."""
    loops: Annotated[int, Field(ge=2)]
    """One request answered and disputed so often."""
    lowered_minutes: Annotated[int, Field(ge=1)]
    """A colour lowered so shortly before the answer was due, or after."""
    one_source: Annotated[int, Field(ge=2)]
    """Ratings of so many requests of one organisation from one device or number …"""
    one_source_hours: Annotated[int, Field(ge=1)]
    """… within so many hours."""


class Plan(Part):
    """Everything a city decides about follow-up."""

    version: str = Field(min_length=1)
    rating_window_days: int = Field(ge=1)
    rating_reminder_days: int = Field(ge=1)
    """After so many days without a rating the resident is asked once more."""
    fulfilment_grace_minutes: Minutes
    promises: Promises
    look_back: LookBack
    call_back: CallBack
    watchdog: Watchdog
    suspicions: Suspicions

    @model_validator(mode="after")
    def _in_the_window(self) -> "Plan":
        if self.look_back.period_days >= self.rating_window_days:
            raise ValueError(
                "look_back.period_days must be less than rating_window_days, or who is topped up is closed"
            )
        return self

    @property
    def rating_reminder(self) -> timedelta:
        """How long without a rating until the resident is asked once more."""
        return timedelta(days=self.rating_reminder_days)

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
