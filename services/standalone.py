"""The whole of Heed in one process: the map of the system, to be read from top to bottom.

The only module, with the command line, that knows every service.
"""

import os
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

import dispatch.app
import followup.app
import intake.app
import services.callbacks.app
import services.gateway.app
import triage.app
from shared.clock import Clock
from shared.embedded import EmbeddedPostgres, ensure_database
from shared.server import serve_app
from shared.settings import Settings
from shared.tokens import make_identity_keys

Build = Callable[[Settings, Clock | None], FastAPI]
INSIDE: Mapping[str, Build] = {
    "intake": intake.app.build,
    "triage": triage.app.build,
    "dispatch": dispatch.app.build,
    "followup": followup.app.build,
    "callbacks": services.callbacks.app.build,
}
"""The services behind the gateway, by name."""
NAMES = (*INSIDE, "gateway")
INSTANCE = "standalone"
SECRET_BYTES = 32
SETTLE_SECONDS = 10.0
"""How long the start waits for every service to know the directory and what it missed; then it opens all the same."""


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[FastAPI]:
    """Every service, started, behind the gateway's app."""
    clock = clock or Clock(settings.dangerous_clock_rate)
    async with settings_by_service(settings) as own, AsyncExitStack() as stack:
        apps = {name: build(own[name], clock) for name, build in INSIDE.items()}
        gateway = services.gateway.app.build(own["gateway"], clock, apps)
        for app in (*apps.values(), gateway):
            await stack.enter_async_context(app.router.lifespan_context(app))
        for app in (apps["dispatch"], *apps.values(), gateway):
            await app.state.service.settled(SETTLE_SECONDS)
        yield gateway


async def serve(settings: Settings, on_ready: Callable[[str], Awaitable[None]], clock: Clock | None = None) -> None:
    """Run everything until a signal asks to stop; `on_ready` is called with the address once it answers."""
    async with running(settings, clock) as app:

        async def ready(url: str) -> None:
            base_url = settings.base_url or url
            service = app.state.service
            path, now = settings.var / "credentials.json", service.clock.now()
            await services.gateway.app.write_credentials(service.database, settings, path, base_url, now)
            await on_ready(base_url)

        await serve_app(app, settings.host, settings.port, ready)


async def serve_one(name: str, settings: Settings, on_ready: Callable[[str], Awaitable[None]]) -> None:
    """Run one service in this process until a signal asks to stop."""
    app = INSIDE[name](settings, None) if name in INSIDE else services.gateway.app.build(settings)
    async with app.router.lifespan_context(app):
        await serve_app(app, settings.host, settings.port, on_ready, reuse_port=settings.reuse_port)


@asynccontextmanager
async def settings_by_service(settings: Settings) -> AsyncIterator[dict[str, Settings]]:
    """For each service its settings, with a database of its own; a PostgreSQL is started where none is named."""
    settings.var.mkdir(parents=True, exist_ok=True)
    kept = load_secrets(settings.var / "secrets")
    async with AsyncExitStack() as stack:
        server = settings.postgres
        if server is None:
            embedded = await EmbeddedPostgres.start(settings.var / "postgres")
            stack.push_async_callback(embedded.stop)
            server = embedded.admin_url
        urls = {
            name: await ensure_database(server, f"heed_{name}", kept[f"database_{name}"]) for name in (*NAMES, "bus")
        }
        common = {name: value for name, value in kept.items() if not name.startswith("database_")}
        given = settings.model_dump(exclude_unset=True)
        common |= {"bus": urls["bus"], "instance": INSTANCE, "gateway_url": f"http://{settings.host}:{settings.port}"}
        yield {name: Settings(**{**common, **given, "database": urls[name]}) for name in NAMES}


def load_secrets(folder: Path) -> dict[str, str]:
    """The secrets of this installation, a file each of mode 0600; those that are missing are made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = make_identity_keys()
    fresh = {
        "identity_private_key": private,
        "identity_public_key": public,
        "tracking_secret": _random(),
        "hash_secret": _random(),
        "encryption_keys": f"1:{_random()}",
        **{f"database_{name}": secrets.token_urlsafe(SECRET_BYTES) for name in (*NAMES, "bus")},
    }
    if not (folder / "identity_public_key").exists():
        (folder / "identity_private_key").unlink(missing_ok=True)
    return {name: _load_or_write(folder / name, value) for name, value in fresh.items()}


def _random() -> str:
    return b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _load_or_write(path: Path, value: str) -> str:
    if path.exists():
        return path.read_text()
    half = path.with_suffix(".half")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(value)
    half.rename(path)
    return value
