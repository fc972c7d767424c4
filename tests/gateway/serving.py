"""A real HTTP server on loopback for an app whose lifespan is somebody else's, and a reader of its streams."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn

from shared.server import Server
from shared.web import ASGIApp


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The address at which the app is served."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@dataclass(frozen=True)
class Sent:
    """One server-sent event."""

    id: str | None
    data: Any


async def events(answer: httpx2.Response) -> AsyncIterator[Sent]:
    """The events of a stream that have data."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not line:
            if "data" in fields:
                yield Sent(fields.get("id"), json.loads(fields["data"]))
            fields = {}


async def first(answer: httpx2.Response, count: int) -> list[Sent]:
    """The next `count` events of a stream."""
    found = []
    async with asyncio.timeout(15):
        async for event in events(answer):
            found.append(event)
            if len(found) == count:
                break
    return found
