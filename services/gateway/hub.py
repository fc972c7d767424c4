"""Who waits for news of a request, in this process: woken once the batch with the news is committed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

LOOK_SECONDS = 0.5
"""How often a waiter looks by itself: another process may have taken the news, or a signal may be lost."""
T = TypeVar("T")


class Hub:
    """Wakes those who wait for a subject."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._news: set[str] = set()

    def note(self, subjects: Iterable[str]) -> None:
        """There is news of these subjects in a transaction that is not committed yet."""
        self._news.update(subjects)

    def tell(self) -> None:
        """What was noted is committed: wake those who wait for it."""
        for subject in self._news & self._waiting.keys():
            for event in self._waiting[subject]:
                event.set()
        self._news.clear()

    @contextmanager
    def listening(self, subject: str) -> Iterator[asyncio.Event]:
        """An event that is set when there is news of the subject; the listener clears it before he looks."""
        event = asyncio.Event()
        self._waiting[subject].add(event)
        try:
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]

    async def until(self, subject: str, look: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
        """What `look` finds, as soon as it finds something; None where it did not within this real time."""
        time = asyncio.get_running_loop().time
        end = time() + seconds
        with self.listening(subject) as news:
            while True:
                news.clear()
                found = await look()
                left = end - time()
                if found is not None or left <= 0:
                    return found
                await heard(news, min(left, LOOK_SECONDS))

    async def each(self, subject: str) -> AsyncIterator[None]:
        """Once now, and again whenever there may be news, for ever."""
        with self.listening(subject) as news:
            while True:
                news.clear()
                yield
                await heard(news, LOOK_SECONDS * 4)


async def heard(news: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after the time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
