"""Dispatch put together."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

from dispatch import api, directory, store
from dispatch.directory import Cities
from dispatch.handlers import SOURCE, Dispatch
from shared.clock import Clock
from shared.contracts import requests
from shared.service import Service
from shared.settings import Settings


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app of dispatch: directory, routing, cases, tasks, clocks."""
    cities = Cities()
    dispatch = Dispatch(cities, settings.hash_bytes)

    async def apply_first(service: Service) -> None:
        """The first start brings the city's files into force."""
        if await service.query(store.newest_revision) is None:
            contents = await asyncio.to_thread(directory.read_folder, settings.city_dir)
            await service.command(directory.apply_first, contents)
        await service.query(cities.current)  # so that the first request need not wait for it

    service = Service(
        SOURCE,
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC,),
        take=dispatch.take,
        fire=dispatch.fire,
        on_start=apply_first,
    )
    app = service.app(api.router)
    app.state.dispatch = dispatch
    return app
