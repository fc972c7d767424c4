"""What is simulated: a made-up city, its staff, and who asks for what when. Seeded, so that every run is the same.

All figures here are assumptions that a city should replace by its own; the Zhengzhou scenario takes two from a report:
5,014 requests in two days, of which a quarter were solved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random
from typing import TypeVar

from dispatch.city import Area, City, Level, Liaison, Name, Organisation, Post, Shift
from dispatch.routing import RoutingPolicy, Rule, Serves
from shared.contracts.vocabulary import Category, Colour

T = TypeVar("T")
AREA = "town"
BACKSTOP = "duty-office"
BEGINS = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
HOURS_OF_DAY = (2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 8, 8, 9, 9, 8, 8, 9, 9, 7, 5, 4, 3)
"""How arrivals spread over a day: few at night, most in the morning."""
SHARES = {
    Category.FOOD_SUPPLIES: 28,
    Category.MEDICAL: 18,
    Category.MEDICINE: 14,
    Category.QUARANTINE_POLICY: 14,
    Category.TRANSPORT: 10,
    Category.RESCUE: 6,
    Category.UTILITIES_PROPERTY: 6,
    Category.ELDERLY_CHILD_CARE: 4,
}
"""Percent of requests, each category with an organisation of its own."""
COLOURS = {Colour.RED: 12, Colour.YELLOW: 38, Colour.GREEN: 50}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One world to be tried."""

    name: str
    requests: int
    hours: int
    """Over which they arrive."""
    run_on_hours: int = 72
    """How long it goes on after the last of them: until the last promise is due, that nothing is judged too early."""
    liaisons: int
    """On duty at any moment, over all organisations."""
    silent: float = 0.03
    """The share of liaisons who never act."""
    household: float = 0.15
    """The share of requests that bring another of the same household within minutes."""
    burst_hour: int | None = None
    """An hour into which a fifth of all requests falls."""
    disputed: float = 0.05
    """The share of answers that do not stand."""
    work_minutes: float = 20
    """What one request takes of one person, on average."""
    seed: int = 1
    reported: float | None = None
    """The share that was solved where it happened, as reported."""

    @property
    def offered(self) -> int:
        """How many people the work itself would keep busy from the first to the last request."""
        return ceil(self.requests * self.work_minutes / 60 / self.hours)

    def at_load(self, times: float) -> "Scenario":
        """The same with so many times the requests."""
        same = self.reported if times == 1 else None
        return replace(self, requests=round(self.requests * times), reported=same)

    def with_liaisons(self, count: int) -> "Scenario":
        """The same with so many liaisons on duty."""
        return replace(self, liaisons=count)


LOCKDOWN = Scenario(name="lockdown", requests=333, hours=60, liaisons=12)
ZHENGZHOU = Scenario(
    name="zhengzhou",
    requests=5014,
    hours=48,
    liaisons=9,
    silent=0.1,
    burst_hour=9,
    household=0.25,
    reported=0.25,
)
SCENARIOS = {scenario.name: scenario for scenario in (LOCKDOWN, ZHENGZHOU)}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request to come."""

    at: datetime
    category: Category
    colour: Colour
    household: str
    effort: float = 1
    """What it takes, as a multiple of the average."""
    doubt: float = 1
    """Below the share of answers that do not stand, its first answer is one of them."""


def organisation_of(category: Category) -> str:
    """Whose such requests are."""
    return f"{category.value.replace('_', '-')}-team"


def make_city(scenario: Scenario) -> City:
    """Organisations with liaisons by their share, each in two shifts, with a deputy and a supervisor."""
    staffed = {organisation_of(category): count for category, count in _spread(scenario.liaisons).items()}
    organisations, liaisons, shifts = [], [], []
    for category in (*SHARES, None):
        name = BACKSTOP if category is None else organisation_of(category)
        organisations.append(
            Organisation(
                id=name,
                name=Name(zh=name, en=name),
                services=(category,) if category else (Category.OTHER,),
                supervisor=f"{name}.supervisor",
            )
        )
        for post, n, shift in _posts(staffed.get(name, 1)):
            person = f"{name}.{post.value}{n}{shift}" if post is Post.LIAISON else f"{name}.{post.value}"
            liaisons.append(
                Liaison(id=person, organisation=name, post=post, name=Name(zh=person, en=person), phone="0000")
            )
            if post is Post.LIAISON:
                begins, ends = ("08:00", "20:00") if shift == "d" else ("20:00", "08:00")
                shifts.append(Shift.model_validate({"liaison": person, "days": "daily", "from": begins, "to": ends}))
    area = Area(id=AREA, level=Level.CITY, name=Name(zh=AREA, en=AREA))
    return City("UTC", organisations, liaisons, shifts, [area])


def _posts(liaisons: int) -> Iterator[tuple[Post, int, str]]:
    for n in range(liaisons):
        yield Post.LIAISON, n, "d"
        yield Post.LIAISON, n, "n"
    yield Post.DEPUTY, 0, ""
    yield Post.SUPERVISOR, 0, ""


def _spread(liaisons: int) -> dict[Category, int]:
    """So many people over the organisations by their share, at least one each."""
    exact = {category: liaisons * share / 100 for category, share in SHARES.items()}
    counts = {category: max(1, int(share)) for category, share in exact.items()}
    by_rest = sorted(exact, key=lambda category: counts[category] - exact[category])
    for category in by_rest[: max(0, liaisons - sum(counts.values()))]:
        counts[category] += 1
    return counts


def make_routing() -> RoutingPolicy:
    """Each category to the organisation that serves it."""
    rule = Rule(id="serving", organisation=Serves(serves="category", nearest=True))
    return RoutingPolicy(version="simulated", rules=(rule,), backstop=BACKSTOP)


def arrivals(scenario: Scenario) -> list[Arrival]:
    """All requests, in the order in which they come."""
    chance = Random(scenario.seed)
    weights = [HOURS_OF_DAY[hour % len(HOURS_OF_DAY)] for hour in range(scenario.hours)]
    found: list[Arrival] = []
    for n in range(scenario.requests):
        if found and chance.random() < scenario.household:
            before = chance.choice(found[-5:])
            at = before.at + timedelta(minutes=chance.uniform(1, 10))
            found.append(another(before, at))
            continue
        hour = chance.choices(range(scenario.hours), weights)[0]
        if scenario.burst_hour is not None and chance.random() < 0.2:
            hour = scenario.burst_hour
        at = BEGINS + timedelta(hours=hour, minutes=chance.uniform(0, 60))
        luck = chance.expovariate(1), chance.random()
        found.append(Arrival(at, _pick(chance, SHARES), _pick(chance, COLOURS), f"household-{n}", *luck))
    return sorted(found, key=lambda arrival: arrival.at)


def another(before: Arrival, at: datetime) -> Arrival:
    """Another request of the same household about the same."""
    return replace(before, at=at)


def _pick(chance: Random, weights: dict[T, int]) -> T:
    return chance.choices(list(weights), list(weights.values()))[0]


def ladder(begin: int, least: int, end: int) -> Sequence[int]:
    """Numbers of liaisons to try: the first, `least` where that is more, then each about half again as many."""
    steps = [begin]
    while steps[-1] < end:
        steps.append(max(steps[-1] + 1, round(steps[-1] * 1.5), least))
    return steps
