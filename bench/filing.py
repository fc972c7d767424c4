"""Filing, durable before the 201: its rate beside a bare echo, its CPU beside a service that writes two rows."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.box import cpu_seconds, family_cpu_seconds, free_port, process
from bench.heed import DOOR, heed
from bench.load import Outcome, Plan, percentile, run_apart
from bench.report import Row, at_least, at_most
from shared.embedded import EmbeddedPostgres

ROUNDS = 3
WARM_UP = 300
PLAIN = ("-m", "bench.plain")


@dataclass
class Measured:
    """A service under load, and what it took."""

    port: int
    cpu: Callable[[], float]
    """CPU seconds used so far, of the service and its database."""
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    calls: int = 0
    cpu_used: float = 0.0
    sent: int = 0

    async def load(self, count: int) -> Outcome:
        """Send so many, each with a contact of its own."""
        outcome = await run_apart(Plan("127.0.0.1", self.port, count, first=self.sent))
        self.sent += count
        if set(outcome.statuses) != {201}:
            raise RuntimeError(f"not every call was answered with 201: {outcome.statuses}")
        return outcome

    async def measure(self, count: int) -> None:
        """One round."""
        before = self.cpu()
        outcome = await self.load(count)
        self.cpu_used += self.cpu() - before
        self.calls += count
        self.rates.append(outcome.per_second)
        self.seconds += [call.answered_at - call.sent_at for call in outcome.calls]

    @property
    def rate(self) -> float:
        """Calls per second: the middle round."""
        return sorted(self.rates)[len(self.rates) // 2]

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per call."""
        return self.cpu_used / self.calls * 1000

    def __str__(self) -> str:
        p50, p99 = (percentile(self.seconds, p) * 1000 for p in (50, 99))
        return f"{self.rate:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, CPU {self.cpu_ms:.2f} ms"


@asynccontextmanager
async def plain(kind: str, environment: dict[str, str], postmaster: int | None) -> AsyncIterator[Measured]:
    """One of the plain services, running."""
    port = free_port()
    async with process(*PLAIN, kind, str(port), port=port, path="/openapi.json", environment=environment) as pid:
        yield Measured(port, lambda: cpu_seconds(pid) + (family_cpu_seconds(postmaster) if postmaster else 0))


@asynccontextmanager
async def two_rows(work: Path) -> AsyncIterator[Measured]:
    """The service with two rows, on a PostgreSQL of its own that waits for the disk too."""
    server = await EmbeddedPostgres.start(work / "plain")
    try:
        environment = {"BENCH_DATABASE": await server.ensure_database("plain", "plain")}
        async with plain("two-rows", environment, server.pid) as measured:
            yield measured
    finally:
        await server.stop()


async def measure(work: Path, count: int) -> list[Row]:
    """The rows about filing; the three services take turns, so that a slow moment of the machine meets each."""
    async with AsyncExitStack() as stack:
        echo = await stack.enter_async_context(plain("echo", {}, None))
        rows = await stack.enter_async_context(two_rows(work))
        door = await stack.enter_async_context(heed(work / "door", *DOOR))
        filing = Measured(door.port, lambda: cpu_seconds(door.pid) + family_cpu_seconds(door.postmaster))
        for service in (echo, rows, filing):
            await service.load(WARM_UP)
        for _ in range(ROUNDS):
            for service in (echo, rows, filing):
                await service.measure(count // ROUNDS)
                await asyncio.to_thread(os.sync)  # so that the next one does not pay for this one's pages
    p99 = percentile(filing.seconds, 99) * 1000
    return [
        at_least("filing, durable, against a bare echo", f"{filing}; echo {echo}", filing.rate / echo.rate, 0.30),
        at_most("filing, p99 at 32 connections, in ms", str(filing), p99, 100),
        at_most("CPU per filing against two plain rows", f"{filing}; two rows {rows}", filing.cpu_ms / rows.cpu_ms, 1),
    ]
