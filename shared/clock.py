"""Time: the only caller of the machine's clock and of asyncio.sleep. Everybody else gets `now` as an argument."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

LONGEST_SLEEP_SECONDS = 60.0
LARGEST_SKEW_SECONDS = 2.0


class Clock:
    """The process's monotonic clock plus its offset to the database; may run fast for a demonstration.

    A fast clock never touches signatures, tokens and ids: those take real time.
    """

    def __init__(self, rate: float = 1.0, start: datetime | None = None, wrong_by: float = 0.0) -> None:
        """`rate` is how many seconds pass here in one real second; `start` is what it shows now (default: the time).

        `wrong_by` so many seconds the machine's clock is taken to be, to see what comes of it.
        """
        self._rate, self._wrong_by = rate, timedelta(seconds=wrong_by)
        self._set(start or datetime.now(UTC))
        self.skew_seconds = 0.0
        """How far the machine's clock is from the database's."""

    def _set(self, at: datetime) -> None:
        self._base, self._since = at.astimezone(UTC), time.monotonic()

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return self._base + timedelta(seconds=(time.monotonic() - self._since) * self._rate)

    @property
    def is_trustworthy(self) -> bool:
        """False where machine and database disagree so much that no timer may fire."""
        return abs(self.skew_seconds) <= LARGEST_SKEW_SECONDS

    def synchronise(self, database_now: datetime) -> None:
        """Follow the database's clock, so that all processes of a service agree. A fast clock keeps its own time."""
        if self._rate == 1.0:
            self.skew_seconds = (datetime.now(UTC) + self._wrong_by - database_now).total_seconds()
            self._set(database_now)

    def set_rate(self, rate: float) -> None:
        """Run faster or slower from now on."""
        self._set(self.now())
        self._rate = rate

    async def sleep_until(self, at: datetime) -> None:
        """Return once the clock shows `at` or later."""
        while (left := (at - self.now()).total_seconds() / self._rate) > 0:  # noqa: ASYNC110 this is what sleeping is made of
            await asyncio.sleep(min(left, LONGEST_SLEEP_SECONDS))

    async def pause(self, seconds: float) -> None:
        """Let real seconds pass: for back-off and polling, whatever the clock's rate."""
        await asyncio.sleep(seconds)


class TurnedClock(Clock):
    """A clock that stands still until it is turned by hand."""

    def __init__(self, at: datetime) -> None:
        """`at` is what it shows, aware."""
        super().__init__()
        self._at = at
        self._turned = asyncio.Event()

    def now(self) -> datetime:
        """What it was last turned to."""
        return self._at

    def synchronise(self, database_now: datetime) -> None:
        """A turned clock follows nobody."""

    def turn(self, to: datetime | None = None, **by: float) -> None:
        """Turn to a moment, or forward by timedelta's keywords; whoever sleeps until then wakes."""
        self._at = to or self._at + timedelta(**by)
        self._turned.set()
        self._turned = asyncio.Event()

    async def sleep_until(self, at: datetime) -> None:
        """Return once the clock has been turned to `at` or later."""
        while self._at < at:
            await self._turned.wait()


def wall_now() -> datetime:
    """Real time, for signatures and tokens only; aware and in UTC."""
    return datetime.now(UTC)
