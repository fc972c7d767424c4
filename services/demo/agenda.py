"""What the simulated people mean to do, and when by the city's clock; done a few at a time."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count

from shared.clock import Clock

Deed = Callable[[], Awaitable[object]]
HANDS = 8
"""Most deeds at once: simulated people must not hammer the system."""


class Agenda:
    """Deeds in the order of their time."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is the city's."""
        self._clock = clock
        self._planned: list[tuple[datetime, int, Deed]] = []
        self._numbers = count()
        self._sooner = asyncio.Event()
        self._hands = asyncio.Semaphore(HANDS)
        self._at_work: list[datetime] = []

    def plan(self, at: datetime, deed: Deed) -> None:
        """Do this at that time, at once where it has passed."""
        heapq.heappush(self._planned, (at, next(self._numbers), deed))
        self._sooner.set()

    def lag(self) -> timedelta:
        """How late people are: since when the earliest deed that is not done is due."""
        undone = [*self._at_work, *(at for at, _, _ in self._planned[:1])]
        return max(self._clock.now() - min(undone), timedelta()) if undone else timedelta()

    async def run(self) -> None:
        """Do what is planned, for ever; ends only when cancelled, or when a deed raises."""
        async with asyncio.TaskGroup() as people:
            while True:
                self._sooner.clear()
                if self._planned and self._planned[0][0] <= self._clock.now():
                    await self._hands.acquire()
                    at, _, deed = heapq.heappop(self._planned)
                    self._at_work.append(at)
                    people.create_task(self._do(at, deed))
                else:
                    await self._next()

    async def _do(self, at: datetime, deed: Deed) -> None:
        try:
            await deed()
        finally:
            self._at_work.remove(at)
            self._hands.release()

    async def _next(self) -> None:
        """Until the first deed is due, or an earlier one is planned."""
        waiting: list[asyncio.Future[object]] = [asyncio.ensure_future(self._sooner.wait())]
        if self._planned:
            waiting.append(asyncio.ensure_future(self._clock.sleep_until(self._planned[0][0])))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiting:
                waiter.cancel()
