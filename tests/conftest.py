"""Fixtures that every folder may use; no logic here, and nothing is imported from here."""

from collections.abc import AsyncIterator

import pytest

from tests.support.kafka import kafka_servers
from tests.support.postgres import PostgresServer, postgres_server


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server for the session."""
    async with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
async def kafka() -> AsyncIterator[list[str]]:
    """The addresses of a Kafka for the session."""
    async with kafka_servers() as servers:
        yield servers
