"""The clock runs as planned, and slower where people come late."""

import asyncio
from datetime import timedelta

import pytest

from services.demo.pace import FASTEST, SLOWEST, PacedClock, rate_for
from services.demo.script import OPENING

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("lag_minutes", "slowest", "fastest"),
    [(0, 1001, FASTEST), (2, 1000, 1000), (6, SLOWEST, 999), (60, SLOWEST, SLOWEST)],
)
def test_the_later_people_are_the_slower_it_runs(lag_minutes: float, slowest: float, fastest: float) -> None:
    rate = rate_for(10 * HOUR, 36, timedelta(minutes=lag_minutes))
    assert slowest <= rate <= fastest


def test_time_that_was_lost_is_made_up_for() -> None:
    assert rate_for(10 * HOUR, 30, timedelta(minutes=2)) > rate_for(10 * HOUR, 36, timedelta(minutes=2))


def test_no_time_left_is_no_reason_to_stop() -> None:
    assert SLOWEST <= rate_for(HOUR, -5, timedelta()) <= FASTEST


async def test_a_sleeper_wakes_in_time_when_the_clock_begins_to_run_faster() -> None:
    clock = PacedClock(0.001, OPENING)
    sleeping = asyncio.create_task(clock.sleep_until(OPENING + HOUR))
    await asyncio.wait([sleeping], timeout=0.01)
    assert not sleeping.done()
    clock.set_rate(10_000_000)
    await asyncio.wait_for(sleeping, 5)
    assert clock.now() >= OPENING + HOUR
