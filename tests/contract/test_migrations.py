"""What the migrations make is what the code declares, in every database."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI

import dispatch.app
import dispatch.store
import followup.app
import followup.store
import intake.app
import intake.store
import services.callbacks.app
import services.callbacks.store
import services.gateway.app
import services.gateway.store
import triage.app
import triage.store
from services.standalone import INSIDE
from shared.bus import tables as bus
from shared.clock import Clock
from shared.database import new_metadata
from shared.messaging import tables as floor
from shared.settings import Settings
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer


def gateway(settings: Settings, clock: Clock | None) -> FastAPI:
    return services.gateway.app.build(settings, clock, {})


gateway.__module__ = "services.gateway.app"
SIX: dict[str, tuple[Callable[..., FastAPI], sa.MetaData]] = {
    "intake": (INSIDE["intake"], intake.store.metadata),
    "triage": (INSIDE["triage"], triage.store.metadata),
    "dispatch": (INSIDE["dispatch"], dispatch.store.metadata),
    "followup": (INSIDE["followup"], followup.store.metadata),
    "callbacks": (INSIDE["callbacks"], services.callbacks.store.metadata),
    "gateway": (gateway, services.gateway.store.metadata),
}
OF_THE_TOOL = {"alembic_version", "floor_version", "log_version"}


def merged(own: sa.MetaData) -> sa.MetaData:
    """All that stands in the database of a test: the service's own tables, the floor's and the bus's."""
    whole = new_metadata()
    for metadata in (own, floor.metadata, bus.metadata):
        for table in metadata.sorted_tables:
            table.to_metadata(whole)
    return whole


def _ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    return not (kind == "table" and name in OF_THE_TOOL)


@pytest.mark.parametrize("name", SIX)
async def test_the_schema_is_as_declared(name: str, postgres: PostgresServer) -> None:
    build, metadata = SIX[name]
    async with Harness.start(build, postgres) as harness, harness.service.database.transaction() as connection:

        def differences(sync: sa.Connection) -> list[Any]:
            options = {"include_object": _ours, "compare_type": True}
            context = MigrationContext.configure(sync, opts=options)
            found: list[Any] = compare_metadata(context, merged(metadata))
            return found

        assert await connection.run_sync(differences) == []
