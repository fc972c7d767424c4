"""One running system for this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.system import System, running


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """`heed run`, as its users have it; may call loopback."""
    folder: Path = tmp_path_factory.mktemp("heed")
    async with running(folder / "var", HEED_DANGEROUS_CALLBACK_NETWORKS="127.0.0.0/8") as made:
        yield made
