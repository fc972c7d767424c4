"""The database by its URL: everything after the `?` means what it means to PostgreSQL's own tools."""

import asyncio

import pytest
import sqlalchemy as sa

from shared.bus.postgres import PostgresBus
from shared.database import Database
from tests.support.postgres import PostgresServer

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)


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
