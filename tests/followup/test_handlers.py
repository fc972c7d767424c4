"""The loop's last part: an answer is rated or looked back at, and the request closes or goes back."""

import sqlalchemy as sa

from followup import store
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, DisputeReason, Outcome
from tests.followup.stories import Story
from tests.support.harness import Harness


async def come_round(harness: Harness, story: Story) -> None:
    """Hand what followup stated back to it, as the bus would."""
    for event in await harness.stated():
        if event.subject == str(story.id) and event not in story.events and isinstance(event.fact, r.RequestFact):
            story.events.append(event)
    await harness.take(*story.new())


async def outcome(harness: Harness) -> list[Outcome | DisputeReason]:
    facts = [event.fact for event in await harness.stated(r.RequestClosed, r.RequestDisputed)]
    return [fact.outcome if isinstance(fact, r.RequestClosed) else fact.reason for fact in facts]


async def test_a_red_answer_is_rated_solved_and_closes_as_confirmed(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await harness.take(*story.new())
    harness.clock.turn(minutes=15)
    async with harness.client(story.resident) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True, "satisfaction": 5})
    assert response.status_code == 201, response.text
    assert response.json()["effect"] == "closed"
    await come_round(harness, story)
    assert await outcome(harness) == [Outcome.CONFIRMED]
    (visit,) = await harness.rows(sa.select(store.visits))
    assert visit["state"] == "void"
