"""Dispatch as a whole: what it takes from the bus, what it states, and what its clocks do."""

from datetime import timedelta

from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Colour
from tests.dispatch.stories import Story, liaison, triaged
from tests.support.harness import Harness


async def test_the_first_start_puts_the_sample_into_force_and_announces_it(harness: Harness) -> None:
    organisations = await harness.stated(d.OrganisationRecorded)
    assert len(organisations) == 15
    assert {e.fact.policy for e in await harness.stated(d.PolicyRecorded)} == {
        "areas",
        "directory",
        "routing",
        "clocks",
    }
    assert len(await harness.stated(d.AreaRecorded)) > 100


async def test_the_story_goes_from_assigned_to_fulfilled(story: Story) -> None:
    deadline = story.harness.clock.now() + timedelta(days=1)
    request_id = await story.file(triaged(Colour.RED, deadline=deadline, needs=("transport",)))
    assigned = await story.stated(request_id, r.TaskAssigned)
    assert [(e.fact.role, e.fact.organisation) for e in assigned] == [
        ("lead", "central-hospital"), ("assisting", "transport-team")
    ]  # fmt: skip
    task = await story.done(liaison("central-hospital"), await story.lead(request_id), "accept")
    task = await story.done(liaison("central-hospital"), task, "contact")
    by = (story.harness.clock.now() + timedelta(hours=20)).isoformat()
    task = await story.done(liaison("central-hospital"), task, "answer", text="Ring 13800138000.", fulfil_by=by)
    assert task["status"] == "answered"
    task = await story.done(liaison("central-hospital"), task, "fulfil")
    assert task["status"] == "fulfilled"
    kinds = [e.type.rsplit(".")[-1] for e in await story.stated(request_id)]
    assert kinds == ["assigned", "assigned", "accepted", "contacted", "answered", "recorded", "fulfilled"]
    [text] = await story.stated(request_id, TextRecorded)
    assert "138" not in text.fact.text
