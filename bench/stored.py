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
FIGURES = {
    "the figures": "/v1/figures?by=colour",
    "the figures by two dimensions": "/v1/figures?by=category,organisation",
    "the bulletin": "/v1/bulletin",
}
TOWN = 10_000
"""How many requests a town has: figures are measured with these, too."""


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
    async with _client(system) as client:
        await _read(client, [QUEUE, f"/v1/requests/{ids[0]}"])
        return {
            "a page of the queue": await _read(client, [QUEUE] * CALLS),
            "one request": await _read(client, [f"/v1/requests/{request_id}" for request_id in some]),
        } | await _read_figures(client)


async def _read_figures(client: httpx2.AsyncClient) -> dict[str, float]:
    """Each kind of figures, in milliseconds."""
    await _read(client, list(FIGURES.values()))
    return {name: await _read(client, [path] * (CALLS // 2)) for name, path in FIGURES.items()}


def _client(system: Running) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {system.token}"}
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{system.port}", headers=headers, timeout=60)


async def _store(system: Running, before: int, stored: int) -> None:
    """Fill up from `before` to `stored` requests, each thousand an hour older than the one before."""
    for service, tables in seed.COPIED.items():
        numbers = range(before // FEW, stored // FEW)
        await seed.multiply(database_url(system.var, service), tables, numbers)
    await seed.spread_figures(database_url(system.var, "followup"), stored // FEW)
    await Clock().pause(SETTLE_SECONDS)


async def _file(system: Running) -> list[str]:
    """File a thousand requests and wait until they went the whole way."""
    async with receiving() as (receiver, port):
        await loop.register(system, port)
        course = await loop.run(receiver, Plan("127.0.0.1", system.port, FEW, token=system.token))
    return sorted(course.ids)


def _compared(name: str, many: tuple[int, float], few: tuple[int, float]) -> Row:
    """The row of a read with so many stored, in so many milliseconds, against another."""
    return at_most(
        f"{name}: {many[0]:,} stored against {few[0]:,}",
        f"{many[1]:.2f} ms against {few[1]:.2f} ms",
        many[1] / few[1],
        1.5,
    )


async def measure(work: Path, stored: int) -> list[Row]:
    """The rows about what grows with history."""
    async with heed(work / "stored", *WHOLE) as system:
        ids = await _file(system)
        few = await _read_all(system, ids)
        small = memory_bytes(system.pid)
        town = min(TOWN, stored)
        await _store(system, FEW, town)
        async with _client(system) as client:
            of_town = await _read_figures(client)
        await _store(system, town, stored)
        times = stored // FEW - 1
        many = await _read_all(system, [seed.copy_id(known, 1 + n % times) for n, known in enumerate(ids)])
        large = memory_bytes(system.pid)
    kinds = [name for name in few if name not in FIGURES or name == "the figures"]
    rows = [_compared(name, (stored, many[name]), (FEW, few[name])) for name in kinds]
    rows += [_compared(name, (stored, many[name]), (town, of_town[name])) for name in of_town]
    memory = f"{large / MEBIBYTE:.0f} MiB, after the first {FEW:,} {small / MEBIBYTE:.0f} MiB; PostgreSQL apart"
    return [*rows, at_most(f"memory with {stored:,} stored, in MiB", memory, large / MEBIBYTE, 300)]
