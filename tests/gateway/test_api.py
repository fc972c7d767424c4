"""Reading a request: what each reader is told of it, and that nobody reads before what was written is there."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.gateway.disclosed import WORDS
from shared.contracts import FACTS
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Addressee,
    AttemptOutcome,
    Category,
    DisputeReason,
    Medium,
    NoticeOutcome,
    ReturnReason,
    Role,
    Stage,
    TextKind,
)
from shared.identity import Principal
from shared.ids import new_id
from tests.gateway.histories import (
    GRID,
    GRID_WORKER,
    HOSPITAL,
    INSPECTOR,
    OPERATOR,
    TRANSPORT,
    History,
    liaison_of,
)
from tests.gateway.stage import Gateway
from tests.support.builders import START


async def shown(gateway: Gateway, caller: Principal, history: History) -> dict[str, Any]:
    answer = await gateway.get(caller, f"/v1/requests/{history.id}")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def types(document: dict[str, Any]) -> list[str]:
    return [entry["type"].rsplit(".", 1)[1] for entry in document["timeline"]]


async def test_a_request_shows_what_its_history_adds_up_to(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand().answered(minutes=10)
    await gateway.take(*history.new())
    document = await shown(gateway, OPERATOR, history)
    assert document["status"] == "answered"
    assert document["receipt"] == history.receipt
    assert (document["category"], document["colour"]) == ("medical", "red")
    assert document["holder"]["name"] == "followup"
    assert document["answer"]["text"] == "专车已安排"
    assert document["answer"]["title"]["en"] == "Central Hospital"
    assert [(t["organisation"], t["role"]) for t in document["tasks"]] == [(HOSPITAL, "lead"), (TRANSPORT, "assisting")]
    assert types(document) == ["received", "triaged", "assigned", "assigned", "accepted", "answered"]
    assert [e["number"] for e in document["timeline"]] == [1, 2, 3, 4, 5, 6]
    assert document["timeline"][0]["text"] == "需要打第二针狂犬疫苗"
    assert (document["area"], document["area_title"]["zh"]) == (GRID, "06网格")


async def test_promises_and_what_is_overdue_follow_the_clock(gateway: Gateway) -> None:
    history = History(gateway.builder).received().triaged().assigned()
    await gateway.take(*history.new())
    document = await shown(gateway, OPERATOR, history)
    assert document["promises"] == {
        "accept_by": "2026-03-02T08:05:00Z",
        "contact_by": "2026-03-02T08:15:00Z",
        "answer_by": "2026-03-02T10:00:00Z",
    }
    assert not document["overdue"]
    gateway.clock.turn(minutes=6)
    assert (await shown(gateway, OPERATOR, history))["overdue"]


@pytest.fixture
async def eventful(gateway: Gateway) -> History:
    """A request to which much has happened that is not for everybody."""
    history = History(gateway.builder).received().triaged(needs=("transport",)).assigned()
    history.add(r.TaskReminded(stage=Stage.ACCEPTED, percent=50, due_at=START, **history.task()))
    history.add(r.TaskNudged(stage=Stage.ACCEPTED, count=1, due_at=START, **history.task()))
    history.add(r.TaskEscalated(stage=Stage.ACCEPTED, level=1, **history.task()))
    reason = new_id()
    returned = r.TaskReturned(reason=ReturnReason.NO_CAPACITY, text_id=reason, text_hash="h", **history.task())
    history.add(returned).text(TextKind.NOTE, "没有车了", reason)
    history.assigned().assigned(TRANSPORT, Role.ASSISTING).accepted().answered()
    for addressee in (Addressee.LIAISON, Addressee.RESIDENT):
        history.add(
            r.PersonNotified(
                notice_id=new_id(),
                addressee=addressee,
                medium=Medium.APP,
                about=r.RequestAnswered.TYPE,
                outcome=NoticeOutcome.DELIVERED,
            )
        )
    history.add(r.ResidentVisited(visit_id=new_id(), attempt=1, medium=Medium.PHONE, outcome=AttemptOutcome.BUSY))
    await gateway.take(*history.new())
    return history


ALL = [
    "received", "triaged", "assigned", "reminded", "nudged", "escalated", "returned", "assigned", "assigned",
    "accepted", "answered", "notified", "notified", "visited",
]  # fmt: skip
FOR_RESIDENTS = [
    "received", "triaged", "assigned", "returned", "assigned", "assigned", "accepted", "answered", "notified",
    "visited",
]  # fmt: skip


@pytest.mark.parametrize("caller", [OPERATOR, INSPECTOR, GRID_WORKER], ids=lambda caller: caller.kind.value)
async def test_staff_are_told_everything(gateway: Gateway, eventful: History, caller: Principal) -> None:
    document = await shown(gateway, caller, eventful)
    assert types(document) == ALL
    assert document["counts"]["nudges"] == 1
    assert document["counts"]["reasons"] == 2
    assigned = document["timeline"][2]
    assert (assigned["liaison"], assigned["rule"]) == (f"{HOSPITAL}.day", "medical-huxiao")
    assert document["timeline"][6]["text"] == "没有车了"


async def test_a_handler_is_not_told_who_was_drawn_for_a_look_back(gateway: Gateway, eventful: History) -> None:
    document = await shown(gateway, liaison_of(HOSPITAL), eventful)
    assert types(document) == [name for name in ALL if name != "visited"]


async def test_a_resident_hears_one_voice(gateway: Gateway, eventful: History) -> None:
    document = await shown(gateway, eventful.resident, eventful)
    assert types(document) == FOR_RESIDENTS
    assert document["tasks"] is document["counts"] is None
    assert document["timeline"][2]["title"] == {"zh": "中心医院", "en": "Central Hospital"}
    text = (await gateway.get(eventful.resident, f"/v1/requests/{eventful.id}")).text
    for hidden in (f"{HOSPITAL}.day", "medical-huxiao", "rabies-dose", "没有车了", "no_capacity", "place_confidence"):
        assert hidden not in text, hidden


async def test_no_hash_is_told_to_anybody(gateway: Gateway, eventful: History) -> None:
    for caller in (OPERATOR, liaison_of(HOSPITAL), eventful.resident):
        text = (await gateway.get(caller, f"/v1/requests/{eventful.id}")).text
        assert "hash" not in text


def test_every_fact_about_a_request_says_which_of_its_words_are_told() -> None:
    facts = {fact for fact in FACTS.values() if issubclass(fact, r.RequestFact)}
    assert facts == set(WORDS)
    for fact, words in WORDS.items():
        fields = set(fact.model_fields)
        assert words.all | words.inside <= fields, fact
        untold = {name for name in fields - words.all - words.inside if not name.endswith("_hash")}
        assert untold <= {"receipt"}, f"{fact.TYPE}: nobody is told {untold}"


async def test_a_disputed_answer_does_not_stand(gateway: Gateway, eventful: History) -> None:
    await gateway.take(*eventful.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)).new())
    document = await shown(gateway, eventful.resident, eventful)
    assert (document["status"], document["answer"]) == ("disputed", None)
    assert document["timeline"][-1]["reason"] == "not_solved"


# Reading what was just written


async def test_a_question_is_shown_with_who_waits_until_the_resident_has_answered(gateway: Gateway) -> None:
    history, text_id = History(gateway.builder).in_hand(), new_id()
    said: dict[str, Any] = {
        "number": 1,
        "answer_by": START + timedelta(hours=2),
        "policy_version": "1",
        "text_hash": "h",
    }
    history.add(w.ResidentQuestioned(**history.task(), **said, text_id=text_id), 20)
    history.text(TextKind.NOTE, "请问是哪一针?", text_id)
    await gateway.take(*history.new())
    document = await shown(gateway, history.resident, history)
    assert (document["question"]["text"], document["question"]["organisation"]) == ("请问是哪一针?", HOSPITAL)
    assert document["question"]["answer_by"] == "2026-03-02T10:00:00Z"
    assert (document["holder"]["kind"], document["holder"]["name"]) == ("resident", "resident")
    assert document["holder"]["title"]["zh"] == "求助人"
    assert document["promises"]["answer_by"] == "2026-03-02T10:00:00Z", "as before: no promise waits"
    history.add(r.RequestAmended(text_id=new_id(), text_hash="h"), 30)
    await gateway.take(*history.new())
    document = await shown(gateway, history.resident, history)
    assert document["question"] is None
    assert [(s["kind"], s["seconds"]) for s in document["ledger"]["spans"] if s["seconds"]][:2] == [
        ("organisation", 1200.0), ("resident", 1800.0)
    ]  # fmt: skip
    assert document["holder"]["name"] == HOSPITAL


async def test_an_unknown_request_is_not_waited_for(gateway: Gateway) -> None:
    old = UUID("0193f1a0-0000-7000-8000-000000000001")
    async with asyncio.timeout(1.5):
        assert (await gateway.get(OPERATOR, f"/v1/requests/{old}")).status_code == 404
        assert (await gateway.get(OPERATOR, f"/v1/requests/{uuid4()}")).status_code == 404
        assert (await gateway.get(OPERATOR, f"/v1/requests/{UUID(int=2**128 - 1)}")).status_code == 404


async def test_a_young_request_is_waited_for(gateway: Gateway) -> None:
    history = History(gateway.builder).received()
    reading = asyncio.create_task(gateway.get(OPERATOR, f"/v1/requests/{history.id}"))
    await asyncio.wait([reading], timeout=0.3)
    assert not reading.done()
    await gateway.take(*history.new())
    assert (await reading).status_code == 200


async def test_a_young_request_that_does_not_come_is_not_found(gateway: Gateway) -> None:
    async with asyncio.timeout(10):
        assert (await gateway.get(OPERATOR, f"/v1/requests/{new_id()}")).status_code == 404


async def test_a_reader_with_a_mark_waits_until_the_views_are_there(gateway: Gateway) -> None:
    history = History(gateway.builder).received()
    await gateway.take(*history.new())
    mark = {"heed-seen": f"triage:{history.id}:1"}
    reading = asyncio.create_task(gateway.get(OPERATOR, f"/v1/requests/{history.id}", **mark))
    await asyncio.wait([reading], timeout=0.3)
    assert not reading.done()
    await gateway.take(*history.triaged().new())
    assert (await reading).json()["status"] == "triaged"


async def test_a_mark_that_is_reached_costs_no_wait(gateway: Gateway) -> None:
    history = History(gateway.builder).received().triaged()
    await gateway.take(*history.new())
    marks = f"intake:{history.id}:1,triage:{history.id}:1"
    async with asyncio.timeout(1.5):
        document = (await gateway.get(OPERATOR, f"/v1/requests/{history.id}", **{"heed-seen": marks})).json()
    assert document["status"] == "triaged"


async def test_a_mark_that_is_never_reached_does_not_hold_the_reader_for_long(gateway: Gateway) -> None:
    history = History(gateway.builder).received()
    await gateway.take(*history.new())
    mark = {"heed-seen": f"intake:{history.id}:99"}
    async with asyncio.timeout(10):
        assert (await gateway.get(OPERATOR, f"/v1/requests/{history.id}", **mark)).status_code == 200


async def test_an_answer_is_shown_with_its_text_though_that_comes_behind_it(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand()
    await gateway.take(*history.new())
    fact, text = history.answered().new()
    await gateway.take(fact)
    reading = asyncio.create_task(gateway.get(OPERATOR, f"/v1/requests/{history.id}"))
    await asyncio.wait([reading], timeout=0.3)
    assert not reading.done()
    await gateway.take(text)
    assert (await reading).json()["answer"]["text"] == "专车已安排"


@pytest.mark.parametrize("mark", ["nonsense", "intake:x:", "intake::1", ":x:1", "intake:x:-1", "intake:x:1e3"])
async def test_a_mark_that_is_none_is_refused(gateway: Gateway, mark: str) -> None:
    history = History(gateway.builder).received()
    await gateway.take(*history.new())
    answer = await gateway.get(OPERATOR, f"/v1/requests/{history.id}", **{"heed-seen": mark})
    assert answer.status_code == 422


async def test_an_id_that_is_none_is_refused(gateway: Gateway) -> None:
    answer = await gateway.get(OPERATOR, "/v1/requests/nonsense")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_offline_wait_is_shown(gateway: Gateway) -> None:
    filed_at = START - timedelta(hours=2)
    history = History(gateway.builder).received(filed_at=filed_at)
    await gateway.take(*history.new())
    document = await shown(gateway, OPERATOR, history)
    assert (document["filed_at"], document["received_at"]) == ("2026-03-02T06:00:00Z", "2026-03-02T08:00:00Z")


async def test_categories_are_named_in_both_languages_with_what_to_ask(gateway: Gateway) -> None:
    items = (await gateway.get(None, "/v1/categories")).json()["items"]
    assert {item["id"] for item in items} == set(Category)
    assert all(item[field][language] for item in items for field in ("name", "ask") for language in ("zh", "en"))
