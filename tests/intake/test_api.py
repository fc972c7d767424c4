import json
from typing import Any

import pytest
import sqlalchemy as sa

from intake import store
from shared.contracts.requests import RequestReceived
from shared.contracts.texts import TextRecorded
from shared.identity import ANONYMOUS
from shared.messaging.tables import idempotency
from tests.intake.builders import OPERATOR, SUPERVISOR, body, file, post, resident
from tests.support.harness import Harness

PROBLEM = "application/problem+json"


async def nothing_is_stored(harness: Harness) -> bool:
    tables = [t for t in store.metadata.sorted_tables if t not in (store.areas, store.atlas)]
    rows = [await harness.rows(sa.select(table)) for table in (*tables, idempotency)]
    return not any(rows) and not await harness.stated()


def phone(number: Any) -> dict[str, Any]:
    return {"contact": {"phone": number}}


def place(**where: Any) -> dict[str, Any]:
    return {"place": where}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no text": ({"text": None}, "#/text"),
    "empty text": ({"text": ""}, "#/text"),
    "blank text": ({"text": " \n\u3000 "}, "#/text"),
    "invisible text": ({"text": "\u200b\u200b"}, "#/text"),
    "text is a number": ({"text": 7}, "#/text"),
    "text is a list": ({"text": ["停水"]}, "#/text"),
    "text too long": ({"text": "水" * 10_001}, "#/text"),
    "text of 1 MiB": ({"text": "a" * 2**20}, "#/text"),
    "text with NUL": ({"text": "停\x00水"}, "#/text"),
    "text with bell": ({"text": "停\x07水"}, "#/text"),
    "text with escape": ({"text": "\x1b[2J停水"}, "#/text"),
    "text with C1 control": ({"text": "停\x85水"}, "#/text"),
    "text with half a character": ({"text": "停\ud800水"}, "#/text"),
    "no contact": ({"contact": None}, "#/contact"),
    "no phone": ({"contact": {"name": "王小明"}}, "#/contact/phone"),
    "short phone": (phone("12345"), "#/contact/phone"),
    "local phone": (phone("85012345"), "#/contact/phone"),
    "phone is a number": (phone(13800138000), "#/contact/phone"),
    "phone of letters": (phone("telephone"), "#/contact/phone"),
    "name of two lines": ({"contact": {"phone": "13800138000", "name": "王\n明"}}, "#/contact/name"),
    "name too long": ({"contact": {"phone": "13800138000", "name": "王" * 101}}, "#/contact/name"),
    "unknown channel": ({"channel": "fax"}, "#/channel"),
    "unknown category": ({"category": "magic"}, "#/category"),
    "unknown field": ({"colour": "red"}, "#/colour"),
    "unknown field below": ({"contact": {"phone": "13800138000", "age": 3}}, "#/contact/age"),
    "latitude alone": (place(latitude=30.6), "#/place"),
    "longitude alone": (place(longitude=121.1), "#/place"),
    "accuracy alone": (place(accuracy_m=10.0), "#/place"),
    "accuracy below zero": (place(latitude=0, longitude=0, accuracy_m=-1), "#/place/accuracy_m"),
    "latitude out of range": (place(latitude=90.1, longitude=0), "#/place/latitude"),
    "longitude out of range": (place(latitude=0, longitude=-180.1), "#/place/longitude"),
    "latitude is a word": (place(latitude="30.6", longitude=121.1), "#/place/latitude"),
    "latitude is no number": (place(latitude=float("nan"), longitude=121.1), "#/place/latitude"),
    "address of two lines": (place(address="金茂花苑\n3幢"), "#/place/address"),
    "a vulnerability that we do not know": ({"vulnerability": ["sad"]}, "#/vulnerability/0"),
    "vulnerability is a word": ({"vulnerability": "elderly"}, "#/vulnerability"),
    "no persons": ({"persons": 0}, "#/persons"),
    "persons is a fraction": ({"persons": 1.5}, "#/persons"),
    "persons is a word": ({"persons": "3"}, "#/persons"),
    "persons is true": ({"persons": True}, "#/persons"),
    "filed_at without offset": ({"filed_at": "2026-03-02T07:00:00"}, "#/filed_at"),
    "filed_at is a number": ({"filed_at": 1772438400}, "#/filed_at"),
    "filed_at is a number in words": ({"filed_at": "1772438400"}, "#/filed_at"),
    "filed_at is a date": ({"filed_at": "2026-03-02"}, "#/filed_at"),
    "filed_at is no time": ({"filed_at": "2026-02-30T07:00:00Z"}, "#/filed_at"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_bad_input_is_named_and_nothing_is_stored(harness: Harness, case: str) -> None:
    changes, pointer = WRONG[case]
    raw = json.dumps(body(**changes)).encode()
    async with harness.client(OPERATOR, **{"idempotency-key": "k", "content-type": "application/json"}) as client:
        response = await client.post("/v1/requests", content=raw)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert len(response.content) < 1000
    assert await nothing_is_stored(harness)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (place(area="pinghu/nowhere"), "Unknown area"),
        ({"filed_at": "2026-03-02T08:02:01Z"}, "Filed in the future"),
    ],
)
async def test_what_the_rules_refuse_is_named_and_nothing_is_stored(
    harness: Harness, changes: dict[str, Any], title: str
) -> None:
    response = await post(harness, "/v1/requests", body(**changes), SUPERVISOR)
    assert (response.status_code, response.json()["title"]) == (422, title)
    assert await nothing_is_stored(harness)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b'{"text": "\xe6\xb0"}', b"[]", b'"text"', b"null", b'{"text": "a"} {}'],
    ids=["empty", "broken", "no UTF-8", "half a character", "a list", "a word", "null", "two values"],
)
async def test_what_is_no_json_object_is_refused(harness: Harness, raw: bytes) -> None:
    async with harness.client(ANONYMOUS, **{"content-type": "application/json"}) as client:
        response = await client.post("/v1/requests", content=raw)
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == PROBLEM
    assert await nothing_is_stored(harness)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("amendments", {"text": ""}),
        ("amendments", {"text": "停水\x00"}),
        ("amendments", {}),
        ("withdrawal", {"reason": "because"}),
        ("withdrawal", {"why": "unstated"}),
        ("rejection", {}),
        ("rejection", {"reason": "test", "explanation": " "}),
        ("merge", {}),
        ("merge", {"into": 7}),
        ("contact-views", {}),
        ("contact-views", {"purpose": "a\nb"}),
    ],
)
async def test_bad_commands_are_refused(harness: Harness, path: str, sent: dict[str, Any]) -> None:
    request = "01a20b2e-b6df-75c1-80a2-800e4c9066aa"
    response = await post(harness, f"/v1/requests/{request}/{path}", sent, OPERATOR)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    assert response.json()["errors"]


async def test_what_is_refused_is_not_repeated_in_the_answer(harness: Harness) -> None:
    response = await post(harness, "/v1/requests", body(**phone("8501 2345"), text="我是王小明\x07"), ANONYMOUS)
    assert response.status_code == 422
    assert "8501" not in response.text
    assert "王小明" not in response.text


async def test_nobody_comes_in_but_through_the_gateway(harness: Harness) -> None:
    async with harness.client() as client:
        assert (await client.post("/v1/requests", json=body())).status_code == 401
        assert (await client.post("/v1/requests", json=body(), headers={"heed-identity": "x"})).status_code == 401
    assert await nothing_is_stored(harness)


async def test_words_are_kept_in_one_spelling(harness: Harness) -> None:
    await file(harness, text="  cafe\u0301\r\n停水\t3天 \n")
    assert (await harness.stated(TextRecorded))[0].fact.text == "caf\u00e9\n停水\t3天"


@pytest.mark.parametrize("text", ["水" * 10_000, "🆘", "1" * 10_000, '"' * 10_000])
async def test_the_longest_and_the_shortest_texts_are_taken(harness: Harness, text: str) -> None:
    await file(harness, text=text)
    event = (await harness.stated(TextRecorded))[0]
    assert len(event.fact.model_dump_json().encode()) < 64 * 1024


async def test_the_least_that_makes_a_request(harness: Harness) -> None:
    response = await post(harness, "/v1/requests", {"text": "停水", "contact": {"phone": "0573-85012345"}}, ANONYMOUS)
    assert response.status_code == 201
    assert len(await harness.stated(RequestReceived)) == 1


async def test_a_replayed_command_is_done_once(harness: Harness) -> None:
    request = await file(harness)
    key = {"idempotency-key": "w"}
    path = f"/v1/requests/{request}/withdrawal"
    first = await post(harness, path, {"reason": "no_longer_needed"}, resident(request), **key)
    again = await post(harness, path, {"reason": "no_longer_needed"}, resident(request), **key)
    other = await post(harness, path, {"reason": "solved_otherwise"}, resident(request), **key)
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert again.json() == first.json()
