"""The machine: processes to measure, what they cost, whether they answer. Linux only: reads /proc."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shared.clock import Clock

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 180
STOP_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def cpu_seconds(pid: int) -> float:
    """What a process has used, its threads and its ended children included."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / TICKS_PER_SECOND


def family_cpu_seconds(pid: int) -> float:
    """What a process and its children have used: a PostgreSQL server, from its postmaster."""
    total = cpu_seconds(pid)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[1]) == pid:
                    total += cpu_seconds(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    return total


def memory_bytes(pid: int) -> int:
    """What of a process is in memory now (RSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def postmaster_of(var: Path) -> int:
    """The process of the PostgreSQL that runs on the standalone system's folder."""
    location = var / "postgres" / "location"
    place = Path(location.read_text().strip()) if location.exists() else var / "postgres"
    return int((place / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])


async def wait_until_listening(port: int, path: str) -> None:
    """Return once a GET of the path answers 200; raises TimeoutError after three minutes."""
    async with asyncio.timeout(START_SECONDS):
        while not await _answers(port, path):
            await Clock().pause(0.05)


async def _answers(port: int, path: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    try:
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


async def _first_of(started: asyncio.subprocess.Process, ready: Coroutine[None, None, None]) -> None:
    """Wait until it is ready; raises RuntimeError where the process ends before."""
    waiting = asyncio.ensure_future(ready)
    ended = asyncio.ensure_future(started.wait())
    await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise RuntimeError(f"a measured process ended at its start with code {started.returncode}")
    ended.cancel()
    await waiting


@asynccontextmanager
async def process(*arguments: str, port: int, path: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """A Python process that serves, as long as the block lasts; yields its number."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **environment}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _first_of(started, wait_until_listening(port, path))
        yield started.pid
    finally:
        if started.returncode is None:
            started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await started.wait()
