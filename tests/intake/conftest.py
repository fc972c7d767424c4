"""The intake service between your hands, empty but for a few areas."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from intake import store
from intake.app import build
from shared.bus import Partition
from shared.messaging import tables as floor
from tests.intake.builders import AREAS
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

KEPT = (store.atlas, floor.positions, floor.leases)
EMPTIED = [t.name for m in (store.metadata, floor.metadata) for t in m.sorted_tables if t not in KEPT]


@pytest.fixture(scope="session")
async def intake(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """One service for all tests of intake; to make a database for each takes longer than the tests."""
    async with Harness.start(build, postgres) as made:
        yield made


@pytest.fixture
async def harness(intake: Harness) -> Harness:
    """The service with all its tables emptied, the clock at the start, and the areas of the tests announced."""
    async with intake.service.database.transaction() as connection:
        await connection.execute(sa.text(f"truncate {', '.join(EMPTIED)} restart identity"))
    await intake.service.positions.claim([Partition("test", 0)])
    intake.clock.turn(START)
    await intake.take(*AREAS)
    return intake
