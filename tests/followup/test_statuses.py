"""Every request as the watchdog knows it: page after page, with how far the log was read, for the desk alone."""

from typing import Any

import pytest
import sqlalchemy as sa

from followup import store
from shared.bus import Partition
from tests.followup.stories import OPERATOR, SUPERVISOR, Story
from tests.followup.test_api import WHO
from tests.support.builders import Builder
from tests.support.harness import Harness


async def test_all_are_listed_once_page_after_page(harness: Harness) -> None:
    stories = [Story(Builder()).begun() for _ in range(5)]
    stories[0].answered(3)
    await harness.take(*(event for story in stories for event in story.events))
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 2}
    async with harness.client(OPERATOR) as client:
        while params.get("cursor", "") is not None:
            page = (await client.get("/v1/statuses", params=params)).json()
            found += page["items"]
            params["cursor"] = page["next_cursor"]
    assert [item["id"] for item in found] == sorted(str(story.id) for story in stories)
    answered = next(item for item in found if item["id"] == str(stories[0].id))
    assert (answered["status"], answered["listed_as"]) == ("answered", "answered")
    assert (answered["holder"], answered["name"], answered["colour"]) == ("service", "followup", "green")
    assert {item["status"] for item in found if item is not answered} == {"accepted"}


async def test_a_status_that_was_changed_in_the_list_alone_is_seen(harness: Harness) -> None:
    await harness.take(*Story(Builder()).begun().events)
    async with harness.service.database.transaction() as connection:
        await connection.execute(sa.update(store.cases).values(status="closed"))
    async with harness.client(SUPERVISOR) as client:
        [item] = (await client.get("/v1/statuses")).json()["items"]
    assert (item["status"], item["listed_as"]) == ("accepted", "closed")


@pytest.mark.parametrize("path", ["/v1/statuses", "/v1/figures"])
async def test_it_is_said_how_far_the_log_was_read(harness: Harness, path: str) -> None:
    positions = harness.service.positions
    await positions.claim([Partition("heed.requests", 0), Partition("heed.requests", 2)])
    async with harness.service.database.transaction() as connection:
        await positions.advance(connection, {Partition("heed.requests", 2): 40})
    async with harness.client(OPERATOR) as client:
        assert (await client.get(path)).headers["heed-read"] == "requests:0,0,40"


@pytest.mark.parametrize("who", WHO)
async def test_the_desk_alone_sees_them(harness: Harness, who: str) -> None:
    async with harness.client(WHO[who]) as client:
        answer = await client.get("/v1/statuses")
    assert answer.status_code == (200 if WHO[who] in (OPERATOR, SUPERVISOR) else 403)
