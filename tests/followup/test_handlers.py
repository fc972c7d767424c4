"""The loop's last part on a real database: answers rated or looked back at, closing, reopening, alarms, figures."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from followup import sampling, store
from followup.app import apply_plan
from followup.recount import recount
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import PolicyRecorded
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import AlarmKind, Category, Colour, DisputeReason, Outcome, Stage, WithdrawalReason
from tests.followup.stories import HUXIAO, INSPECTOR, OPERATOR, Story, minutes
from tests.support.builders import START, Builder
from tests.support.harness import Harness

REACHED = {"outcome": "reached", "solved": True}


async def come_round(harness: Harness, *stories: Story) -> None:
    """Hand to followup what is new in the stories, and what it stated itself, as the bus would."""
    mine = {str(story.id): story for story in stories}
    for event in await harness.stated():
        if isinstance(event.fact, r.RequestFact) and event not in mine[event.subject].events:
            mine[event.subject].events.append(event)
    await harness.take(*(event for story in stories for event in story.new()))


async def endings(harness: Harness) -> list[Outcome | DisputeReason]:
    """How followup ended stages, in order."""
    facts = [event.fact for event in await harness.stated(r.RequestClosed, r.RequestDisputed)]
    return [fact.outcome if isinstance(fact, r.RequestClosed) else fact.reason for fact in facts]


async def rate(harness: Harness, story: Story, **word: Any) -> dict[str, Any]:
    async with harness.client(story.resident) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", json=word)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def visits(harness: Harness, query: str = "") -> list[dict[str, Any]]:
    async with harness.client(INSPECTOR) as client:
        items: list[dict[str, Any]] = (await client.get(f"/v1/visits?{query}")).json()["items"]
    return items


async def call(harness: Harness, visit: dict[str, Any], **made: Any) -> dict[str, Any]:
    async with harness.client(INSPECTOR) as client:
        body = {"revision": visit["revision"]} | made
        response = await client.post(f"/v1/visits/{visit['id']}/attempts", json=body)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def undrawn(secret: bytes) -> UUID:
    """A request id whose lot is not drawn this week by any share of the sample plan."""
    seed = sampling.seed_of(secret, START.date())
    return next(story.id for story in iter(Story, None) if sampling.lot(seed, story.id) > 0.5)


async def seed_of(harness: Harness) -> bytes:
    return (await harness.service.query(store.load_policy)).seed


# Rating


async def test_rated_solved_closes_as_confirmed_and_voids_the_call_back(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await come_round(harness, story)
    (visit,) = await visits(harness)
    harness.clock.turn(minutes=15)
    answer = await rate(harness, story, solved=True, satisfaction=5)
    assert (answer["counts"], answer["effect"]) == (True, "closed")
    assert await visits(harness) == []
    await come_round(harness, story)
    assert await endings(harness) == [Outcome.CONFIRMED]
    assert [row["status"] for row in await harness.rows(sa.select(store.cases))] == ["closed"]
    async with harness.client(INSPECTOR) as client:
        gone = await client.post(f"/v1/visits/{visit['id']}/attempts", json={"revision": 1} | REACHED)
    assert (gone.status_code, gone.json()["state"]) == (409, "void")


async def test_not_solved_reopens_and_the_next_answer_is_looked_back_at_again(harness: Harness) -> None:
    story = Story().begun().answered(10)
    await come_round(harness, story)
    assert (await rate(harness, story, solved=False))["effect"] == "disputed"
    await come_round(harness, story)
    await come_round(harness, story.assigned().accepted().answered(20))
    assert [visit["reason"] for visit in await visits(harness)] == ["reopened"]
    assert (await rate(harness, story, solved=True))["effect"] == "closed"
    assert await endings(harness) == [DisputeReason.NOT_SOLVED, Outcome.CONFIRMED]


async def test_a_second_rating_counts_and_the_first_stays_on_record(harness: Harness) -> None:
    story = Story().begun().answered(10)
    await come_round(harness, story)
    await rate(harness, story, solved=True)
    for effect in ("disputed", "none"):  # a third one comes when the request is handled again
        answer = await rate(harness, story, solved=False, satisfaction=1)
        assert (answer["counts"], answer["effect"]) == (effect == "disputed", effect)
        await come_round(harness, story)
    words = [(event.fact.solved, event.fact.counts) for event in await harness.stated(r.RequestRated)]
    assert words == [(True, True), (False, True), (False, False)]
    assert await endings(harness) == [Outcome.CONFIRMED, DisputeReason.NOT_SOLVED]


async def test_a_comment_is_masked_and_goes_to_the_texts_after_the_rating(harness: Harness) -> None:
    story = Story().begun().answered(10)
    await come_round(harness, story)
    await rate(harness, story, solved=True, comment="谢谢！我的电话是13812345678。")
    stated = await harness.stated(r.RequestRated, TextRecorded, r.RequestClosed)
    assert [type(event.fact) for event in stated] == [r.RequestRated, TextRecorded, r.RequestClosed]
    rated, text = stated[0].fact, stated[1].fact
    assert "13812345678" not in text.text
    assert text.text.startswith("谢谢！")
    assert (text.kind, text.language, text.text_id) == ("comment", "zh", rated.text_id)
    assert rated.text_hash
    assert (stated[1].subject, stated[1].key) == (str(story.id), str(text.text_id))


async def test_before_the_fulfilment_the_resident_hears_when(harness: Harness) -> None:
    story = Story().begun(Colour.RED)
    by = story.now + minutes(600)
    await come_round(harness, story.answered(10, fulfil_by=by))
    async with harness.client(story.resident) as client:
        early = await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True})
    assert (early.status_code, early.json()["fulfil_by"]) == (409, by.isoformat())
    assert await visits(harness) == []
    await come_round(harness, story.fulfilled(500))
    assert [visit["due_at"] for visit in await visits(harness)] == [story.now.isoformat().replace("+00:00", "Z")]
    assert (await rate(harness, story, solved=True))["effect"] == "closed"


async def test_a_missed_fulfilment_is_disputed_after_the_grace(harness: Harness) -> None:
    story = Story().begun(Colour.GREEN)
    by = story.now + minutes(600)
    await come_round(harness, story.answered(10, fulfil_by=by))
    await harness.turn(to=by + minutes(14))
    assert await endings(harness) == []
    await harness.turn(minutes=1)
    assert await endings(harness) == [DisputeReason.FULFILMENT_MISSED]
    await come_round(harness, story)
    await harness.turn(days=1)
    assert await endings(harness) == [DisputeReason.FULFILMENT_MISSED]


# Call-backs


async def test_three_tries_at_their_times_then_unreached(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await come_round(harness, story)
    times, answer = [], {}
    for attempt in (1, 2, 3):
        (visit,) = await visits(harness)
        await harness.turn(to=max(harness.clock.now(), datetime.fromisoformat(visit["due_at"])))
        assert [due["id"] for due in await visits(harness, "due")] == [visit["id"]]
        answer = await call(harness, visit, outcome="no_answer")
        times.append(datetime.fromisoformat(visit["due_at"]) - story.now)
        assert answer["attempt"] == visit["attempt"] == attempt
        assert await visits(harness, "due=true") == []
    assert times == [minutes(0), minutes(120), minutes(120 + 1440)]
    assert (answer["state"], answer["effect"], answer["next_due_at"]) == ("done", "closed", None)
    assert await endings(harness) == [Outcome.UNREACHED]
    facts = [event.fact for event in await harness.stated(r.ResidentVisited)]
    assert [(fact.attempt, fact.medium) for fact in facts] == [(1, "phone"), (2, "phone"), (3, "home")]


async def test_reached_and_not_solved_reopens(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await come_round(harness, story)
    (visit,) = await visits(harness)
    answer = await call(harness, visit, outcome="reached", solved=False, satisfaction=1, note="Call 13812345678 again")
    assert answer["effect"] == "disputed"
    assert await endings(harness) == [DisputeReason.LOOK_BACK]
    (note,) = await harness.stated(TextRecorded)
    assert (note.fact.kind, "13812345678" in note.fact.text) == ("note", False)


async def test_what_was_not_drawn_closes_as_unasked_when_the_window_is_over(harness: Harness) -> None:
    seed, builder = await seed_of(harness), Builder()
    stories = [Story(builder, undrawn(seed)).begun().answered(10) for _ in range(8)]
    await come_round(harness, *stories)
    assert await visits(harness) == []
    await harness.turn(to=START + timedelta(days=6))
    assert await visits(harness) == []
    await harness.turn(days=1)
    topped_up = await visits(harness)
    assert [visit["reason"] for visit in topped_up] == ["topped_up"] * 5  # at least five of each organisation
    await harness.turn(to=stories[0].now + timedelta(days=14) - timedelta(seconds=1))
    assert await endings(harness) == []
    await harness.turn(seconds=1)
    assert await endings(harness) == [Outcome.UNASKED] * 3


async def test_a_withdrawn_request_is_called_back_no_more(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await come_round(harness, story)
    await come_round(harness, story.add(r.RequestWithdrawn(reason=WithdrawalReason.SOLVED_OTHERWISE)))
    assert await visits(harness) == []


async def test_a_request_that_turns_red_after_its_answer_is_drawn(harness: Harness) -> None:
    story = Story(request_id=undrawn(await seed_of(harness))).begun().answered(10)
    await come_round(harness, story)
    assert await visits(harness) == []
    await come_round(harness, story.triaged(Colour.RED, after=5, revision=2))
    assert [visit["reason"] for visit in await visits(harness)] == ["colour"]


# The watchdog


async def alarms(harness: Harness) -> list[tuple[AlarmKind, int] | AlarmKind]:
    """What was raised (with its count) and cleared, in order."""
    facts = [event.fact for event in await harness.stated(AlarmRaised, AlarmCleared)]
    return [(fact.kind, fact.count) if isinstance(fact, AlarmRaised) else fact.kind for fact in facts]


async def listed(harness: Harness) -> list[dict[str, Any]]:
    async with harness.client(OPERATOR) as client:
        items: list[dict[str, Any]] = (await client.get("/v1/alarms")).json()["items"]
    return items


async def test_silence_raises_repeats_and_is_cleared(harness: Harness) -> None:
    story = Story().received().told_received().triaged(Colour.RED)
    await come_round(harness, story)
    await harness.turn(minutes=9, seconds=59)
    assert await alarms(harness) == []
    await harness.turn(seconds=1)
    assert await alarms(harness) == [(AlarmKind.NOT_ASSIGNED, 1)]
    await harness.turn(minutes=20)
    assert await alarms(harness) == [(AlarmKind.NOT_ASSIGNED, n) for n in (1, 2, 3)]
    await harness.take(*(await harness.stated(AlarmRaised)))
    (alarm,) = await listed(harness)
    assert (alarm["kind"], alarm["request_id"], alarm["stage"], alarm["count"]) == (
        "not_assigned",
        str(story.id),
        Stage.ASSIGNED,
        3,
    )
    assert alarm["raised_at"] < alarm["last_at"]
    await come_round(harness, story.assigned(after=30))
    assert (await alarms(harness))[-1] is AlarmKind.NOT_ASSIGNED
    await harness.take(*(await harness.stated(AlarmCleared)))
    assert await listed(harness) == []


async def test_a_sleeping_watchdog_wakes_once_and_counts_what_it_missed(harness: Harness) -> None:
    story = Story().received().told_received().triaged(Colour.RED)
    await come_round(harness, story)
    harness.clock.turn(minutes=47)
    await harness.fire_due()
    assert await alarms(harness) == [(AlarmKind.NOT_ASSIGNED, 4)]  # of 10, 20, 30 and 40 minutes


async def test_a_log_read_late_gets_a_minute_before_it_alarms(harness: Harness) -> None:
    harness.clock.turn(hours=3)
    story = Story().begun(Colour.RED)
    received, *rest = story.new()
    await harness.take(received)
    await harness.fire_due()
    assert await alarms(harness) == []
    await harness.take(*rest)
    await harness.turn(minutes=1)
    assert [kind for kind, _ in await alarms(harness)] == [AlarmKind.SILENT]


async def test_two_requests_ring_apart(harness: Harness) -> None:
    builder = Builder()
    stories = [Story(builder).received() for _ in range(2)]
    await come_round(harness, *stories)
    await harness.turn(minutes=2)
    assert {event.subject for event in await harness.stated(AlarmRaised)} == {str(s.id) for s in stories}


# Everything together


async def test_delivered_twice_changes_nothing(harness: Harness) -> None:
    story = Story().begun(Colour.RED).answered(10)
    await come_round(harness, story)
    await rate(harness, story, solved=True, satisfaction=4)
    await come_round(harness, story)

    before = await harness.everything()
    assert all(before[table] for table in ("cases", "visits", "moves"))
    await harness.take(*story.events)
    await harness.take(*reversed(story.events))
    assert await harness.everything() == before


async def test_a_fact_of_an_unknown_request_is_parked_and_others_flow(harness: Harness) -> None:
    lost, found = Story().triaged(), Story().received()
    await harness.take(*lost.events, *found.events)
    assert [row["error"] for row in await harness.parked()] == ["NothingReceived"]
    assert [row["request_id"] for row in await harness.rows(sa.select(store.cases))] == [found.id]


async def test_figures_over_the_api_equal_a_recount_of_the_log(harness: Harness) -> None:
    stories = await play_a_week(harness)
    log: list[Event[Fact]] = [event for story in stories for event in story.events]
    expected = recount(log, harness.clock.now())
    async with harness.client(OPERATOR) as client:
        report = (await client.get("/v1/figures")).json()
        assert report["figures"]["totals"]["received"] == len(stories)
        assert report["figures"] == asdict(expected)
        for by in ("colour", "category", "organisation", "area", "channel", "hour"):
            groups = (await client.get(f"/v1/figures?by={by}")).json()["groups"]
            assert sum(group["figures"]["totals"]["received"] for group in groups) == len(stories), by
            assert sum(group["figures"]["on_time"]["n"] for group in groups) == expected.on_time.n
        red = next(g for g in (await client.get("/v1/figures?by=colour")).json()["groups"] if g["value"] == "red")
    reds = [event for story in stories if story.colour is Colour.RED for event in story.events]
    assert red["figures"] == asdict(recount(reds, harness.clock.now()))


async def play_a_week(harness: Harness) -> list[Story]:
    """Thirty requests of all colours, some silent, some withdrawn, some disputed, some called back."""
    builder, stories = Builder(), list[Story]()
    for n in range(30):
        story = Story(builder, at=harness.clock.now()).received(area=f"{HUXIAO}/{n % 3}").told_received()
        story.triaged(list(Colour)[n % 3], category=list(Category)[n % 5])
        if n % 7 == 6:
            story.add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))
        elif n % 5:
            story.assigned(("central-hospital", "town-office")[n % 2]).accepted(3)
            if n % 4:
                story.contacted(n).answered(n * 9)
        stories.append(story)
        await come_round(harness, *stories)
        harness.clock.turn(minutes=47)
        await harness.fire_due()
        if story.events[-1].type == r.RequestAnswered.TYPE and n % 3:
            await rate(harness, story, solved=bool(n % 2), satisfaction=n % 5 + 1)
    for visit in (await visits(harness, "due"))[:3]:
        await call(harness, visit, **REACHED, satisfaction=4)
    await come_round(harness, *stories)
    harness.clock.turn(days=5)
    await harness.fire_due()
    await come_round(harness, *stories)
    return stories


async def test_the_plan_is_kept_with_its_version_and_announced_once(harness: Harness) -> None:
    await apply_plan(harness.service)  # a second start
    (kept,) = await harness.rows(sa.select(store.plans.c.version))
    stated = await harness.stated(PolicyRecorded)
    assert [event.fact.version for event in stated] == [kept["version"]]
