"""A process of `heed serve`: started, watched, started again when it dies, stopped."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import structlog

from shared.clock import Clock

HEED = Path(sys.executable).with_name("heed")
AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.2
STOP_SECONDS = 30.0
log = structlog.get_logger()


@dataclass(eq=False)
class Replica:
    """One replica of a service."""

    service: str
    number: int
    url: str
    environment: dict[str, str]
    log_file: Path
    starts: int = 0
    """How often it was started."""
    process: asyncio.subprocess.Process | None = None
    _watching: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def instance(self) -> str:
        """Its name among the replicas."""
        return f"{self.service}-{self.number}"

    @property
    def pid(self) -> int | None:
        """The number of its process, while it runs."""
        return self.process.pid if self.process and self.process.returncode is None else None

    async def start(self) -> None:
        """Start it; from now on it is started again whenever it dies."""
        await self._start()
        self._watching = asyncio.create_task(self._watch(), name=f"watch-{self.instance}")

    async def _start(self) -> None:
        self.starts += 1
        with self.log_file.open("a") as said:
            self.process = await asyncio.create_subprocess_exec(
                HEED,
                "serve",
                self.service,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # Ctrl-C is for whoever started everything, and stops it in order
            )

    async def _watch(self) -> None:
        clock = Clock()
        while True:
            assert self.process is not None  # noqa: S101 started before it is watched
            code = await self.process.wait()
            log.warning("replica_died", instance=self.instance, code=code)
            await clock.pause(AGAIN_SECONDS)
            await self._start()

    def send(self, what: signal.Signals) -> None:
        """Send it a signal: SIGKILL, SIGSTOP, SIGCONT, SIGTERM."""
        if self.pid is not None:
            os.kill(self.pid, what)

    async def is_ready(self, client: httpx2.AsyncClient) -> bool:
        """Whether it says that it can do its work."""
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    async def ready(self, within_seconds: float) -> None:
        """Return once it is ready; raises TimeoutError, naming its log."""
        clock = Clock()
        try:
            async with asyncio.timeout(within_seconds), httpx2.AsyncClient(trust_env=False, timeout=5) as client:
                while not await self.is_ready(client):
                    await clock.pause(LOOK_SECONDS)
        except TimeoutError as slow:
            raise TimeoutError(f"{self.instance} was not ready in {within_seconds:.0f} s: {self.log_file}") from slow

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self.process is None or self.pid is None:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            log.warning("replica_killed", instance=self.instance)
            self.send(signal.SIGKILL)
            await self.process.wait()
