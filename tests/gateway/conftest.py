"""A gateway on a real database."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.stage import SERVICES, Emptied, Gateway, echo, gateway_with
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
async def emptied(postgres: PostgresServer) -> PostgresServer:
    """A database that the tests of this folder use in turn."""
    return Emptied(postgres)


@pytest.fixture
async def gateway(emptied: PostgresServer) -> AsyncIterator[Gateway]:
    """A gateway in front of a service that says what came through."""
    async with gateway_with(emptied, dict.fromkeys(SERVICES, echo())) as started:
        yield started
