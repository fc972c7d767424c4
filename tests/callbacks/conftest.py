"""Callbacks on a fresh database, and a partner's server on loopback."""

from collections.abc import AsyncIterator

import pytest

from services.callbacks.app import build
from tests.callbacks.desk import Desk
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A partner's server."""
    async with Receiver.start() as made:
        yield made


@pytest.fixture
async def desk(postgres: PostgresServer) -> AsyncIterator[Desk]:
    """The service with organisations known, and no provider."""
    async with Desk.start(build, postgres) as made:
        yield made
