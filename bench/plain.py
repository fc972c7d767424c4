"""What Heed is compared with: the plainest service of the same stack (`python -m bench.plain echo|two-rows PORT`).

`echo` reads a request's body and gives it back. `two-rows` writes it into a request and an outbox table in one
transaction, one call at a time, as a first draft of such a service would.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine

from shared.contracts.vocabulary import Category, Channel
from shared.ids import new_id

metadata = sa.MetaData()
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
)
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("request_id", sa.Uuid, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
)


class Contact(BaseModel):
    """Whom to ring."""

    name: str | None = None
    phone: str = Field(max_length=20)


class Place(BaseModel):
    """Where it is."""

    address: str | None = None
    area: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Filing(BaseModel):
    """A request's body, as the gateway takes it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=10_000)
    channel: Channel
    category: Category | None = None
    contact: Contact
    place: Place
    persons: int | None = None


class Filed(BaseModel):
    """The answer of the service with two rows."""

    id: UUID


def build_echo() -> FastAPI:
    """Gives the body back."""
    app = FastAPI()

    @app.post("/v1/requests", status_code=201)
    async def echo(filing: Filing) -> Filing:
        return filing

    return app


def build_two_rows(url: str) -> FastAPI:
    """Writes two rows in one transaction per call."""
    engine = create_async_engine(url, pool_size=16, max_overflow=16)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/requests", status_code=201)
    async def file(filing: Filing) -> Filed:
        request_id, body = new_id(), filing.model_dump(mode="json")
        async with engine.begin() as connection:
            await connection.execute(sa.insert(requests).values(id=request_id, text=filing.text, body=body))
            await connection.execute(sa.insert(outbox).values(id=new_id(), request_id=request_id, payload=body))
        return Filed(id=request_id)

    return app


def main() -> None:
    """Serve the app that the arguments name."""
    kind, port = sys.argv[1], int(sys.argv[2])
    app = build_echo() if kind == "echo" else build_two_rows(os.environ["BENCH_DATABASE"])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
