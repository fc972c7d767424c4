"""A town's worth of requests in a running system, and a hand in its databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.client import Remote
from services.verify.run import Report, calling, read_promises, verify
from services.verify.seals import Seal
from services.verify.sources import PAGE_RECORDS, AtTheBus, OverApi
from shared.bus.postgres import PostgresBus
from shared.clock import Clock
from tests.support.eventually import eventually
from tests.support.harness import project_root
from tests.support.system import HEED, System

TEXTS = (
    "被隔离在家，降压药今天吃完了，请帮忙买药送来。",
    "老人独自在家，没有菜了，请送些米和蔬菜。",
    "孩子发烧三十九度，需要去医院，没有车。",
    "家里水管爆了，请派人来修。",
    "请问解封以后要不要做核酸？",
    "楼上装修太吵，影响休息。",
)
ADDRESS = "平湖市独山港镇虎啸村石桥头17号"
PROMISES = read_promises(project_root() / "deploy/sample")


@dataclass
class Town:
    """A system, and the server its databases are on."""

    system: System
    admin_url: str

    async def execute(self, service: str, statement: str, **values: Any) -> int:
        """Run SQL in the database of a service, behind its back; how many rows it touched."""
        url = make_url(self.admin_url).set(drivername="postgresql+asyncpg", database=f"heed_{service}")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as connection:
            touched = (await connection.execute(sa.text(statement), values)).rowcount
        await engine.dispose()
        return touched

    async def row(self, service: str, statement: str, **values: Any) -> Any:
        """The one row that SQL finds there."""
        url = make_url(self.admin_url).set(drivername="postgresql+asyncpg", database=f"heed_{service}")
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            found = (await connection.execute(sa.text(statement), values)).first()
        await engine.dispose()
        assert found is not None, statement
        return found

    async def verify(self, kept: Sequence[Seal] = (), page_records: int = PAGE_RECORDS) -> Report:
        """As `heed verify` does."""
        remote = Remote(self.system.base_url, self.system.token("operator"))
        async with calling(remote) as api:
            return await verify(OverApi(api, page_records), api, Clock().now, PROMISES, kept)

    async def verify_at_the_bus(self) -> Report:
        """As `heed verify --bus URL` does."""
        remote = Remote(self.system.base_url, self.system.token("operator"))
        bus = PostgresBus(make_url(self.admin_url).set(database="heed_bus").render_as_string(hide_password=False))
        await bus.start()
        try:
            async with calling(remote) as api:
                return await verify(AtTheBus(bus), api, Clock().now, PROMISES)
        finally:
            await bus.stop()

    async def heed(self, *words: str) -> tuple[int, str]:
        """Run `heed` with these words: its exit code, and what it said."""
        pipe, environment = asyncio.subprocess.PIPE, dict(self.system.environment)
        process = await asyncio.create_subprocess_exec(HEED, *words, env=environment, stdout=pipe, stderr=pipe)
        said, complained = await process.communicate()
        assert process.returncode is not None
        return process.returncode, (said + complained).decode()


async def file(client: httpx2.AsyncClient, text: str, number: int) -> dict[str, Any]:
    body = {
        "text": text,
        "channel": "hotline",
        "contact": {"name": "例先生", "phone": f"1990000{number:04}"},
        "place": {"address": ADDRESS},
    }
    answer = await client.post("/v1/requests", json=body, headers={"prefer": "wait=5"})
    assert answer.status_code == 201, answer.text
    filed: dict[str, Any] = answer.json()
    return filed


async def settle(town: Town) -> None:
    """File, accept, answer, rate and withdraw; then wait until everything is sealed."""
    async with town.system.client("operator") as operator:
        filed = [await file(operator, text, n) for n, text in enumerate(TEXTS)]
    withdrawn = filed.pop()
    await _as_resident(town, withdrawn, "withdrawal", {"reason": "solved_otherwise"})
    answered = [one for one in filed if await _handled(town, one)]
    assert answered
    await _as_resident(town, answered[0], "rating", {"solved": True, "satisfaction": 5})
    await sealed(town)


async def _as_resident(town: Town, filed: dict[str, Any], what: str, body: dict[str, Any]) -> None:
    async with town.system.client(token=filed["tracking_token"]) as resident:
        answer = await resident.post(f"/v1/requests/{filed['id']}/{what}", json=body)
    assert answer.is_success, answer.text


async def _handled(town: Town, filed: dict[str, Any]) -> bool:
    """Its lead accepts and answers it; whether the answer was taken."""
    path = f"/v1/requests/{filed['id']}"
    async with town.system.client("operator") as operator:
        shown = await eventually(lambda: _shown(operator, path), lambda found: found["status"] == "assigned")
    lead = next(task for task in shown["tasks"] if task["role"] == "lead")
    async with town.system.client(f"liaison:{lead['organisation']}") as liaison:
        task = {"id": lead["id"], "revision": (await liaison.get(f"/v1/tasks/{lead['id']}")).json()["revision"]}
        for verb, body in (("accept", {}), ("contact", {"medium": "phone"}), ("answer", {"text": "今天下午送到。"})):
            answer = await liaison.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": task["revision"]} | body)
            if answer.is_error:
                return False
            task = answer.json()
    return True


async def _shown(client: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(path)).json()
    return found


async def sealed(town: Town) -> None:
    """Wait until nothing waits for a seal."""

    async def waiting() -> int:
        found = await town.row("followup", "select count(*) n from chains where has_news")
        read = await town.row(
            "bus",
            "select count(*) n from log_partitions where topic = 'heed.requests' and next_position > 0",
        )
        known = await town.row("followup", "select count(*) n from chains where topic = 'heed.requests'")
        return int(found.n) + int(read.n) - int(known.n)

    await eventually(waiting, lambda count: count == 0, within_seconds=20)
