"""Nothing personal in any fact, log line, metric or error: the sample's people and words are searched for."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services import standalone
from services.demo.script import Filing, read_filings
from shared.clock import wall_now
from tests.loop.test_story import FILING, act, book_the_vehicle, file, tasks_of
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.harness import project_root
from tests.support.system import System, running

PHONE, NAME, DOOR = "19900000654", "例无名", "9幢901室"
WORDS = "家里老人的降压药只剩两天的量"
HOTLINE = "12345"
"""In one malformed filing, and in the rules of triage too: everybody's number."""
PERSONAL = {PHONE, "199 0000 0654", NAME, DOOR, "121.16543", "30.65432"}
DOORS = re.compile(r"\d+[幢栋]\d+")
SETTLED_SECONDS = 60
AT_ONCE = 8


def sample() -> Sequence[Filing]:
    """A third of the demo's filings, and all that must be refused."""
    filings = read_filings(project_root() / "deploy" / "sample" / "requests.jsonl")
    return [filing for n, filing in enumerate(filings) if n % 3 == 0 or filing.malformed]


def personal_in(filing: Filing) -> set[str]:
    """Phone, name and door of whoever files."""
    body = filing.request or {}
    contact, place = body.get("contact") or {}, body.get("place") or {}
    doors = DOORS.findall(str(place.get("address", "")))
    return {str(word) for word in (contact.get("phone"), contact.get("name"), *doors) if word and len(str(word)) > 2}


async def file_the_sample(system: System) -> list[str]:
    """File all that the demo files, well-formed or not; what was refused, in the words of the refusal."""
    refused = []
    few = asyncio.Semaphore(AT_ONCE)

    async def one(filing: Filing, client: httpx2.AsyncClient) -> None:
        content = filing.raw if filing.request is None else json.dumps(filing.request, ensure_ascii=False)
        async with few:
            answer = await client.post(
                "/v1/requests", content=(content or "").encode(), headers={"content-type": "application/json"}
            )
        if answer.is_error:
            refused.append(answer.text)

    for filer in {filing.filer for filing in sample()}:
        async with system.client(None if filer == "resident" else filer) as client:
            await asyncio.gather(*(one(filing, client) for filing in sample() if filing.filer == filer))
    return refused


async def live(system: System) -> list[str]:
    """One request all the way, its people naming themselves wherever there are words; what was refused."""
    me = f"我是{NAME}，电话{PHONE}，住金茂花苑{DOOR}。"
    place = {"address": f"虎啸村金茂花苑{DOOR}", "latitude": 30.65432, "longitude": 121.16543}
    contact = {"name": NAME, "phone": "+86 199 0000 0654"}
    async with system.client("operator") as operator, system.client("liaison:central-hospital") as hospital:
        filed = await file(operator, text=f"{FILING['text']}{me}{WORDS}", contact=contact, place=place)
        path = f"/v1/requests/{filed['id']}"
        await operator.post(f"{path}/amendments", json={"text": f"再打这个电话：{PHONE}"})
        await operator.post(f"{path}/assessments", json={"revision": 1, "reason": f"与{PHONE}通话"})
        assert (await operator.get("/v1/queue", params={"q": PHONE})).status_code == 200
        [task] = await eventually(lambda: tasks_of(hospital, filed["id"]), lambda found: len(found) == 1)
        assert (await operator.post(f"{path}/contact-views", json={"purpose": "回电"})).status_code == 201
        task = await act(hospital, task, "accept")
        task = await act(hospital, task, "progress", text=f"已联系{PHONE}。")
        by = wall_now() + timedelta(days=1)
        task = await act(hospital, task, "confirm", happens_at=by.isoformat(), note=f"已与{PHONE}约好。")
        await book_the_vehicle(system, filed["id"], by)
        task = await act(hospital, task, "answer", text=f"已与{PHONE}约好。")
        refusals = [
            await operator.post("/v1/requests", json=FILING | {"text": me, "unknown": PHONE}),
            await operator.post(f"{path}/amendments", json={"text": f"{me}\x07"}),
            await hospital.post(f"/v1/tasks/{task['id']}/progress", json={"revision": PHONE, "text": me}),
            await operator.get(f"/v1/requests/{PHONE}"),
            await operator.get("/v1/events", params={"from": me}),
        ]
    async with system.client(token=filed["tracking_token"]) as resident:
        rating = {"solved": True, "satisfaction": 5, "comment": f"请回电{PHONE}"}

        async def rated() -> bool:
            return (await resident.post(f"{path}/rating", json=rating)).status_code == 201

        await eventually(rated)
        refusals.append(await resident.post(f"{path}/rating", json={"solved": me}))
    assert all(answer.is_error for answer in refusals)
    return [answer.text for answer in refusals]


def found_in(text: str, words: set[str]) -> list[str]:
    return [word for word in sorted(words) if word in text]


@pytest.mark.timeout(240)
async def test_nothing_personal_leaves_intake(tmp_path: Path) -> None:
    personal = PERSONAL.union(*map(personal_in, sample())) - {HOTLINE}
    words = {WORDS} | {filing.request["text"][:12] for filing in sample() if filing.request and not filing.malformed}
    assert len(personal) > 200
    async with running(tmp_path / "var", HEED_LOG_LEVEL="debug") as system:
        refused = [*await file_the_sample(system), *await live(system)]
        async with Books.open(system.var) as books:
            await eventually(books.unsettled, lambda found: found == [], SETTLED_SECONDS)
            rows = await books.fetch("bus", "select headers::text, value, topic from log")
            stored = await everything(books)
        async with system.client() as anybody:
            metrics = (await anybody.get("/metrics")).text
    errors, said = "\n".join(refused), system.log.read_text()
    facts = {
        topic: "\n".join(_text(row) for row in rows if row["topic"] == topic) for topic in {r["topic"] for r in rows}
    }
    for place, text in {**facts, "log": said, "metrics": metrics, "errors": errors, "tables": stored}.items():
        assert found_in(text, personal) == [], place
    for place, text in {"facts": facts["heed.requests"], "log": said, "metrics": metrics, "errors": errors}.items():
        assert found_in(text, words) == [], place
    assert '"pointer":"#/unknown"' in errors


def _text(row: Any) -> str:
    return str(row["headers"]) + (row["value"] or b"").decode()


async def everything(books: Books) -> str:
    """All rows of all tables of all services, as text: what is sealed cannot be read there either."""
    found = []
    for service in standalone.NAMES:
        tables = await books.everything(service, *(["files"] if service == "dispatch" else []))  # the city's own people
        found += [row for rows in tables.values() for row in rows]
    return "\n".join(found)
