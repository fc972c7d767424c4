"""Two replicas of dispatch on one database: a task goes to one of two who want it, and a timer fires once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import perf_counter

import pytest
import sqlalchemy as sa

from dispatch.app import build
from shared.contracts import requests as r
from shared.identity import Principal
from shared.ids import new_id
from shared.messaging.tables import timers
from tests.dispatch.stories import WITHDRAWN, Story, deputy, liaison, received, triaged
from tests.support.harness import Harness
from tests.support.harness import test_settings as settings_for_tests

ROUNDS = 15
OPEN_TIMERS = 1_000_000
DUE = 200


@pytest.fixture
async def replica(harness: Harness) -> AsyncIterator[Harness]:
    """A second process of the same service: another app, another pool, the same database."""
    url = harness.service.settings.database
    app = build(settings_for_tests(database=url, bus=url, instance="replica"), harness.clock)
    second = Harness(app, harness.clock)
    await second.service.start()
    yield second
    await second.service.stop()


async def accept(at: Harness, who: Principal, task: dict[str, object]) -> int:
    async with at.client(who) as client:
        answer = await client.post(f"/v1/tasks/{task['id']}/accept", json={"revision": task["revision"]})
    return answer.status_code


async def test_two_race_for_one_task_and_one_wins(story: Story, harness: Harness, replica: Harness) -> None:
    for _ in range(ROUNDS):
        request_id = await story.file(triaged())
        task = await story.lead(request_id)
        codes = await asyncio.gather(
            accept(harness, liaison("central-hospital"), task), accept(replica, deputy("central-hospital"), task)
        )
        assert sorted(codes) == [200, 409]
        assert len(await story.stated(request_id, r.TaskAccepted)) == 1


async def test_two_replicas_that_wake_at_once_recall_each_task_once(
    story: Story, harness: Harness, replica: Harness
) -> None:
    ids = [await story.file(triaged()) for _ in range(ROUNDS)]
    harness.clock.turn(minutes=5)
    await asyncio.gather(harness.fire_due(), replica.fire_due())
    await story.harness.turn(seconds=2)
    for request_id in ids:
        assert len(await story.stated(request_id, r.TaskRecalled)) == 1


async def fill(harness: Harness, count: int) -> None:
    """Timers of other cases, due a day later: many, as after a week of an emergency."""
    due = harness.clock.now() + timedelta(days=1)
    async with harness.service.database.transaction() as connection:
        await connection.execute(
            sa.text(
                "insert into timers (key, kind, due_at, data) select gen_random_uuid()::text, 'wake',"
                " cast(:due as timestamptz) + n * interval '1 second', '{}' from generate_series(1, :count) n"
            ),
            {"due": due, "count": count},
        )
    async with harness.service.database.transaction() as connection:
        await connection.execute(sa.text("analyze timers"))


async def fire(story: Story) -> float:
    """File some, let them all come due at once, fire: the seconds that this took; then they are withdrawn."""
    ids, now = [new_id() for _ in range(DUE)], story.harness.clock.now()
    for fact in (received(at=now), triaged()):
        await story.harness.take(*(story.builder.event(fact, request_id, time=now) for request_id in ids))
    story.harness.clock.turn(minutes=5)
    began = perf_counter()
    await story.harness.fire_due()
    took = perf_counter() - began
    left = await story.harness.rows(sa.select(timers).where(timers.c.due_at <= story.harness.clock.now()))
    assert left == []
    assert len(await story.stated(None, r.TaskRecalled)) % DUE == 0
    await story.harness.take(*(story.builder.event(WITHDRAWN, request_id, time=now) for request_id in ids))
    return took


@pytest.mark.timeout(300)
async def test_a_million_open_timers_cost_no_more_than_those_that_are_due(story: Story) -> None:
    await fire(story)
    alone = min([await fire(story) for _ in range(3)])
    await fill(story.harness, OPEN_TIMERS)
    among_many = min([await fire(story) for _ in range(3)])
    assert among_many < 1.5 * alone + 0.05, (alone, among_many)
    assert among_many < 1.0, f"{DUE} due timers took {among_many:.2f} s"
