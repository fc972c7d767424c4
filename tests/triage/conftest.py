"""The triage service between your hands."""

from collections.abc import AsyncIterator

import pytest

from tests.support.harness import Harness
from tests.support.postgres import PostgresServer
from triage.app import build


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """Triage on a fresh database."""
    async with Harness.start(build, postgres) as made:
        yield made
