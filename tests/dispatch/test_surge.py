"""An emergency level, the honest waiting time, and the backlog's forecast."""

from datetime import timedelta
from typing import Any

import pydantic
import pytest

from dispatch.clocks import Surge
from dispatch.files import FileKind
from dispatch.surge import backlog
from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, Stage
from shared.identity import Principal
from tests.dispatch.stories import GRID_WORKER, INSPECTOR, OPERATOR, Story, liaison, sample, triaged

HOSPITAL = liaison("central-hospital")
HOUR = timedelta(hours=1)


async def call(story: Story, who: Principal, method: str, path: str, **options: Any) -> Any:
    async with story.harness.client(who) as client:
        return await client.request(method, path, **options)


async def test_a_level_changes_what_is_promised_from_now_on_and_never_red(story: Story) -> None:
    before = await story.file(triaged(Colour.YELLOW))
    declared = await call(story, OPERATOR, "PUT", "/v1/surge", json={"level": 1})
    assert (declared.status_code, declared.json()["level"]) == (200, 1)
    after, red = await story.file(triaged(Colour.YELLOW)), await story.file(triaged(Colour.RED))
    days = {}
    for name, request_id in (("before", before), ("after", after), ("red", red)):
        [assigned] = await story.stated(request_id, r.TaskAssigned)
        days[name] = assigned.fact.answer_by - story.harness.clock.now()
        if name != "before":
            assert assigned.fact.policy_version.endswith("+surge-1")
    assert days == {"before": 24 * HOUR, "after": 48 * HOUR, "red": 2 * HOUR}
    recorded = [e.fact.version for e in await story.harness.stated(d.PolicyRecorded) if e.fact.policy == "surge"]
    assert recorded == ["level-1"]
    ended = await call(story, OPERATOR, "PUT", "/v1/surge", json={"level": 0})
    assert (ended.json()["level"], "surge" in ended.json()["policy_version"]) == (0, False)


async def test_who_may_declare_and_what_is_no_level(story: Story) -> None:
    assert (await call(story, HOSPITAL, "PUT", "/v1/surge", json={"level": 1})).status_code == 403
    assert (await call(story, INSPECTOR, "GET", "/v1/surge")).json()["level"] == 0
    refused = await call(story, OPERATOR, "PUT", "/v1/surge", json={"level": 2})
    assert (refused.status_code, refused.json()["highest"]) == (422, 1)


def test_no_level_touches_red() -> None:
    with pytest.raises(pydantic.ValidationError):
        Surge(minutes={Stage.ANSWERED: {Colour.RED: 240}})
    clocks = sample(FileKind.CLOCKS)
    for stage, by_colour in clocks.at_level(1).minutes.items():
        assert by_colour[Colour.RED] == clocks.minutes[stage][Colour.RED]


async def test_the_backlog_says_how_long_somebody_waits(story: Story) -> None:
    for n in range(6):
        request_id = await story.file(triaged(Colour.RED if n == 5 else Colour.YELLOW))
        if n < 3:
            task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
            await story.done(HOSPITAL, task, "answer", text="Done.")
    page = (await call(story, OPERATOR, "GET", "/v1/backlog", params={"hours": 3})).json()
    [row] = [item for item in page["items"] if item["organisation"] == "central-hospital"]
    assert (row["open"], row["red"], row["on_duty"]) == (3, 1, 1)
    assert (row["arrived_per_hour"], row["answered_per_hour"]) == (2.0, 1.0)
    assert (row["waits_minutes"], row["red_waits_minutes"]) == (240.0, 120.0)
    assert (row["grows"], row["clears_in_hours"]) == (True, None)
    assert (await call(story, GRID_WORKER, "GET", "/v1/backlog")).status_code == 403


def test_a_backlog_that_goes_down_has_an_end_and_one_that_nobody_works_on_has_none() -> None:
    assert backlog("a", (30, 0, 10, 40), 3, 10 * HOUR).clears_in_hours == 10.0
    standing = backlog("a", (30, 2, 5, 0), 3, HOUR)
    assert (standing.waits_minutes, standing.red_waits_minutes, standing.grows) == (None, None, True)
