"""A policy is applied while triage runs, names its mistakes by line, and is tried on the log."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from shared.contracts import requests as r
from shared.contracts.directory import PolicyRecorded
from shared.contracts.vocabulary import Category, Colour, Decider, Language, Role
from shared.ids import new_id
from shared.settings import Settings
from tests.support.builders import START
from tests.support.harness import Harness
from tests.triage.builders import OPERATOR, SUPERVISOR, ZONE, Request, resident, the_rules
from triage import deterioration, rules
from triage.formats import sources_in
from triage.model import replayed
from triage.reading import Text
from triage.standard import proposed

FRAIL = "我是孕妇，孕检推迟了两周，现在在家隔离，请帮忙安排"


def files(**changes: tuple[str, str]) -> dict[str, str]:
    """The policy that ships, changed."""
    found = sources_in(rules.FOLDER)
    for name, (old, new) in changes.items():
        assert old in found[name]
        found[name] = found[name].replace(old, new, 1)
    return found


async def _apply(harness: Harness, sent: dict[str, str], **more: object) -> Any:
    async with harness.client(SUPERVISOR) as client:
        return await client.post("/v1/policies/triage", json={"files": sent} | more)


async def test_a_policy_is_applied_without_a_restart_and_named_by_what_it_decides(harness: Harness) -> None:
    before = Request()
    await harness.take(before.text("老人发麻疯疹了"))
    sent = files(signs=("zh: [昏睡不醒", "zh: [发麻疯疹, 昏睡不醒"))
    answer = await _apply(harness, sent)
    assert answer.status_code == 200, answer.text
    applied = answer.json()
    assert (applied["before"], applied["differs"], applied["applied"]) == (the_rules().version, ["signs"], True)
    after = Request()
    await harness.take(after.text("老人发麻疯疹了"))
    first, second = [event.fact for event in await harness.stated(r.RequestTriaged)]
    assert (first.policy_version, second.policy_version) == (the_rules().version, applied["version"])
    assert (first.colour is Colour.RED, second.colour) == (False, Colour.RED)
    assert [event.fact.version for event in await harness.stated(PolicyRecorded)][-1] == applied["version"]


def test_the_files_that_ship_fit_through_the_door_with_room_for_a_citys_own() -> None:
    body = json.dumps({"files": sources_in(rules.FOLDER)}, ensure_ascii=False).encode()
    assert len(body) < 0.8 * Settings().body_limit_bytes


async def test_what_a_person_applied_outlives_a_restart(harness: Harness) -> None:
    await harness.turn(minutes=1)
    applied = (await _apply(harness, files(policy=('version: "', 'version: "mine-')))).json()["version"]
    await harness.service.start()
    async with harness.client(SUPERVISOR) as client:
        shown = (await client.get("/v1/policies/triage")).json()
    assert shown["version"] == applied
    assert [each["applied_by"] for each in shown["versions"]] == ["supervisor", None]


async def test_a_trial_run_changes_nothing(harness: Harness) -> None:
    answer = (await _apply(harness, files(policy=("red: 5", "red: 6")), dry_run=True)).json()
    assert (answer["differs"], answer["applied"]) == (["policy"], False)
    async with harness.client(SUPERVISOR) as client:
        assert (await client.get("/v1/policies/triage")).json()["version"] == the_rules().version


async def test_a_mistake_is_named_by_file_and_line_and_nothing_is_applied(harness: Harness) -> None:
    answer = await _apply(harness, files(policy=("red: 5", "red: soon")))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "policy.yaml:6"
    assert "review_minutes.red" in error["detail"]
    assert len(await harness.stated(PolicyRecorded)) == 1


@pytest.mark.parametrize("path", ["/v1/policies/triage", "/v1/assessments"])
async def test_only_a_supervisor_sees_the_policy_and_the_log(harness: Harness, path: str) -> None:
    async with harness.client(OPERATOR) as client:
        assert (await client.get(path)).status_code == 403


async def test_the_log_shows_each_request_with_its_texts_page_by_page(harness: Harness) -> None:
    told = [Request() for _ in range(3)]
    for n, request in enumerate(told):
        await harness.take(request.text(f"爷爷喘不上气{n}"))
    await harness.take(told[0].amendment("又昏过去了"))
    seen: list[Any] = []
    async with harness.client(SUPERVISOR) as client:
        page = (await client.get("/v1/assessments?limit=2")).json()
        seen += page["items"]
        page = (await client.get(f"/v1/assessments?limit=2&cursor={page['next_cursor']}")).json()
        seen += page["items"]
    assert page["next_cursor"] is None
    assert [item["request_id"] for item in seen] == sorted(str(request.id) for request in told)
    by_id = {item["request_id"]: item for item in seen}
    assert [text["text"] for text in by_id[str(told[0].id)]["texts"]] == ["爷爷喘不上气0", "又昏过去了"]
    assert by_id[str(told[0].id)]["colour"] == "red"


def test_a_replay_decides_text_by_text_as_they_came() -> None:
    said = [
        Text(text=words, language=Language.ZH, filed_at=START, received_at=START)
        for words in ("爷爷喘不上气", "已经解决了，谢谢")
    ]
    assert replayed(said, the_rules()).colour is Colour.RED, "the machine raises and never lowers"
    changed = rules.make(ZONE, files(colours=("id: breathing-fails, grave: life", "id: breathing-fails, grave: none")))
    assert replayed(said[:1], changed).colour is not replayed(said[:1], the_rules()).colour


# Deterioration


async def test_a_frail_person_who_still_waits_is_raised(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(FRAIL))
    (first,) = await harness.stated(r.RequestTriaged)
    assert first.fact.colour is Colour.YELLOW
    await harness.turn(hours=23)
    assert len(await harness.stated(r.RequestTriaged)) == 1
    await harness.turn(hours=2)
    last = (await harness.stated(r.RequestTriaged))[-1].fact
    assert (last.colour, last.unsure) == (Colour.RED, True)
    assert last.reasons[0].rule == "frail-and-still-waiting"


async def test_what_is_answered_does_not_deteriorate(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(FRAIL))
    await harness.take(*await harness.stated(r.RequestTriaged))
    task: Any = {"task_id": new_id(), "role": Role.LEAD, "organisation": "central-hospital"}
    await harness.take(
        request.assigned(),
        request.event(r.TaskAccepted(**task, liaison="central-hospital.day")),
        request.event(r.RequestAnswered(**task, text_id=new_id(), text_hash="h")),
    )
    await harness.turn(hours=48)
    assert [event.fact.colour for event in await harness.stated(r.RequestTriaged)] == [Colour.YELLOW]


async def test_what_a_person_decided_time_does_not_raise(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text(FRAIL))
    async with harness.client(OPERATOR) as client:
        body = {"revision": 1, "reason": "电话核实", "colour": "yellow"}
        assert (await client.post(f"/v1/requests/{request.id}/assessments", json=body)).status_code == 201
    await harness.turn(hours=48)
    assert (await harness.stated(r.RequestTriaged))[-1].fact.decided_by is Decider.PERSON


async def test_a_second_request_merged_into_a_frail_persons_raises_it(harness: Harness) -> None:
    first, second = Request(), Request()
    await harness.take(first.received(), first.text(FRAIL), second.received(), second.text("还是没人管我"))
    await harness.take(second.event(r.RequestMerged(into=first.id)))
    last = [event.fact for event in await harness.stated(r.RequestTriaged) if event.subject == str(first.id)][-1]
    assert (last.colour, last.reasons[0].rule) == (Colour.RED, "frail-and-in-need-asks-again")


def test_a_deadline_that_comes_near_raises() -> None:
    in_force = the_rules().deterioration
    deadline = START + timedelta(days=5)
    due = deterioration.next_due(in_force, Colour.YELLOW, Category.MEDICAL, START, deadline, vulnerable=False)
    assert due is not None
    assert (due[0], due[1].id) == (deadline - timedelta(days=1), "deadline-within-a-day")
    assert deterioration.next_due(in_force, Colour.RED, Category.MEDICAL, START, deadline, vulnerable=True) is None


# Standard answers


async def test_a_standard_answer_is_proposed_to_who_answers_and_to_nobody_else(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received(), request.text("请问健康码变红码了怎么申诉？"))
    path = f"/v1/requests/{request.id}/standard-answers"
    async with harness.client(OPERATOR) as client:
        (found,) = (await client.get(path)).json()["items"]
    assert found["id"] == "health-code"
    assert found["source"]
    assert set(found["answer"]) == {"zh", "en"}
    assert found["words"] in "请问健康码变红码了怎么申诉？"
    async with harness.client(resident(request.id)) as client:
        assert (await client.get(path)).status_code == 403
    assert await harness.stated(r.RequestAnswered) == []


def test_an_answer_is_proposed_only_while_it_holds() -> None:
    in_force = the_rules()
    hits = in_force.phrasebook.read("请问从外省回来需要隔离几天？").hits
    (answer,) = [each for each in in_force.answers if each.id == "home-isolation-days"]
    assert answer.valid_until is not None
    days = (answer.valid_from, answer.valid_until, answer.valid_until + timedelta(days=1), date(2021, 1, 1))
    assert [bool(proposed(in_force.answers, hits, day)) for day in days] == [True, True, False, False]
