"""A household or a building in need: one act on all its requests, and every reporter is told."""

from uuid import UUID

from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour
from shared.ids import new_id
from tests.dispatch.stories import Story, deputy, liaison, received, triaged

HOSPITAL = liaison("central-hospital")


async def of_household(
    story: Story, household: str | None, building: str = "b", category: Category = Category.MEDICAL
) -> UUID:
    request_id, now = new_id(), story.harness.clock.now()
    hashes = {"household_hash": household, "building_hash": building}
    await story.tell(request_id, received(at=now).model_copy(update=hashes), triaged(Colour.YELLOW, category))
    return request_id


async def test_one_answer_for_a_household_tells_every_reporter(story: Story) -> None:
    first, second = await of_household(story, "h"), await of_household(story, "h")
    other = await of_household(story, "another")
    lead = await story.lead(first)
    assert lead["open_together"] == {"household": 1, "building": 2}
    task = await story.done(HOSPITAL, lead, "accept", together="household")
    assert task["together"] == [str(second)]
    assert (await story.lead(second))["status"] == "accepted"
    assert (await story.lead(other))["status"] == "assigned"
    task = await story.done(HOSPITAL, task, "contact", together="household")
    await story.done(HOSPITAL, task, "answer", text="We come to all of you.", together="household")
    for request_id in (first, second):
        [answered] = await story.stated(request_id, r.RequestAnswered)
        assert answered.fact.text_id
    assert await story.stated(other, r.RequestAnswered) == []


async def test_a_building_is_handled_as_one_but_not_what_is_anothers(story: Story) -> None:
    first, second = await of_household(story, "h1"), await of_household(story, "h2")
    elsewhere = await of_household(story, "h3", building="c")
    food = await of_household(story, "h4", category=Category.FOOD_SUPPLIES)
    task = await story.done(HOSPITAL, await story.lead(first), "accept", together="building")
    assert task["together"] == [str(second)]
    assert {(await story.lead(i))["status"] for i in (elsewhere, food)} == {"assigned"}


async def test_what_is_not_as_far_is_left_and_nothing_without_a_household_is_alike(story: Story) -> None:
    first, second = await of_household(story, "h"), await of_household(story, "h")
    task = await story.done(HOSPITAL, await story.lead(first), "accept")
    task = await story.done(HOSPITAL, task, "answer", text="Done.", together="household")
    assert task["together"] == []
    assert (await story.lead(second))["status"] == "assigned"
    unknown = [await of_household(story, None), await of_household(story, None)]
    task = await story.done(deputy("central-hospital"), await story.lead(unknown[0]), "accept", together="household")
    assert task["together"] == []
