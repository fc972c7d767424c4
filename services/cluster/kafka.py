"""A real Kafka on this machine: brokers on loopback, from the jars that deploy/kafka/pom.xml names. Needs Java 17.

A broker belongs to the folder of its state: one that outlived whoever started it is ended before the next start.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from string import Template
from uuid import uuid4

import structlog

from shared.bus import BusUnavailable
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.clock import Clock
from shared.settings import ROOT

RECIPE = ROOT / "deploy" / "kafka"
JARS = ROOT / "build" / "kafka"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
JVM = (
    "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:MaxDirectMemorySize=64m",
    "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)  # fmt: skip
START_SECONDS = 120.0
STOP_SECONDS = 20.0
log = structlog.get_logger()


class NoKafka(OSError):
    """There is no Kafka to be had here; the text says what is missing."""


class Broker:
    """One broker: its folder and, while it runs, its process."""

    def __init__(self, folder: Path, number: int) -> None:
        """`folder` holds its state and what it says."""
        self.number, self._folder = number, folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def properties(self) -> Path:
        """Its configuration."""
        return self._folder / "broker.properties"

    @property
    def said(self) -> Path:
        """All that it said."""
        return self._folder / "said.log"

    async def format(self, cluster: str, properties: str) -> None:
        """Write its configuration; the first time, prepare its storage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._end_what_outlived_us()
        is_new = not (self._folder / "data" / "meta.properties").exists()
        self.properties.write_text(properties)
        if is_new:
            await _run(
                *java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self.properties))
            )

    async def start(self) -> None:
        """Start it; returns at once."""
        with self.said.open("a") as said:
            self._process = await asyncio.create_subprocess_exec(
                *java("kafka.Kafka", str(self.properties)), stdout=said, stderr=said, start_new_session=True
            )
        (self._folder / "pid").write_text(str(self._process.pid))

    def check(self) -> None:
        """Raise NoKafka where it has ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise NoKafka(f"broker {self.number} ended: {self.said.read_text()[-2000:]}")

    def send(self, what: signal.Signals) -> None:
        """Send it a signal: SIGKILL, SIGSTOP, SIGCONT."""
        assert self._process is not None  # noqa: S101 only what was started
        self._process.send_signal(what)

    async def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)
        assert self._process is not None  # noqa: S101 only what was started
        await self._process.wait()

    async def stop(self) -> None:
        """End it, with time to close its files."""
        if self._process is None or self._process.returncode is not None:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    def _end_what_outlived_us(self) -> None:
        with suppress(OSError, ValueError):
            pid = int((self._folder / "pid").read_text())
            if str(self.properties).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)


class Brokers:
    """One or three brokers that make a cluster."""

    def __init__(self, folder: Path, brokers: int, more: str = "") -> None:
        """`folder` keeps the state of all, and their ports; `more` goes below the recipe, and in its place."""
        self._folder, self._more = folder, more
        self.all = [Broker(folder / f"broker-{n}", n) for n in range(1, brokers + 1)]
        self._ports: list[tuple[int, int]] = []

    @property
    def servers(self) -> list[str]:
        """Their addresses."""
        return [f"127.0.0.1:{port}" for port, _ in self._ports]

    @property
    def url(self) -> str:
        """What HEED_BUS takes."""
        return f"kafka://{','.join(self.servers)}"

    async def start(self) -> None:
        """Start all, and wait until each has joined."""
        await fetch_jars()
        self._folder.mkdir(parents=True, exist_ok=True)
        cluster, self._ports = self._kept()
        voters = ",".join(f"{n}@127.0.0.1:{controller}" for n, (_, controller) in enumerate(self._ports, 1))
        recipe = Template((RECIPE / "broker.properties").read_text() + self._more)
        for broker, (port, controller) in zip(self.all, self._ports, strict=True):
            properties = recipe.substitute(
                node_id=broker.number,
                voters=voters,
                port=port,
                controller_port=controller,
                folder=self._folder / f"broker-{broker.number}" / "data",
                copies=len(self.all),
            )
            await broker.format(cluster, properties)
            await broker.start()
        await self.joined()

    async def joined(self) -> None:
        """Return once every broker belongs to the cluster; raises NoKafka where one ended or it took too long."""
        bus, clock = KafkaBus(Address(self.servers)), Clock()
        try:
            async with asyncio.timeout(START_SECONDS):
                while not all([await _listens(port) for port, _ in self._ports]) or await _count(bus) < len(self.all):
                    for broker in self.all:
                        broker.check()
                    await clock.pause(0.2)
        except TimeoutError as slow:
            raise NoKafka(f"Kafka was not there within {START_SECONDS:.0f} s; see {self.all[0].said}") from slow
        finally:
            await bus.stop()

    async def stop(self) -> None:
        """End all, together: the last ones alone would wait for a leader of their own."""
        await asyncio.gather(*(broker.stop() for broker in self.all))

    def _kept(self) -> tuple[str, list[tuple[int, int]]]:
        """The id of the cluster and its ports, the same at each start."""
        file = self._folder / "cluster.json"
        if not file.exists():
            cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
            file.write_text(json.dumps({"cluster": cluster, "ports": free_ports(len(self.all))}))
        kept = json.loads(file.read_text())
        return kept["cluster"], [(port, controller) for port, controller in kept["ports"]]


@asynccontextmanager
async def brokers_in(folder: Path, brokers: int) -> AsyncIterator[Brokers]:
    """A cluster for as long as the block lasts."""
    made = Brokers(folder, brokers)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _count(bus: KafkaBus) -> int:
    try:
        return await bus.count_brokers()
    except BusUnavailable:
        return 0


def free_ports(count: int) -> list[tuple[int, int]]:
    """Pairs of ports of loopback on which nobody listens."""
    sockets = [socket.socket() for _ in range(count * 2)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
    return list(zip(ports[::2], ports[1::2], strict=True))


async def fetch_jars() -> None:
    """Have the jars where they belong; Maven fetches them once."""
    if shutil.which("java") is None:
        raise NoKafka("Kafka needs Java 17 or later on the PATH; or name a broker of yours.")
    wanted = RECIPE / "pom.xml"
    done = JARS / "pom.xml"
    if done.exists() and done.read_text() == wanted.read_text():
        return
    if shutil.which("mvn") is None:
        raise NoKafka("The jars of Kafka are not here, and there is no Maven (mvn) to fetch them.")
    shutil.rmtree(JARS, ignore_errors=True)
    half = JARS.with_name(f"kafka-{uuid4().hex[:8]}")
    log.info("kafka_jars_are_fetched")
    await _run("mvn", "-q", "-B", "-ntp", "-f", str(wanted), COPY, f"-DoutputDirectory={half}")
    shutil.copy(wanted, half / "pom.xml")
    half.rename(JARS)


def java(*arguments: str) -> Sequence[str]:
    """The command that runs a main class of Kafka."""
    return ("java", *JVM, "-cp", f"{JARS}/*", *arguments)


async def _run(*command: str) -> None:
    running = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()
    if running.returncode:
        raise NoKafka(f"{command[0]} failed: {said.decode(errors='replace')[-2000:]}")
