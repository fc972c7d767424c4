"""Assembly of followup."""

import secrets
from datetime import timedelta
from pathlib import Path

import yaml
from fastapi import FastAPI
from prometheus_client import Gauge

from followup import api, bulletin_api, figures_api, handlers, lookback_api, plan, rounds, sealing, store
from followup.figure_store import FOLDED_AT_ONCE, fold
from shared.clock import Clock
from shared.contracts import directory, operations, requests
from shared.contracts.vocabulary import AlarmKind
from shared.service import Service
from shared.settings import Settings, required

PLAN_FILE = "followup.yaml"
SEED_BYTES = 32
COUNT_SECONDS = 5.0
ALMOST = 0.9
"""Of the time between two seals: what a replica leaves to another that sealed just before."""
FOLD_SECONDS = 1.0
"""How long moves gather, so that many share a write; who asks for figures has them added in."""
OPEN_ALARMS = Gauge("heed_alarms_open", "Open alarms of all services.", ["kind"])
LAST_SEAL_AT = Gauge("heed_last_seal_timestamp_seconds", "When the log was last sealed, as Unix time; 0 before that.")
UNSEALED = Gauge("heed_unsealed_partitions", "Partitions of the log with events that no seal covers yet.")


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """The app of followup; nothing is opened before it runs."""
    required(settings.hash_secret, "hash_secret")  # missing, it must end the start and not the first rating
    service = Service(
        handlers.SERVICE,
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(requests.TOPIC, operations.TOPIC, directory.TOPIC),
        take=handlers.take,
        handles=handlers.HANDLES,
        witness=sealing.witness,
        fire=rounds.fire,
        background=[count_open_alarms, seal_log, fold_moves],
        on_start=apply_plan,
    )
    return service.app(api.router, lookback_api.router, figures_api.router, bulletin_api.router)


async def apply_plan(service: Service) -> None:
    """Put the city's plan into force; a file that is not as it should be ends the start."""
    document = yaml.safe_load((service.settings.city_dir / PLAN_FILE).read_text(encoding="utf-8"))
    await service.command(handlers.apply_plan, plan.parse(document), secrets.token_bytes(SEED_BYTES))


async def count_open_alarms(service: Service) -> None:
    """Keep the gauge of open alarms."""
    while True:
        counts = await service.query(store.count_alarms)
        for kind in AlarmKind:
            OPEN_ALARMS.labels(kind).set(counts.get(kind, 0))
        await service.clock.pause(COUNT_SECONDS)


async def seal_log(service: Service) -> None:
    """Publish the running hashes, time after time."""
    every = timedelta(seconds=service.settings.seal_seconds)
    while True:
        await service.clock.pause(service.settings.seal_seconds)
        if service.recovery.is_over:
            sealed_at, waiting = await service.command(sealing.seal, every * ALMOST)
            LAST_SEAL_AT.set(sealed_at.timestamp() if sealed_at else 0)
            UNSEALED.set(waiting)


async def fold_moves(service: Service) -> None:
    """Keep the sums of the figures up to date."""
    while True:
        while await service.query(fold) == FOLDED_AT_ONCE:
            pass
        await service.clock.pause(FOLD_SECONDS)
