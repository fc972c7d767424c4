"""Waiting for what the consumer of this process handles next."""

import asyncio
from contextlib import suppress


class Arrivals:
    """Lets somebody wait until the consumer has handled another batch."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def signal(self) -> None:
        """A batch was handled."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> None:
        """Return after the next batch, or after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
