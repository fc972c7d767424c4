"""Clocks: how long each stage may take, what a deadline does to that, and what happens as a clock runs. Pure.

All minutes are the city's decision, kept in clocks.yaml. A clock has a start and a due moment; as it runs it reminds,
nudges (and nudges again), and lets a level higher know. It stops only when what it waits for has happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.contracts.vocabulary import Colour, Stage

WHOLE = 100
"""Percent of a clock at which it has run out."""
SHORTEST = timedelta(minutes=1)
"""No deadline leaves a person less than this to accept or to call."""
STAGES = (Stage.ASSIGNED, Stage.ACCEPTED, Stage.CONTACTED, Stage.ANSWERED)

Minutes = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, lt=WHOLE)]


class Returns(BaseModel):
    """How often a task may be returned before a person decides whose it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_organisation: int = Field(1, ge=0)
    in_all: int = Field(2, ge=0)


class Extension(BaseModel):
    """How much later an answer may be promised, once; red never."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: int = Field(50, ge=1)
    """Of the time that the answer had, where its organisation asks."""
    hard_minutes: Minutes = 21600
    """From receipt, for a hard case: a supervisor's word, after an interim answer."""


class DrillPolicy(BaseModel):
    """How often all people of the directory are asked whether they can be reached, and how long they have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_hours: int = Field(168, ge=0)
    """0: never, but for those that an operator begins."""
    answer_minutes: Minutes = 1440
    """A day, so that every shift comes by."""

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> "DrillPolicy":
        if 0 < self.every_hours * 60 < self.answer_minutes:
            raise ValueError("a drill must end before the next begins: answer_minutes within every_hours")
        return self

    def at(self, every_hours: int) -> "DrillPolicy":
        """The same so often, and never less often than it was; one that is switched off stays so."""
        hours = min(self.every_hours, every_hours)
        minutes = min(self.answer_minutes, hours * 60) if hours else self.answer_minutes
        return DrillPolicy(every_hours=hours, answer_minutes=minutes)


class Questions(BaseModel):
    """How often the lead may ask the resident, and how long he is waited for; what is red waits for nobody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_all: int = Field(2, ge=0)
    minutes: dict[Colour, Minutes] = {Colour.YELLOW: 120, Colour.GREEN: 480}

    @field_validator("minutes")
    @classmethod
    def _spares_red(cls, minutes: dict[Colour, int]) -> dict[Colour, int]:
        if set(minutes) != set(Colour) - {Colour.RED}:
            raise ValueError("names yellow and green: for red, the resident is rung up")
        return minutes


class Surge(BaseModel):
    """What an emergency level changes; red keeps its minutes at every level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: dict[Stage, dict[Colour, Minutes]] = {}
    nudge_every_minutes: dict[Colour, Minutes] = {}
    capacity_percent: Annotated[int, Field(ge=1)] | None = None
    """Of each liaison's capacity; None where the level changes nothing about it."""
    drill_every_hours: int = Field(24, ge=0)

    @field_validator("minutes")
    @classmethod
    def _spares_red(cls, minutes: dict[Stage, dict[Colour, int]]) -> dict[Stage, dict[Colour, int]]:
        if any(Colour.RED in by_colour for by_colour in minutes.values()) or not set(minutes) <= set(STAGES):
            raise ValueError(f"changes yellow and green of the stages {', '.join(STAGES)}, never red")
        return minutes


class ClockPolicy(BaseModel):
    """The content of clocks.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(min_length=1)
    minutes: dict[Stage, dict[Colour, Minutes]]
    """For each stage and colour: from receipt; `accepted` from each, `contacted` from the first assignment."""
    reminders_percent: tuple[Percent, ...] = (50, 80)
    nudge_every_minutes: dict[Colour, Minutes]
    """After a clock has run out."""
    escalate_percent: dict[Colour, int] = {Colour.RED: 100, Colour.YELLOW: 150, Colour.GREEN: 150}
    """When a level higher hears of it."""
    lead_minutes: dict[str, Minutes] = {}
    """What a need, or a category, takes before a deadline."""
    returns: Returns = Returns(per_organisation=1, in_all=2)
    supervise_percent: dict[Colour, int] = dict.fromkeys(Colour, 200)
    """When a supervision order (督办) names a leader."""
    supervision_minutes: dict[Colour, Minutes] = {Colour.RED: 30, Colour.YELLOW: 240, Colour.GREEN: 1440}
    """In which the leader owes his answer."""
    publish_percent: dict[Colour, int] = dict.fromkeys(Colour, 300)
    """When the delay stands in the public notice (通报)."""
    arbitration_minutes: dict[Colour, Minutes] = {Colour.RED: 10, Colour.YELLOW: 60, Colour.GREEN: 240}
    """In which a person decides whose a task is that was returned too often."""
    extension: Extension = Extension(percent=50, hard_minutes=21600)
    capacity_percent: int = Field(WHOLE, ge=1)
    """Of each liaison's capacity, as the directory has it."""
    drill: DrillPolicy = DrillPolicy(every_hours=168, answer_minutes=1440)
    questions: Questions = Questions(in_all=2)
    surge: tuple[Surge, ...] = ()
    """What each emergency level changes, the first level first."""
    transfers: int = Field(3, ge=0)
    """How often a task may be handed to a colleague by hand."""

    @field_validator("minutes")
    @classmethod
    def _names_all(cls, minutes: dict[Stage, dict[Colour, int]]) -> dict[Stage, dict[Colour, int]]:
        if set(minutes) != set(STAGES):
            raise ValueError(f"must name exactly the stages {', '.join(STAGES)}")
        for stage, by_colour in minutes.items():
            _all_colours(by_colour, stage)
        return minutes

    @field_validator(
        "nudge_every_minutes",
        "escalate_percent",
        "supervise_percent",
        "supervision_minutes",
        "publish_percent",
        "arbitration_minutes",
    )
    @classmethod
    def _for_all_colours(cls, values: dict[Colour, int]) -> dict[Colour, int]:
        _all_colours(values, "this")
        return values

    def at_level(self, level: int) -> "ClockPolicy":
        """The policy at an emergency level; 0 is the everyday, and a level beyond the last is the last."""
        level = min(level, len(self.surge))
        if level == 0:
            return self
        change = self.surge[level - 1]
        minutes = {stage: by_colour | change.minutes.get(stage, {}) for stage, by_colour in self.minutes.items()}
        nudges = self.nudge_every_minutes | change.nudge_every_minutes
        changed = {
            "version": f"{self.version}+surge-{level}",
            "minutes": minutes,
            "nudge_every_minutes": nudges,
            "capacity_percent": change.capacity_percent or self.capacity_percent,
            "drill": self.drill.at(change.drill_every_hours),
        }
        return self.model_copy(update=changed)

    def allowed(self, stage: Stage, colour: Colour) -> timedelta:
        """How long a stage may take where no deadline presses."""
        return timedelta(minutes=self.minutes[stage][colour])

    def lead(self, needs: Iterable[str]) -> timedelta:
        """The longest that any of these needs (or categories) takes before a deadline."""
        return timedelta(minutes=max((self.lead_minutes.get(need, 0) for need in needs), default=0))


def _all_colours(values: dict[Colour, int], what: str) -> None:
    missing = [colour.value for colour in Colour if colour not in values]
    if missing:
        raise ValueError(f"{what} has nothing for {', '.join(missing)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long each stage of one request may take, a deadline considered."""

    assigned: timedelta
    accepted: timedelta
    contacted: timedelta
    answered: timedelta


def pace(
    policy: ClockPolicy,
    colour: Colour,
    began_at: datetime,
    deadline: datetime | None,
    lead: timedelta,
    now: datetime,
) -> Pace:
    """The pace of a request whose clocks began at `began_at`; `now` is when the deadline became known.

    The answer is due at the earlier of the table and the deadline less its lead, the stages before it in the same
    proportion. Where the lead is not there any more, the deadline itself counts; one that is past moves nothing.
    """
    table = {stage: policy.allowed(stage, colour) for stage in STAGES}
    answered = table[Stage.ANSWERED]
    if deadline is not None:
        last = next((at for at in (deadline - lead, deadline) if at > max(now, began_at)), None)
        if last is not None:
            answered = min(answered, last - began_at)
    share = answered / table[Stage.ANSWERED]

    def shortened(stage: Stage) -> timedelta:
        return min(table[stage], max(table[stage] * share, SHORTEST))

    return Pace(
        assigned=shortened(Stage.ASSIGNED),
        accepted=shortened(Stage.ACCEPTED),
        contacted=shortened(Stage.CONTACTED),
        answered=answered,
    )


@dataclass(frozen=True, slots=True)
class Reminder:
    """The clock has run to `percent`."""

    percent: int


@dataclass(frozen=True, slots=True)
class Nudge:
    """The clock has run out: the `count`th nudge, of which `missed` passed unseen just before it."""

    count: int
    missed: int


@dataclass(frozen=True, slots=True)
class Escalation:
    """A level higher hears of it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A named leader has to answer for it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The delay stands in the public notice."""


Ring = Reminder | Nudge | Escalation | Order | Publication


@dataclass(slots=True, kw_only=True)
class Clock:
    """One stage's clock on one task."""

    started_at: datetime
    due_at: datetime
    watched_from: datetime
    """When this due moment became known: what passed before was missed by nobody."""
    reminded_percent: int = 0
    nudges: int = 0
    """All that the stage has had, those by hand and those missed included."""
    moments: int = 0
    """How many of the repeating moments have passed."""
    last_moment_at: datetime | None = None
    """The last of them; None where none has passed, or where it was kept before this was noted."""
    escalated: bool = False
    supervised: bool = False
    publicised: bool = False
    is_order: bool = False
    """The clock of a supervision order: what is above it is a level higher, not another order."""
    policy_version: str = ""
    """The policy under which its due moment was promised."""
    stopped_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """False once what it waited for has happened."""
        return self.stopped_at is None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it has run out."""
        return self.is_running and now >= self.due_at

    def stop(self, now: datetime) -> None:
        """What it waited for has happened."""
        if self.stopped_at is None:
            self.stopped_at = now

    def move(self, due_at: datetime, now: datetime) -> None:
        """Another due moment; one in the past becomes now."""
        self.due_at = max(due_at, min(now, self.due_at))
        self.watched_from, self.moments, self.last_moment_at = now, 0, None
        if self.due_at > now:
            self.escalated = self.supervised = self.publicised = False
            self.reminded_percent = 0

    def _at(self, percent: int) -> datetime:
        return self.started_at + (self.due_at - self.started_at) * percent / WHOLE

    def _first_nudge_at(self) -> datetime:
        return max(self.due_at, self.watched_from)

    def _next_nudge_at(self, every: timedelta) -> datetime:
        if self.last_moment_at is not None:
            return self.last_moment_at + every
        return self._first_nudge_at() + self.moments * every

    def _reminders(self, policy: ClockPolicy) -> list[tuple[datetime, int]]:
        """Those still to come; a moment before we watched reminds nobody."""
        if self.moments:
            return []
        moments = ((self._at(percent), percent) for percent in policy.reminders_percent)
        return [(at, percent) for at, percent in moments if percent > self.reminded_percent and at > self.watched_from]

    def levels(self, policy: ClockPolicy, colour: Colour) -> list[tuple[datetime, Ring]]:
        """The levels above the holder that have not heard of it yet, each with its moment."""
        found: list[tuple[datetime, Ring]] = []
        if not self.escalated:
            found.append((max(self._at(policy.escalate_percent[colour]), self.watched_from), Escalation()))
        if not self.supervised and not self.is_order:
            found.append((self._late_by(policy.supervise_percent[colour]), Order()))
        if not self.publicised and not self.is_order:
            found.append((self._late_by(policy.publish_percent[colour]), Publication()))
        return found

    def _late_by(self, percent: int) -> datetime:
        """When it is so late, counted from when somebody could have been in time."""
        span = max(self.due_at - self.started_at, SHORTEST)
        return self._first_nudge_at() + span * (percent - WHOLE) / WHOLE

    def upcoming(self, policy: ClockPolicy, colour: Colour) -> list[tuple[datetime, Ring]]:
        """The next moment of each thing that it will do; none once stopped."""
        if not self.is_running:
            return []
        every = timedelta(minutes=policy.nudge_every_minutes[colour])
        nudge = (self._next_nudge_at(every), Nudge(self.nudges + 1, 0))
        reminders = [(at, Reminder(percent)) for at, percent in self._reminders(policy)]
        return [*reminders, nudge, *self.levels(policy, colour)]

    def next_moment(self, policy: ClockPolicy, colour: Colour) -> datetime | None:
        """When it wants to be looked at again; None once stopped."""
        return min((at for at, _ in self.upcoming(policy, colour)), default=None)

    def ring(self, policy: ClockPolicy, colour: Colour, now: datetime) -> list[Ring]:
        """What is due now; a late wake rings once, and says how many nudges it missed."""
        if not self.is_running:
            return []
        rings: list[Ring] = []
        if now >= self._first_nudge_at():
            passed = self.let_pass(timedelta(minutes=policy.nudge_every_minutes[colour]), now)
            if passed:
                self.nudges += passed
                rings.append(Nudge(self.nudges, passed - 1))
        elif due := [percent for at, percent in self._reminders(policy) if at <= now]:
            self.reminded_percent = max(due)
            rings.append(Reminder(self.reminded_percent))
        return rings + [self._heard(ring) for at, ring in self.levels(policy, colour) if at <= now]

    def _heard(self, ring: Ring) -> Ring:
        match ring:
            case Escalation():
                self.escalated = True
            case Order():
                self.supervised = True
            case _:
                self.publicised = True
        return ring

    def let_pass(self, every: timedelta, now: datetime) -> int:
        """Note the repeating moments that have passed by now; how many there were since the last one noted.

        Each comes so long after the last one: another pace, of another colour or policy, counts from there.
        """
        first = self._next_nudge_at(every)
        passed = max(0, (now - first) // every + 1)
        if passed:
            self.moments += passed
            self.last_moment_at = first + (passed - 1) * every
        return passed

    def nudge_by_hand(self) -> Nudge:
        """A person urges; counted with the others."""
        self.nudges += 1
        return Nudge(self.nudges, 0)
