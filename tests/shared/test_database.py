"""The database by its URL: everything after the `?` means what it means to PostgreSQL's own tools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import sqlalchemy as sa

from shared.bus.postgres import PostgresBus
from shared.database import Database
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)


@asynccontextmanager
async def connection_to(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def count_connected(watching: asyncpg.Connection, url: str) -> int:
    name = sa.make_url(url).database
    found: int = await watching.fetchval("select count(*) from pg_stat_activity where datname = $1", name)
    return found


async def ask(url: str, setting: str) -> str:
    database = Database(url)
    try:
        async with database.transaction() as connection:
            found: str = (await connection.execute(sa.text(f"show {setting}"))).scalar_one()
            return found
    finally:
        await database.close()


@pytest.mark.parametrize("driver", ["", "+asyncpg"])
async def test_what_the_url_says_besides_is_heeded(postgres: PostgresServer, driver: str) -> None:
    url = (await postgres.fresh_database("url")).replace("postgresql://", f"postgresql{driver}://")
    url += "&sslmode=prefer&target_session_attrs=read-write&application_name=of-the-city"
    assert await ask(url, "application_name") == "of-the-city"
    assert await ask(url, "timezone") == "UTC"
    bus = PostgresBus(url)
    await bus.start()
    await bus.stop()


async def test_where_tls_is_asked_for_nothing_is_said_without_it() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def without_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readexactly(8))
        writer.write(b"N")
        heard.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(without_tls, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="SSL"):
            await ask(f"postgresql://heed:secret@127.0.0.1:{port}/heed?sslmode=require", "timezone")
        assert await heard.get() == SSL_REQUEST
        assert await heard.get() == b""


async def test_who_still_has_a_connection_at_the_end_loses_it(postgres: PostgresServer) -> None:
    url = await postgres.fresh_database("held")
    database, is_in, may_leave = Database(url), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.text("select 1"))
            is_in.set()
            await may_leave.wait()

    holding = asyncio.create_task(hold())
    await is_in.wait()
    await database.close()
    async with connection_to(postgres.admin_url) as watching:
        await eventually(lambda: count_connected(watching, url), lambda count: count == 0)
    may_leave.set()
    with pytest.raises(sa.exc.DBAPIError):
        await holding
    await database.close()
