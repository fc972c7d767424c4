"""The intake service between your hands, with a few areas known."""

from collections.abc import AsyncIterator

import pytest

from intake.app import build
from tests.intake.builders import AREAS
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """Intake on a fresh database; the areas of the tests have been announced."""
    async with Harness.start(build, postgres) as made:
        await made.take(*AREAS)
        yield made
