"""The service between your hands, with what the tests do to it again and again."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2

from services.callbacks.sender import Sender
from shared.contracts import Event, Fact
from shared.identity import Principal
from tests.callbacks.story import OPERATOR, Story, directory
from tests.support.builders import Builder
from tests.support.harness import Build, Harness
from tests.support.postgres import PostgresServer


class Desk:
    """A harness, a builder of events, and short words for what is done often."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.builder = harness, Builder()
        self.sender: Sender = harness.app.state.tools.sender

    @classmethod
    @asynccontextmanager
    async def start(cls, build: Build, postgres: PostgresServer, **values: Any) -> AsyncIterator["Desk"]:
        """Build the service; loopback may be called."""
        settings: dict[str, Any] = {
            "dangerous_callback_networks": "127.0.0.0/8",
            "callback_timeout_seconds": 5.0,
        } | values
        async with Harness.start(build, postgres, **settings) as harness:
            desk = cls(harness)
            await desk.take(*directory(desk.builder))
            try:
                yield desk
            finally:
                await desk.sender.aclose()

    def story(self, at: Any = None) -> Story:
        """A new request."""
        return Story(self.builder, at=at or self.harness.clock.now())

    async def take(self, *events: Event[Fact]) -> None:
        """Hand facts to the service."""
        await self.harness.take(*events)

    async def send(self) -> None:
        """Send all that is due."""
        await self.sender.send_all()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        caller: Principal = OPERATOR,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Call the service as the gateway would."""
        async with self.harness.client(caller, **(headers or {})) as client:
            return await client.request(method, path, json=body)

    async def register(self, url: str, caller: Principal = OPERATOR, **body: Any) -> dict[str, Any]:
        """Register an endpoint."""
        made = await self.call("POST", "/v1/webhooks", {"url": url} | body, caller)
        assert made.status_code == 201, made.text
        document: dict[str, Any] = made.json()
        return document

    async def webhook(self, webhook_id: str | UUID) -> dict[str, Any]:
        """An endpoint as it is now."""
        document: dict[str, Any] = (await self.call("GET", f"/v1/webhooks/{webhook_id}")).json()
        return document

    async def deliveries(self, webhook_id: str | UUID, **query: str) -> list[dict[str, Any]]:
        """An endpoint's deliveries, the oldest first."""
        path = httpx2.URL(f"/v1/webhooks/{webhook_id}/deliveries", params={"limit": "200"} | query)
        items: list[dict[str, Any]] = (await self.call("GET", str(path))).json()["items"]
        return items[::-1]

    async def notices(self, caller: Principal, request_id: UUID | None = None) -> list[dict[str, Any]]:
        """Notices as the caller sees them, the oldest first."""
        path = f"/v1/requests/{request_id}/notices" if request_id else "/v1/notices"
        answer = await self.call("GET", f"{path}?limit=200", caller=caller)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items[::-1]
