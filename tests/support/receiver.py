"""A partner's server: a real one on loopback that records what it is sent, and fails, waits or redirects when told."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Call:
    """What was received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's id, the same at every attempt."""
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The payload, its signature checked as a partner would check it."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(frozen=True)
class Reply:
    """What is answered; `endless` never finishes the body, `hang_up` answers nothing at all."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False
    hang_up: bool = False


class Receiver:
    """Records calls; answers from `replies` while there are any, then always `reply`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.reply = Reply()
        self.replies: deque[Reply] = deque()
        self.most_at_once = 0
        self._under_way = 0
        self._open = asyncio.Event()
        self._open.set()
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def start(cls, tls: ssl.SSLContext | None = None) -> AsyncIterator["Receiver"]:
        """A receiver on a free port."""
        receiver = cls(tls)
        server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
        receiver.port = server.sockets[0].getsockname()[1]
        try:
            yield receiver
        finally:
            server.close()
            receiver.let_go()
            for task in receiver._tasks:
                task.cancel()
            await asyncio.gather(*receiver._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/heed"

    @property
    def ids(self) -> list[str]:
        """The ids of all messages received, in order."""
        return [call.id for call in self.calls]

    def hold(self) -> None:
        """Answer nobody until let_go: a slow partner."""
        self._open.clear()

    def let_go(self) -> None:
        """Answer those who wait."""
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.calls.append(Call(method, path, headers, body))
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            await self._open.wait()
        finally:
            self._under_way -= 1
        return await self._write(writer, self.replies.popleft() if self.replies else self.reply)

    async def _write(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        if reply.hang_up:
            return False
        length = {} if reply.endless else {"content-length": str(len(reply.body))}
        lines = [f"HTTP/1.1 {reply.status} Whatever", *(f"{k}: {v}" for k, v in (length | dict(reply.headers)).items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        while reply.endless:
            writer.write(b"x" * 4096)
            await writer.drain()
        await writer.drain()
        return True
