"""The gateway as it really runs: fed by the bus, told of news at once, and stopped without leaving anything open."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from services.gateway.app import build
from services.gateway.identity import issue
from shared.contracts import encode
from shared.service import Service
from shared.tokens import make_tracking_token
from tests.gateway.histories import OPERATOR, History
from tests.gateway.serving import events, serving
from tests.gateway.stage import SERVICES, echo
from tests.support.builders import Builder
from tests.support.harness import test_settings
from tests.support.postgres import PostgresServer


@pytest.fixture
async def running(postgres: PostgresServer) -> AsyncIterator[FastAPI]:
    """The app with its loops, and the services behind HTTP as the settings say."""
    url = await postgres.fresh_database("gateway")
    async with serving(echo()) as behind:
        urls = {f"{name}_url": behind for name in SERVICES}
        app = build(test_settings(database=url, bus=url, poll_seconds=5, **urls))
        async with app.router.lifespan_context(app):
            yield app


async def test_what_is_published_is_shown_and_streamed_at_once(running: FastAPI) -> None:
    service: Service = running.state.service
    history = History(Builder(), at=service.clock.now()).received()
    token = make_tracking_token(service.settings.tracking_bytes, history.id)
    await service.bus.publish([encode(event) for event in history.new()])
    headers = {"authorization": f"Bearer {token}"}
    async with (
        serving(running) as url,
        httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=20) as client,
    ):
        assert (await client.get(f"/v1/requests/{history.id}")).json()["status"] == "received"
        async with client.stream("GET", f"/v1/requests/{history.id}/events") as answer:
            stream = events(answer)
            assert (await anext(stream)).data["type"] == "heed.request.received"
            await service.bus.publish([encode(event) for event in history.triaged().new()])
            async with asyncio.timeout(3):
                assert (await anext(stream)).data["type"] == "heed.request.triaged"


async def test_it_is_ready_and_passes_calls_on(running: FastAPI) -> None:
    service: Service = running.state.service
    async with service.database.transaction() as connection:
        token = await issue(connection, OPERATOR, service.clock.now())
    headers = {"authorization": f"Bearer {token}"}
    async with serving(running) as url, httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/v1/tasks")).json()["path"] == "/v1/tasks"
        assert (await client.get("/metrics")).status_code == 200
