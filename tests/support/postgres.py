"""A throwaway PostgreSQL for a test session: our own, or the one that HEED_TEST_POSTGRES names (an admin's URL)."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.embedded import EmbeddedPostgres, ensure_database


class PostgresServer:
    """A server on which tests make databases, each with a role of its own."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.made: list[str] = []
        """Databases, and roles of the same names, to be removed at the end."""
        self.templates: dict[str, str] = {}
        """Databases to be copied, by a name that whoever made them chose."""

    async def fresh_database(self, name: str) -> str:
        """Make an empty database, owned by a role of its own; both names begin with `name`. Returns its URL."""
        unique = f"{name}_{uuid4().hex[:12]}"
        self.made.append(unique)
        return await ensure_database(self.admin_url, unique, uuid4().hex)

    async def copy_database(self, url: str) -> str:
        """Make a copy of a database to which nobody is connected now, for the same role. Returns the copy's URL."""
        source = make_url(url)
        unique = f"{source.database}_{uuid4().hex[:12]}"
        self.made.append(unique)
        await self._execute(f'CREATE DATABASE "{unique}" OWNER "{source.username}" TEMPLATE "{source.database}"')
        return source.set(database=unique).render_as_string(hide_password=False)

    async def drop_all(self) -> None:
        """Remove what was made, from a server that outlives the session."""
        await self._execute(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in self.made))
        await self._execute(*(f'DROP ROLE IF EXISTS "{name}"' for name in self.made))

    async def _execute(self, *statements: str) -> None:
        url = make_url(self.admin_url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()


@asynccontextmanager
async def postgres_server() -> AsyncIterator[PostgresServer]:
    """A server for as long as the session lasts; each worker of pytest-xdist has its own."""
    if named := os.environ.get("HEED_TEST_POSTGRES"):
        server = PostgresServer(named)
        yield server
        await server.drop_all()
        return
    folder = Path(tempfile.mkdtemp(prefix="heed-test-"))
    folder.chmod(0o711)  # as root the server runs as an account that must be able to pass
    embedded = await EmbeddedPostgres.start(folder / "pg", durable=False)
    try:
        yield PostgresServer(embedded.admin_url)
    finally:
        await embedded.stop()
        shutil.rmtree(folder)
