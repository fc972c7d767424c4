"""Followup as it really runs: on a bus, hearing its own facts, and refusing to start with a bad plan."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from pydantic import ValidationError
from sqlalchemy import event

from followup import store
from followup.app import PLAN_FILE, apply_plan, build
from followup.recount import recount
from shared.clock import TurnedClock
from shared.contracts import Event, Fact, decode, encode
from shared.contracts.operations import AlarmRaised
from shared.contracts.requests import TOPIC, RequestFact
from shared.contracts.vocabulary import AlarmKind, Colour
from shared.database import Transaction
from shared.service import Service
from tests.followup.stories import INSPECTOR, OPERATOR, Story
from tests.support.builders import START, Builder
from tests.support.eventually import eventually
from tests.support.harness import Harness, project_root, test_settings
from tests.support.postgres import PostgresServer


async def statuses(connection: Transaction) -> dict[Any, str]:
    rows = await connection.execute(sa.select(store.cases.c.request_id, store.cases.c.status))
    return {row.request_id: row.status for row in rows}


async def log_of(service: Service) -> list[Event[Fact]]:
    """Everything that was said of requests, as anybody reads it from the bus."""
    starts = dict.fromkeys(await service.bus.partitions(TOPIC), 0)
    async with service.bus.reader() as reader:
        found = [decode(delivered.record) for delivered in await reader.read(starts, 10_000)]
    return [e for e in found if e is not None and isinstance(e.fact, RequestFact)]


async def test_the_loop_closes_over_the_bus_and_the_figures_equal_the_log(postgres: PostgresServer) -> None:
    url = await postgres.fresh_database("followup")
    clock = TurnedClock(START)
    app = build(test_settings(database=url, bus=url), clock)
    service: Service = app.state.service
    harness = Harness(app, clock)
    builder = Builder()
    stories = [Story(builder).begun(Colour.RED).answered(1) for _ in range(20)]
    async with app.router.lifespan_context(app):
        await service.bus.publish([encode(e) for story in stories for e in story.events])
        clock.turn(minutes=5)
        await eventually(lambda: service.query(statuses), lambda seen: list(seen.values()) == ["answered"] * 20)
        for n, story in enumerate(stories[:15]):
            async with harness.client(story.resident) as client:
                word = {"solved": bool(n % 3), "satisfaction": n % 5 + 1}
                assert (await client.post(f"/v1/requests/{story.id}/rating", json=word)).status_code == 201
        async with harness.client(INSPECTOR) as client:
            waiting = (await client.get("/v1/visits")).json()["items"]
            assert len(waiting) == 5 + 4  # who gave no word, and who says solved with a mark of 1 or 2
        ended = await eventually(
            lambda: service.query(statuses), lambda seen: list(seen.values()).count("answered") == 5
        )
        assert sorted(ended.values()).count("closed") == 10
        async with harness.client(OPERATOR) as client:
            shown = (await client.get("/v1/figures")).json()["figures"]
        expected = recount(await log_of(service), clock.now())
        assert (shown["totals"]["confirmed"], shown["totals"]["reopened"]) == (10, 5)
        assert shown["solved"] == {
            name: getattr(expected.solved, name) for name in ("value", "n", "of", "low", "high", "gap")
        } | {"claimed": shown["solved"]["claimed"]}
        assert shown["effective_answer"]["n"] == expected.effective_answer.n == 15


async def test_the_gauge_shows_open_alarms(postgres: PostgresServer) -> None:
    url = await postgres.fresh_database("followup")
    app = build(test_settings(database=url, bus=url), TurnedClock(START))
    service: Service = app.state.service
    fact = AlarmRaised(service="triage", kind=AlarmKind.REVIEW_OVERDUE)

    async def gauge() -> float | None:
        return REGISTRY.get_sample_value("heed_alarms_open", {"kind": "review_overdue"})

    async with app.router.lifespan_context(app):
        await service.bus.publish([encode(Builder().event(fact, "x", source="triage"))])
        await eventually(gauge, lambda seen: seen == 1)


@pytest.fixture
async def own_city(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[tuple[Harness, Path]]:
    """A started service, and its plan file to be changed."""
    (tmp_path / PLAN_FILE).write_text((project_root() / "deploy/sample" / PLAN_FILE).read_text())
    async with Harness.start(build, postgres, city_dir=tmp_path) as harness:
        yield harness, tmp_path / PLAN_FILE


async def test_a_bad_plan_ends_the_start(own_city: tuple[Harness, Path]) -> None:
    harness, file = own_city
    file.write_text(file.read_text().replace("rating_window_days: 14", "rating_window_days: none"))
    with pytest.raises(ValidationError, match="rating_window_days"):
        await apply_plan(harness.service)


async def test_a_changed_plan_is_put_into_force_and_the_seed_stays(own_city: tuple[Harness, Path]) -> None:
    harness, file = own_city
    before = await harness.service.query(store.load_policy)
    file.write_text(file.read_text().replace("rating_window_days: 14", "rating_window_days: 10"))
    await apply_plan(harness.service)
    after = await harness.service.query(store.load_policy)
    assert (before.plan.rating_window.days, after.plan.rating_window.days) == (14, 10)
    assert before.seed == after.seed


@pytest.mark.parametrize("requests", [1, 60])
async def test_a_batch_takes_few_queries_however_large(postgres: PostgresServer, requests: int) -> None:
    async with Harness.start(build, postgres) as harness:
        builder, seen = Builder(), list[str]()
        stories = [Story(builder).begun(Colour.RED).answered(1) for _ in range(requests)]

        def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        engine = harness.service.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", count)
        await harness.take(*(e for story in stories for e in story.events))
        event.remove(engine, "before_cursor_execute", count)
        own = [s for s in seen if any(f" {t} " in s or f"{t}." in s for t in store.metadata.tables)]
        assert len(own) <= 11, own  # plan, lock; cases, visits, lots, cells, strata, traces, running hashes written
        assert len(seen) <= 19
