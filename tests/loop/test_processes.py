"""Every service as a process of its own, on databases of their own: the same code, wired over HTTP."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest
from sqlalchemy.engine import make_url

from services.standalone import INSIDE
from shared.tokens import make_identity_keys
from tests.loop.test_story import FILING
from tests.support.eventually import eventually
from tests.support.harness import SECRET, project_root
from tests.support.postgres import PostgresServer
from tests.support.system import HEED, free_port

READY_SECONDS = 90
STOP_SECONDS = 20


@asynccontextmanager
async def process(name: str, port: int, log: Path, **settings: str) -> AsyncIterator[str]:
    """`heed serve NAME`, ready."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HEED_")}
    environment = kept | {f"HEED_{key.upper()}": value for key, value in settings.items()}
    environment |= {"HEED_PORT": str(port), "HEED_LOG_LEVEL": "warning", "HEED_INSTANCE": f"{name}-1"}
    with log.open("w") as said:
        running = await asyncio.create_subprocess_exec(
            HEED, "serve", name, cwd=project_root(), env=environment, stdout=said, stderr=said
        )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:

            async def is_ready() -> bool:
                assert running.returncode is None, log.read_text()[-3000:]
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(is_ready, within_seconds=READY_SECONDS)
        yield url
    finally:
        if running.returncode is None:
            running.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            assert await running.wait() == 0


@pytest.mark.timeout(240)
async def test_each_service_runs_as_a_process_of_its_own(postgres: PostgresServer, tmp_path: Path) -> None:
    private, public = make_identity_keys()
    common = {
        "identity_public_key": public,
        "tracking_secret": SECRET,
        "hash_secret": SECRET,
        "encryption_keys": f"1:{SECRET}",
        "bus": await postgres.fresh_database("bus"),
    }
    async with AsyncExitStack() as stack:
        ports = {name: free_port() for name in (*INSIDE, "gateway")}
        databases = {name: await postgres.fresh_database(name) for name in ports}
        starts = [
            stack.enter_async_context(
                process(name, ports[name], tmp_path / f"{name}.log", **common, database=databases[name])
            )
            for name in INSIDE
        ]
        for start in starts:
            await start
        urls = {f"{name}_url": f"http://127.0.0.1:{ports[name]}" for name in INSIDE}
        gateway = await stack.enter_async_context(
            process(
                "gateway",
                ports["gateway"],
                tmp_path / "gateway.log",
                **common,
                **urls,
                database=databases["gateway"],
                identity_private_key=private,
            )
        )
        filing = {key: value for key, value in FILING.items() if key != "filed_at"} | {"channel": "app"}
        async with httpx2.AsyncClient(base_url=gateway, trust_env=False, timeout=30) as client:
            filed = await client.post("/v1/requests", json=filing)
            assert filed.status_code == 201, filed.text
            headers = {"authorization": f"Bearer {filed.json()['tracking_token']}"}

            async def status() -> str:
                answer = await client.get(f"/v1/requests/{filed.json()['id']}", headers=headers)
                found: str = answer.json()["status"]
                return found

            await eventually(status, lambda now: now == "assigned", 30)


async def test_a_service_without_its_settings_refuses_to_start() -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HEED_")}
    running = await asyncio.create_subprocess_exec(
        HEED,
        "serve",
        "intake",
        cwd=project_root(),
        env=kept,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await running.communicate())[0].decode()
    assert running.returncode == 1
    assert "HEED_" in said
    assert "Traceback" not in said


async def test_a_service_cannot_read_anothers_database(postgres: PostgresServer) -> None:
    mine, other = await postgres.fresh_database("intake"), await postgres.fresh_database("triage")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(mine, database=make_url(other).database)
