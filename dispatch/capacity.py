"""How many people a load takes: a run in figures, a ladder of runs, and the answer with its chart. Pure.

Enough is a number of liaisons with which the wanted share of all requests is answered in time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

from dispatch.clocks import ClockPolicy
from dispatch.scenario import BEGINS, Scenario, ladder
from dispatch.simulation import Handled, Ran, Simulation
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour

HOUR = timedelta(hours=1)
MOST_LIAISONS = 2000
A_THIRD = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of a run, in figures."""

    scenario: Scenario
    requests: int
    answered: int
    """By the hour in which the last of them came."""
    on_time: int
    open_at_end: int
    p90_minutes: dict[Colour, float | None]
    """Time to the answer that nine of ten had; None where fewer than that were answered."""
    nudges: int
    recalled: int
    ordered: int
    publicised: int
    backlog: tuple[int, ...]
    """Requests that were open at the end of each hour."""
    worst: str
    """The organisation with most requests unanswered, or answered last."""
    cut_short: bool
    """Stopped before its end, since too many were late already: how many would be in time at the end is not known."""
    gave_up: bool
    """Stopped before all had come."""
    breaks_at_hour: int | None
    """The first hour from which on more than a tenth of what came is late, if it ever is."""

    @property
    def liaisons(self) -> int:
        """On duty at any moment."""
        return self.scenario.liaisons

    @property
    def answered_share(self) -> float:
        """Answered by the hour in which the last of them came, of all."""
        return self.answered / self.requests if self.requests else 1.0

    @property
    def on_time_share(self) -> float:
        """Answered in time, of all that came."""
        return self.on_time / self.requests if self.requests else 1.0

    def is_enough(self, wanted: float) -> bool:
        """Whether so many liaisons do."""
        return not self.cut_short and self.on_time_share >= wanted


def figures(ran: Ran) -> Row:
    """A run in figures."""
    done = [one for one in ran.requests if one.answered_at is not None]
    all_came_at = BEGINS + ran.scenario.hours * HOUR
    late = [one for one in ran.requests if _is_late(one, ran.until)]
    return Row(
        scenario=ran.scenario,
        requests=len(ran.requests),
        answered=sum(one.answered_at is not None and one.answered_at <= all_came_at for one in done),
        on_time=sum(_in_time(one) for one in ran.requests),
        open_at_end=len(ran.requests) - len(done),
        p90_minutes={colour: _p90(ran.requests, colour) for colour in Colour},
        nudges=ran.facts[r.TaskNudged],
        recalled=ran.facts[r.TaskRecalled],
        ordered=ran.facts[w.TaskSupervised],
        publicised=ran.facts[w.DelayPublicised],
        backlog=tuple(_backlog(ran)),
        worst=Counter(one.organisation for one in late).most_common(1)[0][0] if late else "–",
        cut_short=ran.cut_short,
        gave_up=ran.gave_up,
        breaks_at_hour=_breaks_at(ran),
    )


def _in_time(one: Handled) -> bool:
    return one.answered_at is not None and one.due_at is not None and one.answered_at <= one.due_at


def _is_late(one: Handled, until: datetime) -> bool:
    """Not answered in time, and due by then."""
    return not _in_time(one) and one.due_at is not None and (one.answered_at is not None or one.due_at <= until)


def _p90(requests: Sequence[Handled], colour: Colour) -> float | None:
    asked = [one for one in requests if one.colour is colour]
    took = sorted((one.answered_at - one.arrived_at) / timedelta(minutes=1) for one in asked if one.answered_at)
    at = -(-len(asked) * 9 // 10) - 1
    return round(took[at], 1) if 0 <= at < len(took) else None


def _backlog(ran: Ran) -> Iterator[int]:
    changes: Counter[int] = Counter()
    for one in ran.requests:
        changes[_hour(one.arrived_at)] += 1
        if one.answered_at is not None:
            changes[_hour(one.answered_at)] -= 1
    still_open = 0
    for hour in range(_hour(ran.until)):
        still_open += changes[hour]
        yield still_open


def _hour(at: datetime) -> int:
    return int((at - BEGINS) // HOUR)


def _breaks_at(ran: Ran) -> int | None:
    came: Counter[int] = Counter()
    late: Counter[int] = Counter()
    for one in ran.requests:
        came[_hour(one.arrived_at)] += 1
        late[_hour(one.arrived_at)] += _is_late(one, ran.until)
    return next((hour for hour in sorted(came) if came[hour] >= 10 and late[hour] > came[hour] / 10), None)


def try_out(scenario: Scenario, clocks: ClockPolicy, late_allowed: float = inf, *, till_all_came: bool = False) -> Row:
    """One run, in figures."""
    return figures(Simulation(scenario, clocks).run(late_allowed, till_all_came=till_all_came))


def find_enough(
    scenario: Scenario, clocks: ClockPolicy, wanted: float, may_go_on: Callable[[], bool] = lambda: True
) -> Iterator[Row]:
    """Runs with more and more liaisons until enough, then between the last two; the rows as they come.

    `may_go_on` is asked before each refinement: what is known by then is the answer. A run ends when too many are late,
    the first one not before all have come.
    """
    late_allowed = (1 - wanted) * scenario.requests
    low: Row | None = None
    high: Row | None = None
    for count in ladder(scenario.liaisons, scenario.offered, MOST_LIAISONS):
        row = try_out(scenario.with_liaisons(count), clocks, late_allowed, till_all_came=low is None)
        yield row
        if row.is_enough(wanted):
            high = row
            break
        low = row
    while low is not None and high is not None and high.liaisons - low.liaisons > 1 and may_go_on():
        row = try_out(scenario.with_liaisons((low.liaisons + high.liaisons) // 2), clocks, late_allowed)
        yield row
        low, high = (low, row) if row.is_enough(wanted) else (row, high)


def with_a_third_silent(
    enough: Row, clocks: ClockPolicy, wanted: float, may_go_on: Callable[[], bool] = lambda: True
) -> Iterator[Row]:
    """The same search where a third of the liaisons never act, from so many on as were enough before."""
    if may_go_on():
        for row in find_enough(replace(enough.scenario, silent=A_THIRD), clocks, wanted, may_go_on):
            yield row
            if not may_go_on():
                break


def enough_of(rows: Sequence[Row], wanted: float) -> Row | None:
    """The fewest liaisons that were enough."""
    return min((row for row in rows if row.is_enough(wanted)), key=lambda row: row.liaisons, default=None)
