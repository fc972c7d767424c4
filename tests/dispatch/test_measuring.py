"""What Prometheus is told of dispatch: of every organisation, and nothing of one that is gone."""

from math import inf, isnan

from prometheus_client import REGISTRY

from dispatch.directory import apply_file
from dispatch.files import FileKind
from dispatch.measuring import Measures
from shared.contracts.vocabulary import Category, Colour, ReturnReason
from shared.identity import Principal
from tests.dispatch.stories import OPERATOR, SAMPLE, Story, liaison, triaged


def gauge(name: str, organisation: str | None = None) -> float | None:
    return REGISTRY.get_sample_value(name, {"organisation": organisation} if organisation else {})


async def answer(story: Story, who: Principal) -> None:
    request_id = await story.file(triaged(Colour.YELLOW))
    task = await story.lead(request_id)
    if who.organisation != task["organisation"]:
        home = liaison(task["organisation"])
        said = {"reason": ReturnReason.NOT_OURS, "belongs_to": who.organisation, "note": "It is theirs."}
        await story.done(home, task, "return", **said)
    task = await story.done(who, await story.lead(request_id), "accept")
    await story.done(who, task, "answer", text="Done.")


async def test_the_backlog_and_the_first_routes_are_in_the_metrics(story: Story) -> None:
    measures, service = Measures(story.harness.app.state.desk), story.harness.service
    await measures.count(service)
    assert isnan(gauge("heed_first_route_share") or 0)
    assert gauge("heed_backlog_clears_in_hours", "police") == 0, "nothing is open"
    for who in (liaison("central-hospital"), liaison("central-hospital"), liaison("police")):
        await answer(story, who)
    for category in (Category.MEDICAL, Category.FOOD_SUPPLIES):
        await story.file(triaged(Colour.YELLOW, category))
    await measures.count(service)
    assert gauge("heed_first_route_share") == 2 / 3
    names = ("requests", "arrived_per_hour", "answered_per_hour", "clears_in_hours")
    assert [gauge(f"heed_backlog_{name}", "central-hospital") for name in names] == [1, 3, 2, inf]
    assert gauge("heed_backlog_answered_per_hour", "police") == 1
    story.harness.clock.turn(hours=2)
    await measures.count(service)
    assert gauge("heed_backlog_arrived_per_hour", "central-hospital") == 0


async def test_an_organisation_that_is_gone_has_no_metrics(story: Story) -> None:
    measures, service = Measures(story.harness.app.state.desk), story.harness.service
    directory = (SAMPLE / "directory.yaml").read_text(encoding="utf-8")
    more = directory.replace(
        "organisations:\n",
        "organisations:\n  - {id: visitors, name: {zh: 访客, en: Visitors}, services: [], areas: []}\n",
        1,
    )
    await service.command(apply_file, OPERATOR, FileKind.DIRECTORY, more, False)
    await measures.count(service)
    assert gauge("heed_backlog_requests", "visitors") == 0
    await service.command(apply_file, OPERATOR, FileKind.DIRECTORY, directory, False)
    await measures.count(service)
    assert gauge("heed_backlog_requests", "visitors") is None


async def test_who_was_not_reached_is_in_the_metrics(story: Story) -> None:
    measures, service = Measures(story.harness.app.state.desk), story.harness.service
    await measures.count(service)
    assert gauge("heed_drill_unreached") == 0
    await story.harness.turn(days=8)
    async with story.harness.client(OPERATOR) as client:
        [drill] = (await client.get("/v1/drills")).json()["items"]
    await measures.count(service)
    assert gauge("heed_drill_unreached") == drill["missing"] > 0
