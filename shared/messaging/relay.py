"""The relay: moves the outbox to the bus, in its order, each row until the bus has acknowledged it."""

import asyncio
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from shared.bus import Bus
from shared.contracts import Record
from shared.database import Database
from shared.messaging import leases
from shared.messaging.tables import outbox

BATCH = 1000
LEASE = "relay"
FIRST = sa.select(outbox).order_by(outbox.c.position).limit(BATCH)
DELETE = sa.delete(outbox).where(outbox.c.position == sa.any_(sa.bindparam("positions", type_=ARRAY(sa.BigInteger))))


class Relay:
    """Reads from the first row that is still there, publishes, deletes: at least once, never out of order.

    Never "rows after the last one I saw": transactions commit out of the order of their positions.
    """

    def __init__(self, database: Database, bus: Bus, owner: str, lease_seconds: float, poll_seconds: float) -> None:
        """`owner` is this process's name among the replicas."""
        self._database, self._bus, self._owner = database, bus, owner
        self._lease_seconds, self._poll_seconds = lease_seconds, poll_seconds
        self._wake = asyncio.Event()
        self._held_until = 0.0

    def wake(self) -> None:
        """Something was written just now, in this process."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            self._wake.clear()
            if not (await self._holds() and await self.relay_once()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._wake.wait()

    async def relay_once(self) -> int:
        """Publish one batch; how many rows that was."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(FIRST)).all()
        if rows:
            await self._bus.publish(
                [Record(topic=r.aggregatetype, key=r.aggregateid, headers=r.headers, value=r.payload) for r in rows]
            )
            async with self._database.transaction() as connection:
                await connection.execute(DELETE, {"positions": [r.position for r in rows]})
        return len(rows)

    async def release(self) -> None:
        """Hand over at once; the rest of the outbox goes out by whoever relays next."""
        await leases.release(self._database, LEASE, self._owner)

    async def _holds(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._held_until:
            return True
        held = await leases.hold(self._database, LEASE, self._owner, self._lease_seconds)
        self._held_until = now + self._lease_seconds / 3 if held else 0.0
        return held
