"""A cluster under a steady load while one thing after the other breaks: nothing is lost, nothing happens twice.

`make test` breaks two things with one broker; `make faults` all of them with three, and writes build/faults.md.
"""

import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from followup.recount import recount
from services.cluster import run
from services.cluster.status import read_states
from shared.clock import Clock, wall_now
from shared.contracts import Event, Fact
from shared.contracts.requests import TaskAssigned
from shared.settings import Settings
from tests.faults.breaking import LONG, SHORT, Broken, Fault
from tests.faults.load import Load
from tests.loop.test_tour import take_the_tour
from tests.support.account import Books, lives
from tests.support.eventually import eventually
from tests.support.harness import project_root
from tests.support.kafka import kafka_or_skip
from tests.support.receiver import Receiver
from tests.support.system import free_port

ALL = int(os.environ.get("HEED_FAULT_ROUNDS", "3")) > 3
FAULTS = LONG if ALL else SHORT
BEFORE_SECONDS = AFTER_SECONDS = 5.0
SETTLED_SECONDS = 120
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@dataclass
class Stand:
    """A running cluster with a load and a partner."""

    settings: Settings
    cluster: run.Cluster
    load: Load
    partner: Receiver
    tours: int = 0
    """How many requests others than the load have filed."""

    async def settled(self) -> None:
        """Wait until nothing waits to be published or read."""

        async def unsettled() -> list[str]:
            return [s.instance for s in await read_states(self.settings.var) if not s.is_settled]

        await eventually(unsettled, lambda found: not found, SETTLED_SECONDS)


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    await kafka_or_skip()
    var = tmp_path_factory.mktemp("cluster") / "var"
    settings = Settings(var=var, port=free_port(), dangerous_callback_networks="127.0.0.0/8", log_level="warning")
    async with _running(settings) as cluster, Receiver.start() as partner:
        load = Load(var, random.Random(20221026))
        async with load.client("operator") as operator:
            registered = await operator.post("/v1/webhooks", json={"url": partner.url, "event_types": []})
            assert registered.status_code == 201, registered.text
        yield Stand(settings, cluster, load, partner)


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[run.Cluster]:
    async with run.running(settings, brokers=3 if ALL else 1) as cluster:
        yield cluster


async def test_the_tour_of_the_readme_runs_on_it_as_printed(stand: Stand) -> None:
    stand.tours += 1
    await take_the_tour(stand.cluster.base_url, stand.settings.var)


@pytest.mark.parametrize("name", FAULTS)
async def test_nothing_is_lost_and_nothing_happens_twice(stand: Stand, name: str) -> None:
    fault: Fault = FAULTS[name]
    broken = Broken(stand.cluster, stand.settings, random.Random(name), stand.load)
    before = set(stand.load.receipts.values())
    async with stand.load.at_work():
        await Clock().pause(BEFORE_SECONDS)
        await fault(broken)
        recovery = await stand.load.goes_through(SETTLED_SECONDS)
        await Clock().pause(AFTER_SECONDS)
    filed = set(stand.load.receipts.values()) - before
    assert filed
    await stand.load.finish(filed, SETTLED_SECONDS)
    await stand.settled()
    await check(stand)
    silence = stand.load.longest_silence_seconds
    if ALL:
        _note(name, f"| {name} | {len(filed)} | 0 | 0 | {silence:.1f} | {recovery:.1f} |")


async def check(stand: Stand) -> None:
    """Every 201 once and answered, each history whole and in order; services, figures, partner agree with the log."""
    async with Books.open(stand.settings.var) as books:
        await eventually(books.disagreements, lambda found: found == [], SETTLED_SECONDS)
        events = await books.log()
    known = lives(events)
    receipts = stand.load.receipts
    assert set(receipts.values()) <= set(known)
    assert len(known) == len(receipts) + stand.tours
    assert len(set(receipts.values())) == len(receipts)
    assert {life.status.value for life in known.values()} <= {"answered", "closed"}
    assert _assigned_twice(events) == []
    await _check_figures(stand, events)
    stated = {str(event.id) for event in events}
    await eventually(lambda: _missing(stand, stated), lambda left: not left, SETTLED_SECONDS)
    assert {call.id for call in stand.partner.calls} <= stated


async def _missing(stand: Stand, stated: set[str]) -> list[str]:
    """Facts of which the partner was never told."""
    return sorted(stated - {call.id for call in stand.partner.calls})[:5]


def _assigned_twice(events: list[Event[Fact]]) -> list[Any]:
    """Tasks that were given to somebody more than once, though nobody was late."""
    counted = Counter(event.fact.task_id for event in events if isinstance(event.fact, TaskAssigned))
    return [task for task, times in counted.items() if times > 1]


async def _check_figures(stand: Stand, events: list[Event[Fact]]) -> None:
    counted = recount(events, wall_now()).totals
    async with stand.load.client("operator") as operator:

        async def shown() -> tuple[int, int]:
            totals = (await operator.get("/v1/figures")).json()["figures"]["totals"]
            return totals["received"], totals["answered"]

        await eventually(shown, lambda seen: seen == (counted.received, counted.answered), SETTLED_SECONDS)


def _note(name: str, row: str) -> None:
    """Keep the row, and write the table of all that were ever run here: each row as it came out last."""
    folder = project_root() / "build"
    folder.mkdir(exist_ok=True)
    kept = folder / "faults.json"
    rows = (json.loads(kept.read_text()) if kept.exists() else {}) | {name: row}
    kept.write_text(json.dumps(rows, indent=2))
    head = "| what broke | filed meanwhile | lost | twice | longest silence, s | whole again after, s |"
    lines = [head, "|---|---|---|---|---|---|", *(rows[fault] for fault in LONG if fault in rows)]
    (folder / "faults.md").write_text("\n".join(lines) + "\n")
