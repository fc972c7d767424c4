"""kill -9 at random moments under load, and start again: what got a receipt is there, once, and all agree on it."""

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import httpx2
import pytest

from followup.recount import recount
from shared.clock import Clock, wall_now
from shared.contracts.life import Life
from shared.contracts.vocabulary import Status
from tests.support.account import Books, lives
from tests.support.desk import work_on
from tests.support.eventually import eventually
from tests.support.system import System

ROUNDS = int(os.environ.get("HEED_FAULT_ROUNDS", "3"))
FILERS = 4
LONGEST_SECONDS = 3.0
ORGANISATIONS = ("central-hospital", "transport-team", "food-supply", "pharmacy-supply", "utilities")
TEXTS = (
    "透析病人，明天要去医院，没有车。",
    "家里没有菜了，老人行动不便。",
    "降压药只够两天了。",
    "水管爆了，家里进水。",
)
SETTLED_SECONDS = 60


class Crowd:
    """People who file and liaisons who work, as long as somebody answers; it notes every receipt that was given."""

    def __init__(self, system: System, chance: random.Random) -> None:
        self._system, self._chance, self._clock = system, chance, Clock()
        self.receipts: dict[str, str] = {}
        """Idempotency key to request id, for each 201 that arrived."""
        self.unanswered: dict[str, dict[str, Any]] = {}
        """Filings of which nobody knows whether they arrived."""
        self._number = 0

    async def file_on(self) -> None:
        """File one after the other, until cut off."""
        async with self._system.client("operator") as client:
            while True:
                self._number += 1
                phone = f"+86 199 0000 {self._number % 1000:04}"
                body = {"text": self._chance.choice(TEXTS), "contact": {"phone": phone}}
                await self._file(client, f"key-{self._number}", body)

    async def _file(self, client: httpx2.AsyncClient, key: str, body: dict[str, Any]) -> None:
        self.unanswered[key] = body
        answer = await client.post("/v1/requests", json=body, headers={"idempotency-key": key})
        if answer.status_code == 201:
            assert self.receipts.get(key, answer.json()["id"]) == answer.json()["id"]
            self.receipts[key] = answer.json()["id"]
            del self.unanswered[key]

    async def file_again(self) -> None:
        """Send again what had no answer, with its key: nothing may come to stand twice."""
        async with self._system.client("operator") as client:
            for key, body in list(self.unanswered.items()):
                await self._file(client, key, body)

    async def work_on(self, organisation: str) -> None:
        """Accept and answer what there is, until cut off."""
        async with self._system.client(f"liaison:{organisation}") as client:
            while True:
                tasks = (await client.get("/v1/tasks", params={"mine": True})).json()["items"]
                for task in tasks:
                    await work_on(client, task)
                await self._clock.pause(0.05)

    async def busy_until_killed(self, seconds: float) -> None:
        """All of them at work; after that time the system is killed under their hands."""
        people = [asyncio.create_task(self._as_long_as_answered(self.file_on())) for _ in range(FILERS)]
        people += [asyncio.create_task(self._as_long_as_answered(self.work_on(o))) for o in ORGANISATIONS]
        await asyncio.wait(people, timeout=seconds)
        await self._system.kill()
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)

    async def _as_long_as_answered(self, work: Any) -> None:
        try:
            await work
        except (httpx2.TransportError, TimeoutError):
            return


async def check(system: System, crowd: Crowd) -> None:
    """Every receipt is there once, each history complete and in order, all services and the figures agree."""
    async with Books.open(system.var) as books:
        await eventually(books.disagreements, lambda found: found == [], SETTLED_SECONDS)
        events = await books.log()
    known = lives(events)
    assert set(crowd.receipts.values()) <= set(known)
    assert len(set(crowd.receipts.values())) == len(crowd.receipts)
    assert all(_stands_somewhere(life) for life in known.values())
    keyless = len(known) - len(set(crowd.receipts.values()))
    assert keyless <= len(crowd.unanswered)
    async with system.client("operator") as operator:

        async def figures() -> dict[str, Any]:
            shown: dict[str, Any] = (await operator.get("/v1/figures")).json()["figures"]["totals"]
            return shown

        counted = recount(events, wall_now())
        wanted = (counted.totals.received, counted.totals.answered)
        await eventually(figures, lambda shown: (shown["received"], shown["answered"]) == wanted, SETTLED_SECONDS)


def _stands_somewhere(life: Life) -> bool:
    return (life.holder is not None) != life.status.is_ending


@pytest.mark.faults
@pytest.mark.timeout(300 + ROUNDS * 120)
async def test_killed_under_load_it_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(20221025)
    system = System(tmp_path / "var")
    await system.start()
    crowd = Crowd(system, chance)
    try:
        for n in range(ROUNDS):
            await crowd.busy_until_killed(chance.uniform(0.5, LONGEST_SECONDS))
            await system.start()
            await crowd.file_again()
            if n % 10 == 9 or n == ROUNDS - 1:
                await check(system, crowd)
        assert crowd.receipts
        assert not crowd.unanswered
    finally:
        assert await system.stop() == 0


@pytest.mark.timeout(240)
async def test_a_stop_is_graceful_and_a_start_goes_on(tmp_path: Path) -> None:
    system = System(tmp_path / "var")
    await system.start()
    async with system.client("operator") as operator:
        filed = (
            await operator.post("/v1/requests", json={"text": TEXTS[0], "contact": {"phone": "19900000001"}})
        ).json()
    assert await system.stop() == 0
    await system.start()
    async with system.client(token=filed["tracking_token"]) as resident:

        async def status() -> str:
            found: str = (await resident.get(f"/v1/requests/{filed['id']}")).json().get("status", "")
            return found

        await eventually(status, lambda now: now == Status.ASSIGNED)
    assert await system.stop() == 0
