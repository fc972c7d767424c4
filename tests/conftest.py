"""Fixtures that every folder may use; no logic here, and nothing is imported from here."""

from collections.abc import AsyncIterator

import pytest

from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server for the session."""
    async with postgres_server() as server:
        yield server
