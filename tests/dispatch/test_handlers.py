"""Dispatch as a whole: what it takes from the bus, what it states, and what its clocks do."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from dispatch import store
from dispatch.app import apply_city
from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Category, Colour, Decider, DisputeReason, Stage
from shared.ids import new_id
from shared.messaging.tables import timers
from tests.dispatch.stories import WITHDRAWN, Story, deputy, head, liaison, received, triaged
from tests.support.harness import Harness

HOSPITAL = liaison("central-hospital")
TRANSPORT = liaison("transport-team")
MANY = 10_000


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
    assert "+861990000" not in "".join(e.fact.model_dump_json() for e in await harness.stated())


async def test_a_second_start_announces_nothing_again(harness: Harness) -> None:
    before = len(await harness.stated())
    await apply_city(harness.service)
    assert len(await harness.stated()) == before


async def test_the_story_goes_by_its_playbook_and_the_resident_is_told_once(story: Story) -> None:
    deadline = story.harness.clock.now() + timedelta(days=1)
    request_id = await story.file(triaged(Colour.RED, deadline=deadline, needs=("transport",)))
    [alone] = await story.stated(request_id, r.TaskAssigned)
    assert alone.fact.organisation == "central-hospital"
    task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
    assert task["waits_for"] == ["vehicle"]
    early = await story.do(HOSPITAL, task, "answer", text="All settled.")
    assert (early.status_code, early.json()["tasks"]) == (409, ["vehicle"])
    task = await story.done(HOSPITAL, task, "contact")
    dose_at = story.harness.clock.now() + timedelta(hours=20)
    task = await story.done(HOSPITAL, task, "confirm", happens_at=dose_at.isoformat())
    [_, vehicle] = await story.stated(request_id, r.TaskAssigned)
    assert (vehicle.fact.organisation, vehicle.fact.role) == ("transport-team", "assisting")
    booked = await story.task(vehicle.fact.task_id)
    assert booked["fulfil_by"] == dose_at.isoformat().replace("+00:00", "Z")
    booked = await story.done(TRANSPORT, booked, "accept")
    booked = await story.done(TRANSPORT, booked, "confirm", happens_at=booked["fulfil_by"])
    task = await story.done(HOSPITAL, task, "answer", text="Ring 13800138000.", fulfil_by=dose_at.isoformat())
    assert (task["status"], task["fulfil_by"] is not None) == ("answered", True)
    task = await story.done(HOSPITAL, task, "fulfil", note="He had his dose.")
    await story.done(TRANSPORT, booked, "fulfil")
    kinds = [e.type.rsplit(".")[-1] for e in await story.stated(request_id)]
    assert kinds == ["assigned", "accepted", "contacted", "confirmed", "assigned", "accepted", "confirmed", "answered",
                     "recorded", "fulfilled", "recorded", "fulfilled"]  # fmt: skip


async def test_a_text_is_masked_and_follows_the_fact_that_names_it(story: Story) -> None:
    request_id, _ = await story.answered()
    [answer] = await story.stated(request_id, r.RequestAnswered)
    [text] = await story.stated(request_id, TextRecorded)
    assert (text.key, text.fact.kind) == (str(answer.fact.text_id), "answer")
    task = await story.done(HOSPITAL, await story.lead(await story.file(triaged())), "accept")
    await story.done(HOSPITAL, task, "progress", text="打 13800138000 找我")
    [*_, masked] = await story.harness.stated(TextRecorded)
    assert masked.fact.text == "打 [phone] 找我"
    assert masked.fact.language == "zh"


async def test_the_log_delivered_twice_changes_nothing(story: Story) -> None:
    request_id, _ = await story.answered()
    await story.dispute(request_id)
    withdrawn = await story.file(triaged(needs=("transport",)))
    await story.tell(withdrawn, WITHDRAWN)
    await story.read_back()
    before = await story.harness.everything()
    assert before["cases"]
    assert before["timers"]
    await story.harness.take(*story.told)
    await story.read_back()
    await story.harness.take(*reversed(story.told))
    assert await story.harness.everything() == before


async def test_a_fact_without_a_receipt_is_parked_and_others_flow(story: Story) -> None:
    lost = new_id()
    await story.tell(lost, triaged())
    assert [row["error"] for row in await story.harness.parked()] == ["RequestUnknown"]
    assert await story.lead(await story.file(triaged()))


# Every clock, each colour

TABLE = {
    Stage.ACCEPTED: {Colour.RED: 5, Colour.YELLOW: 30, Colour.GREEN: 120},
    Stage.CONTACTED: {Colour.RED: 15, Colour.YELLOW: 60, Colour.GREEN: 240},
    Stage.ANSWERED: {Colour.RED: 120, Colour.YELLOW: 1440, Colour.GREEN: 4320},
}
EVERY = {Colour.RED: 10, Colour.YELLOW: 60, Colour.GREEN: 240}
ESCALATED = {Colour.RED: 1.0, Colour.YELLOW: 1.5, Colour.GREEN: 1.5}


async def rung(story: Story, request_id: UUID, stage: Stage) -> list[tuple[str, float, int]]:
    """What a stage's clock stated: fact, minutes since receipt, percent or count or level."""
    [first, *_] = await story.stated(request_id, r.TaskAssigned)
    found = []
    for event in await story.stated(request_id, r.TaskReminded, r.TaskNudged, r.TaskEscalated):
        fact: Any = event.fact
        if fact.stage is stage:
            number = getattr(fact, "percent", None) or getattr(fact, "count", None) or fact.level
            found.append((event.type.rsplit(".")[-1], (event.time - first.time) / timedelta(minutes=1), number))
    return found


@pytest.mark.parametrize("colour", list(Colour))
async def test_the_accept_clock_reminds_then_nudges_and_recalls_to_the_deputy(story: Story, colour: Colour) -> None:
    request_id = await story.file(triaged(colour))
    allowed = TABLE[Stage.ACCEPTED][colour]
    await story.harness.turn(minutes=allowed)
    assert await rung(story, request_id, Stage.ACCEPTED) == [
        ("reminded", allowed * 0.5, 50),
        ("reminded", allowed * 0.8, 80),
        ("nudged", allowed, 1),
        ("escalated", allowed, 1),
    ]
    [recalled] = await story.stated(request_id, r.TaskRecalled)
    assert recalled.fact.liaison == "central-hospital.day"
    task = await story.lead(request_id)
    assert (task["liaison"], task["attempt"]) == ("central-hospital.deputy", 2)
    assert task["next_due"]["then"] == "recalled"


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("stage", [Stage.CONTACTED, Stage.ANSWERED])
async def test_the_other_clocks_remind_nudge_again_and_again_and_tell_a_level_higher(
    story: Story, colour: Colour, stage: Stage
) -> None:
    request_id = await story.file(triaged(colour))
    task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
    if stage is Stage.ANSWERED:
        await story.done(HOSPITAL, task, "contact")
    allowed, every = TABLE[stage][colour], EVERY[colour]
    nudges = [("nudged", allowed + n * every, n + 1) for n in range(4)]
    escalated = ("escalated", allowed * ESCALATED[colour], 1)
    await story.harness.turn(minutes=max(nudges[-1][1], escalated[1]))
    found = await rung(story, request_id, stage)
    assert found[:2] == [("reminded", allowed * 0.5, 50), ("reminded", allowed * 0.8, 80)]
    assert [one for one in found if one[0] == "nudged"][:4] == nudges
    assert [one for one in found if one[0] == "escalated"] == [escalated]


@pytest.mark.parametrize("colour", list(Colour))
async def test_a_promise_has_its_clock(story: Story, colour: Colour) -> None:
    request_id = await story.file(triaged(colour))
    task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
    by = story.harness.clock.now() + timedelta(minutes=100)
    await story.done(HOSPITAL, task, "answer", text="Tomorrow.", fulfil_by=by.isoformat())
    await story.harness.turn(minutes=100 + EVERY[colour] * 2)
    found = await rung(story, request_id, Stage.FULFILLED)
    assert [one for one in found if one[0] != "escalated"] == [
        ("reminded", 50, 50), ("reminded", 80, 80), *(("nudged", 100 + n * EVERY[colour], n + 1) for n in range(3))
    ]  # fmt: skip
    assert ("escalated", 100 * ESCALATED[colour], 1) in found


@pytest.mark.parametrize("colour", list(Colour))
async def test_where_nobody_is_to_be_reached_the_assigned_clock_runs(
    story: Story, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.city.City.on_duty", lambda *_: [])
    request_id = await story.file(triaged(colour))
    allowed = {Colour.RED: 10, Colour.YELLOW: 30, Colour.GREEN: 120}[colour]
    await story.harness.turn(minutes=allowed + EVERY[colour])
    nudges = [e.fact for e in await story.stated(request_id, r.TaskNudged)]
    assert [(n.stage, n.count, n.missed) for n in nudges] == [(Stage.ASSIGNED, 1, 0), (Stage.ASSIGNED, 2, 0)]
    assert await story.stated(request_id, r.TaskAssigned) == []
    monkeypatch.undo()
    await story.harness.turn(minutes=1)
    assert (await story.lead(request_id))["status"] == "assigned"


async def test_a_late_wake_fires_once_and_says_how_many_it_missed(story: Story) -> None:
    request_id = await story.file(triaged())
    task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
    await story.done(HOSPITAL, task, "contact")
    story.harness.clock.turn(minutes=155)
    await story.harness.fire_due()
    [nudged] = await story.stated(request_id, r.TaskNudged)
    assert (nudged.fact.count, nudged.fact.missed) == (4, 3)
    await story.harness.turn(minutes=5)
    [_, following] = await story.stated(request_id, r.TaskNudged)
    assert (following.fact.count, following.fact.missed) == (5, 0)


async def test_the_late_liaison_hears_who_holds_it_whatever_revision_he_sends(story: Story) -> None:
    request_id = await story.file(triaged())
    early = await story.lead(request_id)
    await story.harness.turn(minutes=5)
    for task in (early, await story.lead(request_id)):
        answer = await story.do(HOSPITAL, task, "accept")
        assert answer.status_code == 409
        problem = answer.json()
        assert problem["type"].endswith("/task-held-by-another")
        assert (problem["organisation"], problem["liaison"]) == ("central-hospital", "central-hospital.deputy")
    accepted = await story.done(deputy("central-hospital"), await story.lead(request_id), "accept")
    assert accepted["liaison"] == "central-hospital.deputy"


async def test_an_owner_who_never_acts_loses_it_to_the_backstop(story: Story) -> None:
    request_id = await story.file(triaged())
    await story.harness.turn(minutes=10)
    task = await story.lead(request_id)
    assert task["liaison"] == "central-hospital.supervisor"
    assert (await story.do(deputy("central-hospital"), task, "accept")).status_code == 409
    await story.harness.turn(minutes=5)
    task = await story.lead(request_id)
    assert (task["organisation"], task["rule"]) == ("duty-office", "backstop")
    late = (await story.do(head("central-hospital"), task, "accept")).json()
    assert (late["organisation"], late["liaison"]) == ("duty-office", "duty-office.day")
    await story.done(liaison("duty-office"), task, "accept")


async def test_the_supervisor_himself_may_accept_what_came_up_to_him(story: Story) -> None:
    request_id = await story.file(triaged())
    await story.harness.turn(minutes=10)
    task = await story.done(head("central-hospital"), await story.lead(request_id), "accept")
    assert task["liaison"] == "central-hospital.supervisor"


async def test_after_the_change_of_shift_the_night_liaison_signs(story: Story) -> None:
    await story.harness.turn(to=story.harness.clock.now().replace(hour=11, minute=58))
    request_id = await story.file(triaged())
    assert (await story.lead(request_id))["liaison"] == "central-hospital.day"
    await story.harness.turn(minutes=3)
    task = await story.done(HOSPITAL, await story.lead(request_id), "accept")
    assert task["liaison"] == "central-hospital.night"


async def test_reopened_at_night_it_goes_to_who_is_on_duty_one_level_higher(story: Story) -> None:
    request_id, _ = await story.answered()
    await story.harness.turn(hours=8)
    await story.dispute(request_id)
    task = await story.lead(request_id)
    assert (task["status"], task["liaison"], task["level"]) == ("assigned", "central-hospital.deputy", 1)
    [escalated] = await story.stated(request_id, r.TaskEscalated)
    assert escalated.fact.level == 1
    await story.done(deputy("central-hospital"), task, "accept")
    assert (await story.do(HOSPITAL, task, "progress", text="x")).status_code == 409


async def test_a_missed_promise_comes_back_as_red(story: Story) -> None:
    by = story.harness.clock.now() + timedelta(minutes=30)
    request_id, _ = await story.answered(fulfil_by=by.isoformat())
    await story.dispute(request_id, DisputeReason.FULFILMENT_MISSED)
    assert (await story.lead(request_id))["colour"] == "red"


async def test_rules_do_not_run_again_on_an_edit(story: Story) -> None:
    request_id = await story.file(triaged(Colour.YELLOW))
    await story.tell(request_id, triaged(Colour.RED, Category.FOOD_SUPPLIES, revision=2, by=Decider.PERSON))
    task = await story.lead(request_id)
    assert (task["organisation"], task["colour"], task["category"]) == ("central-hospital", "red", "food_supplies")
    assert len(await story.stated(request_id, r.TaskAssigned)) == 1


async def test_a_withdrawal_cancels_the_tasks_and_their_timer(story: Story) -> None:
    request_id = await story.file(triaged(needs=("transport",)))
    await story.tell(request_id, WITHDRAWN)
    assert len(await story.stated(request_id, r.TaskCancelled)) == 2
    assert await story.harness.rows(sa.select(timers).where(timers.c.key == str(request_id))) == []
    late = await story.do(HOSPITAL, await story.lead(request_id), "accept")
    assert (late.status_code, late.json()["state"]) == (409, "cancelled")


async def test_a_case_in_other_hands_is_woken_a_moment_later(story: Story) -> None:
    request_id = await story.file(triaged())
    async with story.harness.service.database.transaction() as connection:
        await store.lock_cases(connection, [request_id])
        story.harness.clock.turn(minutes=5)
        timer = story.harness.service.timers
        assert timer is not None
        await timer.fire_due()
    assert await story.stated(request_id, r.TaskRecalled) == []
    await story.harness.turn(seconds=2)
    assert len(await story.stated(request_id, r.TaskRecalled)) == 1


@pytest.mark.timeout(240)
async def test_ten_thousand_timers_due_at_once_all_fire(story: Story) -> None:
    now = story.harness.clock.now()
    ids = [new_id() for _ in range(MANY)]
    for begin in range(0, MANY, 500):
        batch = ids[begin : begin + 500]
        events = [story.builder.event(fact, i, time=now) for i in batch for fact in (received(at=now), triaged())]
        await story.harness.take(*events)
    story.harness.clock.turn(minutes=5)
    await story.harness.fire_due()
    recalled = await story.harness.rows(
        sa.text("select distinct aggregateid from outbox where type = 'heed.request.recalled'")  # type: ignore[arg-type]
    )
    assert len(recalled) == MANY
    seen: set[str] = set()
    page = await story.page(overdue=False)
    seen.update(task["id"] for task in page["items"])
    while page["next_cursor"]:
        page = await story.page(overdue=False, cursor=page["next_cursor"])
        seen.update(task["id"] for task in page["items"])
    assert len(seen) == MANY
