"""A city at work while things break: residents who file until they are heard, liaisons who accept and answer."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from shared.clock import Clock
from tests.support.desk import work_on
from tests.support.eventually import eventually

FILERS = 2
PAUSE_SECONDS = 0.6
TURN_SECONDS = 0.05
PATIENCE_SECONDS = 10
HEARD_SECONDS = 90
WAITING = frozenset({"", "received", "triaged"})
AWAY = (httpx2.TransportError, TimeoutError)
AREA = "pinghu/dushangang/huxiao/06"
TEXTS = (
    "透析病人，明天要去医院，没有车。",
    "家里没有菜了，老人行动不便。",
    "降压药只够两天了。",
    "水管爆了，家里进水。",
    "My mother has run out of insulin.",
)


class Load:
    """A steady load through the public API. Whoever gets no answer sends the same again, with the same key."""

    def __init__(self, var: Path, chance: random.Random) -> None:
        """`var` has the credentials of the system."""
        written = json.loads((var / "credentials.json").read_text())
        self._base_url, self._tokens = written["base_url"], written["tokens"]
        self._chance, self._clock = chance, Clock()
        self.receipts: dict[str, str] = {}
        """Idempotency key to request id, for each 201."""
        self.longest_silence_seconds = 0.0
        """The longest time in which nobody at all got a receipt."""
        self._number = 0
        self._heard_at = 0.0

    def client(self, who: str) -> httpx2.AsyncClient:
        """A caller who connects anew each time, as people from everywhere do."""
        return httpx2.AsyncClient(
            base_url=self._base_url,
            headers={"authorization": f"Bearer {self._tokens[who]}"},
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Everybody at work for as long as the block lasts; who was filing then files to the end."""
        self._heard_at = asyncio.get_running_loop().time()
        self.longest_silence_seconds = 0.0
        stop = asyncio.Event()
        people = [asyncio.create_task(self._file_until(stop)) for _ in range(FILERS)]
        people.append(asyncio.create_task(self._work_until(stop)))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*people)

    async def goes_through(self, within_seconds: float) -> float:
        """File, and wait until somebody has the task: how many seconds that took."""
        time = asyncio.get_running_loop().time
        began = time()
        async with self.client("operator") as client:
            request_id = await self._file(client, *self._next_filing())
            await eventually(lambda: _status(client, request_id), lambda s: s not in WAITING, within_seconds)
        return time() - began

    def _next_filing(self) -> tuple[str, dict[str, Any]]:
        self._number += 1
        phone = f"+86 199 0000 {self._number % 1000:04}"
        body = {"text": self._chance.choice(TEXTS), "contact": {"phone": phone}, "place": {"area": AREA}}
        return f"key-{self._number}", body

    async def finish(self, request_ids: set[str], within_seconds: float) -> None:
        """The liaisons work on until every one of these requests has been answered."""
        stop = asyncio.Event()
        working = asyncio.create_task(self._work_until(stop))
        try:
            async with self.client("operator") as operator:

                async def unanswered() -> list[str]:
                    return [r for r in request_ids if await _status(operator, r) not in {"answered", "closed"}]

                await eventually(unanswered, lambda left: not left, within_seconds)
        finally:
            stop.set()
            await working

    async def _file_until(self, stop: asyncio.Event) -> None:
        async with self.client("operator") as client:
            while not stop.is_set():
                await self._file(client, *self._next_filing())
                await self._clock.pause(PAUSE_SECONDS)

    async def _file(self, client: httpx2.AsyncClient, key: str, body: dict[str, Any]) -> str:
        """File until there is a 201; the id of the request."""
        async with asyncio.timeout(HEARD_SECONDS):
            while True:
                try:
                    answer = await client.post("/v1/requests", json=body, headers={"idempotency-key": key})
                except AWAY:
                    answer = None
                if answer is not None and answer.status_code == httpx2.codes.CREATED:
                    break
                assert answer is None or answer.is_server_error, answer.text
                await self._clock.pause(PAUSE_SECONDS)
        now = asyncio.get_running_loop().time()
        self.longest_silence_seconds = max(self.longest_silence_seconds, now - self._heard_at)
        self._heard_at = now
        request_id: str = answer.json()["id"]
        self.receipts[key] = request_id
        return request_id

    async def _work_until(self, stop: asyncio.Event) -> None:
        """Every liaison in turn does what is to be done next; where nobody hears him, at his next turn."""
        async with AsyncExitStack() as stack:
            names = [who for who in self._tokens if who.startswith("liaison:")]
            clients = [await stack.enter_async_context(self.client(who)) for who in names]
            for client in itertools.cycle(clients):
                with suppress(*AWAY):
                    await self._work(client)
                if stop.is_set():
                    return
                await self._clock.pause(TURN_SECONDS)

    async def _work(self, client: httpx2.AsyncClient) -> None:
        answer = await client.get("/v1/tasks", params={"mine": True})
        for task in answer.json()["items"] if answer.is_success else ():
            await work_on(client, task)


async def _status(client: httpx2.AsyncClient, request_id: str) -> str:
    try:
        answer = await client.get(f"/v1/requests/{request_id}")
    except AWAY:
        return ""
    return str(answer.json().get("status", ""))
