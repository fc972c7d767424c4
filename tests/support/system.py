"""The whole of Heed as its users have it: a process of its own, on a free port of loopback, that can be killed."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.support.eventually import eventually
from tests.support.harness import project_root

READY_SECONDS = 90
STOP_SECONDS = 30
HEED = Path(sys.executable).with_name("heed")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class System:
    """One `heed run`, with its folder of state."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.var, self.port = var, free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Its environment: nothing of ours but the path."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEED_")}
        own = {"HEED_VAR": str(self.var), "HEED_PORT": str(self.port), "HEED_LOG_LEVEL": "warning"}
        return kept | own | self._settings

    @property
    def log(self) -> Path:
        """All that it said."""
        return self.var / "said.log"

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.var.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                HEED, "run", cwd=project_root(), env=dict(self.environment), stdout=log, stderr=log
            )
        async with self.client() as client:
            await eventually(lambda: self._is_ready(client), within_seconds=READY_SECONDS)

    async def _is_ready(self, client: httpx2.AsyncClient) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-4000:]
        try:
            answer = await client.get("/readyz")
        except httpx2.TransportError:
            return False
        return answer.status_code == 200 and (self.var / "credentials.json").exists()

    async def kill(self) -> None:
        """kill -9, in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        assert self._process.returncode is not None
        return self._process.returncode

    def token(self, name: str) -> str:
        """The token of `operator`, `liaison:central-hospital` …"""
        tokens: dict[str, str] = json.loads((self.var / "credentials.json").read_text())["tokens"]
        return tokens[name]

    def client(self, who: str | None = None, token: str | None = None) -> httpx2.AsyncClient:
        """A caller: by name, by token, or nobody."""
        token = self.token(who) if who else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(base_url=self.base_url, headers=headers, timeout=30, trust_env=False)

    async def events(self, quiet_seconds: float = 2, **wanted: str) -> list[dict[str, Any]]:
        """The log from its beginning, until nothing has come for a while."""
        found: list[dict[str, Any]] = []
        params = {"from": "beginning"} | wanted
        async with self.client("operator") as client, client.stream("GET", "/v1/events", params=params) as answer:
            lines = answer.aiter_lines()
            try:
                while True:
                    async with asyncio.timeout(quiet_seconds):
                        line = await anext(lines)
                    if line.startswith("data:"):
                        found.append(json.loads(line.removeprefix("data:")))
            except TimeoutError:
                return found


@asynccontextmanager
async def running(var: Path, **settings: str) -> AsyncIterator[System]:
    """A system for as long as the block lasts."""
    system = System(var, **settings)
    await system.start()
    try:
        yield system
    finally:
        await system.stop()
