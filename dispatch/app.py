"""Assembly of dispatch."""

import asyncio
from functools import partial
from pathlib import Path

import structlog
from fastapi import FastAPI

from dispatch import (
    api,
    casework_api,
    directory,
    drilling,
    handlers,
    improvement_api,
    improving,
    upkeep_api,
)
from dispatch.files import FileKind
from dispatch.measuring import Measures
from dispatch.recall import RECALLS
from shared.clock import Clock
from shared.contracts import requests
from shared.contracts.lookback import RequestInspected
from shared.service import Service
from shared.settings import Settings

log = structlog.get_logger()


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app of dispatch; nothing is opened before it runs."""
    desk = directory.Desk(settings.hash_bytes)
    service = Service(
        handlers.SERVICE,
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC,),
        take=partial(improving.take, desk),
        handles=(*handlers.HANDLES, RequestInspected),
        recalls=RECALLS,
        fire=partial(drilling.fire, desk),
        background=[Measures(desk).keep_measures],
        on_start=apply_city,
    )
    app = service.app(api.router, casework_api.router, improvement_api.router, upkeep_api.router)
    app.state.desk = desk
    return app


async def apply_city(service: Service) -> None:
    """At the first start, put the city's files into force; one that is not as it should be ends the start."""
    if await service.query(directory.is_in_force):
        return
    texts = await asyncio.to_thread(read_city, service.settings.city_dir)
    if await service.command(directory.apply_first, texts):
        log.info("city_applied", service=service.name)


def read_city(folder: Path) -> dict[FileKind, str]:
    """The texts of the city's files."""
    return {kind: (folder / f"{kind}.yaml").read_text(encoding="utf-8") for kind in FileKind}
