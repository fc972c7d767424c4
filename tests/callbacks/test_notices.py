"""Who is told what: residents with one voice, liaisons of their tasks, supervisors of escalations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import yaml

from services.callbacks.app import HERE, build
from services.callbacks.notices import begin_case, to_resident
from services.callbacks.store import metadata
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Colour,
    Decider,
    DisputeReason,
    Outcome,
    RejectionReason,
    Role,
    Stage,
    Status,
    WithdrawalReason,
)
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.messaging.tables import metadata as floor
from tests.callbacks.desk import Desk
from tests.callbacks.story import (
    GRID_WORKER,
    HOSPITAL,
    INSPECTOR,
    OPERATOR,
    OTHER_GRID_WORKER,
    POLICE,
    SUPERVISOR,
    TRANSPORT,
    Story,
    handler,
    resident,
)
from tests.support.builders import Builder
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, Reply

PHONE = "13800138000"
SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgISE="


def words(notices: list[dict[str, object]]) -> list[str]:
    """What each notice is about, in short."""
    return [str(notice["about"]).rsplit(".", 1)[1] for notice in notices]


async def told(desk: Desk, story: Story) -> list[str]:
    """What the resident was told."""
    return words(await desk.notices(resident(story.id), story.id))


async def test_the_receipt_is_acknowledged_in_the_transaction_that_takes_it(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(receipt="PH-7K3Q-2"))
    (notice,) = await desk.notices(resident(story.id), story.id)
    assert (notice["outcome"], notice["medium"]) == ("delivered", "app")
    assert all("PH-7K3Q-2" in notice["text"][language] for language in ("zh", "en"))
    (said,) = await desk.harness.stated(r.PersonNotified)
    assert (said.subject, str(said.fact.notice_id)) == (str(story.id), notice["id"])
    assert (said.fact.about, said.fact.outcome) == ("heed.request.received", "delivered")
    assert said.time == desk.harness.clock.now()


async def test_the_whole_way_is_told_in_one_voice(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned(), story.assigned(TRANSPORT, Role.ASSISTING))
    await desk.take(story.accepted(), story.accepted(TRANSPORT, Role.ASSISTING))
    await desk.take(story.progressed(TRANSPORT, Role.ASSISTING), story.progressed())
    await desk.take(story.answered(fulfil_by=datetime(2022, 10, 26, 4, 0, tzinfo=UTC)))
    await desk.take(story.of_task(r.TaskFulfilled, TRANSPORT, Role.ASSISTING), story.of_task(r.TaskFulfilled))
    await desk.take(story.fact(r.RequestClosed(outcome=Outcome.CONFIRMED)))
    notices = await desk.notices(resident(story.id), story.id)
    assert words(notices) == ["received", "assigned", "progressed", "answered", "fulfilled", "closed"]
    assert "中心医院" in notices[1]["text"]["zh"]
    assert "Central Hospital" in notices[1]["text"]["en"]
    assert "红色" in notices[1]["text"]["zh"]
    assert "10月26日 12:00" in notices[3]["text"]["zh"], "in the city's time"


async def test_a_question_is_told_with_its_time_and_its_lapse_to_the_liaison_alone(desk: Desk) -> None:
    story, by = desk.story(), datetime(2022, 10, 25, 8, 30, tzinfo=UTC)
    await desk.take(story.received(), story.triaged(), story.assigned(), story.accepted())
    said: dict[str, Any] = {"text_id": new_id(), "text_hash": "beef", "policy_version": "1"}
    await desk.take(story.of_task(w.ResidentQuestioned, number=1, answer_by=by, **said))
    await desk.take(story.of_task(w.QuestionLapsed, number=1))
    notices = await desk.notices(resident(story.id), story.id)
    assert words(notices) == ["received", "assigned", "questioned"]
    assert "10月25日 16:30" in notices[2]["text"]["zh"]
    assert "Central Hospital" in notices[2]["text"]["en"]
    assert words(await desk.notices(handler(HOSPITAL)))[-1] == "question_lapsed"


async def test_danger_to_life_is_told_at_once_and_once(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(emergency=True), story.triaged(emergency=True, revision=2))
    notices = await desk.notices(resident(story.id), story.id)
    assert words(notices) == ["received", "triaged"]
    for number in ("110", "119", "120"):
        assert number in notices[1]["text"]["zh"]


async def test_the_resident_hears_of_another_organisation_not_of_another_liaison(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned())
    await desk.take(story.of_task(r.TaskRecalled, liaison="x"), story.assigned(liaison="deputy"))
    assert await told(desk, story) == ["received", "assigned"]
    await desk.take(story.of_task(r.TaskRecalled, liaison="x"), story.assigned(TRANSPORT))
    assert await told(desk, story) == ["received", "assigned", "assigned"]


@pytest.mark.parametrize(
    ("ending", "word"),
    [
        (r.RequestRejected(reason=RejectionReason.OUT_OF_AREA, decided_by=Decider.PERSON), "outside the city"),
        (r.RequestMerged(into=new_id()), "together with another"),
        (r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED), "withdrawn"),
    ],
    ids=["rejected", "merged", "withdrawn"],
)
async def test_every_ending_is_told(desk: Desk, ending: r.RequestFact, word: str) -> None:
    story = desk.story()
    await desk.take(story.received(), story.fact(ending))
    notices = await desk.notices(resident(story.id), story.id)
    assert word in notices[-1]["text"]["en"]


async def test_what_changes_nothing_is_not_told(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned(), story.accepted())
    await desk.take(story.fact(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)), story.answered())
    assert await told(desk, story) == ["received", "assigned", "withdrawn"]


async def test_who_was_merged_is_still_told_everything_along_the_chain(desk: Desk) -> None:
    first, second, third = desk.story(), desk.story(), desk.story()
    await desk.take(first.received(receipt="PH-A"), second.received(receipt="PH-B"), third.received(receipt="PH-C"))
    await desk.take(first.fact(r.RequestMerged(into=second.id)))
    await desk.take(second.fact(r.RequestMerged(into=third.id)))
    await desk.take(third.triaged(), third.assigned(), third.accepted(), third.answered())
    await desk.take(third.fact(r.RequestClosed(outcome=Outcome.CONFIRMED)))
    for story, receipt in ((first, "PH-A"), (second, "PH-B")):
        notices = await desk.notices(resident(story.id), story.id)
        assert words(notices) == ["received", "merged", "answered", "closed"]
        assert all(receipt in notice["text"]["zh"] for notice in notices)
    said = {(e.subject, e.fact.about) for e in await desk.harness.stated(r.PersonNotified)}
    assert (str(first.id), "heed.request.answered") in said


async def test_who_was_merged_into_what_is_withdrawn_is_not_left_alone(desk: Desk) -> None:
    first, second = desk.story(), desk.story()
    await desk.take(first.received(), second.received(), first.fact(r.RequestMerged(into=second.id)))
    await desk.take(second.fact(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)))
    notices = await desk.notices(resident(first.id), first.id)
    assert "joined with has ended" in notices[-1]["text"]["en"]


async def test_liaisons_are_told_of_their_tasks_whatever_the_role(desk: Desk) -> None:
    story, due = desk.story(), desk.harness.clock.now() + timedelta(minutes=5)
    await desk.take(story.received(), story.triaged(), story.assigned(), story.assigned(TRANSPORT, Role.ASSISTING))
    await desk.take(
        story.of_task(r.TaskReminded, stage=Stage.ACCEPTED, percent=50, due_at=due),
        story.of_task(r.TaskNudged, stage=Stage.ACCEPTED, count=1, due_at=due),
        story.of_task(r.TaskNudged, stage=Stage.ACCEPTED, count=2, due_at=due),
        story.of_task(r.TaskRecalled, liaison=f"{HOSPITAL}.day"),
        story.assigned(liaison="deputy"),
        story.fact(r.RequestAmended(text_id=new_id(), text_hash="beef")),
        story.fact(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)),
        story.of_task(r.TaskCancelled),
        story.of_task(r.TaskCancelled, TRANSPORT, Role.ASSISTING),
    )
    hospital = await desk.notices(handler(HOSPITAL))
    assert words(hospital) == [
        "assigned",
        "reminded",
        "nudged",
        "nudged",
        "recalled",
        "assigned",
        "amended",
        "cancelled",
    ]
    assert [n["liaison"] for n in hospital if n["about"].endswith("assigned")] == [
        f"{HOSPITAL}.day",
        f"{HOSPITAL}.deputy",
    ]
    assert "第 2 次" in hospital[3]["text"]["zh"]
    assert words(await desk.notices(handler(TRANSPORT, Kind.DEPUTY))) == ["assigned", "amended", "cancelled"]
    assert await desk.notices(handler(POLICE)) == []


async def test_an_escalation_goes_to_the_supervisor(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned())
    await desk.take(story.of_task(r.TaskEscalated, stage=Stage.ACCEPTED, level=1))
    answer = await desk.call("GET", "/v1/notices?mine", caller=SUPERVISOR)
    (notice,) = answer.json()["items"]
    assert (notice["addressee"], notice["organisation"]) == ("supervisor", HOSPITAL)
    (said, *_) = [e for e in await desk.harness.stated(r.PersonNotified) if e.fact.addressee == "supervisor"]
    assert said.fact.organisation == HOSPITAL


async def test_reopened_by_the_residents_word(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned(), story.accepted(), story.answered())
    await desk.take(story.fact(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)))
    assert (await told(desk, story))[-1] == "disputed"


async def test_the_whole_log_again_tells_nobody_anything(desk: Desk) -> None:
    story = desk.story()
    log = [story.received(), story.triaged(), story.assigned(), story.accepted(), story.answered()]
    await desk.take(*log)
    assert len(await desk.harness.stated(r.PersonNotified)) == len(await desk.notices(OPERATOR, story.id)) == 4
    before = await desk.harness.everything()
    await desk.take(*log)
    for event in log:
        await desk.take(event)
    assert await desk.harness.everything() == before


async def test_who_may_read_which_notices(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned(), story.assigned(TRANSPORT, Role.ASSISTING))
    see: dict[str, tuple[Principal | None, int | list[str]]] = {
        "resident": (resident(story.id), ["resident", "resident"]),
        "other resident": (resident(new_id()), 404),
        "operator": (OPERATOR, ["resident", "resident", "liaison", "liaison"]),
        "supervisor": (SUPERVISOR, ["resident", "resident", "liaison", "liaison"]),
        "inspector": (INSPECTOR, ["resident", "resident", "liaison", "liaison"]),
        "grid worker": (GRID_WORKER, ["resident", "resident", "liaison", "liaison"]),
        "other grid worker": (OTHER_GRID_WORKER, 404),
        "lead": (handler(HOSPITAL), ["resident", "resident", "liaison"]),
        "assisting": (handler(TRANSPORT, Kind.PARTNER), ["resident", "resident", "liaison"]),
        "other organisation": (handler(POLICE), 404),
        "anonymous": (ANONYMOUS, 404),
        "nobody": (None, 401),
    }
    found: dict[str, tuple[Principal | None, int | list[str]]] = {}
    for who, (caller, _) in see.items():
        async with desk.harness.client(caller) as client:
            answer = await client.get(f"/v1/requests/{story.id}/notices")
        items = [item["addressee"] for item in answer.json().get("items", [])]
        found[who] = (caller, sorted(items, reverse=True) if answer.status_code == 200 else answer.status_code)
    assert found == see
    for caller, count in ((OPERATOR, 2), (handler(HOSPITAL), 1), (handler(POLICE), 0)):
        assert len(await desk.notices(caller)) == count
    for caller in (INSPECTOR, GRID_WORKER, resident(story.id), ANONYMOUS):
        assert (await desk.call("GET", "/v1/notices", caller=caller)).status_code == 403
    unknown = await desk.call("GET", f"/v1/requests/{UUID(int=5)}/notices")
    assert unknown.status_code == 404


async def test_notices_are_paged(desk: Desk) -> None:
    story = desk.story()
    await desk.take(story.received(), story.triaged(), *(story.progressed() for _ in range(4)))
    seen: list[str] = []
    cursor: str | None = ""
    path = f"/v1/requests/{story.id}/notices?limit=2"
    while cursor is not None:
        page = (await desk.call("GET", f"{path}&cursor={cursor}" if cursor else path)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


def test_there_are_words_in_both_languages_for_all_that_can_be_said() -> None:
    stored = yaml.safe_load((HERE / "notices.yaml").read_text("utf-8"))
    for group, keys in {"colour": Colour, "stage": Stage, "reason": RejectionReason}.items():
        assert {str(key) for key in keys} <= set(stored[group])
    assert {f"closed_{outcome}" for outcome in Outcome} <= set(stored["resident"])
    for group, phrases in stored.items():
        for said in phrases.values() if group != "time" else [phrases]:
            assert set(said) == {"zh", "en"}


def test_a_fact_of_an_assisting_task_is_never_told_to_the_resident() -> None:
    story = Story(Builder())
    received = begin_case(story.received())  # type: ignore[arg-type] # it is of that kind
    events = [
        story.assigned(TRANSPORT, Role.ASSISTING),
        story.accepted(TRANSPORT, Role.ASSISTING),
        story.progressed(TRANSPORT, Role.ASSISTING),
        *(story.of_task(kind, TRANSPORT, Role.ASSISTING) for kind in (r.TaskFulfilled, r.TaskCancelled)),
    ]
    for status, event in product(Status, events):
        case = replace(received, life=replace(received.life, status=status))
        assert to_resident(case, event.fact) is None


# The city's message provider


async def test_the_provider_gets_the_notice_with_a_phone_that_nobody_keeps(
    postgres: PostgresServer, receiver: Receiver
) -> None:
    async with Receiver.start() as gateway:
        gateway.reply = Reply(201, body=b'{"name": "Li", "phone": "13800138000", "tracking_token": "track_x"}')
        async with Desk.start(
            build,
            postgres,
            notice_provider_url=receiver.url,
            notice_provider_secret=SECRET,
            gateway_url=f"http://127.0.0.1:{gateway.port}",
            gateway_token="heed_service_token",
        ) as desk:
            story = desk.story()
            await desk.take(story.received(), story.triaged(), story.assigned())
            receiver.replies.append(Reply(503))
            await desk.send()
            assert {c.path for c in gateway.calls} == {f"/v1/requests/{story.id}/contact-views"}
            assert gateway.calls[0].headers["authorization"] == "Bearer heed_service_token"
            assert gateway.calls[0].body == b'{"purpose": "notice"}'
            desk.harness.clock.turn(minutes=1)
            await desk.send()
            sent = [call.verified(SECRET) for call in receiver.calls]
            assert {message["data"]["to"] for message in sent} == {PHONE}
            assert {message["data"]["tracking_token"] for message in sent} == {"track_x"}
            assert {message["data"]["about"].rsplit(".", 1)[1] for message in sent} == {"received", "assigned"}
            assert (len(receiver.calls), len(set(receiver.ids))) == (3, 2), "retried like a delivery, same id"
            said = [e.fact for e in await desk.harness.stated(r.PersonNotified) if e.fact.medium == "provider"]
            assert [fact.outcome for fact in said] == ["delivered", "delivered"]
            notices = await desk.notices(OPERATOR, story.id)
            assert {n["outcome"] for n in notices} == {"delivered"}
            kept = await _dump(desk)
            assert PHONE not in kept
            assert "track_x" not in kept
            assert (await desk.call("GET", "/v1/webhooks")).json()["items"] == []


async def test_without_a_contact_the_notice_fails_at_once_and_the_provider_goes_on(
    postgres: PostgresServer, receiver: Receiver
) -> None:
    async with Receiver.start() as gateway:
        gateway.reply = Reply(201, body=b'{"phone": "13800138000"}')
        gateway.replies.append(Reply(410))
        async with Desk.start(
            build,
            postgres,
            notice_provider_url=receiver.url,
            notice_provider_secret=SECRET,
            gateway_url=f"http://127.0.0.1:{gateway.port}",
            gateway_token="heed_service_token",
        ) as desk:
            await desk.take(desk.story().received())
            await desk.send()
            await desk.take(desk.story().received())
            receiver.reply = Reply(410)
            await desk.send()
            receiver.reply = Reply()
            await desk.take(desk.story().received())
            desk.harness.clock.turn(minutes=2)
            await desk.send()
            said = [e.fact.outcome for e in await desk.harness.stated(r.PersonNotified) if e.fact.medium == "provider"]
            assert said == ["failed", "failed", "delivered"]


async def _dump(desk: Desk) -> str:
    """Everything in the service's database."""
    tables = [*metadata.sorted_tables, *floor.sorted_tables]
    return "\n".join([str(await desk.harness.rows(table.select())) for table in tables])
