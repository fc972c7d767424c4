"""One running system for this folder, on the session's PostgreSQL, so that its databases can be tampered with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.system import System, running
from tests.verify.town import Town, settle


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> AsyncIterator[System]:
    """`heed run`, which seals its log twice a second."""
    folder: Path = tmp_path_factory.mktemp("verify")
    async with running(folder / "var", HEED_POSTGRES=postgres.admin_url, HEED_SEAL_SECONDS="0.5") as made:
        yield made


@pytest.fixture(scope="session")
async def town(system: System, postgres: PostgresServer) -> Town:
    """The system after some requests have come a different way each, all of it sealed."""
    town = Town(system, postgres.admin_url)
    await settle(town)
    return town
