"""The intake service, assembled."""

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from intake import api, handlers
from intake.custody import Custody
from intake.filing import Atlas, Tools, file_requests
from shared.clock import Clock
from shared.contracts import directory, requests
from shared.sealing import Keyring
from shared.service import Service
from shared.settings import Settings, required


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app, which runs the service while it lives. Raises SettingMissing where a secret is not set."""
    keyring = Keyring.parse(required(settings.encryption_keys, "encryption_keys"))
    tools = Tools(Custody(keyring, settings.hash_bytes), settings.tracking_bytes, Atlas())
    service = Service(
        "intake",
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC, directory.TOPIC),
        take=handlers.take,
        handles=handlers.HANDLES,
    )
    app = service.app(api.router)
    app.state.tools = tools
    app.state.file_together = service.grouped(partial(file_requests, tools))
    return app
