"""The triage service, assembled."""

from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from shared.clock import Clock
from shared.contracts import requests, texts
from shared.service import Service
from shared.settings import Settings
from triage import api, handlers, rules


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app, which runs the service while it lives. Raises RulesInvalid where a rule file is not as described."""
    loaded = rules.load(ZoneInfo(settings.time_zone))

    async def announce(service: Service) -> None:
        await service.command(handlers.announce, loaded)

    service = Service(
        "triage",
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC, texts.TOPIC),
        take=partial(handlers.take, loaded),
        handles=handlers.HANDLES,
        fire=partial(handlers.fire, loaded),
        on_start=announce,
    )
    return service.app(api.router)
