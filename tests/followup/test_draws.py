"""The draw in a running service: committed to before, drawn, topped up, published, and drawn again by anybody."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from followup import store
from followup.app import apply_plan
from followup.plan import LookBack
from followup.sampling import Lot, commitment, redraw
from shared.contracts import requests as r
from shared.contracts.reviews import DrawCommitted, DrawRevealed
from shared.contracts.vocabulary import Category, Colour, WithdrawalReason
from tests.followup.stories import INSPECTOR, OPERATOR, Story
from tests.followup.test_api import all_pages
from tests.support.builders import Builder
from tests.support.harness import Harness

WEEK, NEXT, AFTER = date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 16)
END = datetime(2026, 3, 9, tzinfo=UTC)
LOTS = TypeAdapter(list[Lot])


async def play(harness: Harness, organisations: dict[str, int], colour: Colour = Colour.GREEN) -> list[Story]:
    """So many answers of each organisation, all in this week."""
    builder, stories = Builder(), list[Story]()
    for organisation, n in organisations.items():
        for _ in range(n):
            story = Story(builder).received().told_received().triaged(colour, category=Category.OTHER)
            stories.append(story.assigned(organisation).accepted(organisation=organisation))
            story.answered(10, organisation=organisation)
    await harness.take(*(event for story in stories for event in story.events))
    harness.clock.turn(minutes=15)
    return stories


async def jump(harness: Harness, to: datetime) -> None:
    """To a moment, without stopping at each alarm on the way."""
    harness.clock.turn(to=to)
    await harness.fire_due()


async def drawn(harness: Harness) -> Counter[str]:
    async with harness.client(INSPECTOR) as client:
        return Counter(visit["organisation"] for visit in await all_pages(client, "/v1/visits?limit=100"))


async def draws(harness: Harness) -> list[dict[str, Any]]:
    async with harness.client(OPERATOR) as client:
        items: list[dict[str, Any]] = (await client.get("/v1/draws")).json()["items"]
    return items


async def draw_again(harness: Harness, period: date) -> list[tuple[Lot, Lot]]:
    """As `heed draw check` does it, from what the API tells."""
    told = next(one for one in await draws(harness) if one["period"] == period.isoformat())
    async with harness.client(OPERATOR) as client:
        items = await all_pages(client, f"/v1/draws/{period}/lots?limit=7")
    lots = LOTS.validate_python([item | {"period": period} for item in items])
    seed, plan = bytes.fromhex(told["seed"]), LookBack.model_validate(told["plan"])
    assert commitment(seed) == told["commitment"]
    return list(redraw(lots, seed, plan, datetime.fromisoformat(told["closed_at"])))


async def test_the_seed_is_committed_to_before_its_period_begins(harness: Harness) -> None:
    committed = await harness.stated(DrawCommitted)
    assert [event.fact.period for event in committed] == [WEEK, NEXT]  # of the first week, at the first start
    await jump(harness, END)
    later = (await harness.stated(DrawCommitted))[2:]
    assert [(event.fact.period, event.time) for event in later] == [(AFTER, END)]
    secret = (await harness.service.query(store.load_policy)).seed.hex()
    assert secret not in str([event.fact for event in committed])


async def test_a_second_start_commits_to_nothing_else(harness: Harness) -> None:
    before = await draws(harness)
    await apply_plan(harness.service)
    assert await draws(harness) == before
    assert len(await harness.stated(DrawCommitted)) == 2


async def test_each_organisation_is_topped_up_at_the_end_of_the_period_to_five_or_all(harness: Harness) -> None:
    await play(harness, {"few": 3, "some": 12, "many": 120})
    at_once = await drawn(harness)
    assert at_once["many"] == pytest.approx(24, abs=18)  # 4 standard deviations
    await jump(harness, END - timedelta(seconds=1))
    assert await drawn(harness) == at_once
    await jump(harness, harness.clock.now() + timedelta(seconds=1))
    assert await drawn(harness) == {"few": 3, "some": max(5, at_once["some"]), "many": at_once["many"]}


async def test_the_seed_is_published_once_the_call_backs_are_over_and_the_draw_holds(harness: Harness) -> None:
    await play(harness, {"few": 3, "some": 12, "many": 40})
    await play(harness, {"police": 4}, Colour.RED)
    await jump(harness, END + timedelta(days=14, seconds=-1))
    assert await harness.stated(DrawRevealed) == []
    assert [one["seed"] for one in await draws(harness)] == [None] * len(await draws(harness))
    async with harness.client(OPERATOR) as client:
        early = await client.get(f"/v1/draws/{WEEK}/lots")
        unknown = await client.get("/v1/draws/2020-01-06/lots")
    assert (early.status_code, early.json()["type"].rsplit("/", 1)[1]) == (409, "not-revealed-yet")
    assert unknown.status_code == 404
    await jump(harness, harness.clock.now() + timedelta(seconds=1))
    (revealed,) = await harness.stated(DrawRevealed)
    (committed, *_) = await harness.stated(DrawCommitted)
    assert commitment(bytes.fromhex(revealed.fact.seed)) == committed.fact.commitment
    assert (revealed.fact.period, revealed.fact.answers) == (WEEK, 59)
    assert await draw_again(harness, WEEK) == []


async def test_who_could_not_be_looked_back_at_any_more_is_passed_over_and_the_draw_holds(harness: Harness) -> None:
    stories = await play(harness, {"some": 9})
    gone = [story.add(r.RequestWithdrawn(reason=WithdrawalReason.SOLVED_OTHERWISE), 20) for story in stories[:7]]
    await harness.take(*(story.events[-1] for story in gone))
    await jump(harness, END)
    assert (await drawn(harness))["some"] == 2
    await jump(harness, END + timedelta(days=14))
    assert await draw_again(harness, WEEK) == []


async def test_a_lot_that_was_changed_in_the_database_is_found(harness: Harness) -> None:
    await play(harness, {"some": 30})
    await jump(harness, END + timedelta(days=14))
    async with harness.service.database.transaction() as connection:
        await connection.exec_driver_sql(
            "update lots set reason = null where request_id = (select min(request_id::text)::uuid from lots "
            "where reason is not null)"
        )
    assert len(await draw_again(harness, WEEK)) >= 1


async def test_who_rated_already_is_scored_and_not_rung_to_fill_the_number(harness: Harness) -> None:
    stories = await play(harness, {"few": 3})
    async with harness.client(stories[0].resident) as client:
        await client.post(f"/v1/requests/{stories[0].id}/rating", json={"solved": True, "satisfaction": 5})
    await jump(harness, END)
    async with harness.client(INSPECTOR) as client:
        to_ring = {visit["request_id"] for visit in await all_pages(client, "/v1/visits?limit=50")}
        to_score = {visit["request_id"] for visit in await all_pages(client, "/v1/visits?to_score=true&limit=50")}
    assert to_score == {str(story.id) for story in stories}
    assert str(stories[0].id) not in to_ring


async def test_who_says_solved_and_is_unhappy_is_rung_all_the_same(harness: Harness) -> None:
    (story,) = await play(harness, {"some": 1})
    async with harness.client(story.resident) as client:
        await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True, "satisfaction": 2})
    own = [event for event in await harness.stated() if event.subject == str(story.id)]
    await harness.take(*own)
    async with harness.client(INSPECTOR) as client:
        (visit,) = (await client.get("/v1/visits")).json()["items"]
        assert visit["reason"] in {"complained", "sampled"}
        word = {"revision": 1, "outcome": "reached", "solved": False, "satisfaction": 1}
        kept = (await client.post(f"/v1/visits/{visit['id']}/attempts", json=word)).json()
    assert kept["effect"] == "disputed"
