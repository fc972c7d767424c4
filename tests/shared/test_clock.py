import asyncio
from datetime import datetime, timedelta

from shared.clock import LARGEST_SKEW_SECONDS, Clock, TurnedClock, wall_now
from tests.support.builders import START


async def test_a_turned_clock_wakes_whoever_waits_for_the_moment() -> None:
    clock = TurnedClock(START)
    waiting = asyncio.create_task(clock.sleep_until(START + timedelta(hours=1)))
    await clock.pause(0)
    clock.turn(minutes=59)
    await clock.pause(0)
    assert not waiting.done()
    clock.turn(minutes=1)
    await waiting
    assert clock.now() == START + timedelta(hours=1)


async def test_a_fast_clock_runs_fast_and_keeps_its_own_time() -> None:
    clock = Clock(rate=3600, start=START)
    await clock.sleep_until(START + timedelta(minutes=1))
    assert clock.now() >= START + timedelta(minutes=1)
    clock.synchronise(wall_now())
    assert clock.now() < START + timedelta(days=1)


def test_a_clock_follows_the_database() -> None:
    clock = Clock()
    clock.synchronise(START)
    assert START <= clock.now() < START + timedelta(seconds=5)


def test_a_clock_that_disagrees_with_the_database_is_not_trusted() -> None:
    clock = Clock()
    clock.synchronise(wall_now())
    assert clock.is_trustworthy
    clock.synchronise(wall_now() + timedelta(seconds=LARGEST_SKEW_SECONDS + 1))
    assert not clock.is_trustworthy


def test_a_changed_rate_does_not_jump() -> None:
    clock = Clock(start=START)
    clock.set_rate(1000)
    assert clock.now() < START + timedelta(minutes=5)


def test_it_shows_utc_whatever_zone_it_was_started_in() -> None:
    """Hours and days of receipt are cut from it."""
    now = Clock(start=datetime.fromisoformat("2022-10-26T03:30:00+08:00")).now()
    assert (now.hour, now.utcoffset()) == (19, timedelta(0))
