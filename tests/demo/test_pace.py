"""The clock runs as planned, and slower where people come late."""

import asyncio
from datetime import timedelta

import pytest

from services.demo.pace import FASTEST, SLOWEST, TENSE, PacedClock, next_rate
from services.demo.script import OPENING

HOUR = timedelta(hours=1)
RED_MUST_BE_ACCEPTED_REAL_SECONDS = 1.5


@pytest.mark.parametrize(
    ("lag_minutes", "slowest", "fastest"),
    [(0, 1001, FASTEST), (3, SLOWEST, 999), (60, SLOWEST, SLOWEST)],
)
def test_the_later_people_are_the_slower_it_runs(lag_minutes: float, slowest: float, fastest: float) -> None:
    rate = next_rate(1000, timedelta(minutes=lag_minutes), is_tense=False, is_behind=False)
    assert slowest <= rate <= fastest


def test_it_is_never_so_fast_that_nothing_urgent_could_be_done_in_time() -> None:
    assert next_rate(FASTEST, timedelta(), is_tense=True, is_behind=False) == TENSE
    assert TENSE * RED_MUST_BE_ACCEPTED_REAL_SECONDS <= 5 * 60


def test_behind_the_plan_more_lateness_is_borne() -> None:
    late = timedelta(minutes=3)
    assert next_rate(500, late, is_tense=False, is_behind=True) > 500
    assert next_rate(500, late, is_tense=False, is_behind=False) < 500


async def test_a_sleeper_wakes_in_time_when_the_clock_begins_to_run_faster() -> None:
    clock = PacedClock(0.001, OPENING)
    sleeping = asyncio.create_task(clock.sleep_until(OPENING + HOUR))
    await asyncio.wait([sleeping], timeout=0.01)
    assert not sleeping.done()
    clock.set_rate(10_000_000)
    await asyncio.wait_for(sleeping, 5)
    assert clock.now() >= OPENING + HOUR
