"""The demo's clock: as fast as the city's people can follow, so that a busy machine just takes longer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from shared.clock import Clock

PLANNED_SECONDS = 200.0
"""Real time that the city's days shall take, on a machine that has nothing else to do."""
LOOK_SECONDS = 0.1
SLOWEST, FASTEST = 60.0, 2500.0
TENSE, TENSE_BEHIND = 200.0, 400.0
"""Most while something is on its way to somebody's hands: a red one must be accepted within five minutes."""
FINE, FINE_BEHIND = timedelta(minutes=2), timedelta(minutes=5)
"""How late people may come, as planned and behind the plan."""
BADLY = 4
"""So many times what is fine is too late."""
FASTER, SLOWER = 1.08, 0.85
LONGEST_SLEEP_SECONDS = 60.0


class PacedClock(Clock):
    """A clock whose rate may change while others sleep by it."""

    def __init__(self, rate: float, start: datetime) -> None:
        """`rate` is how many seconds pass here in one real second."""
        super().__init__(rate, start)
        self._changed = asyncio.Event()

    def set_rate(self, rate: float) -> None:
        """Run faster or slower from now on; sleepers reckon anew."""
        super().set_rate(rate)
        self._changed.set()
        self._changed = asyncio.Event()

    async def sleep_until(self, at: datetime) -> None:
        """Return once the clock shows `at` or later."""
        while (left := (at - self.now()).total_seconds() / self._rate) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left, LONGEST_SLEEP_SECONDS))


def next_rate(rate: float, lag: timedelta, *, is_tense: bool, is_behind: bool) -> float:
    """How fast to run from now on: faster while people come in time, slower where they come late.

    `is_tense` while something urgent is under way; `is_behind` where it all has taken longer than was planned.
    """
    fine = FINE_BEHIND if is_behind else FINE
    if lag > fine * BADLY:
        return SLOWEST
    most = (TENSE_BEHIND if is_behind else TENSE) if is_tense else FASTEST
    return min(most, max(SLOWEST, rate * (FASTER if lag < fine else SLOWER)))


async def keep_pace(
    clock: PacedClock, lag: Callable[[], timedelta], is_tense: Callable[[], bool], until: datetime
) -> None:
    """Set the rate again and again, until the city's days are over and nobody is late."""
    time = asyncio.get_running_loop().time
    opened_at, began = clock.now(), time()
    planned = (until - opened_at).total_seconds() / PLANNED_SECONDS
    calm = planned
    while (late := lag()) > FINE or clock.now() < until:
        is_behind = clock.now() - opened_at < timedelta(seconds=planned * (time() - began))
        calm = next_rate(calm, late, is_tense=False, is_behind=is_behind)
        clock.set_rate(next_rate(calm, late, is_tense=is_tense(), is_behind=is_behind))
        await clock.pause(LOOK_SECONDS)
