"""Dispatch from fact to fact, on a turned clock: every clock for each colour, and the traps others fell into."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Category,
    Colour,
    DisputeReason,
    Outcome,
    ReturnReason,
    Role,
    Stage,
    WithdrawalReason,
)
from shared.identity import Kind
from tests.dispatch.stories import Story, liaison, received, triaged
from tests.support.builders import START
from tests.support.harness import Harness

ACCEPTED_MINUTES = {Colour.RED: 5, Colour.YELLOW: 30, Colour.GREEN: 120}
CONTACTED_MINUTES = {Colour.RED: 15, Colour.YELLOW: 60, Colour.GREEN: 240}
ANSWERED_MINUTES = {Colour.RED: 120, Colour.YELLOW: 1440, Colour.GREEN: 4320}
EVERY_MINUTES = {Colour.RED: 10, Colour.YELLOW: 60, Colour.GREEN: 240}
COLOURS = pytest.mark.parametrize("colour", Colour, ids=lambda colour: colour.value)
DISPUTED = r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)


def of_stage(facts: list[Any], stage: Stage) -> list[Any]:
    return [fact for fact in facts if fact.stage is stage]


@COLOURS
async def test_a_triaged_request_is_assigned_at_once_with_its_promises(harness: Harness, colour: Colour) -> None:
    story = await Story(harness).begin(colour)
    [fact] = await story.facts(r.TaskAssigned)
    assert (fact.organisation, fact.liaison, fact.role) == ("central-hospital", "central-hospital.day", Role.LEAD)
    assert fact.accept_by == START + timedelta(minutes=ACCEPTED_MINUTES[colour])
    assert fact.contact_by == START + timedelta(minutes=CONTACTED_MINUTES[colour])
    assert fact.answer_by == START + timedelta(minutes=ANSWERED_MINUTES[colour])


async def test_a_need_makes_an_assisting_task(harness: Harness) -> None:
    story = await Story(harness).begin(needs=("transport",))
    assert [(f.organisation, f.role) for f in await story.facts(r.TaskAssigned)] == [
        ("central-hospital", "lead"),
        ("transport-team", "assisting"),
    ]


async def test_nothing_is_unrouted(harness: Harness) -> None:
    for category in Category:
        story = Story(harness)
        await story.tell(received(area=None), triaged(Colour.GREEN, category))
        assert len(await story.facts(r.TaskAssigned)) == 1


async def test_a_deadline_pulls_the_clocks_forward(harness: Harness) -> None:
    deadline = START + timedelta(hours=12)
    story = await Story(harness).begin(Colour.YELLOW, deadline=deadline, needs=("transport",))
    fact = (await story.facts(r.TaskAssigned))[0]
    assert fact.answer_by == deadline - timedelta(minutes=120)
    assert fact.accept_by < START + timedelta(minutes=30)


async def test_a_deadline_that_is_past_moves_no_clock_into_the_past(harness: Harness) -> None:
    story = await Story(harness).begin(Colour.RED, deadline=START - timedelta(days=1))
    [fact] = await story.facts(r.TaskAssigned)
    assert fact.answer_by == START + timedelta(minutes=120)


@COLOURS
async def test_not_accepted_in_time_it_goes_to_the_deputy_and_on(harness: Harness, colour: Colour) -> None:
    story, minutes = await Story(harness).begin(colour), ACCEPTED_MINUTES[colour]
    seats = []
    for _ in range(5):
        await harness.turn(minutes=minutes)
        task = await story.lead()
        seats.append((task["organisation"], task["liaison"].split(".")[1]))
    assert seats == [
        ("central-hospital", "deputy"),
        ("central-hospital", "supervisor"),
        ("duty-office", seats[2][1]),
        ("duty-office", "deputy"),
        ("duty-office", "supervisor"),
    ]
    assert len(await story.facts(r.TaskRecalled)) == 5
    await harness.turn(minutes=minutes * 3)
    assert (await story.lead())["liaison"] == "duty-office.supervisor"
    assert of_stage(await story.facts(r.TaskNudged), Stage.ACCEPTED)


async def test_a_late_accept_is_refused_with_who_holds_it_now(harness: Harness) -> None:
    story = await Story(harness).begin()
    before = await story.lead()
    await harness.turn(minutes=5)
    for revision in (before["revision"], (await story.lead())["revision"]):
        late = await story.act("accept", liaison(), revision=revision)
        assert late.status_code == 409
        assert late.json()["type"].endswith("task-held-by-another")
        assert late.json()["liaison"] == "central-hospital.deputy"
    assert (await story.act("accept", liaison(kind=Kind.DEPUTY))).status_code == 200


async def test_an_old_holder_of_another_organisation_is_told_who_has_it(harness: Harness) -> None:
    story = await Story(harness).begin()
    await harness.turn(minutes=15)
    late = await story.act("accept", liaison())
    assert (late.status_code, late.json()["organisation"]) == (409, "duty-office")


@COLOURS
async def test_reminders_at_50_and_80_percent_then_nudges_that_repeat(harness: Harness, colour: Colour) -> None:
    story = await Story(harness).begin(colour)
    await story.act("accept", liaison())
    await story.act("contact", liaison())
    minutes, every = ANSWERED_MINUTES[colour], EVERY_MINUTES[colour]
    await harness.turn(minutes=minutes - 1)
    reminders = of_stage(await story.facts(r.TaskReminded), Stage.ANSWERED)
    assert [fact.percent for fact in reminders] == [50, 80]
    assert await story.facts(r.TaskNudged) == []
    await harness.turn(minutes=1 + 3 * every)
    nudges = of_stage(await story.facts(r.TaskNudged), Stage.ANSWERED)
    assert [(fact.count, fact.missed) for fact in nudges] == [(1, 0), (2, 0), (3, 0), (4, 0)]


@COLOURS
async def test_the_next_level_hears_of_it(harness: Harness, colour: Colour) -> None:
    story = await Story(harness).begin(colour)
    await story.act("accept", liaison())
    await story.act("contact", liaison())
    percent = 100 if colour is Colour.RED else 150
    minutes = ANSWERED_MINUTES[colour] * percent / 100
    await harness.turn(minutes=minutes - 1)
    assert await story.facts(r.TaskEscalated) == []
    await harness.turn(minutes=1)
    assert [(f.stage, f.level) for f in await story.facts(r.TaskEscalated)] == [(Stage.ANSWERED, 1)]


@COLOURS
async def test_the_contact_clock_runs_from_the_first_assignment_and_stops_with_a_contact(
    harness: Harness, colour: Colour
) -> None:
    story = await Story(harness).begin(colour)
    await story.act("accept", liaison())
    await harness.turn(minutes=CONTACTED_MINUTES[colour])
    assert [fact.count for fact in of_stage(await story.facts(r.TaskNudged), Stage.CONTACTED)] == [1]
    await story.act("contact", liaison())
    await harness.turn(minutes=5 * EVERY_MINUTES[colour])
    assert len(of_stage(await story.facts(r.TaskNudged), Stage.CONTACTED)) == 1


async def test_a_timer_that_wakes_late_fires_once_and_says_what_it_missed(harness: Harness) -> None:
    story = await Story(harness).begin()
    await story.act("accept", liaison())
    await story.act("contact", liaison())
    harness.clock.turn(minutes=120 + 35)
    await harness.fire_due()
    [nudge] = of_stage(await story.facts(r.TaskNudged), Stage.ANSWERED)
    assert (nudge.count, nudge.missed) == (4, 3)


async def test_a_promise_has_a_clock_of_its_own(harness: Harness) -> None:
    story = await Story(harness).begin()
    await story.act("accept", liaison())
    by = START + timedelta(hours=10)
    answered = await story.act("answer", liaison(), text="明天接您去打针", fulfil_by=by.isoformat())
    assert answered.status_code == 200
    await harness.turn(hours=9)
    assert [f.percent for f in of_stage(await story.facts(r.TaskReminded), Stage.FULFILLED)] == [50, 80]
    await harness.turn(hours=1)
    assert len(of_stage(await story.facts(r.TaskNudged), Stage.FULFILLED)) == 1
    assert (await story.act("fulfil", liaison())).status_code == 200
    await harness.turn(hours=10)
    assert len(await story.facts(r.TaskNudged)) == 1


async def test_triaged_again_moves_clocks_forward_and_routes_nobody_anew(harness: Harness) -> None:
    story = await Story(harness).begin(Colour.GREEN, Category.FOOD_SUPPLIES)
    await story.act("accept", liaison("food-supply"))
    await story.tell(triaged(Colour.RED, Category.MEDICAL, revision=2))
    task = await story.lead()
    assert (task["organisation"], task["status"], task["colour"]) == ("food-supply", "accepted", "red")
    assert task["answer_by"] == (START + timedelta(minutes=120)).isoformat().replace("+00:00", "Z")
    await story.tell(triaged(Colour.GREEN, Category.MEDICAL, revision=3))
    assert (await story.lead())["answer_by"] == task["answer_by"]


async def test_reopened_goes_to_somebody_on_duty_one_level_higher(harness: Harness) -> None:
    story = await Story(harness).begin()
    await story.act("accept", liaison())
    await story.act("answer", liaison(), text="已联系")
    await harness.turn(hours=14)
    await story.tell(DISPUTED)
    task = await story.lead()
    assert (task["organisation"], task["liaison"], task["status"]) == (
        "central-hospital",
        "central-hospital.deputy",
        "assigned",
    )
    assert (await story.act("accept", liaison(kind=Kind.DEPUTY))).status_code == 200
    assert (await story.act("answer", liaison(kind=Kind.DEPUTY), text="已上门")).status_code == 200


@pytest.mark.parametrize(
    "ending",
    [r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED), r.RequestMerged(into=Story(None).request_id)],  # type: ignore[arg-type]
    ids=lambda fact: fact.TYPE,
)
async def test_an_ending_cancels_what_is_open(harness: Harness, ending: r.RequestFact) -> None:
    story = await Story(harness).begin(needs=("transport",))
    await story.tell(ending)
    assert [task["status"] for task in await story.tasks()] == ["cancelled", "cancelled"]
    await harness.turn(days=2)
    assert await story.facts(r.TaskRecalled, r.TaskNudged) == []
    assert (await story.act("accept", liaison())).status_code == 409


async def test_closing_ends_what_still_assists(harness: Harness) -> None:
    story = await Story(harness).begin(needs=("transport",))
    await story.act("accept", liaison())
    await story.act("answer", liaison(), text="好了")
    stated = await harness.stated(r.TaskFact)
    await harness.take(*stated)
    await story.tell(r.RequestClosed(outcome=Outcome.CONFIRMED))
    assert [task["status"] for task in await story.tasks()] == ["answered", "cancelled"]


async def test_not_ours_names_whose_it_is_and_returns_are_bounded(harness: Harness) -> None:
    story = await Story(harness).begin()
    unnamed = await story.act("return", liaison(), reason=ReturnReason.NOT_OURS)
    unknown = await story.act("return", liaison(), reason=ReturnReason.NOT_OURS, belongs_to="nobody")
    assert (unnamed.status_code, unknown.status_code) == (422, 422)
    first = await story.act("return", liaison(), reason=ReturnReason.NOT_OURS, belongs_to="pharmacy-supply")
    assert (first.json()["organisation"], first.json()["arbitration"]) == ("pharmacy-supply", False)
    pharmacy = liaison("pharmacy-supply")
    second = await story.act("return", pharmacy, reason=ReturnReason.NOT_OURS, belongs_to="food-supply")
    assert (second.json()["organisation"], second.json()["arbitration"]) == ("duty-office", True)
    third = await story.act("return", liaison("duty-office"), reason=ReturnReason.NO_CAPACITY)
    assert third.status_code == 409
    assert [fact.belongs_to for fact in await story.facts(r.TaskReturned)] == ["pharmacy-supply", "food-supply"]
    assert (await story.lead())["answer_by"] == (START + timedelta(minutes=120)).isoformat().replace("+00:00", "Z")


async def test_the_same_log_twice_changes_nothing(harness: Harness) -> None:
    story = await Story(harness).begin(needs=("transport",))
    await story.act("accept", liaison())
    own = await harness.stated(r.TaskFact)
    await harness.take(*own)
    before, count = await story.tasks(), len(await harness.stated())
    first = [story.build.event(received(), story.request_id, sequence=1)]
    await harness.take(*first, *own)
    assert await story.tasks() == before
    assert len(await harness.stated()) == count


async def test_ten_thousand_clocks_due_at_once_are_all_seen(harness: Harness) -> None:
    stories = [Story(harness) for _ in range(10_000)]
    fact = received(), triaged()
    for first in range(0, len(stories), 1000):
        await harness.take(*(s.build.event(f, s.request_id) for s in stories[first : first + 1000] for f in fact))
    harness.clock.turn(minutes=5)
    await harness.fire_due()
    recalled = await harness.stated(r.TaskRecalled)
    assert len({event.subject for event in recalled}) == 10_000


test_ten_thousand_clocks_due_at_once_are_all_seen = pytest.mark.timeout(180)(
    test_ten_thousand_clocks_due_at_once_are_all_seen
)


async def test_texts_are_masked_and_follow_their_fact(harness: Harness) -> None:
    story = await Story(harness).begin()
    await story.act("accept", liaison())
    await story.act("answer", liaison(), text="请拨打 13800138000 找王医生")
    stated = await harness.stated()
    kinds = [event.type for event in stated if event.subject == str(story.request_id)]
    assert kinds[-2:] == ["heed.request.answered", "heed.text.recorded"]
    assert "13800138000" not in stated[-1].fact.text
