"""A gateway on a real database."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.stage import SERVICES, Gateway, echo, gateway_with
from tests.support.postgres import PostgresServer


@pytest.fixture
async def gateway(postgres: PostgresServer) -> AsyncIterator[Gateway]:
    async with gateway_with(postgres, dict.fromkeys(SERVICES, echo())) as started:
        yield started
