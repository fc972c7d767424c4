"""Leases: who relays an outbox, and who is there to read, stands in a row, by the database's time.

A frozen process that wakes has lost what it held.
"""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Database, Transaction
from shared.messaging.tables import leases


async def hold(database: Database, name: str, owner: str, seconds: float) -> bool:
    """Take or keep the lease; False where another owner has it."""
    async with database.transaction() as connection:
        return await hold_within(connection, name, owner, seconds)


async def hold_within(connection: Transaction, name: str, owner: str, seconds: float) -> bool:
    """The same, as part of a transaction."""
    new = insert(leases).values(name=name, owner=owner, epoch=1, expires_at=sa.func.now() + timedelta(seconds=seconds))
    mine = leases.c.owner == owner
    statement = new.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "owner": owner,
            "epoch": leases.c.epoch + sa.case((mine, 0), else_=1),
            "expires_at": new.excluded.expires_at,
        },
        where=sa.or_(mine, leases.c.expires_at <= sa.func.now()),
    ).returning(leases.c.epoch)
    return (await connection.execute(statement)).scalar() is not None


async def holders(connection: Transaction, prefix: str) -> list[str]:
    """Who holds the leases whose names begin so, in order."""
    rows = await connection.execute(
        sa.select(leases.c.owner)
        .where(leases.c.name.startswith(prefix, autoescape=True), leases.c.expires_at > sa.func.now())
        .order_by(leases.c.owner)
    )
    return list(rows.scalars())


async def release(database: Database, name: str, owner: str) -> None:
    """Let another take the lease at once."""
    async with database.transaction() as connection:
        await release_within(connection, name, owner)


async def release_within(connection: Transaction, name: str, owner: str) -> None:
    """The same, as part of a transaction."""
    await connection.execute(
        sa.update(leases).where(leases.c.name == name, leases.c.owner == owner).values(expires_at=sa.func.now())
    )
