"""The gateway put together, read from top to bottom."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import yaml
from fastapi import FastAPI

from services.gateway import api, keys, store
from services.gateway.documents import Documents
from services.gateway.front import Front
from services.gateway.handlers import HANDLES, Views
from services.gateway.hub import Hub
from services.gateway.identity import Callers, credentials
from services.gateway.limits import Limits
from services.gateway.model import View
from services.gateway.reading import Reader
from services.gateway.routes import Table, all_routes
from services.gateway.upstreams import Proxy, proxies
from services.gateway.waiting import TriageWait
from shared.clock import Clock
from shared.contracts import directory, requests, texts
from shared.database import Database
from shared.service import Service
from shared.settings import Settings, required
from shared.tokens import IdentitySigner
from shared.web import ASGIApp, Receive, Scope, Send

TOPICS = (requests.TOPIC, texts.TOPIC, directory.TOPIC)


class App(FastAPI):
    """The service's app behind its front door, so that a call which is passed on meets no framework."""

    def __init__(self, inner: FastAPI, front: Front) -> None:
        """`inner` answers the gateway's own routes, and starts and stops with this app."""
        super().__init__(title=inner.title, openapi_url=None)
        self.router, self.state, self._front = inner.router, inner.state, front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        await self._front(scope, receive, send)


def build(settings: Settings, clock: Clock | None = None, upstreams: Mapping[str, ASGIApp] | None = None) -> FastAPI:
    """The gateway's app. `upstreams` are the services' apps by name; without them, proxies as the settings say."""
    signer = IdentitySigner(required(settings.identity_private_key, "identity_private_key"))
    others = proxies(settings) if upstreams is None else upstreams
    hub = Hub()

    async def tell(service: Service) -> None:
        """Wake those who wait for what a committed batch brought."""
        while True:
            await service.arrivals.wait(service.settings.poll_seconds)
            hub.tell()

    async def hang_up() -> None:
        for upstream in others.values():
            if isinstance(upstream, Proxy):
                await upstream.aclose()

    async def find(request_id: UUID) -> View | None:
        return await service.query(store.find_view, request_id)

    service = Service(
        "gateway",
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=TOPICS,
        take=Views(hub).take,
        handles=HANDLES,
        background=[tell],
        on_stop=hang_up,
    )
    limits = Limits(settings)
    callers = Callers(service.database, signer, settings.tracking_bytes)
    inner = service.app(api.router, keys.router)
    inner.state.parts = api.Parts(reader=Reader(service, hub), limits=limits, callers=callers)
    front = Front(
        inner,
        callers=callers,
        limits=limits,
        table=Table(all_routes()),
        upstreams={**others, "documents": Documents(inner.openapi, others)},
        triage_wait=TriageWait(hub, find),
    )
    return App(inner, front)


async def write_credentials(database: Database, settings: Settings, path: Path, base_url: str, now: datetime) -> None:
    """At the first start of a system on one box: a token for each role and organisation of the city's files, in
    `path`; does nothing where that is there. `database` is the gateway's."""
    text = await asyncio.to_thread((settings.city_dir / "directory.yaml").read_text)
    organisations = [entry["id"] for entry in yaml.safe_load(text)["organisations"]]
    await credentials(database, path, base_url, organisations, now)
