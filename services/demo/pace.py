"""The demo's clock: as fast as the city's people can follow, so that a busy machine just takes longer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from shared.clock import Clock

PLANNED_SECONDS = 200.0
"""Real time that the city's days shall take."""
LOOK_SECONDS = 0.05
SLOWEST, FASTEST = 60.0, 3000.0
FINE = timedelta(minutes=1.5)
TENSE = 150.0
"""Most while something is on its way to somebody's hands: a red one must be accepted within five minutes."""
LATE = timedelta(minutes=4)
TOO_LATE = timedelta(minutes=15)
FASTER, SLOWER = 1.6, 0.6
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


def rate_for(left: timedelta, left_seconds: float, lag: timedelta) -> float:
    """How fast to run: what is planned, faster while people follow easily, slower when they come late.

    `left` is the city's time to come and `left_seconds` the real time planned for it; `lag` is how late people are.
    """
    if lag > TOO_LATE:
        return SLOWEST
    factor = FASTER if lag < FINE else SLOWER if lag > LATE else 1.0
    return min(FASTEST, max(SLOWEST, factor * left.total_seconds() / max(left_seconds, LOOK_SECONDS)))


async def keep_pace(
    clock: PacedClock, lag: Callable[[], timedelta], is_tense: Callable[[], bool], until: datetime
) -> None:
    """Set the rate again and again, until the city's days are over and nobody is late."""
    time = asyncio.get_running_loop().time
    end = time() + PLANNED_SECONDS
    while (late := lag()) > FINE or clock.now() < until:
        rate = rate_for(max(until - clock.now(), FINE), end - time(), late)
        clock.set_rate(min(rate, TENSE) if is_tense() else rate)
        await clock.pause(LOOK_SECONDS)
