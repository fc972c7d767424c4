"""Backups as an operator makes them, with PostgreSQL's own programs."""

import asyncio
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from shared.programs import find_programs


async def tool(name: str, url: str, *arguments: str) -> None:
    """Run pg_dump, psql … on the database of that URL; raises AssertionError with what it said."""
    parts = urlsplit(url)
    environment = {
        "PATH": os.defpath,
        "LC_ALL": "C",
        "PGHOST": parse_qs(parts.query)["host"][0] if parts.query else parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
    running = await asyncio.create_subprocess_exec(
        find_programs() / "bin" / name,
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await running.communicate()
    assert running.returncode == 0, f"{name}: {said.decode(errors='replace')[-2000:]}"


async def dump(url: str, to: Path) -> None:
    """The database as it is now, while it is in use."""
    await tool("pg_dump", url, "--format=custom", "--no-owner", "--file", str(to))


async def restore(admin_url: str, url: str, dumped: Path) -> None:
    """The database as it was when it was dumped; whatever is there is lost."""
    name = urlsplit(url).path.lstrip("/")
    await tool("psql", admin_url, "-q", "-v", "ON_ERROR_STOP=1", "-c", f'DROP DATABASE "{name}" WITH (FORCE)')
    owned = f'CREATE DATABASE "{name}" OWNER "{urlsplit(url).username}" TEMPLATE template0'
    await tool("psql", admin_url, "-q", "-v", "ON_ERROR_STOP=1", "-c", owned)
    await tool("pg_restore", url, "--no-owner", "--exit-on-error", "--dbname", name, str(dumped))
