"""What every app answers beside its own routes: health, metrics, and what is parked there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from shared.clock import Clock
from shared.database import Database
from shared.identity import DESK
from shared.messaging import parking
from shared.problems import Forbidden
from shared.web import Caller

router = APIRouter()


class Running(Protocol):
    """What of a service is needed here."""

    is_ready: bool
    clock: Clock
    database: Database
    retry_parked: Callable[..., Awaitable[None]]

    async def command(self, verb: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Run a verb in a transaction."""
        ...

    async def query(self, query: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Run a query."""
        ...


async def running(request: Request) -> Running:
    """The service whose app was called."""
    service: Running = request.app.state.service
    return service


Answering = Annotated[Running, Depends(running)]


@router.get("/livez", include_in_schema=False)
async def livez() -> PlainTextResponse:
    """The process runs."""
    return PlainTextResponse("ok")


@router.get("/readyz", include_in_schema=False)
async def readyz(service: Answering) -> PlainTextResponse:
    """The service can do its work: started, database there, clock trustworthy."""
    if not (service.is_ready and service.clock.is_trustworthy):
        return PlainTextResponse("not ready", 503)
    try:
        async with asyncio.timeout(2), service.database.transaction() as connection:
            await connection.execute(sa.select(1))
    except Exception as error:  # noqa: BLE001 whatever it is, we are not ready
        return PlainTextResponse(f"not ready: {type(error).__name__}", 503)
    return PlainTextResponse("ready")


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    """Prometheus metrics of the process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _must_be_desk(caller: Caller) -> None:
    if caller.kind not in DESK:
        raise Forbidden


@router.get("/v1/parked", dependencies=[Depends(_must_be_desk)], include_in_schema=False)
async def list_parked(service: Answering) -> dict[str, Any]:
    """Events that could not be handled here."""
    return {"items": await service.query(parking.list_parked), "next_cursor": None}


@router.post(
    "/v1/parked/{event_id}/{what}", dependencies=[Depends(_must_be_desk)], status_code=204, include_in_schema=False
)
async def decide_parked(service: Answering, event_id: UUID, what: str) -> None:
    """Handle a parked event again (`retry`), or leave it out (`drop`)."""
    await service.command(service.retry_parked, event_id, drop=what == "drop")
