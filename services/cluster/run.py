"""The whole as a city runs it, on one machine: three brokers, PostgreSQL, two replicas of every service."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from services.cluster.kafka import Brokers, brokers_in, free_ports
from services.cluster.processes import Replica
from services.cluster.status import read_states
from services.gateway.app import write_credentials
from services.standalone import INSIDE, NAMES, settings_by_service
from shared.clock import Clock, wall_now
from shared.database import Database
from shared.settings import Settings

REPLICAS = 2
BROKERS = 3
READY_SECONDS = 180.0
SETTLE_SECONDS = 30.0
LOOK_SECONDS = 0.5


class Cluster:
    """Brokers, database and replicas while they run."""

    def __init__(
        self, settings: Settings, brokers: Brokers, databases: dict[str, Settings], replicas: int = REPLICAS
    ) -> None:
        """`databases` are the settings of each service, of which there are so many replicas."""
        self._count = replicas
        self._settings, self.brokers, self._databases = settings, brokers, databases
        self.base_url = settings.base_url or f"http://{settings.host}:{settings.port}"
        self.replicas: list[Replica] = []

    def prepare(self) -> None:
        """Work out every replica: its address, its environment."""
        self._settings.var.joinpath("logs").mkdir(parents=True, exist_ok=True)
        ports = [port for pair in free_ports(len(INSIDE) * self._count) for port in pair]
        addresses = {name: [f"http://127.0.0.1:{ports.pop()}" for _ in range(self._count)] for name in INSIDE}
        upstreams = {f"HEED_{name.upper()}_URL": ",".join(urls) for name, urls in addresses.items()}
        for name in NAMES:
            for n in range(1, self._count + 1):
                own = self._environment(name, n)
                if name in INSIDE:
                    url = addresses[name][n - 1]
                    own |= {"HEED_HOST": "127.0.0.1", "HEED_PORT": url.rpartition(":")[2]}
                else:
                    url = f"http://{self._settings.host}:{self._settings.port}"
                    own |= upstreams | {"HEED_PORT": str(self._settings.port), "HEED_REUSE_PORT": "true"}
                log_file = self._settings.var.absolute() / "logs" / f"{name}-{n}.log"
                self.replicas.append(Replica(name, n, url, own, log_file))

    def _environment(self, name: str, number: int) -> dict[str, str]:
        """The environment of a replica: ours, what was set besides, and what only it may know."""
        return {
            **os.environ,
            **{f"HEED_{name.upper()}": str(getattr(self._settings, name)) for name in self._settings.model_fields_set},
            "HEED_VAR": str(self._settings.var.absolute()),
            "HEED_DATABASE": self._databases[name].database or "",
            "HEED_BUS": self.brokers.url,
            "HEED_INSTANCE": f"{name}-{number}",
            "HEED_SECRETS": str(self._settings.var.absolute() / "secrets"),
            "HEED_GATEWAY_URL": self.base_url,
        }

    async def start(self) -> None:
        """Start every replica, and wait until all are ready and know the city."""
        self.prepare()
        for replica in self.replicas:
            await replica.start()
        await asyncio.gather(*(replica.ready(READY_SECONDS) for replica in self.replicas))
        self._write_map()
        await self._settled()
        database = Database(self._databases["gateway"].database or "", connections=1)
        try:
            path = self._settings.var / "credentials.json"
            await write_credentials(database, self._settings, path, self.base_url, wall_now())
        finally:
            await database.close()

    async def stop(self) -> None:
        """Stop what faces the world first, then the rest."""
        for is_gateway in (True, False):
            await asyncio.gather(*(r.stop() for r in self.replicas if (r.service == "gateway") is is_gateway))

    def one(self, service: str, number: int) -> Replica:
        """A replica by service and number, from 1."""
        return next(r for r in self.replicas if (r.service, r.number) == (service, number))

    def _write_map(self) -> None:
        """Where what runs, for `heed status`."""
        where = [{"service": r.service, "instance": r.instance, "url": r.url} for r in self.replicas]
        file = self._settings.var / "cluster.json"
        file.write_text(json.dumps({"bus": self.brokers.url, "replicas": where}, indent=2) + "\n")

    async def _settled(self) -> None:
        """Wait until every fact that was stated has been read by all, for a while."""
        clock, time = Clock(), asyncio.get_running_loop().time
        until = time() + SETTLE_SECONDS
        while time() < until:
            states = await read_states(self._settings.var)
            if all(state.is_settled for state in states):
                return
            await clock.pause(LOOK_SECONDS)


@asynccontextmanager
async def running(settings: Settings, brokers: int = BROKERS, replicas: int = REPLICAS) -> AsyncIterator[Cluster]:
    """The cluster for as long as the block lasts; state under var/, as `heed run` has it."""
    async with AsyncExitStack() as stack:
        databases = await stack.enter_async_context(settings_by_service(settings))
        kafka = await stack.enter_async_context(brokers_in(settings.var / "kafka", brokers))
        cluster = Cluster(settings, kafka, databases, replicas)
        try:
            await cluster.start()
            yield cluster
        finally:
            await cluster.stop()


async def run(
    settings: Settings, on_ready: Callable[[Cluster], Awaitable[None]], brokers: int = BROKERS, replicas: int = REPLICAS
) -> None:
    """Run the cluster until SIGINT or SIGTERM."""
    stopping = _asked_to_stop()
    async with running(settings, brokers, replicas) as cluster:
        await on_ready(cluster)
        await stopping.wait()


async def run_brokers(folder: Path, brokers: int, on_ready: Callable[[str], Awaitable[None]]) -> None:
    """Run Kafka alone until SIGINT or SIGTERM."""
    stopping = _asked_to_stop()
    async with brokers_in(folder, brokers) as kafka:
        await on_ready(kafka.url)
        await stopping.wait()


def _asked_to_stop() -> asyncio.Event:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked
