"""Every route of the public API, tried by those who have no business with a request: refused, or silent about it."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.gateway.routes import all_routes
from tests.loop.test_story import FILING, file, tasks_of
from tests.support.eventually import eventually
from tests.support.harness import project_root
from tests.support.system import System

REFUSED = {401, 403, 404}
ANYBODYS = {("POST", "/v1/requests"), ("POST", "/v1/webhooks")}
"""To file is everybody's, to register an endpoint every organisation's: what is made is one's own."""
HOOK = {"url": "http://127.0.0.1:9/heed"}
CLOCKS = (project_root() / "deploy" / "sample" / "clocks.yaml").read_text()
SOUND: Mapping[str, Any] = {
    "/v1/requests": {"text": FILING["text"], "contact": FILING["contact"]},
    "amendments": {"text": "x"},
    "rejection": {"reason": "test"},
    "contact-views": {"purpose": "核对地址"},
    "assessments": {"revision": 1, "reason": "x"},
    "accept": {"revision": 1},
    "return": {"revision": 1, "reason": "no_capacity"},
    "contact": {"revision": 1},
    "progress": {"revision": 1, "text": "x"},
    "answer": {"revision": 1, "text": "x"},
    "fulfil": {"revision": 1},
    "/v1/requests/{id}/tasks": {"organisation": "police"},
    "/v1/directory": {"kind": "clocks", "content": CLOCKS},
    "rating": {"solved": True},
    "attempts": {"revision": 1, "outcome": "reached", "solved": True},
    "/v1/webhooks": HOOK,
    "/v1/webhooks/{id}": {"revision": 1},
    "/v1/tokens": {"kind": "operator"},
    "/v1/drills/{id}/answer": {"liaison": "central-hospital.day"},
}
"""A body that would be taken from whoever may send it; by path, or by its last word."""


@pytest.fixture(scope="module")
async def others(system: System) -> dict[str, str]:
    """What a stranger might reach for: a request in the hospital's hands, its task, an endpoint of the city's."""
    async with system.client("operator") as operator:
        request, into = (await file(operator))["id"], (await file(operator))["id"]
        [task, *_] = await eventually(lambda: tasks_of(operator, request), bool)
        hook = (await operator.post("/v1/webhooks", json=HOOK)).json()["id"]
    return {"requests": request, "tasks": task["id"], "webhooks": hook, "into": into}


async def token_of(system: System, who: str) -> str | None:
    if who == "anonymous":
        return None
    if who == "resident":
        async with system.client() as resident:
            filed = await resident.post("/v1/requests", json=SOUND["/v1/requests"])
        return str(filed.json()["tracking_token"])
    if who == "grid worker":
        async with system.client("supervisor") as supervisor:
            wanted = {"kind": "grid_worker", "area": "pinghu/dushangang/jufu"}
            return str((await supervisor.post("/v1/tokens", json=wanted)).json()["token"])
    return system.token(who)


def filled(path: str, others: Mapping[str, str]) -> str:
    collection = path.split("/")[2]
    known = {"organisations": "central-hospital", "areas": "pinghu", "liaisons": "central-hospital.day",
             "shifts": "central-hospital.day"} | dict(others)  # fmt: skip
    for place in ("{id}", "{id...}", "{event_id}"):
        path = path.replace(place, known.get(collection, others["requests"]))
    return path


@pytest.mark.timeout(180)
@pytest.mark.parametrize("who", ["anonymous", "resident", "grid worker", "liaison:police", "deputy:police"])
async def test_a_stranger_is_refused_or_hears_nothing(system: System, others: dict[str, str], who: str) -> None:
    found = []
    async with system.client(token=await token_of(system, who)) as stranger:
        for method, path, owner in all_routes():
            sound = SOUND.get(path, SOUND.get(path.rsplit("/", 1)[-1]))
            body = {"into": others["into"]} if path.endswith("/merge") else sound or {}
            sent = None if method in {"GET", "DELETE"} else body
            if owner == "documents" or (method, path) in ANYBODYS:
                continue
            answer = await stranger.request(method, filled(path, others), json=sent)
            is_silent = answer.status_code == 200 and others["requests"] not in answer.text
            is_refused = answer.status_code in REFUSED or (answer.status_code == 422 and not sound)
            if not (is_refused or (method == "GET" and is_silent)):
                found.append((method, path, answer.status_code, answer.text[:200]))
    assert found == []
