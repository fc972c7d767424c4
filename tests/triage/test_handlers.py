from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.contracts import requests as r
from shared.contracts.directory import PolicyRecorded
from shared.contracts.life import TRANSITIONS
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.texts import TextErased
from shared.contracts.vocabulary import (
    AlarmKind,
    Category,
    Colour,
    Decider,
    Outcome,
    RejectionReason,
    Role,
    Stage,
    TextKind,
    WithdrawalReason,
)
from shared.ids import new_id
from shared.messaging.timers import BATCH
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer
from tests.triage.builders import (
    CALM,
    DOUBTFUL,
    FILED_AT,
    STORY,
    SUPPOSED,
    UNKNOWN,
    ZONE,
    Request,
    items,
    post,
    the_rules,
)
from triage import store
from triage.app import build
from triage.handlers import HANDLES

ENDINGS = {
    "withdrawn": r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED),
    "rejected": r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON),
    "merged": r.RequestMerged(into=UUID(int=1)),
}


async def _triaged(harness: Harness) -> list[r.RequestTriaged]:
    return [event.fact for event in await harness.stated(r.RequestTriaged)]


async def _own(harness: Harness) -> None:
    """Let triage hear what it stated, as it does from the bus."""
    await harness.take(*await harness.stated(r.RequestTriaged))


async def _override(harness: Harness, request: Request, revision: int, **body: object) -> None:
    sent = {"revision": revision, "reason": "核对过了"} | body
    answer = await post(harness, f"/v1/requests/{request.id}/assessments", sent)
    assert answer.status_code == 201, answer.text


async def test_the_story_is_triaged_from_its_text_alone(harness: Harness) -> None:
    request = Request()
    text = request.text(STORY, filed_at=FILED_AT)
    await harness.take(text)
    (event,) = await harness.stated(r.RequestTriaged)
    assert event.subject == event.key == str(request.id)
    fact = event.fact
    assert (fact.revision, fact.category, fact.colour) == (1, Category.MEDICAL, Colour.RED)
    assert fact.deadline == datetime(2022, 10, 26, 23, 59, tzinfo=ZONE)
    assert fact.needs == ("transport",)
    assert (fact.decided_by, fact.policy_version) == (Decider.MACHINE, the_rules().version)
    assert {reason.text_id for reason in fact.reasons if reason.start is not None} == {UUID(text.key)}


async def test_the_order_in_which_receipt_and_text_are_read_does_not_matter(harness: Harness) -> None:
    one, other = Request(), Request()
    await harness.take(one.received(), one.text(STORY))
    await harness.take(other.text(STORY))
    await harness.take(other.received())
    first, second = await _triaged(harness)
    assert (first.category, first.colour) == (second.category, second.colour)
    rows = await harness.rows(sa.select(store.requests.c.area))
    assert [row["area"] for row in rows] == ["pinghu/dushangang/huxiao/06"] * 2


async def test_a_batch_is_one_work_and_few_queries(harness: Harness) -> None:
    batch = [event for _ in range(40) for request in [Request()] for event in (request.received(), request.text(STORY))]
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    engine = harness.service.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", counted)
    await harness.take(*batch)
    sa.event.remove(engine, "before_cursor_execute", counted)
    assert len(await _triaged(harness)) == 40
    assert count < 20


async def test_everything_twice_changes_nothing(harness: Harness) -> None:
    request, unsure = Request(), Request()
    log = [request.received(), request.text(STORY), request.amendment("爷爷喘不上气"), unsure.text(DOUBTFUL)]
    await harness.take(*log)
    log += await harness.stated(r.RequestTriaged)
    await harness.take(*log)
    before = await harness.everything()
    assert before["timers"]
    await harness.take(*log)
    await harness.take(*reversed(log))
    assert await harness.everything() == before


@pytest.mark.parametrize("kind", [TextKind.NOTE, TextKind.ANSWER, TextKind.COMMENT])
async def test_only_what_residents_say_is_triaged(harness: Harness, kind: TextKind) -> None:
    request = Request()
    await harness.take(request.received(), request.text(STORY, kind))
    assert await _triaged(harness) == []
    assert await harness.rows(sa.select(store.texts)) == []


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_has_ended_is_not_triaged(harness: Harness, ending: str) -> None:
    request = Request()
    await harness.take(request.received(), request.event(ENDINGS[ending]))
    await harness.take(request.text(UNKNOWN), request.amendment(STORY))
    assert await _triaged(harness) == []
    assert await items(harness, "/v1/reviews") == []


# Amendments


async def test_an_amendment_raises_by_a_new_revision_and_never_lowers(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text("家里没有菜了，米也快没了，求帮忙买"))
    await harness.take(request.amendment("老人现在喘不上气，快不行了"))
    await harness.take(request.amendment("谢谢，不急了", after_minutes=5))
    first, second = await _triaged(harness)
    assert (first.revision, first.colour, first.emergency) == (1, Colour.YELLOW, False)
    assert (second.revision, second.colour, second.emergency) == (2, Colour.RED, True)


async def test_an_amendment_read_before_the_text_loses_nothing(harness: Harness) -> None:
    request = Request()
    text, amendment = request.text("老人喘不上气"), request.amendment("家里也没有吃的了")
    await harness.take(amendment)
    await harness.take(text)
    assert [fact.colour for fact in await _triaged(harness)][-1] is Colour.RED


async def test_a_persons_word_is_overruled_only_upward_to_red(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(STORY))
    await _override(harness, request, 1, colour="green", category="other")
    await harness.take(request.amendment("家里没有菜了，求帮忙", after_minutes=1))
    assert [fact.revision for fact in await _triaged(harness)] == [1, 2]
    await harness.take(request.amendment("爷爷突然昏迷，叫不醒", after_minutes=2))
    last = (await _triaged(harness))[-1]
    assert (last.revision, last.colour, last.category) == (3, Colour.RED, Category.OTHER)
    assert (last.decided_by, last.unsure) == (Decider.MACHINE, True)


# Reviews


async def test_an_unsure_assessment_waits_for_a_person_with_a_time(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    (fact,) = await _triaged(harness)
    assert (fact.unsure, fact.review_due_at) == (True, START + timedelta(minutes=5))
    (review,) = await items(harness, "/v1/reviews")
    assert review["request_id"] == str(request.id)
    assert not review["overdue"]


async def test_an_overdue_review_stays_and_raises_an_alarm_that_repeats(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    await harness.turn(minutes=4.9)
    assert await harness.stated(AlarmRaised) == []
    await harness.turn(minutes=20.1)
    alarms = await harness.stated(AlarmRaised)
    assert [alarm.time - START for alarm in alarms] == [timedelta(minutes=m) for m in (5, 15, 25)]
    assert [alarm.fact.count for alarm in alarms] == [1, 2, 3]
    first = alarms[0]
    assert (first.subject, first.fact.service, first.fact.request_id) == (str(request.id), "triage", request.id)
    assert (first.fact.kind, first.fact.stage) == (AlarmKind.REVIEW_OVERDUE, Stage.TRIAGE_CONFIRMED)
    assert (await items(harness, "/v1/reviews"))[0]["overdue"]


@pytest.mark.parametrize(("text", "minutes"), [(DOUBTFUL, 5), (UNKNOWN, 15), (SUPPOSED, 60)])
async def test_each_colour_has_its_clock(harness: Harness, text: str, minutes: int) -> None:
    request = Request()
    await harness.take(request.text(text))
    await harness.turn(minutes=minutes - 0.1)
    assert await harness.stated(AlarmRaised) == []
    await harness.turn(minutes=0.1)
    assert len(await harness.stated(AlarmRaised)) == 1


async def test_a_timer_that_wakes_late_fires_once_and_counts_what_it_missed(harness: Harness) -> None:
    await harness.take(Request().text(DOUBTFUL))
    harness.clock.turn(START + timedelta(minutes=27))
    await harness.fire_due()
    (alarm,) = await harness.stated(AlarmRaised)
    assert alarm.fact.count == 3
    await harness.turn(minutes=8)
    assert [each.fact.count for each in await harness.stated(AlarmRaised)] == [3, 4]


async def test_confirmation_ends_the_review_and_clears_the_alarm(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    await harness.turn(minutes=6)
    await _override(harness, request, 1)
    (cleared,) = await harness.stated(AlarmCleared)
    assert (cleared.subject, cleared.fact.kind) == (str(request.id), AlarmKind.REVIEW_OVERDUE)
    assert await items(harness, "/v1/reviews") == []
    await harness.turn(hours=24)
    assert len(await harness.stated(AlarmRaised)) == 1
    last = (await _triaged(harness))[-1]
    assert (last.unsure, last.review_due_at, last.decided_by, last.colour) == (
        False,
        None,
        Decider.PERSON,
        Colour.RED,
    )


@pytest.mark.parametrize("ending", ENDINGS)
async def test_the_end_of_a_request_ends_its_review(harness: Harness, ending: str) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    await harness.turn(minutes=6)
    await _own(harness)
    await harness.take(request.event(ENDINGS[ending]))
    assert await items(harness, "/v1/reviews") == []
    assert len(await harness.stated(AlarmCleared)) == 1
    await harness.turn(hours=24)
    assert len(await harness.stated(AlarmRaised)) == 1


async def test_a_rejection_that_came_too_late_ends_nothing(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    await _own(harness)
    await harness.take(request.assigned(), request.event(ENDINGS["rejected"]))
    assert len(await items(harness, "/v1/reviews")) == 1


async def test_an_amendment_moves_a_review_that_is_open(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(UNKNOWN))
    await harness.take(request.amendment(DOUBTFUL, after_minutes=2))
    (review,) = await items(harness, "/v1/reviews")
    assert datetime.fromisoformat(review["review_due_at"]) == START + timedelta(minutes=7)
    await harness.turn(minutes=7)
    assert [alarm.time - START for alarm in await harness.stated(AlarmRaised)] == [timedelta(minutes=7)]


async def test_more_reviews_due_at_once_than_a_batch_holds_are_all_raised(harness: Harness) -> None:
    requests = [Request() for _ in range(BATCH + 100)]
    await harness.take(*(request.text(UNKNOWN) for request in requests))
    await harness.turn(minutes=15)
    raised = await harness.stated(AlarmRaised)
    assert {alarm.subject for alarm in raised} == {str(request.id) for request in requests}


# The rest


async def test_the_words_are_erased_with_the_text(harness: Harness) -> None:
    request = Request()
    text = request.text(STORY)
    await harness.take(request.received(), text)
    path = f"/v1/requests/{request.id}/assessments"
    assert any(reason["words"] for reason in (await items(harness, path))[0]["reasons"])
    erased = request.event(TextErased(), key=text.key, source="intake", sequence=2)
    await harness.take(erased)
    assert await harness.rows(sa.select(store.texts)) == []
    (assessment,) = await items(harness, path)
    assert assessment["reasons"]
    assert not any(reason["words"] for reason in assessment["reasons"])


async def test_what_persons_wrote_goes_when_the_request_is_archived(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(STORY))
    await _override(harness, request, 1, reason="电话核实")
    await _own(harness)
    await harness.take(request.event(ENDINGS["withdrawn"]), request.event(r.RequestArchived()))
    rows = await harness.rows(sa.select(store.assessments))
    assert [row["reason"] for row in rows] == [None, None]


async def test_nothing_a_person_said_is_in_a_fact(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(STORY))
    await _override(harness, request, 1, reason="打13800138000核实过，住金茂花苑3幢")
    said = "".join(event.fact.model_dump_json() for event in await harness.stated())
    assert not any(words in said for words in ("金茂", "狂犬", "13800138000", "核实"))
    rows = await harness.rows(sa.select(store.assessments.c.reason).where(store.assessments.c.revision == 2))
    assert "13800138000" not in rows[0]["reason"]


async def test_the_rules_version_is_announced_when_it_changes(postgres: PostgresServer) -> None:
    async with Harness.start(build, postgres) as harness:
        (announced,) = await harness.stated(PolicyRecorded)
        assert (announced.key, announced.fact.version) == ("triage-rules", the_rules().version)
        await harness.service.start()
        assert len(await harness.stated(PolicyRecorded)) == 1


async def test_a_closed_request_is_out_of_the_queue(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(DOUBTFUL))
    await _own(harness)
    task: Any = {"task_id": new_id(), "role": Role.LEAD, "organisation": "central-hospital"}
    await harness.take(
        request.assigned(),
        request.event(r.TaskAccepted(**task, liaison="central-hospital.day")),
        request.event(r.RequestAnswered(**task, text_id=new_id(), text_hash="h")),
        request.event(r.RequestClosed(outcome=Outcome.CONFIRMED)),
    )
    assert await items(harness, "/v1/reviews") == []
    await harness.take(request.amendment(CALM))
    assert len(await _triaged(harness)) == 1


def test_every_fact_that_changes_a_life_is_heard() -> None:
    assert set(TRANSITIONS) <= set(HANDLES)
