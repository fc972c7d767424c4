"""Where contributions are summed: by hour, day and month of receipt, over all, by one dimension, and by two. Pure.

A request is known to the figures by its profile: when it was received, and its value in each dimension. What it
contributes is moved by the difference (`move`), profile by profile, and later spread over the cells (`spread`): many
moves at once, so that the cells they share are written once. Pairs are kept by day and month, not by hour, and with
areas down to the village, so that there are fewer of them than requests.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from followup.figures import NOTHING, Counts, contribution
from followup.model import Case
from followup.stages import Spent, spent

TOTAL = "total"
DIMENSIONS = ("colour", "category", "organisation", "area", "channel", "hour_of_day")
"""By what figures are grouped, alone or two together; `hour_of_day` is of the receipt, UTC, `00` to `23`."""
GRID_LEVEL = 4
"""Areas are counted down to the grid, `pinghu/dushangang/huxiao/06`; micro-grids within theirs."""
VILLAGE_LEVEL = 3
"""In pairs areas are counted down to the village."""


class Profile(NamedTuple):
    """What a request is counted by; "" where it has no value (yet)."""

    at: datetime
    """The hour of receipt."""
    colour: str
    category: str
    organisation: str
    area: str
    channel: str


class Cell(NamedTuple):
    """One sum: of an hour, a day or a month of receipt, over all or over one value of one dimension or of two."""

    dimension: str
    """`total`, a dimension, or two: `colour,area`."""
    size: str
    at: datetime
    value: str
    second: str = ""


class Bucket(NamedTuple):
    """One bucket of a sketch: of an hour, a day or a month of receipt, a colour and a stage."""

    size: str
    at: datetime
    colour: str
    stage: str
    bucket: int


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    """The beginning of the day, UTC."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(at: datetime) -> datetime:
    """The beginning of the month, UTC."""
    return day_of(at).replace(day=1)


SIZES = {"hour": hour_of, "day": day_of, "month": month_of}
OF_PAIRS = ("day", "month")


def area_at(area: str, level: int) -> str:
    """The area that holds it at this level of the tree, or itself where it is no deeper."""
    return "/".join(area.split("/")[:level])


def profile_of(case: Case) -> Profile:
    """The request's profile as it is now."""
    life = case.life
    return Profile(
        hour_of(life.received_at),
        life.colour or "",
        life.category or "",
        case.organisation or "",
        area_at(life.area or "", GRID_LEVEL),
        case.channel.value,
    )


@lru_cache(maxsize=4096)
def cells_of(profile: Profile) -> tuple[Cell, ...]:
    """The cells in which requests of this profile count."""
    values = dict(zip(DIMENSIONS, (*profile[1:], f"{profile.at:%H}"), strict=True))
    begins = {size: begin(profile.at) for size, begin in SIZES.items()}
    coarse = values | {"area": area_at(profile.area, VILLAGE_LEVEL)}
    single = [(TOTAL, ""), *values.items()]
    return (
        *(Cell(name, size, at, value) for name, value in single for size, at in begins.items()),
        *(
            Cell(f"{one},{two}", size, begins[size], coarse[one], coarse[two])
            for one, two in combinations(DIMENSIONS, 2)
            for size in OF_PAIRS
        ),
    )


@dataclass(slots=True)
class Sum:
    """What requests of one profile contribute, or by how much that has changed."""

    counts: Counts = NOTHING
    spent: Counter[Spent] = field(default_factory=Counter)

    def add(self, counts: Counts, took: Iterable[Spent], sign: int = 1) -> None:
        """Add one request, or take it out with `sign` -1."""
        self.counts = self.counts.plus(counts, sign)
        for one in took:
            self.spent[one] += sign

    @property
    def is_nothing(self) -> bool:
        """True where nothing has changed."""
        return self.counts == NOTHING and not any(self.spent.values())


def move(sums: dict[Profile, Sum], before: Case | None, after: Case, now: datetime) -> None:
    """Change the sums so that they hold `after` as of `now`, where they held `before` as last counted."""
    new = profile_of(after), contribution(after, now), spent(after)
    if before is not None and before.counted_at is not None:
        old = profile_of(before), contribution(before, before.counted_at), spent(before)
        if old == new:
            return
        sums.setdefault(old[0], Sum()).add(old[1], old[2], -1)
    sums.setdefault(new[0], Sum()).add(new[1], new[2])


def spread(sums: Iterable[tuple[Profile, Sum]]) -> tuple[dict[Cell, Counts], dict[Bucket, int]]:
    """What to add to which cells and buckets, without those that stay as they are."""
    cells: dict[Cell, list[int]] = {}
    buckets: Counter[Bucket] = Counter()
    for profile, change in sums:
        changed = [(n, value) for n, value in enumerate(change.counts) if value]
        for cell in cells_of(profile) if changed else ():
            row = cells.setdefault(cell, [0] * len(NOTHING))
            for n, value in changed:
                row[n] += value
        for one, times in change.spent.items():
            for size, begin in SIZES.items():
                buckets[Bucket(size, begin(profile.at), profile.colour, *one)] += times
    kept = {cell: Counts._make(row) for cell, row in cells.items() if any(row)}
    return kept, {bucket: n for bucket, n in buckets.items() if n}


# Spans of time

OPENING = datetime(1970, 1, 1, tzinfo=UTC)
"""No request is older: figures without a beginning are since opening."""
AHEAD = timedelta(days=2)
"""Intake's clock may be a little ahead of ours."""


def horizon(now: datetime) -> datetime:
    """The end of figures without one: nothing is received later, and since opening it makes months alone."""
    return _next(month_of, day_of(now) + AHEAD)


def spans(begin: datetime, end: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """The hours, days and months that make up [begin, end), whole hours: (size, from, to) of which all are taken."""
    first, last = _next(day_of, begin), day_of(end)
    if first > last:
        yield "hour", begin, end
        return
    yield "hour", begin, first
    first_month, last_month = _next(month_of, first), month_of(last)
    if first_month > last_month:
        yield "day", first, last
    else:
        yield "day", first, first_month
        yield "month", first_month, last_month
        yield "day", last_month, last
    yield "hour", last, end


def _next(begin_of: Callable[[datetime], datetime], at: datetime) -> datetime:
    """`at` where it is the beginning of a day (a month), else the beginning of the next one."""
    begin = begin_of(at)
    return begin if begin == at else begin_of(begin + timedelta(days=1 if begin_of is day_of else 31))
