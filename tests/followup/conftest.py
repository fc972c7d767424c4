"""A followup service on a real database, and the sample city's plan."""

from collections.abc import AsyncIterator

import pytest
import yaml

from followup.app import build
from followup.plan import Plan, parse
from tests.support.harness import Harness, project_root
from tests.support.postgres import PostgresServer


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    async with Harness.start(build, postgres) as started:
        yield started


@pytest.fixture(scope="session")
def plan() -> Plan:
    return parse(yaml.safe_load((project_root() / "deploy/sample/followup.yaml").read_text()))
