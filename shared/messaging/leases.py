"""Leases: who relays an outbox stands in a row, by the database's time; a frozen process that wakes has lost it."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.database import Database
from shared.messaging.tables import leases


async def hold(database: Database, name: str, owner: str, seconds: float) -> bool:
    """Take or keep the lease; False where another owner has it."""
    new = insert(leases).values(name=name, owner=owner, epoch=1, expires_at=sa.func.now() + timedelta(seconds=seconds))
    mine = leases.c.owner == owner
    statement = new.on_conflict_do_update(
        index_elements=["name"],
        set_={
            "owner": owner,
            "epoch": leases.c.epoch + sa.case((mine, 0), else_=1),
            "expires_at": new.excluded.expires_at,
        },
        where=sa.or_(mine, leases.c.expires_at < sa.func.now()),
    ).returning(leases.c.epoch)
    async with database.transaction() as connection:
        return (await connection.execute(statement)).scalar() is not None


async def release(database: Database, name: str, owner: str) -> None:
    """Let another take the lease at once."""
    async with database.transaction() as connection:
        await connection.execute(
            sa.update(leases).where(leases.c.name == name, leases.c.owner == owner).values(expires_at=sa.func.now())
        )
