"""The bulletin as data: the figures of all requests since opening as of a moment, ready to be shown. Pure.

It is made from tallies, which come either from the sums kept incrementally (as of now) or from a recount of the log
(as of any moment before).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from followup.cells import DIMENSIONS, GRID_LEVEL, area_at, hour_of
from followup.definitions import VERSION
from followup.figures import NOTHING, Counts, Figures, figures, sentence, total
from followup.recount import Row, grouped, sketches
from followup.stages import StageTimes, by_stage
from shared.areas import upwards
from shared.contracts import requests as r
from shared.contracts.directory import Named
from shared.contracts.envelope import Event, Fact
from shared.contracts.vocabulary import Colour, Decider, Language, RejectionReason
from shared.rates import Rate, rate

HOURS = 72
"""How many hours of arrivals are shown, the last ones."""
LINES = 20
"""How many areas and organisations are shown, those with the most requests."""
NAMED = ("area", "organisation")
"""The dimensions whose values the directory names."""
EXCLUSIONS = 20
OPEN = ("received", "triaged", "assigned", "accepted", "answered", "disputed")

COLOURS = ("", *(colour.value for colour in (Colour.GREEN, Colour.YELLOW, Colour.RED)))


class Source(StrEnum):
    """Where the figures come from."""

    KEPT = "kept"
    RECOUNTED = "recounted"


@dataclass(frozen=True, slots=True)
class Tallies:
    """The sums that a bulletin is made of: all, by hour and colour, by value of each dimension, and the sketches."""

    whole: Counts
    hours: Mapping[tuple[str, str], Counts]
    """By the hour of receipt (ISO 8601, UTC) and colour."""
    groups: Mapping[str, Mapping[str, Counts]]
    sketches: Mapping[tuple[str, str], Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """An hour: how many requests were received, by colour, and how many of them are still open."""

    hour: datetime
    received: dict[str, int]
    still_open: int


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a dimension; `value` is null for those without one."""

    value: str | None
    received: int
    still_open: int
    effective_answer: Rate
    on_time: Rate


@dataclass(frozen=True, slots=True)
class Excluded:
    """A rejected request: why, and on whose word."""

    request_id: UUID
    rejected_at: datetime
    reason: RejectionReason
    decided_by: Decider
    approved_by: str | None


@dataclass(frozen=True, slots=True)
class Bulletin:
    """The figures since opening as of a moment; a request's status and figures are those it had then."""

    at: datetime
    source: Source
    formulas_version: str
    sentence: dict[str, str]
    figures: Figures
    stages: dict[str, dict[str, StageTimes]]
    standing: dict[str, int]
    """How many requests are in each status: they add up to those received."""
    backlog: dict[str, dict[str, int]]
    """Open requests by colour, then by status."""
    arrivals: list[Arrivals]
    groups: dict[str, list[Line]]
    """By dimension, the values with the most requests first; hours of the day in their order."""
    left_out: dict[str, int]
    """By dimension, how many values are not shown."""
    exclusions: list[Excluded]
    """The last rejected requests."""
    alarms: dict[str, int] | None
    """Open alarms of all services by kind; null as of an earlier moment, since the log of requests does not say."""
    names: Mapping[str, Named] = field(default_factory=dict)
    """Of the organisations and areas that are shown, and of the areas above those; as they are called now."""

    @property
    def ids(self) -> set[str]:
        """The organisations and areas whose names are wanted."""
        values = [line.value for name in NAMED for line in self.groups[name] if line.value]
        return {step for value in values for step in upwards(value)}


def make(
    tallies: Tallies, at: datetime, source: Source, exclusions: Sequence[Excluded], alarms: dict[str, int] | None
) -> Bulletin:
    """The bulletin of these tallies."""
    shown, whole = figures(tallies.whole), tallies.whole
    endings = {name: getattr(whole, name) for name in ("closed", "rejected", "merged", "withdrawn")}
    groups = {dimension: _levelled(dimension, tallies.groups.get(dimension, {})) for dimension in DIMENSIONS}
    return Bulletin(
        at=at,
        source=source,
        formulas_version=VERSION,
        sentence={lang.value: sentence(shown, lang) for lang in Language},
        figures=shown,
        stages=by_stage(tallies.sketches),
        standing={name: getattr(whole, f"at_{name}") for name in OPEN} | endings,
        backlog={
            colour: {name: getattr(counts, f"at_{name}") for name in OPEN}
            for colour, counts in sorted(
                groups["colour"].items(), key=lambda item: COLOURS.index(item[0]), reverse=True
            )
            if counts.open
        },
        arrivals=_arrivals(tallies.hours, at),
        groups={dimension: _lines(dimension, found) for dimension, found in groups.items()},
        left_out={dimension: len(found) - LINES for dimension, found in groups.items() if len(found) > LINES},
        exclusions=list(exclusions),
        alarms=alarms,
    )


def _levelled(dimension: str, found: Mapping[str, Counts]) -> Mapping[str, Counts]:
    """The sums; areas at the deepest level of the tree that has no more of them than are shown."""
    level = GRID_LEVEL
    while dimension == "area" and len(found) > LINES and level > 1:
        level -= 1
        coarser: dict[str, list[Counts]] = defaultdict(list)
        for area, counts in found.items():
            coarser[area_at(area, level)].append(counts)
        found = {area: total(counts) for area, counts in coarser.items()}
    return found


def _lines(dimension: str, found: Mapping[str, Counts]) -> list[Line]:
    in_order = sorted(found.items()) if dimension == "hour_of_day" else sorted(found.items(), key=_most_first)
    return [
        Line(value or None, n.received, n.open, rate(n.effective, n.due), rate(n.on_time, n.due))
        for value, n in in_order[: max(LINES, 24 if dimension == "hour_of_day" else 0)]
    ]


def _most_first(item: tuple[str, Counts]) -> tuple[int, str]:
    return -item[1].received, item[0]


def _arrivals(hours: Mapping[tuple[str, str], Counts], at: datetime) -> list[Arrivals]:
    """The last hours until `at`, those without a request included, from the first request on."""
    by_hour: dict[datetime, dict[str, Counts]] = defaultdict(dict)
    for (hour, colour), counts in hours.items():
        by_hour[datetime.fromisoformat(hour)][colour] = counts
    last = max([hour_of(at), *by_hour])
    first = max(min(by_hour, default=last), last - timedelta(hours=HOURS - 1))
    shown = []
    for n in range(int((last - first) / timedelta(hours=1)) + 1):
        found = by_hour.get(first + timedelta(hours=n), {})
        received = {colour or "untriaged": found.get(colour, NOTHING).received for colour in COLOURS}
        still_open = sum(counts.open for counts in found.values())
        shown.append(Arrivals(first + timedelta(hours=n), received, still_open))
    return shown


# As of an earlier moment, from the log


def until(events: Iterable[Event[Fact]], at: datetime) -> list[Event[Fact]]:
    """The events of each history up to and with `at`; a fact's time is the later of its own and the one before."""
    latest: dict[str, datetime] = {}
    kept = []
    for event in events:
        latest[event.subject] = max(event.time, latest.get(event.subject, event.time))
        if latest[event.subject] <= at:
            kept.append(event)
    return kept


def tallies_of(rows: Sequence[Row]) -> Tallies:
    """The tallies of a recount."""
    hours: dict[tuple[str, str], list[Counts]] = defaultdict(list)
    for row in rows:
        hours[hour_of(row.received_at).isoformat(), row.values["colour"]].append(row.counts)
    return Tallies(
        whole=total(row.counts for row in rows),
        hours={key: total(counts) for key, counts in hours.items()},
        groups={name: {value: n for (value,), n in grouped(rows, name).items()} for name in DIMENSIONS},
        sketches=sketches(rows),
    )


def excluded(events: Iterable[Event[Fact]]) -> list[Excluded]:
    """The last rejected requests in the log."""
    found = {
        event.subject: Excluded(
            UUID(event.subject), event.time, event.fact.reason, event.fact.decided_by, event.fact.approved_by
        )
        for event in events
        if isinstance(event.fact, r.RequestRejected)
    }
    return sorted(found.values(), key=lambda one: (one.rejected_at, one.request_id))[: -EXCLUSIONS - 1 : -1]
