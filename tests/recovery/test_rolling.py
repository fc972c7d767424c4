"""A rolling restart under load, and what a stock client reads of the topics, on a real cluster with one broker."""

import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cluster import run
from shared.settings import Settings
from tests.faults.load import Load
from tests.support.account import Books, lives
from tests.support.eventually import eventually
from tests.support.kafka import kafka_or_skip
from tests.support.system import free_port

ALL = int(os.environ.get("HEED_FAULT_ROUNDS", "3")) > 3
ROLLED = ("intake", "triage", "dispatch", "followup", "callbacks", "gateway") if ALL else ("intake", "dispatch")
READY_SECONDS = 120
SETTLED_SECONDS = 120
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, run.Cluster]]:
    await kafka_or_skip()
    var = tmp_path_factory.mktemp("rolling") / "var"
    settings = Settings(var=var, port=free_port(), log_level="warning")
    async with run.running(settings, brokers=1) as running:
        yield var, running


async def restart(cluster: run.Cluster, service: str, number: int) -> None:
    """SIGTERM, and wait until its next life is ready, as an orchestrator would that brings a new version."""
    replica = cluster.one(service, number)
    starts = replica.starts
    replica.send(signal.SIGTERM)

    async def again() -> int:
        return replica.starts

    await eventually(again, lambda now: now > starts, READY_SECONDS)
    await replica.ready(READY_SECONDS)


async def test_a_rolling_restart_under_load_loses_nothing(cluster: tuple[Path, run.Cluster]) -> None:
    var, running = cluster
    load = Load(var, random.Random(20221027))
    async with load.at_work():
        for service in ROLLED:
            for number in (1, 2):
                await restart(running, service, number)
    filed = set(load.receipts.values())
    assert filed
    await load.finish(filed, SETTLED_SECONDS)
    async with Books.open(var) as books:
        await eventually(books.disagreements, lambda found: found == [], SETTLED_SECONDS)
        known = lives(await books.log())
    assert set(known) == filed
    assert len(filed) == len(load.receipts)
    assert {life.status.value for life in known.values()} <= {"answered", "closed"}
