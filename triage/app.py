"""The triage service, assembled."""

from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from shared.clock import Clock
from shared.contracts import requests, texts
from shared.service import Service
from shared.settings import Settings
from triage import api, handlers, policies


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app, which runs the service while it lives. Raises RulesInvalid where a rule file is not as described."""
    in_force = policies.InForce(ZoneInfo(settings.time_zone))

    async def announce(service: Service) -> None:
        await service.command(policies.announce, in_force)

    service = Service(
        "triage",
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC, texts.TOPIC),
        take=partial(handlers.take, in_force),
        handles=handlers.HANDLES,
        fire=partial(handlers.fire, in_force),
        on_start=announce,
    )
    app = service.app(api.router)
    app.state.in_force = in_force
    return app
