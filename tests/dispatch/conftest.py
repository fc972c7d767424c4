"""Dispatch on a database of its own, with the sample city."""

from collections.abc import AsyncIterator

import pytest

from dispatch.app import build
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    async with Harness.start(build, postgres) as made:
        yield made
