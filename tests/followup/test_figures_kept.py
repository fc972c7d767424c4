"""Figures on a real database: whatever the batches and redeliveries, they are those of a recount; and their doors."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from followup import figure_store
from followup.app import build
from followup.cells import DIMENSIONS, day_of
from followup.definitions import DEFINITIONS, VERSION
from followup.figures import RATES, total
from followup.plan import Plan
from followup.recount import grouped, rows, sketches
from followup.store import CASE
from shared.clock import TurnedClock
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.vocabulary import Channel, Colour, Decider, DisputeReason, Outcome, RejectionReason, Role
from shared.contracts.vocabulary import WithdrawalReason as Why
from shared.database import Database, migrate
from shared.identity import Kind, Principal
from shared.service import FLOOR_MIGRATIONS
from tests.followup.stories import INSPECTOR, OPERATOR, Story, minutes
from tests.support.builders import START, Builder
from tests.support.harness import Harness, project_root, test_settings
from tests.support.postgres import PostgresServer

BEGIN, END = datetime(1970, 1, 1, tzinfo=UTC), day_of(START) + timedelta(days=400)
AREAS = ("pinghu/dushangang/huxiao/06/2", "pinghu/dushangang/huxiao/07", "pinghu/dushangang/jufu/01", None)
REJECTED = r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON, approved_by="operator-7")


def live(story: Story, chance: Random) -> None:
    """One more fact of the story, by chance."""
    steps = (
        lambda: story.triaged(chance.choice(list(Colour))),
        lambda: story.assigned(chance.choice(("central-hospital", "town-office"))),
        story.accepted,
        story.contacted,
        lambda: story.nudged(missed=chance.randrange(2)),
        story.supervised,
        lambda: story.returned(role=chance.choice(list(Role))),
        story.answered,
        lambda: story.add(r.RequestRated(solved=chance.random() < 0.8, satisfaction=chance.randint(1, 5))),
        lambda: story.add(r.RequestDisputed(reason=chance.choice(list(DisputeReason)))),
        lambda: story.add(r.RequestClosed(outcome=chance.choice(list(Outcome)))),
        lambda: story.add(REJECTED),
        lambda: story.add(r.RequestWithdrawn(reason=Why.UNSTATED)),
    )
    usual = (0, 1, 2, 3, 7)
    which = usual[len(story.events) % 5] if chance.random() < 0.7 else chance.randrange(len(steps))
    story.now += minutes(chance.randrange(200))
    steps[which]()


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_batches_and_delivered_again_the_sums_are_those_of_a_recount(
    harness: Harness, plan: Plan, seed: int
) -> None:
    chance, builder = Random(seed), Builder()
    stories = [
        Story(builder, at=START + minutes(chance.randrange(60 * 24 * 45))).received(
            channel=chance.choice(list(Channel)), area=chance.choice(AREAS)
        )
        for _ in range(12)
    ]
    for story in stories:
        for _ in range(chance.randrange(14)):
            live(story, chance)
    log = _interleaved(stories, chance)
    at = 0
    while at < len(log):
        batch = log[at : at + chance.randint(1, 25)]
        await harness.take(*batch)
        if chance.random() < 0.4:
            await harness.take(*log[max(0, at - 5) : at + len(batch)])
        if chance.random() < 0.3:
            await harness.service.query(figure_store.fold)
        at += len(batch)
    assert await harness.parked() == []
    found = rows(log, harness.clock.now(), plan.promises)
    query = harness.service.query
    whole, _, kept, _ = await query(figure_store.read_figures, [], BEGIN, END)
    assert whole == total(row.counts for row in found)
    assert kept == sketches(found)
    for by in (*((one,) for one in DIMENSIONS), *combinations(DIMENSIONS, 2)):
        _, groups, _, _ = await query(figure_store.read_figures, by, BEGIN, END)
        assert {key[: len(by)]: counts for key, counts in groups.items()} == grouped(found, *by)
    half = START.replace(hour=0) + timedelta(days=17)
    later, _, _, _ = await query(figure_store.read_figures, [], half, END)
    assert later == total(row.counts for row in found if row.received_at >= half)


async def test_who_reads_sees_one_moment_whoever_folds_meanwhile(harness: Harness) -> None:
    builder, service = Builder(), harness.service
    await harness.take(*Story(builder).begun(Colour.RED).events)
    await service.query(figure_store.fold)
    await harness.take(*Story(builder).begun(Colour.GREEN).answered(1).events)
    async with service.database.transaction() as connection:
        seen = await figure_store.see(connection)
        await service.query(figure_store.fold)
        await harness.take(*Story(builder).begun(Colour.GREEN).events)
        by_colour = await figure_store.sum_cells(seen, "colour", BEGIN, END)
        by_hour = await figure_store.list_hours(seen, "colour", BEGIN, END)
        stages = await figure_store.sum_sketches(seen, BEGIN, END)
    assert {colour: counts.received for (colour, _), counts in by_colour.items()} == {"red": 1, "green": 1}
    assert {colour: counts.answered for (_, colour), counts in by_hour.items()} == {"red": 0, "green": 1}
    assert [sum(stages[colour, "assigned"].values()) for colour in ("red", "green")] == [1, 1]
    whole, *_ = await service.query(figure_store.read_figures, [], BEGIN, END)
    assert whole.received == 3


def _interleaved(stories: list[Story], chance: Random) -> list[Event[Fact]]:
    """All events, each story in its order, the stories mixed."""
    turns = [story for story in stories for _ in story.events]
    chance.shuffle(turns)
    left = {story.id: iter(story.events) for story in stories}
    return [next(left[story.id]) for story in turns]


# The doors


async def get(harness: Harness, path: str, who: Principal = OPERATOR) -> Any:
    async with harness.client(who) as client:
        response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_pair_takes_whole_days_and_either_order(harness: Harness) -> None:
    builder = Builder()
    for colour in (Colour.RED, Colour.RED, Colour.GREEN):
        await harness.take(*Story(builder).begun(colour).events)
    report = await get(harness, "/v1/figures?by=area,colour&from=2026-03-02T09:00:00Z&to=2026-03-02T10:00:00Z")
    assert (report["from"], report["to"]) == ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    village = "pinghu/dushangang/huxiao"
    assert [(g["value"], g["second"], g["figures"]["totals"]["received"]) for g in report["groups"]] == [
        (village, "green", 1),
        (village, "red", 2),
    ]
    turned = await get(harness, "/v1/figures?by=colour,area")
    assert [(g["value"], g["second"]) for g in turned["groups"]] == [("green", village), ("red", village)]
    hours = await get(harness, "/v1/figures?by=hour,colour")
    assert [(g["value"], g["second"]) for g in hours["groups"]] == [
        ("2026-03-02T08:00:00+00:00", "green"),
        ("2026-03-02T08:00:00+00:00", "red"),
    ]
    assert [g["value"] for g in (await get(harness, "/v1/figures?by=hour_of_day"))["groups"]] == ["08"]


async def test_the_times_of_the_stages_by_colour(harness: Harness) -> None:
    builder = Builder()
    for after in (1, 2, 3, 100):
        await harness.take(*Story(builder).begun(Colour.RED).answered(after).events)
    await harness.take(*Story(builder).begun(Colour.GREEN).events)
    stages = (await get(harness, "/v1/figures"))["stages"]
    red = stages["answered"]["red"]
    assert red["n"] == 4
    assert [red[name] for name in ("p50_seconds", "p90_seconds", "max_seconds")] == pytest.approx(
        [120, 6000, 6000], rel=0.02
    )
    assert stages["answered"]["all"] == red
    assert stages["assigned"]["all"]["n"] == 5
    assert stages["fulfilled"] == {"all": dict.fromkeys(red, None) | {"n": 0}}


async def test_received_is_waiting_and_each_status(harness: Harness) -> None:
    builder = Builder()
    stories = [Story(builder).received(), Story(builder).received().triaged(), Story(builder).begun()]
    stories += [Story(builder).received().add(REJECTED), Story(builder).begun().answered(1)]
    stories.append(Story(builder).begun().answered(1).add(r.RequestClosed(outcome=Outcome.UNREACHED)))
    for story in stories:
        await harness.take(*story.events)
    await harness.take(*stories[3].add(r.RequestArchived(), 9).new()[-1:])
    found = await get(harness, "/v1/figures/reconciliation?count=true", INSPECTOR)
    assert found["received"] == 6
    names = ("waiting", "triaged", "assigned", "accepted", "answered", "disputed", "closed", "rejected")
    assert [found[name] for name in names] == [1, 1, 0, 1, 1, 0, 1, 1]
    assert (found["unreached"], found["difference"], found["is_exact"]) == (1, 0, True)
    assert found["counted"] == {
        "received": 1, "triaged": 1, "accepted": 1, "answered": 1, "closed": 1, "archived": 1,
    }  # fmt: skip


async def test_a_sum_that_lost_a_request_is_found(harness: Harness) -> None:
    await harness.take(*Story().received().events)
    await harness.service.query(figure_store.fold)
    async with harness.service.database.transaction() as connection:
        cells = figure_store.cells
        await connection.execute(cells.update().values(at_received=0).where(cells.c.dimension == "total"))
    found = await get(harness, "/v1/figures/reconciliation")
    assert (found["difference"], found["is_exact"], found["counted"]) == (1, False, None)


async def test_exclusions_are_listed_with_reason_and_who_approved(harness: Harness) -> None:
    builder = Builder()
    stories = [Story(builder).received().add(REJECTED, n) for n in range(3)]
    far = r.RequestRejected(reason=RejectionReason.OUT_OF_AREA, decided_by=Decider.MACHINE)
    stories.append(Story(builder).received().add(far, 9))
    for story in stories:
        await harness.take(*story.events)
        await harness.take(*story.events)
    first = await get(harness, "/v1/figures/exclusions?limit=3")
    assert [item["request_id"] for item in first["items"]] == [str(story.id) for story in stories[:3]]
    assert {(i["reason"], i["decided_by"], i["approved_by"], i["is_valid"]) for i in first["items"]} == {
        ("test", "person", "operator-7", False)
    }
    (last,) = (await get(harness, f"/v1/figures/exclusions?cursor={first['next_cursor']}"))["items"]
    assert (last["reason"], last["decided_by"], last["approved_by"], last["is_valid"]) == (
        "out_of_area", "machine", None, True,
    )  # fmt: skip
    assert len((await get(harness, "/v1/figures/exclusions?reason=out_of_area"))["items"]) == 1


async def test_the_formulas_are_printed_with_their_version(harness: Harness) -> None:
    assert (await get(harness, "/v1/figures"))["formulas_version"] == VERSION
    found = await get(harness, "/v1/figures/definitions")
    assert (found["version"], len(found["items"])) == (VERSION, len(DEFINITIONS))
    named = {item["name"] for item in found["items"]}
    assert set(RATES) <= named


async def test_only_staff_reads_them(harness: Harness) -> None:
    handler = Principal(kind=Kind.LIAISON, id="l", organisation="central-hospital")
    for who in (handler, Story().resident):
        async with harness.client(who) as client:
            for path in ("", "/reconciliation", "/exclusions", "/definitions"):
                assert (await client.get(f"/v1/figures{path}")).status_code == 403


# From an older version


def _to_the_first_version(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(project_root() / "followup/migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table="alembic_version")
    command.upgrade(config, "followup_0001")


async def test_requests_of_an_older_version_are_counted_again(postgres: PostgresServer, plan: Plan) -> None:
    url = await postgres.fresh_database("followup")
    case = replace(Story().begun().add(r.RequestWithdrawn(reason=Why.UNSTATED)).case(plan), counted_at=START)
    body = json.loads(CASE.dump_json(case))
    del body["course"]
    database = Database(url)
    await migrate(database, FLOOR_MIGRATIONS, "floor_version")
    async with database.transaction() as connection:
        await connection.run_sync(_to_the_first_version)
        row = {"id": case.request_id, "body": json.dumps(body)}
        await connection.execute(sa.text("INSERT INTO cases VALUES (:id, 'withdrawn', '{}', :body)"), row)
    await database.close()
    clock = TurnedClock(START)
    app = build(test_settings(database=url, bus=url), clock)
    harness = Harness(app, clock)
    await harness.service.start()
    try:
        await harness.turn(to=datetime(2036, 1, 1, tzinfo=UTC))
        totals = (await get(harness, "/v1/figures"))["figures"]["totals"]
    finally:
        await harness.service.stop()
    assert (totals["received"], totals["withdrawn"], totals["nudges"]) == (1, 1, 0)
