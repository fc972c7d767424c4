"""Reads with many requests stored against the same reads with a thousand; and the memory of the process."""

from pathlib import Path
from time import monotonic

import httpx2

from bench import loop, seed
from bench.box import memory_bytes
from bench.heed import WHOLE, Running, database_url, heed
from bench.load import Plan, percentile
from bench.receiver import receiving
from bench.report import Row, at_most
from shared.clock import Clock

FEW = 1_000
CALLS = 200
MEBIBYTE = 1024 * 1024
SETTLE_SECONDS = 5.0
QUEUE = "/v1/queue?limit=50"
FIGURES = "/v1/figures?by=colour"


async def _read(client: httpx2.AsyncClient, paths: list[str]) -> float:
    """The middle time of reading the paths one after the other, in milliseconds."""
    taken = []
    for path in paths:
        began = monotonic()
        (await client.get(path)).raise_for_status()
        taken.append((monotonic() - began) * 1000)
    return percentile(taken, 50)


async def _read_all(system: Running, ids: list[str]) -> dict[str, float]:
    """Each kind of read, in milliseconds."""
    some = [ids[n * len(ids) // CALLS] for n in range(CALLS)]
    headers = {"Authorization": f"Bearer {system.token}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{system.port}", headers=headers) as client:
        await _read(client, [QUEUE, FIGURES, f"/v1/requests/{ids[0]}"])
        return {
            "a page of the queue": await _read(client, [QUEUE] * CALLS),
            "one request": await _read(client, [f"/v1/requests/{request_id}" for request_id in some]),
            "the figures": await _read(client, [FIGURES] * CALLS),
        }


async def _file(system: Running) -> list[str]:
    """File a thousand requests and wait until they went the whole way."""
    async with receiving() as (receiver, port):
        await loop.register(system, port)
        course = await loop.run(receiver, Plan("127.0.0.1", system.port, FEW, token=system.token))
    return sorted(course.ids)


async def measure(work: Path, stored: int) -> list[Row]:
    """The rows about what grows with history."""
    async with heed(work / "stored", *WHOLE) as system:
        ids = await _file(system)
        few = await _read_all(system, ids)
        small = memory_bytes(system.pid)
        times = stored // FEW - 1
        for service, tables in seed.COPIED.items():
            await seed.multiply(database_url(system.var, service), tables, times)
        await seed.spread_figures(database_url(system.var, "followup"))
        await Clock().pause(SETTLE_SECONDS)
        many = await _read_all(system, [seed.copy_id(known, 1 + n % times) for n, known in enumerate(ids)])
        large = memory_bytes(system.pid)
    rows = [
        at_most(
            f"{name}: {stored:,} stored against {FEW:,}",
            f"{many[name]:.2f} ms against {few[name]:.2f} ms",
            many[name] / few[name],
            1.5,
        )
        for name in few
    ]
    memory = f"{large / MEBIBYTE:.0f} MiB, after the first {FEW:,} {small / MEBIBYTE:.0f} MiB; PostgreSQL apart"
    return [*rows, at_most(f"memory with {stored:,} stored, in MiB", memory, large / MEBIBYTE, 300)]
