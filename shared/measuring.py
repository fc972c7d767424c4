"""The gauges of one service: what waits to be sent, read and decided, and the oldest timer."""

from collections.abc import Sequence

import sqlalchemy as sa

from shared.bus import Bus
from shared.database import Database
from shared.messaging import parking
from shared.messaging.positions import Positions
from shared.messaging.tables import outbox
from shared.messaging.timers import Timers
from shared.telemetry import CONSUMER_LAG, OLDEST_TIMER_AT, OUTBOX_ROWS, PARKED_EVENTS, PARTITIONS_HELD


async def measure(
    name: str, database: Database, bus: Bus, topics: Sequence[str], positions: Positions, timers: Timers | None
) -> None:
    """Set the gauges to what is so now."""
    async with database.transaction() as connection:
        rows = (await connection.execute(sa.select(sa.func.count()).select_from(outbox))).scalar_one()
        count, _ = await parking.oldest_parked_at(connection)
    OUTBOX_ROWS.labels(name).set(rows)
    PARKED_EVENTS.labels(name).set(count)
    if topics:
        ends = await bus.ends(topics)
        read = positions.read_from
        CONSUMER_LAG.labels(name).set(sum(end - read[p] for p, end in ends.items() if p in read))
        PARTITIONS_HELD.labels(name).set(len(read))
    if timers:
        due_at = await timers.next_due_at()
        OLDEST_TIMER_AT.labels(name).set(due_at.timestamp() if due_at else 0)
