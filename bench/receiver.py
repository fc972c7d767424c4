"""A partner's endpoint: takes webhooks, notes when each came, answers 204."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """What came: for each event type and request, when (seconds of the system's monotonic clock)."""

    def __init__(self) -> None:
        self.came: dict[str, dict[str, float]] = {}
        self._arrived = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields[b"content-length"]))
                self._note(json.loads(body))
                writer.write(DONE)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _note(self, event: dict[str, str]) -> None:
        self.came.setdefault(event["type"], {}).setdefault(event["subject"], monotonic())
        self._arrived.set()

    def missing(self, kind: str, ids: set[str]) -> int:
        """How many of the requests have not been told of."""
        return len(ids - self.came.get(kind, {}).keys())

    async def wait_for(self, kind: str, ids: set[str], quiet_seconds: float) -> None:
        """Return once all have been told of, or nothing has come for so long."""
        while self.missing(kind, ids):
            self._arrived.clear()
            try:
                async with asyncio.timeout(quiet_seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, int]]:
    """A receiver and its port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    async with server:
        yield receiver, server.sockets[0].getsockname()[1]
