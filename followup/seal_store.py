"""The table of running hashes, and every query on it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from followup.chain import Chain
from followup.store import metadata
from shared.bus import Partition
from shared.database import Transaction
from shared.rows import by_column, given, upsert_given

# The running hash of each partition: one row, moved in the transaction that moves the partition's position.
chains = sa.Table(
    "chains",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("first_position", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("sealed_to", sa.BigInteger, nullable=False),
    sa.Column("has_news", sa.Boolean, nullable=False),
    sa.Column("sealed_at", sa.DateTime(timezone=True)),
)
KEY = ("topic", "number")
COLUMNS = (*KEY, "first_position", "position", "records", "hash", "sealed_to", "has_news")
_wanted = given(chains, *KEY)
LOCK = (
    sa.select(*(chains.c[name] for name in COLUMNS))
    .join(_wanted, sa.and_(chains.c.topic == _wanted.c.topic, chains.c.number == _wanted.c.number))
    .order_by(chains.c.topic, chains.c.number)
    .with_for_update(of=chains)
)
SAVE = upsert_given(chains, *COLUMNS, key=KEY)


async def lock_chains(connection: Transaction, partitions: Iterable[Partition]) -> dict[Partition, Chain]:
    """Those of the chains that there are, locked; always in one order, so that no two transactions block each other."""
    wanted = by_column(KEY, [p._asdict() for p in sorted(partitions)])
    return {Partition(row.topic, row.number): Chain(*row) for row in await connection.execute(LOCK, wanted)}


async def save_chains(connection: Transaction, changed: Iterable[Chain]) -> None:
    """Write the chains as they are now."""
    rows = sorted((asdict(chain) for chain in changed), key=lambda row: (row["topic"], row["number"]))
    await connection.execute(SAVE, by_column(COLUMNS, rows))


async def lock_unsealed(connection: Transaction, sealed_before: datetime) -> list[Chain]:
    """The chains with news whose last seal is older than that, locked."""
    is_due = sa.or_(chains.c.sealed_at.is_(None), chains.c.sealed_at <= sealed_before)
    query = (
        sa.select(*(chains.c[name] for name in COLUMNS))
        .where(chains.c.has_news, is_due)
        .order_by(chains.c.topic, chains.c.number)
        .with_for_update()
    )
    return [Chain(*row) for row in await connection.execute(query)]


async def say_sealed(connection: Transaction, sealed: Iterable[Chain], now: datetime) -> None:
    """Write that these were sealed now."""
    await save_chains(connection, sealed)
    where = sa.tuple_(chains.c.topic, chains.c.number).in_([(chain.topic, chain.number) for chain in sealed])
    await connection.execute(sa.update(chains).where(where).values(sealed_at=now))


async def last_sealed_at(connection: Transaction) -> tuple[datetime | None, int]:
    """When the newest seal was stated, and how many partitions wait for one."""
    waiting = sa.func.count().filter(chains.c.has_news)
    row = (await connection.execute(sa.select(sa.func.max(chains.c.sealed_at), waiting))).one()
    return row[0], row[1]
