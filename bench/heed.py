"""Heed itself, as it is measured: the whole standalone system, or only the way of a filing."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.box import free_port, postmaster_of, process
from shared.clock import Clock
from shared.settings import ROOT

WHOLE = ("-c", "from services.cli import main; main()", "run")
CLUSTER = ("-c", "from services.cli import main; main()", "cluster")
DOOR = ("-m", "bench.door")
NO_LIMIT = "1000000000"
CREDENTIALS_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A Heed that answers."""

    port: int
    pid: int
    postmaster: int
    var: Path
    token: str
    """The operator's; empty where only filings are taken."""


def work_folder() -> Path:
    """A new folder under var/, so that what waits for the disk waits for the one in use."""
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "var"))
    folder.chmod(0o711)  # as root, PostgreSQL's account must be able to pass
    return folder


@asynccontextmanager
async def heed(var: Path, *command: str) -> AsyncIterator[Running]:
    """A Heed on that folder for as long as the block lasts, its limits on calls off, loopback webhooks allowed."""
    port = free_port()
    environment = {
        "HEED_VAR": str(var),
        "HEED_PORT": str(port),
        "HEED_LOG_LEVEL": "warning",
        "HEED_NAMED_CALLS_PER_MINUTE": NO_LIMIT,
        "HEED_ANONYMOUS_CALLS_PER_MINUTE": NO_LIMIT,
        "HEED_DANGEROUS_CALLBACK_NETWORKS": "127.0.0.0/8",
    }
    async with process(*command, port=port, path="/readyz", environment=environment) as pid:
        token = "" if command == DOOR else await _operator(var)
        yield Running(port, pid, postmaster_of(var), var, token)


async def _operator(var: Path) -> str:
    """The operator's token, once it is written."""
    path = var / "credentials.json"
    while not path.exists():
        await Clock().pause(CREDENTIALS_SECONDS)
    token: str = json.loads(path.read_text())["tokens"]["operator"]
    return token


def database_url(var: Path, service: str) -> str:
    """Where a service's database is, for seeding it: as its own role."""
    location = var / "postgres" / "location"
    place = Path(location.read_text().strip()) if location.exists() else var / "postgres"
    secret = (var / "secrets" / f"database_{service}").read_text()
    return f"postgresql://heed_{service}:{secret}@/heed_{service}?host={place / 'socket'}"
