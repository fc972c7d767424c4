"""What may break in a cluster on one box, each as a function that breaks it and mends it again."""

import asyncio
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import httpx2
import pytest
from confluent_kafka.admin import AdminClient

from services.cluster.kafka import Broker
from services.cluster.processes import Replica
from services.cluster.run import Cluster
from services.standalone import NAMES
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.clock import Clock, wall_now
from shared.contracts import Record
from shared.contracts.requests import TOPIC, RequestWithdrawn
from shared.embedded import EmbeddedPostgres
from shared.ids import new_id
from shared.programs import server_account
from shared.settings import Settings
from tests.faults.load import Load
from tests.support.account import STRANGER, Books, read_topic
from tests.support.eventually import eventually
from tests.support.receiver import Receiver

CLOCK = Clock()
AWAY_SECONDS = 30.0
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Broken:
    """A cluster to break, with what is needed for it."""

    cluster: Cluster
    settings: Settings
    chance: random.Random
    load: Load


Fault = Callable[[Broken], Awaitable[None]]


def kill_replica(service: str) -> Fault:
    """kill -9 of one replica; whoever watches starts it again."""

    async def fault(broken: Broken) -> None:
        await _again(broken, signal.SIGKILL, (service, broken.chance.choice((1, 2))))

    return fault


async def kill_both_dispatch(broken: Broken) -> None:
    """kill -9 of both replicas of dispatch at once."""
    await _again(broken, signal.SIGKILL, ("dispatch", 1), ("dispatch", 2))


async def rolling_restart(broken: Broken) -> None:
    """One replica after the other ends in good order and comes back, as when a new version is brought in."""
    for service in reversed(NAMES):
        for number in (1, 2):
            await _again(broken, signal.SIGTERM, (service, number))


async def kill_broker(broken: Broken) -> None:
    """kill -9 of one broker; started again."""
    await _kill_broker(broken, broken.chance.choice(broken.cluster.brokers.all))


async def kill_leader(broken: Broken) -> None:
    """kill -9 of the broker that leads a partition of `heed.requests`; started again."""
    known = AdminClient({"bootstrap.servers": ",".join(broken.cluster.brokers.servers)})
    topics = await asyncio.to_thread(known.list_topics, TOPIC, 10)
    leader = topics.topics[TOPIC].partitions[0].leader
    [broker] = [broker for broker in broken.cluster.brokers.all if broker.number == leader]
    await _kill_broker(broken, broker)


async def _kill_broker(broken: Broken, broker: Broker) -> None:
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


async def disk_full(broken: Broken) -> None:
    """The tables of dispatch that grow with each request lie on a disk that is full for 15 s."""
    async with Books.open(broken.settings.var) as books, _small_disk(books) as folder:
        await _move(books, "small")
        try:
            filler = folder / "filler"
            with filler.open("wb") as file, suppress(OSError):
                while True:
                    file.write(bytes(65536))
            await CLOCK.pause(15)
            filler.unlink()
        finally:
            await _move(books, "pg_default")


@asynccontextmanager
async def _small_disk(books: Books) -> AsyncIterator[Path]:
    """A file system of 16 MB, as the tablespace `small`.

    Only root may mount one; elsewhere this fault is left out of the table, and the skip says so (docs/faults.md).
    """
    with tempfile.TemporaryDirectory(prefix="heed-small-", dir="/var/lib") as name:
        if await _run("mount", "-t", "tmpfs", "-o", "size=16m,mode=0777", "tmpfs", name) != 0:
            pytest.skip("a small file system cannot be mounted by this account")
        connection = await asyncpg.connect(books.admin_url)
        try:
            inside = Path(name) / "data"
            inside.mkdir()
            if (account := server_account()) is not None:
                os.chown(inside, account.uid, account.gid)
            await connection.execute(f"CREATE TABLESPACE small LOCATION '{inside}'")
            await connection.execute("GRANT CREATE ON TABLESPACE small TO heed_dispatch")
            yield inside
            await connection.execute("DROP TABLESPACE small")
        finally:
            await connection.close()
            await _run("umount", name)


async def _move(books: Books, tablespace: str) -> None:
    for table in ("outbox", "cases", "tasks"):
        await books.fetch("dispatch", f"ALTER TABLE {table} SET TABLESPACE {tablespace}")


async def _run(*command: str) -> int:
    return await (await asyncio.create_subprocess_exec(*command)).wait()


async def freeze_replica(broken: Broken) -> None:
    """A replica of dispatch frozen until the other has its partitions, then thawed: it must not go on as before."""
    replica = broken.cluster.one("dispatch", 1)
    replica.send(signal.SIGSTOP)
    await CLOCK.pause(broken.settings.lease_seconds * 2)
    replica.send(signal.SIGCONT)
    await CLOCK.pause(2)


async def duplicate_the_log(broken: Broken) -> None:
    """Everything about requests delivered a second time, late and behind what came since."""
    bus = KafkaBus(Address(broken.cluster.brokers.servers))
    try:
        records = await read_topic(bus, TOPIC)
        for n in range(0, len(records), 500):
            await bus.publish(records[n : n + 500])
    finally:
        await bus.stop()


async def wrong_clock(broken: Broken) -> None:
    """A replica of triage comes back on a machine whose clock is wrong by an hour: it is not ready; then mended."""
    replica = broken.cluster.one("triage", 1)
    replica.environment["HEED_DANGEROUS_CLOCK_OFFSET_SECONDS"] = "3600"
    replica.send(signal.SIGKILL)
    await CLOCK.pause(15)
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert not await replica.is_ready(client)
    del replica.environment["HEED_DANGEROUS_CLOCK_OFFSET_SECONDS"]
    await _again(broken, signal.SIGKILL, ("triage", 1))


async def bad_partners(broken: Broken) -> None:
    """One partner answers nobody, another is not there at all; both are taken out again."""
    async with Receiver.start() as slow, broken.load.client("operator") as operator:
        slow.hold()
        made = []
        for url in (slow.url, "http://127.0.0.1:9/nobody"):
            answer = await operator.post("/v1/webhooks", json={"url": url, "event_types": []})
            assert answer.status_code == httpx2.codes.CREATED, answer.text
            made.append(answer.json()["id"])
        await CLOCK.pause(15)
        assert slow.calls
        for endpoint in made:
            await operator.delete(f"/v1/webhooks/{endpoint}")


async def unhandleable_event(broken: Broken) -> None:
    """An event that nobody can handle, on a request that is under way: it waits with those behind it, for a person."""
    async with broken.load.client("operator") as operator:
        request_id = next(reversed(broken.load.receipts.values()))
        headers = {
            "ce_specversion": "1.0", "ce_id": str(new_id()), "ce_type": RequestWithdrawn.TYPE,
            "ce_source": f"/heed/{STRANGER}", "ce_subject": request_id, "ce_time": wall_now().isoformat(),
            "ce_sequence": "1", "content-type": "application/json",
        }  # fmt: skip
        bus = KafkaBus(Address(broken.cluster.brokers.servers))
        try:
            await bus.publish([Record(topic=TOPIC, key=request_id, headers=headers, value=b'{"reason": 7}')])
        finally:
            await bus.stop()
        for service in NAMES:
            await eventually(partial(_dropped, operator, service, headers["ce_id"]), within_seconds=60)


async def _dropped(client: httpx2.AsyncClient, service: str, event_id: str) -> bool:
    """Leave the event out, once it is parked there."""
    return (await client.post(f"/v1/parked/{service}/{event_id}/drop")).is_success


async def _again(broken: Broken, how: signal.Signals, *which: tuple[str, int]) -> None:
    """End these replicas, and wait until the next life of each is ready."""
    replicas = {broken.cluster.one(*one): broken.cluster.one(*one).starts for one in which}
    for replica in replicas:
        replica.send(how)
    for replica, starts in replicas.items():
        await eventually(partial(_starts, replica), lambda now, before=starts: now > before, READY_SECONDS)  # type: ignore[misc]
        await replica.ready(READY_SECONDS)


async def _starts(replica: Replica) -> int:
    return replica.starts


SHORT: dict[str, Fault] = {
    "kill -9 of a replica of dispatch": kill_replica("dispatch"),
    "kill -9 of the broker": kill_broker,
}
LONG: dict[str, Fault] = {
    **{f"kill -9 of a replica of {service}": kill_replica(service) for service in NAMES},
    "kill -9 of both replicas of dispatch": kill_both_dispatch,
    "a rolling restart of every service": rolling_restart,
    "kill -9 of one of three brokers": kill_broker,
    "kill -9 of the broker that leads": kill_leader,
    "all brokers away for 30 s": brokers_away,
    "PostgreSQL restarted": restart_postgres,
    "PostgreSQL killed and away for 30 s": postgres_away,
    "the disk of a database full": disk_full,
    "a replica frozen past its leases, then thawed": freeze_replica,
    "the whole log delivered twice": duplicate_the_log,
    "the clock of one process wrong by an hour": wrong_clock,
    "a partner that never answers, and one that is not there": bad_partners,
    "an event that nobody can handle": unhandleable_event,
}
