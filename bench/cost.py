"""What one request costs on its whole way (filed, assigned, accepted, answered, rated, closed): CPU, log, rows.

On the PostgreSQL bus the standalone system, on Kafka the cluster of one box with one broker. What runs idle is measured
too and taken off.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from bench.box import cpu_seconds, family_cpu_seconds, free_port, postmaster_of
from bench.desk import Desk
from bench.heed import NO_LIMIT, WHOLE, database_url, heed
from bench.report import Row
from bench.words import body
from services.cluster import run as cluster
from services.standalone import NAMES
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.clock import Clock
from shared.contracts import TOPICS
from shared.settings import Settings

AT_ONCE = 4
IDLE_SECONDS = 10.0
WAIT_SECONDS = 300.0
ROWS = (
    "select sum(n_tup_ins)::bigint ins, sum(n_tup_upd)::bigint upd, sum(n_tup_del)::bigint del from pg_stat_user_tables"
)
SIZE = "select pg_database_size(current_database())"
LOGGED = "select count(*), sum(octet_length(headers::text) + coalesce(octet_length(value), 0)) from log"
Cpu = Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Measured:
    """A running system, and how to read what it has used."""

    name: str
    var: Path
    base_url: str
    cpu: Cpu
    """CPU seconds used so far, by part."""
    logged: Callable[[], Awaitable[tuple[int, int]]]
    """Facts on the log, and their bytes: headers and values."""

    async def fetch(self, service: str, query: str) -> list[Any]:
        """Rows of a service's database."""
        connection = await asyncpg.connect(database_url(self.var, service))
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def written(self) -> dict[str, int]:
        """Rows inserted, updated and deleted so far, and bytes held, in the services' databases."""
        await Clock().pause(2)  # until the statistics are told
        total = dict.fromkeys(("ins", "upd", "del", "bytes"), 0)
        for name in NAMES:
            [row] = await self.fetch(name, ROWS)
            [(size,)] = await self.fetch(name, SIZE)
            for kind, value in (("ins", row["ins"]), ("upd", row["upd"]), ("del", row["del"]), ("bytes", size)):
                total[kind] += value or 0
        return total

    async def until(self, service: str, query: str, count: int) -> None:
        """Wait until a count in a database has come so far."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (await self.fetch(service, query))[0][0] < count:
                await Clock().pause(0.5)


async def _some_at_once(work: Iterable[Awaitable[Any]]) -> list[Any]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(each: Awaitable[Any]) -> Any:
        async with turn:
            return await each

    return await asyncio.gather(*(one(each) for each in work))


async def live(system: Measured, count: int) -> None:
    """So many requests, each from its filing to its end."""
    tokens = json.loads((system.var / "credentials.json").read_text())["tokens"]
    async with httpx2.AsyncClient(base_url=system.base_url, trust_env=False, timeout=60) as client:
        desk = Desk(client, tokens)
        filings = (desk.call(tokens["operator"], "/v1/requests", json.loads(body(n))) for n in range(count))
        filed = await _some_at_once(filings)
        await system.until("dispatch", "select count(*) from tasks where document->>'role' = 'lead'", count)
        await _some_at_once(desk.handle(one["id"]) for one in filed)
        await system.until("followup", "select count(*) from cases where status = 'answered'", count)
        said = {"solved": True, "satisfaction": 5}
        await _some_at_once(desk.call(one["tracking_token"], f"/v1/requests/{one['id']}/rating", said) for one in filed)
        await system.until("gateway", "select count(*) from requests where status = 'closed'", count)
        await Clock().pause(3)  # the notices of the last


async def account(system: Measured, count: int) -> Row:
    """Let them live, and say what one cost."""
    time = asyncio.get_running_loop().time
    idle, began = system.cpu(), time()
    await Clock().pause(IDLE_SECONDS)
    rates = {part: (now - idle[part]) / (time() - began) for part, now in system.cpu().items()}
    rows, (facts, logged) = await system.written(), await system.logged()
    cpu, began = system.cpu(), time()
    await live(system, count)
    spent, used = time() - began, system.cpu()
    parts = {part: (used[part] - cpu[part] - rates[part] * spent) / count * 1000 for part in used}
    rows_after, (facts_after, logged_after) = await system.written(), await system.logged()
    more = {kind: (rows_after[kind] - rows[kind]) / count for kind in rows}
    figures = [f"{part} {ms:.1f} ms" for part, ms in parts.items()]
    figures.append(f"idle {', '.join(f'{part} {rate * 1000:.0f} ms/s' for part, rate in rates.items())}")
    figures.append(
        f"{(facts_after - facts) / count:.1f} facts of {(logged_after - logged) / count:.0f} bytes on the log"
    )
    figures.append(f"rows: {more['ins']:.0f} inserted, {more['upd']:.0f} updated, {more['del']:.0f} deleted")
    figures.append(f"{more['bytes']:.0f} bytes kept in the services' databases")
    return Row(f"one request, whole way, on {system.name}, CPU ms", "; ".join(figures), sum(parts.values()), "–")


@asynccontextmanager
async def on_postgres(work: Path) -> AsyncIterator[Measured]:
    """The standalone system."""
    async with heed(work / "cost", *WHOLE) as running:

        async def logged() -> tuple[int, int]:
            [(facts, octets)] = await system.fetch("bus", LOGGED)
            return int(facts), int(octets)

        system = Measured(
            "the log in PostgreSQL",
            running.var,
            f"http://127.0.0.1:{running.port}",
            lambda: {"services": cpu_seconds(running.pid), "PostgreSQL": family_cpu_seconds(running.postmaster)},
            logged,
        )
        yield system


@asynccontextmanager
async def on_kafka(work: Path) -> AsyncIterator[Measured]:
    """The cluster of one box, two replicas of each service, with one broker."""
    os.environ |= {"HEED_NAMED_CALLS_PER_MINUTE": NO_LIMIT, "HEED_ANONYMOUS_CALLS_PER_MINUTE": NO_LIMIT}
    settings = Settings(var=work / "kafka", port=free_port(), log_level="warning")
    async with cluster.running(settings, brokers=1) as running:
        postmaster = postmaster_of(settings.var)
        broker = int((settings.var / "kafka" / "broker-1" / "pid").read_text())

        def cpu() -> dict[str, float]:
            used = dict.fromkeys(NAMES, 0.0)
            for replica in running.replicas:
                used[replica.service] += cpu_seconds(replica.pid) if replica.pid else 0
            return {**used, "PostgreSQL": family_cpu_seconds(postmaster), "broker": cpu_seconds(broker)}

        async def logged() -> tuple[int, int]:
            return await read_through(running.brokers.url)

        yield Measured("Kafka", settings.var, running.base_url, cpu, logged)


async def read_through(url: str) -> tuple[int, int]:
    """How many facts are on the log, and their bytes."""
    bus, facts, octets = KafkaBus(Address.of(url)), 0, 0
    try:
        ends = await bus.ends(TOPICS)
        at = dict.fromkeys(ends, 0)
        async with bus.reader() as reader:
            while left := {p: position for p, position in at.items() if position < ends[p]}:
                for found in await reader.read(left, 1000, 1.0):
                    at[found.partition] = found.position + 1
                    facts += 1
                    octets += len(found.record.value or b"") + len(json.dumps(dict(found.record.headers)))
    finally:
        await bus.stop()
    return facts, octets


async def measure(work: Path, count: int, *, with_kafka: bool) -> list[Row]:
    """A row for each bus."""
    rows = []
    for kind in (on_postgres, on_kafka) if with_kafka else (on_postgres,):
        async with kind(work) as system:
            rows.append(await account(system, count))
    return rows
