"""`Prefer: wait=2` on a filing (RFC 7240): the answer is held back until the colour is known, for so long at most."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from services.gateway.hub import Hub
from services.gateway.model import View, promises
from services.gateway.words import EMERGENCY_ADVICE
from shared.web import ASGIApp, Message, Receive, Scope, Send

LONGEST_SECONDS = 10
WAIT = re.compile(rb'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
Find = Callable[[UUID], Awaitable[View | None]]


def seconds_preferred(prefer: bytes) -> int | None:
    """How long the caller would rather wait, to our limit; None where he does not say so."""
    said = WAIT.search(prefer)
    return min(int(said.group(1)), LONGEST_SECONDS) if said else None


class TriageWait:
    """Waits for the assessment of what was just filed."""

    def __init__(self, hub: Hub, find: Find) -> None:
        """`find` looks a view up; `hub` says when that is worth while."""
        self._hub, self._find = hub, find

    def around(self, upstream: ASGIApp, seconds: int) -> ASGIApp:
        """The upstream, but a 201 comes with the assessment where that is there within `seconds`."""

        async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
            start, body = await _whole_answer(upstream, scope, receive)
            if start["status"] == 201:
                document = json.loads(body)
                view = await self._assessed(UUID(document["id"]), seconds)
                if view:
                    start, body = _with_assessment(start, document, view, seconds)
            await send(start)
            await send({"type": "http.response.body", "body": body})

        return waiting

    async def _assessed(self, request_id: UUID, seconds: int) -> View | None:
        async def look() -> View | None:
            view = await self._find(request_id)
            return view if view and view.revision else None

        return await self._hub.until(str(request_id), look, seconds)


async def _whole_answer(upstream: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    start: Message = {"type": "http.response.start", "status": 500, "headers": []}
    chunks: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            chunks.append(message.get("body", b""))

    await upstream(scope, receive, keep)
    return start, b"".join(chunks)


def _with_assessment(start: Message, document: dict[str, Any], view: View, seconds: int) -> tuple[Message, bytes]:
    life = view.life
    assessed: dict[str, Any] = {
        "status": life.status,
        "category": life.category,
        "colour": life.colour,
        "deadline": life.deadline,
        "promises": document["promises"] | to_jsonable_python(promises(view)),
    }
    if view.emergency:
        assessed["emergency_advice"] = EMERGENCY_ADVICE
    body = json.dumps(document | to_jsonable_python(assessed), ensure_ascii=False).encode()
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    added = [(b"content-length", str(len(body)).encode()), (b"preference-applied", f"wait={seconds}".encode())]
    return {**start, "headers": headers + added}, body
