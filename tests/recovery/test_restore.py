"""Services restored from an older dump read on from where it stood, agree with the log, and repeat nothing."""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.contracts import Event, Fact
from tests.faults.test_kill import TEXTS
from tests.recovery.dumps import dump, restore
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.system import System, running

RESTORED = ("triage", "dispatch", "followup", "callbacks", "gateway")
SETTLED_SECONDS = 120
TASK = ("id", "request_id", "role", "organisation", "status", "liaison", "level", "waits_for")
NOTICES = "select id, outcome from notices order by id"


class Town:
    """A system at work, with the calls that its people make."""

    def __init__(self, system: System, books: Books) -> None:
        self.system, self.books = system, books

    async def file(self, count: int, first: int) -> list[str]:
        """File requests; their ids."""
        ids = []
        async with self.system.client("operator") as client:
            for n in range(first, first + count):
                body = {"text": TEXTS[n % len(TEXTS)], "contact": {"phone": f"+86 199 0000 {n:04}"}}
                answer = await client.post("/v1/requests", json=body)
                assert answer.status_code == 201, answer.text
                ids.append(answer.json()["id"])
        return ids

    async def tasks(self, ids: list[str]) -> list[dict[str, Any]]:
        """All tasks of these requests, as dispatch shows them."""
        found: list[dict[str, Any]] = []
        async with self.system.client("supervisor") as client:
            for request_id in ids:
                answer = await client.get("/v1/tasks", params={"request_id": request_id})
                assert answer.status_code == 200, answer.text
                found += answer.json()["items"]
        return sorted(({name: task[name] for name in TASK} for task in found), key=lambda t: t["id"])

    async def act(self, task: dict[str, Any], verb: str, **more: Any) -> None:
        """A liaison does something with a task, at its present revision."""
        async with self.system.client(f"liaison:{task['organisation']}") as client:
            now = (await client.get(f"/v1/tasks/{task['id']}")).json()
            answer = await client.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": now["revision"], **more})
            assert answer.status_code == 200, answer.text

    async def settle(self, ids: list[str]) -> None:
        """Wait until every request has a task and all services agree."""

        async def without_task() -> set[str]:
            try:
                return set(ids) - {task["request_id"] for task in await self.tasks(ids)}
            except (httpx2.TransportError, AssertionError) as away:
                return {repr(away)}

        await eventually(without_task, lambda missing: missing == set(), SETTLED_SECONDS)
        await self.agree()

    async def agree(self) -> None:
        """Wait until all services say of every request what the log does."""
        await eventually(self.books.disagreements, lambda found: found == [], SETTLED_SECONDS)

    async def statuses(self) -> Counter[str]:
        """How many requests the gateway shows in each status."""
        return Counter(row[0] for row in await self.books.fetch("gateway", "select status from requests"))


def named(events: list[Event[Fact]]) -> list[tuple[str, str, int, str]]:
    return sorted((e.key, e.source, e.sequence, e.type) for e in events)


@pytest.mark.timeout(600)
async def test_restored_from_an_older_dump_they_agree_with_the_log_and_go_on(tmp_path: Path) -> None:
    async with running(tmp_path / "var") as system, Books.open(system.var) as books:
        town = Town(system, books)
        old = await town.file(6, 0)
        await town.settle(old)
        tasks = [task for task in await town.tasks(old) if task["role"] == "lead" and not task["waits_for"]]
        await town.act(tasks[0], "accept")
        await town.agree()
        for name in RESTORED:
            await dump(await books.url(name), tmp_path / f"{name}.dump")
        ids = old + await go_on(town, tasks)
        wanted, wanted_log = await town.tasks(ids), named(await books.log())
        notices = await books.fetch("callbacks", NOTICES)

        await system.kill()
        for name in RESTORED:
            await restore(books.admin_url, await books.url(name), tmp_path / f"{name}.dump")
        await system.start()
        await town.settle(ids)
        assert named(await books.log()) == wanted_log, "something was stated anew"
        assert await town.tasks(ids) == wanted
        assert await books.fetch("callbacks", NOTICES) == notices
        await check_that_what_is_new_counts(town, tasks[1])


async def go_on(town: Town, tasks: list[dict[str, Any]]) -> list[str]:
    """All that a day brings after the backup; the new requests."""
    new = await town.file(6, 6)
    await town.settle(new)
    await town.act(tasks[0], "answer", text="已安排。")
    await town.act(tasks[1], "accept")
    await town.act(tasks[1], "contact", medium="phone")
    await town.act(tasks[2], "accept")
    await town.act(tasks[2], "answer", text="已联系。")
    async with town.system.client("operator") as operator:
        assert (await operator.post(f"/v1/requests/{new[0]}/nudges")).status_code == 201
    await town.agree()
    return new


async def check_that_what_is_new_counts(town: Town, task: dict[str, Any]) -> None:
    """A fact stated after the restore has a number that no reader knows yet."""
    before = await town.statuses()
    await town.act(task, "answer", text="已送到。")
    await eventually(town.statuses, lambda now: now["answered"] == before["answered"] + 1, SETTLED_SECONDS)
    await town.agree()
