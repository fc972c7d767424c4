"""People do what they planned in the order of its time, and only a few things at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

from services.demo.agenda import HANDS, Agenda
from services.demo.script import OPENING
from shared.clock import TurnedClock
from tests.support.eventually import eventually


@asynccontextmanager
async def running(agenda: Agenda) -> AsyncIterator[None]:
    task = asyncio.create_task(agenda.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def deed(done: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        done.append(name)

    return do


async def names(done: list[str]) -> list[str]:
    return list(done)


async def test_deeds_are_done_when_their_time_comes_and_in_its_order() -> None:
    clock, done = TurnedClock(OPENING), list[str]()
    agenda = Agenda(clock)
    agenda.plan(OPENING + timedelta(minutes=20), deed(done, "later"))
    async with running(agenda):
        agenda.plan(OPENING + timedelta(minutes=10), deed(done, "sooner"))
        agenda.plan(OPENING - timedelta(minutes=10), deed(done, "overdue"))
        await eventually(partial(names, done), lambda seen: seen == ["overdue"])
        clock.turn(minutes=10)
        await eventually(partial(names, done), lambda seen: seen == ["overdue", "sooner"])
        clock.turn(minutes=10)
        await eventually(partial(names, done), lambda seen: seen == ["overdue", "sooner", "later"])


async def test_no_more_is_done_at_once_than_there_are_hands() -> None:
    agenda = Agenda(TurnedClock(OPENING))
    at_work, let_go = list[str](), asyncio.Event()

    async def work() -> None:
        at_work.append("one")
        await let_go.wait()

    for _ in range(HANDS * 2):
        agenda.plan(OPENING, work)
    async with running(agenda):
        await eventually(partial(names, at_work), lambda seen: len(seen) == HANDS)
        let_go.set()
        await eventually(partial(names, at_work), lambda seen: len(seen) == HANDS * 2)
