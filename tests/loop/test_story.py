"""The story that everything serves, through the public API alone: from the resident's words to the look-back."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from shared.clock import wall_now
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.receiver import Receiver
from tests.support.system import System

pytestmark = pytest.mark.timeout(180)

FILING = {
    "text": "住在金茂花苑，现在隔离在家。狂犬疫苗打了第一针，第二针要在10月26日打，没有车也出不去，请帮忙。",
    "channel": "wechat",
    "contact": {"name": "例小姐", "phone": "+86 199 0000 0777"},
    "place": {"address": "独山港镇虎啸村金茂花苑3幢502室"},
    "filed_at": "2022-10-25T15:00:00+08:00",
}
PATIENCE_SECONDS = 2
STEPS = ["received", "triaged", "assigned", "accepted", "contacted", "answered", "fulfilled", "rated", "closed"]


async def file(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/requests", json=FILING | changes, headers={"prefer": "wait=5"})
    assert answer.status_code == 201, answer.text
    filed: dict[str, Any] = answer.json()
    return filed


async def act(client: httpx2.AsyncClient, task: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": task["revision"]} | body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def status_of(client: httpx2.AsyncClient, request_id: str) -> str:
    answer = await client.get(f"/v1/requests/{request_id}")
    status: str = answer.json()["status"]
    return status


async def go_all_the_way(system: System, filed: dict[str, Any]) -> None:
    """The hospital and the resident do their part."""
    request_id = filed["id"]
    async with system.client("liaison:central-hospital") as hospital:
        [task] = await eventually(lambda: tasks_of(hospital, request_id), lambda found: len(found) == 1)
        task = await act(hospital, task, "accept")
        task = await act(hospital, task, "contact", medium="phone")
        by = wall_now() + timedelta(days=1)
        task = await act(hospital, task, "confirm", happens_at=by.isoformat())
        await book_the_vehicle(system, request_id, by)
        task = await act(hospital, task, "answer", text="明早九点派车接您去打针。", fulfil_by=by.isoformat())
        await act(hospital, task, "fulfil")
    async with system.client(token=filed["tracking_token"]) as resident:

        async def rate() -> bool:
            rating = {"solved": True, "satisfaction": 5, "comment": "十分钟就办好了"}
            return (await resident.post(f"/v1/requests/{request_id}/rating", json=rating)).status_code < 300

        await eventually(rate)
        await eventually(lambda: status_of(resident, request_id), lambda status: status == "closed")


async def book_the_vehicle(system: System, request_id: str, at: datetime) -> None:
    """The transport team has its task once the hospital said when."""
    async with system.client("liaison:transport-team") as team:
        [vehicle] = await eventually(lambda: tasks_of(team, request_id), lambda found: len(found) == 1)
        vehicle = await act(team, vehicle, "accept")
        await act(team, vehicle, "confirm", happens_at=at.isoformat())
        await eventually(lambda: told(system, "liaison:transport-team", request_id))


async def tasks_of(client: httpx2.AsyncClient, request_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/v1/tasks", params={"request_id": request_id})).json()["items"]
    return items


async def test_the_second_dose(system: System) -> None:
    async with system.client("operator") as operator, Receiver.start() as partner:
        registered = await operator.post("/v1/webhooks", json={"url": partner.url, "event_types": []})
        assert registered.status_code == 201, registered.text
        filed = await file(operator)
        assert (filed["category"], filed["colour"]) == ("medical", "red")
        deadline = datetime.fromisoformat(filed["deadline"])
        assert (deadline.month, deadline.day) == (10, 26)
        [lead] = await eventually(lambda: tasks_of(operator, filed["id"]), lambda found: len(found) == 1)
        assert (lead["organisation"], lead["role"], lead["waits_for"]) == ("central-hospital", "lead", ["vehicle"])
        await eventually(lambda: told(system, "liaison:central-hospital", filed["id"]))
        await go_all_the_way(system, filed)
        view = (await operator.get(f"/v1/requests/{filed['id']}")).json()
        assert view["outcome"] == "confirmed"
        in_order = [entry["type"].rsplit(".", 1)[1] for entry in view["timeline"]]
        assert list(dict.fromkeys(step for step in in_order if step in STEPS)) == STEPS
        on_the_tail = [event["type"] for event in await system.events(request=filed["id"])]
        assert {f"heed.request.{step}" for step in STEPS} <= set(on_the_tail)

        async def at_the_partner() -> set[str]:
            payloads = [call.verified(registered.json()["secret"]) for call in list(partner.calls)]
            return {p["type"] for p in payloads}

        await eventually(at_the_partner, lambda seen: {f"heed.request.{s}" for s in STEPS} <= seen, 30)
        await operator.delete(f"/v1/webhooks/{registered.json()['id']}")


async def told(system: System, who: str, request_id: str) -> bool:
    async with system.client(who) as client:
        notices = (await client.get("/v1/notices", params={"mine": True})).json()["items"]
        return any(notice["request_id"] == request_id for notice in notices)


async def test_what_was_just_written_can_be_read(system: System) -> None:
    """At once, or after all the patience that a reader is promised: on a machine that does much else beside."""
    time = asyncio.get_running_loop().time
    async with system.client("operator") as operator:
        for _ in range(5):
            filed = await operator.post("/v1/requests", json=FILING)
            read = await operator.get(f"/v1/requests/{filed.json()['id']}")
            assert read.status_code == 200
            withdrawn = await operator.post(f"/v1/requests/{filed.json()['id']}/withdrawal", json={})
            seen, began = {"heed-seen": withdrawn.headers["heed-seen"]}, time()
            read = await operator.get(f"/v1/requests/{filed.json()['id']}", headers=seen)
            assert read.json()["status"] == "withdrawn" or time() - began >= PATIENCE_SECONDS


async def test_all_services_agree_with_the_log_whatever_races(system: System) -> None:
    """Withdrawn while being assigned, accepted, answered: two services state at the same time."""
    async with system.client("operator") as operator, system.client("liaison:central-hospital") as hospital:

        async def race(n: int) -> None:
            filed = await file(operator)
            if n % 3 == 0:
                await operator.post(f"/v1/requests/{filed['id']}/withdrawal", json={})
                return
            [task] = await eventually(lambda: tasks_of(hospital, filed["id"]), lambda found: len(found) == 1)
            accepted = {"revision": task["revision"]}
            await asyncio.gather(
                hospital.post(f"/v1/tasks/{task['id']}/accept", json=accepted),
                operator.post(f"/v1/requests/{filed['id']}/withdrawal", json={}),
            )

        await asyncio.gather(*(race(n) for n in range(12)))
    async with Books.open(system.var) as books:
        await eventually(books.disagreements, lambda found: found == [], 30)
