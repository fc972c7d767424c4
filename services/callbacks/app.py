"""The callbacks service, assembled."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from fastapi import FastAPI

from services.callbacks import api, endpoints, store
from services.callbacks.handlers import HANDLES, Handlers, Parts
from services.callbacks.model import PROVIDER_ID, Endpoint, Limits, read_secret
from services.callbacks.phones import GatewayPhones
from services.callbacks.sender import Sender
from shared.clock import Clock
from shared.contracts import directory, operations, requests
from shared.messaging.work import Work
from shared.outgoing import EVERYWHERE, Outgoing, parse_networks
from shared.sealing import Keyring
from shared.service import Service
from shared.settings import Settings, required

HERE = Path(__file__).parent
GATEWAY_ANSWER_BYTES = 4 * 1024 * 1024  # a contact-view brings the request's texts along


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app, which runs the service while it lives. Raises ValueError where a setting is missing or wrong."""
    keyring = Keyring.parse(required(settings.encryption_keys, "encryption_keys"))
    limits = Limits.parse(
        settings.callback_retry_seconds,
        settings.callback_disable_after_seconds,
        settings.callback_disable_span_seconds,
    )
    handlers = Handlers(_parts(settings, limits))

    async def send(service: Service) -> None:
        await service.recovery.learn()
        await sender.run()

    async def hang_up() -> None:
        await sender.aclose()

    async def prepare(service: Service) -> None:
        await service.command(handlers.forget)
        if settings.notice_provider_url is not None:
            await service.command(_register_provider, settings, keyring)

    service = Service(
        "callbacks",
        settings,
        clock,
        migrations=HERE / "migrations",
        topics=(requests.TOPIC, directory.TOPIC, operations.TOPIC),
        take=handlers.take,
        handles=HANDLES,
        fire=handlers.fire,
        background=(send,),
        on_start=prepare,
        on_stop=hang_up,
    )
    outgoing = Outgoing(
        parse_networks(settings.dangerous_callback_networks), timeout_seconds=settings.callback_timeout_seconds
    )
    phones = _phones(settings) if settings.notice_provider_url is not None else None
    sender = Sender(service, outgoing, keyring, limits, phones)
    app = service.app(api.router)
    app.state.tools = api.Tools(outgoing, keyring, sender)
    return app


def _parts(settings: Settings, limits: Limits) -> Parts:
    return Parts(
        limits=limits,
        words=yaml.safe_load((HERE / "notices.yaml").read_text("utf-8")),
        zone=ZoneInfo(settings.time_zone),
        retention=timedelta(days=settings.callback_retention_days),
        has_provider=settings.notice_provider_url is not None,
    )


def _phones(settings: Settings) -> GatewayPhones:
    return GatewayPhones(
        Outgoing(EVERYWHERE, timeout_seconds=10, answer_bytes=GATEWAY_ANSWER_BYTES),
        required(settings.gateway_url, "gateway_url"),
        required(settings.gateway_token, "gateway_token"),
    )


async def _register_provider(work: Work, settings: Settings, keyring: Keyring) -> None:
    """Keep the city's message provider among the endpoints, as the settings have it now."""
    secret = read_secret(required(settings.notice_provider_secret, "notice_provider_secret"))
    provider = Endpoint(
        id=PROVIDER_ID,
        url=required(settings.notice_provider_url, "notice_provider_url"),
        event_types=frozenset(),
        organisation=None,
        description="the city's message provider",
        enabled=True,
        disabled_because=None,
        revision=1,
        created_at=work.now,
    )
    await store.save_endpoint(work.connection, provider, secret=endpoints.seal(keyring, PROVIDER_ID, secret))
