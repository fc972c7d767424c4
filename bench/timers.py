"""Timers in a running Heed: do those that are due fire in time, and do those that are not cost anything?

Real cases come due at one moment; how long after it the last of them was woken is measured with few open timers and
with very many. Dispatch sees the new moment by its poll, as it sees what another replica has set.
"""

from pathlib import Path

import asyncpg

from bench import loop, seed
from bench.heed import WHOLE, Running, database_url, heed
from bench.load import Plan, percentile
from bench.receiver import receiving
from bench.report import Row, at_most
from shared.clock import Clock

DUE = 200
FEW, MANY = 10_000, 1_000_000
ROUNDS = 7
AHEAD_SECONDS = 6.0
"""More than dispatch takes to look by itself."""
LOOK_SECONDS = 0.002
SOON = "SELECT clock_timestamp() + $1 * interval '1 second'"
COME_DUE = "UPDATE timers SET due_at = $1 WHERE key = ANY($2)"
LEFT = """
    SELECT count(*) FILTER (WHERE due_at = $1), extract(epoch FROM clock_timestamp() - $1)
    FROM timers WHERE key = ANY($2)
"""


async def _lateness(connection: asyncpg.Connection, keys: list[str]) -> float:
    """Let these come due at one moment: seconds from then until the last was woken."""
    due_at = await connection.fetchval(SOON, AHEAD_SECONDS)
    await connection.execute(COME_DUE, due_at, keys)
    await Clock().pause(AHEAD_SECONDS - 1)
    while True:
        [(left, late)] = await connection.fetch(LEFT, due_at, keys)
        if left == 0:
            return float(late)
        await Clock().pause(LOOK_SECONDS)


async def _rounds(connection: asyncpg.Connection, keys: list[str]) -> list[float]:
    return [await _lateness(connection, keys) for _ in range(ROUNDS)]


async def _file(system: Running) -> list[str]:
    """Requests that were assigned, so that each has a timer."""
    async with receiving() as (receiver, port):
        await loop.register(system, port)
        return sorted((await loop.run(receiver, Plan("127.0.0.1", system.port, DUE, token=system.token))).ids)


async def measure(work: Path) -> list[Row]:
    """The rows about timers."""
    async with heed(work / "timers", *WHOLE) as system:
        keys = await _file(system)
        connection = await asyncpg.connect(database_url(system.var, "dispatch"))
        try:
            await seed.open_timers(connection, FEW)
            await _lateness(connection, keys)
            few = await _rounds(connection, keys)
            await seed.open_timers(connection, MANY - FEW)
            many = await _rounds(connection, keys)
        finally:
            await connection.close()
    middle = percentile(few, 50), percentile(many, 50)
    figures = f"{DUE} due: {middle[0] * 1000:.0f} ms with {FEW:,} open, {middle[1] * 1000:.0f} ms with {MANY:,}"
    return [
        at_most(f"timers: {MANY:,} open against {FEW:,}", figures, middle[1] / middle[0], 1.5, " ×"),
        at_most("timers: until the last of those due was woken, in s", f"the worst of {ROUNDS}", max(many), 1.0),
    ]
