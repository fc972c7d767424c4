"""A gateway for tests: on a real database, with callers who have real tokens and a tiny service behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from services.gateway import app as gateway_app
from services.gateway.identity import issue
from shared.clock import Clock
from shared.database import Database
from shared.identity import Kind, Principal
from shared.settings import Settings
from shared.tokens import make_tracking_token
from shared.web import ASGIApp
from tests.gateway.histories import directory
from tests.support.builders import Builder
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

SERVICES = ("intake", "triage", "dispatch", "followup", "callbacks")


class Gateway(Harness):
    """The gateway between your hands."""

    builder: Builder

    async def token(self, principal: Principal) -> str:
        """A token in force for the principal."""
        if principal.kind is Kind.RESIDENT:
            assert principal.request_id is not None
            return make_tracking_token(self.service.settings.tracking_bytes, principal.request_id)
        async with self.service.database.transaction() as connection:
            return await issue(connection, principal, self.clock.now())

    @asynccontextmanager
    async def caller(self, principal: Principal | None = None, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client with the principal's token; nobody's without one."""
        if principal is not None:
            headers["authorization"] = f"Bearer {await self.token(principal)}"
        async with self.client(None, **headers) as client:
            yield client

    async def get(self, principal: Principal | None, path: str, **headers: str) -> httpx2.Response:
        """One call as the principal."""
        async with self.caller(principal, **headers) as client:
            return await client.get(path)


def echo() -> FastAPI:
    """A real service behind the gateway: says what came through."""
    app = FastAPI()

    async def tell(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {
            "path": request.url.path,
            "query": request.url.query,
            "method": request.method,
            "headers": [[name, value] for name, value in request.headers.items()],
            "bytes": len(body),
        }

    async def stream(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"chunk {number}\n".encode()
                await request.app.state.go_on.wait()

        return StreamingResponse(chunks(), media_type="text/plain", headers={"heed-seen": "dispatch:x:3"})

    app.state.go_on = asyncio.Event()
    app.add_api_route("/v1/notices", stream, methods=["GET"])
    app.add_api_route("/{path:path}", tell, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    return app


class Emptied(PostgresServer):
    """Gives the same database each time, emptied: for tests that run one after another."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(server.admin_url)
        self._server = server

    async def fresh_database(self, name: str) -> str:
        """The one, which the server removes at the end."""
        return await self._server.fresh_database(name)

    async def copy_database(self, url: str) -> str:
        """The same, emptied."""
        database = Database(url, connections=1)
        async with database.transaction() as connection:
            tables = await connection.execute(
                sa.text("select tablename from pg_tables where schemaname = 'public' and tablename not like '%version'")
            )
            await connection.execute(sa.text(f"truncate {', '.join(tables.scalars())} restart identity"))
        await database.close()
        return url


@asynccontextmanager
async def gateway_with(
    postgres: PostgresServer, upstreams: dict[str, ASGIApp], **values: Any
) -> AsyncIterator[Gateway]:
    """A gateway in front of these services."""

    def build(settings: Settings, clock: Clock | None) -> FastAPI:
        return gateway_app.build(settings, clock, upstreams)

    build.__module__ = gateway_app.__name__
    async with Gateway.start(build, postgres, **values) as started:
        assert isinstance(started, Gateway)
        started.builder = Builder()
        await started.take(*directory(started.builder))
        yield started
