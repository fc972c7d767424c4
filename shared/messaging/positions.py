"""How far each partition has been read, with the lease on reading on: one row, so that one update checks both.

Replicas share the partitions of a topic evenly. Each says that it is there by a lease of its own; from the list of
those that are, every one of them works out alike which partitions are whose. What is another's is handed over between
two batches, and taken once it is free.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.bus import Partition, write_positions
from shared.database import Database, Transaction
from shared.messaging import leases
from shared.messaging.tables import positions
from shared.rows import by_column, given

READER = "reader:"
"""Begins the names of the leases by which replicas say that they are there."""
TO = ("topic", "number", "position", "epoch")
_to = given(positions, *TO)
ADVANCE = (
    sa.update(positions)
    .where(
        positions.c.topic == _to.c.topic,
        positions.c.number == _to.c.number,
        positions.c.epoch == _to.c.epoch,
        positions.c.owner == sa.bindparam("of_owner"),
    )
    .values(position=_to.c.position, expires_at=sa.func.now() + sa.bindparam("lease", type_=sa.Interval))
    .returning(positions.c.topic, positions.c.number)
)


async def read_to(connection: Transaction, topic: str) -> str:
    """How far the topic is read: `requests:12,40`, the next position of each partition."""
    rows = await connection.execute(sa.select(positions).where(positions.c.topic == topic))
    read = {row.number: row.position for row in rows}
    numbers = range(max(read, default=0) + 1)
    return write_positions({Partition(topic, number): read.get(number, 0) for number in numbers})


async def as_of(connection: Transaction, topic: str) -> str:
    """How far the topic is read, at the moment of which all is that this transaction reads after it.

    To be called first in a transaction.
    """
    await connection.execute(sa.text("set transaction isolation level repeatable read"))
    return await read_to(connection, topic)


class StaleLease(Exception):
    """Another process reads this partition now; what this one was about to write is rolled back."""


class Positions:
    """The partitions that this process may read, and from where."""

    def __init__(self, database: Database, owner: str, lease_seconds: float) -> None:
        """`owner` is this process's name among the replicas; the same name takes over its own leases."""
        self._database, self._owner = database, owner
        self._lease = timedelta(seconds=lease_seconds)
        self._epochs: dict[Partition, int] = {}
        self.read_from: dict[Partition, int] = {}

    async def claim(self, partitions: Sequence[Partition]) -> None:
        """Take those that are this replica's share and free, keep those held, and let go of what is another's now.

        In two transactions, so that two replicas that exchange partitions do not wait for each other.
        """
        async with self._database.transaction() as connection:
            await leases.hold_within(connection, self._presence, self._owner, self._lease.total_seconds())
            there = await leases.holders(connection, READER)
            mine = {p for p in partitions if there[p.number % len(there)] == self._owner}
            for partition in sorted(self._epochs.keys() - mine):
                await self._let_go(connection, partition)
        async with self._database.transaction() as connection:
            for partition in sorted(mine - self._epochs.keys()):
                await self._take(connection, partition)
            await self._renew(connection)

    @property
    def _presence(self) -> str:
        return f"{READER}{self._owner}"

    async def _let_go(self, connection: Transaction, partition: Partition) -> None:
        await connection.execute(
            sa.update(positions)
            .where(
                positions.c.topic == partition.topic,
                positions.c.number == partition.number,
                positions.c.owner == self._owner,
                positions.c.epoch == self._epochs[partition],
            )
            .values(expires_at=sa.func.now())
        )
        self._forget(partition)

    async def _take(self, connection: Transaction, partition: Partition) -> None:
        new = insert(positions).values(
            topic=partition.topic,
            number=partition.number,
            position=0,
            owner=self._owner,
            epoch=1,
            expires_at=sa.func.now() + self._lease,
        )
        statement = new.on_conflict_do_update(
            index_elements=["topic", "number"],
            set_={"owner": self._owner, "epoch": positions.c.epoch + 1, "expires_at": new.excluded.expires_at},
            where=sa.or_(positions.c.owner == self._owner, positions.c.expires_at <= sa.func.now()),
        ).returning(positions.c.epoch, positions.c.position)
        row = (await connection.execute(statement)).first()
        if row:
            self._epochs[partition], self.read_from[partition] = row.epoch, row.position

    async def _renew(self, connection: Transaction) -> None:
        kept = await self._update(connection, dict(self.read_from))
        for partition in set(self._epochs) - kept:
            self._forget(partition)

    async def advance(self, connection: Transaction, to: Mapping[Partition, int]) -> None:
        """Write how far was read, in the transaction that handles it; raises StaleLease."""
        lost = set(to) - await self._update(connection, to)
        for partition in lost:
            self._forget(partition)
        if lost:
            raise StaleLease(lost)

    async def _update(self, connection: Transaction, to: Mapping[Partition, int]) -> set[Partition]:
        """Set the positions of partitions still held, and hold them longer; which ones those were."""
        held = sorted((partition, position) for partition, position in to.items() if partition in self._epochs)
        if not held:
            return set()
        rows = [
            {"topic": p.topic, "number": p.number, "position": position, "epoch": self._epochs[p]}
            for p, position in held
        ]
        found = await connection.execute(ADVANCE, by_column(TO, rows) | {"of_owner": self._owner, "lease": self._lease})
        return {Partition(row.topic, row.number) for row in found}

    async def release(self) -> None:
        """Let others read on at once."""
        async with self._database.transaction() as connection:
            await leases.release_within(connection, self._presence, self._owner)
            await connection.execute(
                sa.update(positions).where(positions.c.owner == self._owner).values(expires_at=sa.func.now())
            )
        self._epochs.clear()
        self.read_from.clear()

    def _forget(self, partition: Partition) -> None:
        self._epochs.pop(partition, None)
        self.read_from.pop(partition, None)
