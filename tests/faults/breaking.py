"""What may break in a cluster on one box, each as a function that breaks it and mends it again."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.cluster.run import Cluster
from services.standalone import NAMES
from shared.bus.kafka import KafkaBus
from shared.clock import Clock
from shared.contracts.requests import TOPIC
from shared.embedded import EmbeddedPostgres
from shared.settings import Settings
from tests.support.account import read_topic

CLOCK = Clock()
AWAY_SECONDS = 30.0
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A cluster to break, with what is needed for it."""

    cluster: Cluster
    settings: Settings
    chance: random.Random


Fault = Callable[[Broken], Awaitable[None]]


def kill_replica(service: str) -> Fault:
    """kill -9 of one replica; whoever watches starts it again."""

    async def fault(broken: Broken) -> None:
        replica = broken.cluster.one(service, broken.chance.choice((1, 2)))
        replica.send(signal.SIGKILL)
        await _started_again([replica.instance], broken)

    fault.__name__ = f"kill -9 of a replica of {service}"
    return fault


async def kill_both_dispatch(broken: Broken) -> None:
    """kill -9 of both replicas of dispatch at once."""
    for number in (1, 2):
        broken.cluster.one("dispatch", number).send(signal.SIGKILL)
    await _started_again(["dispatch-1", "dispatch-2"], broken)


async def kill_broker(broken: Broken) -> None:
    """kill -9 of one broker, which leads some of the partitions; started again."""
    broker = broken.chance.choice(broken.cluster.brokers.all)
    await broker.kill()
    await CLOCK.pause(8)
    await broker.start()
    await broken.cluster.brokers.joined()


async def brokers_away(broken: Broken) -> None:
    """All brokers away for 30 s."""
    for broker in broken.cluster.brokers.all:
        await broker.kill()
    await CLOCK.pause(AWAY_SECONDS)
    for broker in broken.cluster.brokers.all:
        await broker.start()
    await broken.cluster.brokers.joined()


async def restart_postgres(broken: Broken) -> None:
    """PostgreSQL restarted: a fast shutdown, and up again."""
    async with _postgres_down(broken, signal.SIGINT):
        pass


async def postgres_away(broken: Broken) -> None:
    """PostgreSQL killed, and away for 30 s."""
    async with _postgres_down(broken, signal.SIGKILL):
        await CLOCK.pause(AWAY_SECONDS)


@asynccontextmanager
async def _postgres_down(broken: Broken, how: signal.Signals) -> AsyncIterator[None]:
    folder = broken.settings.var / "postgres"
    server = await EmbeddedPostgres.start(folder)
    pid = server.pid
    assert pid is not None
    os.kill(pid, how)
    while server.pid == pid:
        await CLOCK.pause(0.1)
    yield
    again = await EmbeddedPostgres.start(folder)
    await again.stop()
    await server.stop()


async def freeze_replica(broken: Broken) -> None:
    """A replica of dispatch frozen until the other has its partitions, then thawed: it must not go on as before."""
    replica = broken.cluster.one("dispatch", 1)
    replica.send(signal.SIGSTOP)
    await CLOCK.pause(broken.settings.lease_seconds * 2)
    replica.send(signal.SIGCONT)
    await CLOCK.pause(2)


async def duplicate_the_log(broken: Broken) -> None:
    """Everything about requests delivered a second time, late and behind what came since."""
    bus = KafkaBus(broken.cluster.brokers.servers)
    try:
        records = await read_topic(bus, TOPIC)
        for n in range(0, len(records), 500):
            await bus.publish(records[n : n + 500])
    finally:
        await bus.stop()


async def _started_again(instances: list[str], broken: Broken) -> None:
    await CLOCK.pause(3)
    replicas = [r for r in broken.cluster.replicas if r.instance in instances]
    await asyncio.gather(*(replica.ready(READY_SECONDS) for replica in replicas))


SHORT: dict[str, Fault] = {
    "kill -9 of a replica of dispatch": kill_replica("dispatch"),
    "kill -9 of the broker": kill_broker,
}
LONG: dict[str, Fault] = {
    **{f"kill -9 of a replica of {service}": kill_replica(service) for service in NAMES},
    "kill -9 of both replicas of dispatch": kill_both_dispatch,
    "kill -9 of one of three brokers": kill_broker,
    "all brokers away for 30 s": brokers_away,
    "PostgreSQL restarted": restart_postgres,
    "PostgreSQL killed and away for 30 s": postgres_away,
    "a replica frozen past its leases, then thawed": freeze_replica,
    "the whole log delivered twice": duplicate_the_log,
}
