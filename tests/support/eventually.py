"""Waiting for what will come, without sleeping through it; on time-out it says what was seen last."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.clock import Clock

T = TypeVar("T")
EVERY_SECONDS = 0.02


async def eventually(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], bool] = bool, within_seconds: float = 10
) -> T:
    """Look again until it holds; what was seen then. Raises AssertionError with what was seen last."""
    clock, time = Clock(), asyncio.get_running_loop().time
    until = time() + within_seconds
    while not holds(seen := await look()):
        if time() > until:
            raise AssertionError(f"after {within_seconds} s it still is: {seen!r}")
        await clock.pause(EVERY_SECONDS)
    return seen
