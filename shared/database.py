"""The database of one service: engine, transactions (the only commit in the house), migrations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

import asyncpg
import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

Transaction = AsyncConnection

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SESSION = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    "jit": "off",  # planning cost that queries of a few rows never earn back
}
POOL_CONNECTIONS = 8
CONNECT_SECONDS = 10
_open: ContextVar[bool] = ContextVar("transaction_open", default=False)


def new_metadata() -> sa.MetaData:
    """A MetaData whose constraints are named by our convention."""
    return sa.MetaData(naming_convention=NAMING)


class InsideTransaction(RuntimeError):
    """Another machine was called while a transaction was open: it would hold locks for as long as that takes."""


def assert_outside_transaction() -> None:
    """Raise InsideTransaction where this task has a transaction open."""
    if _open.get():
        raise InsideTransaction("end the transaction before calling another machine")


def as_libpq(url: str) -> str:
    """The URL as PostgreSQL's own tools know it, whatever driver it names: the library below reads the same."""
    scheme, rest = url.split("://", 1)
    return f"{scheme.split('+')[0]}://{rest}"


class Database:
    """One service's database."""

    def __init__(self, url: str, connections: int = POOL_CONNECTIONS) -> None:
        """`url` is the service's own role and database, with all that libpq takes (`sslmode` …); opens nothing yet."""
        self.url = as_libpq(url)
        self._made: WeakSet[asyncpg.Connection] = WeakSet()
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",  # SQLAlchemy reads no more of a URL than host and port
            async_creator=self._connect,
            pool_size=connections,
            max_overflow=connections,
            pool_timeout=10,
            hide_parameters=True,  # whatever prints an error prints no values
        )

    async def _connect(self) -> asyncpg.Connection:
        made = await asyncpg.connect(self.url, server_settings=SESSION, timeout=CONNECT_SECONDS)
        self._made.add(made)
        return made

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction, committed at the end, rolled back on any exception."""
        token = _open.set(True)
        try:
            async with self.engine.begin() as connection:
                yield connection
        finally:
            _open.reset(token)

    async def close(self) -> None:
        """Close every connection; one that somebody has out, whom a cancellation cut off, is ended."""
        await self.engine.dispose()
        for connection in list(self._made):
            if not connection.is_closed():
                connection.terminate()


async def migrate(database: Database, folder: Path, version_table: str = "alembic_version") -> None:
    """Bring the schema up to the newest migration in `folder`; replicas that start together wait for each other."""

    def upgrade(connection: sa.Connection) -> None:
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('heed migrations'))"))
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, version_table=version_table)
        command.upgrade(config, "head")

    async with database.transaction() as connection:
        if await _version(connection, version_table) == _newest(folder):
            return
        await connection.execute(sa.text("set local lock_timeout = '60s'"))
        await connection.run_sync(upgrade)


async def _version(connection: Transaction, version_table: str) -> str | None:
    """The migration that the schema stands at; None where there is none yet."""
    if not (await connection.execute(sa.select(sa.func.to_regclass(version_table)))).scalar():
        return None
    table = sa.table(version_table, sa.column("version_num"))
    version: str | None = (await connection.execute(sa.select(table.c.version_num))).scalar()
    return version


@cache
def _newest(folder: Path) -> str | None:
    return ScriptDirectory(str(folder)).get_current_head()


def run_migrations(metadata: sa.MetaData) -> None:
    """What every env.py calls: run the migrations on the connection that `migrate` opened."""
    attributes: dict[str, Any] = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table=attributes["version_table"],
    )
    context.run_migrations()
