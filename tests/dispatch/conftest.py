"""A dispatch service on a real database with the sample city in force, and the pure parts of the same city."""

from collections.abc import AsyncIterator

import pytest

from dispatch.app import build
from tests.dispatch.stories import Story
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    async with Harness.start(build, postgres) as started:
        yield started


@pytest.fixture
def story(harness: Harness) -> Story:
    return Story(harness)
