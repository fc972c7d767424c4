"""Every bus passes the same suite; and the suite notices a bus that loses, repeats, reorders or mixes up."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from shared.bus import Bus, BusUnavailable, Delivered, Partition
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.bus.postgres import PostgresBus
from shared.contracts import Record
from tests.contract.bus_cases import (
    CASES,
    TOPIC,
    a_position_is_found_by_time,
    one_slow_partition_does_not_starve_the_others,
    read_all,
    record,
)
from tests.support.eventually import eventually
from tests.support.kafka import mock_servers
from tests.support.postgres import PostgresServer

BEYOND_THE_MOCK = {a_position_is_found_by_time, one_slow_partition_does_not_starve_the_others}
"""It keeps no times of records, and does not hand out what it has in fair shares."""


class Loses(PostgresBus):
    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish([r for r in records if r.value not in {b"7", b"x"}])


class Repeats(PostgresBus):
    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish([*records, *records])


class Reorders(PostgresBus):
    async def read(self, positions: Mapping[Partition, int], limit: int) -> list[Delivered]:
        return (await super().read(positions, limit))[::-1]


class Scatters(PostgresBus):
    async def publish(self, records: Sequence[Record]) -> None:
        for n, r in enumerate(records):
            key = f"{r.key}{n}"
            await super().publish([Record(topic=r.topic, key=key, headers=r.headers, value=r.value)])


class TopicsOfItsOwn(KafkaBus):
    """A bus on which topics are new, as a fresh database is for the other."""

    def __init__(self, servers: Sequence[str]) -> None:
        super().__init__(Address(servers))
        self._name = f".{uuid4().hex[:8]}"

    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish([replace(r, topic=r.topic + self._name) for r in records])

    async def partitions(self, topic: str) -> list[Partition]:
        return await super().partitions(topic.removesuffix(self._name) + self._name)


async def started(kind: type[PostgresBus], postgres: PostgresServer) -> PostgresBus:
    bus = kind(await postgres.fresh_database("bus"), partitions=4)
    await bus.start()
    return bus


@pytest.fixture
async def postgres_bus(postgres: PostgresServer) -> AsyncIterator[Bus]:
    made = await started(PostgresBus, postgres)
    yield made
    await made.stop()


@pytest.fixture
async def kafka_bus(kafka: list[str]) -> AsyncIterator[Bus]:
    made = TopicsOfItsOwn(kafka)
    yield made
    await made.stop()


@pytest.fixture(params=["postgres_bus", "kafka_bus"])
def bus(request: pytest.FixtureRequest) -> Bus:
    made: Bus = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
async def test_bus(case: Callable[[Bus], Awaitable[None]], bus: Bus) -> None:
    await case(bus)


@pytest.mark.parametrize("case", [c for c in CASES if c not in BEYOND_THE_MOCK], ids=lambda c: c.__name__)
async def test_the_bus_on_kafka_without_java(case: Callable[[Bus], Awaitable[None]]) -> None:
    with mock_servers() as servers:
        bus = TopicsOfItsOwn(servers)
        await case(bus)
        await bus.stop()


@pytest.mark.parametrize("broken", [Loses, Repeats, Reorders, Scatters], ids=lambda kind: kind.__name__)
async def test_the_suite_notices(broken: type[PostgresBus], postgres: PostgresServer) -> None:
    failures = []
    for case in CASES[:7]:
        bus = await started(broken, postgres)
        try:
            await case(bus)
        except (AssertionError, ValueError):
            failures.append(case.__name__)
        finally:
            await bus.stop()
    assert failures


async def test_a_log_that_was_read_can_be_read_again(bus: Bus) -> None:
    await bus.publish([record("a", b"1")])
    assert len(await read_all(bus)) == len(await read_all(bus)) == 1


async def values(bus: Bus) -> list[bytes | None] | None:
    """All that is on the topic; None where the bus does not answer."""
    try:
        return [d.record.value for d in await read_all(bus, TOPIC)]
    except BusUnavailable:
        return None


async def test_a_bus_that_is_away_says_so_and_comes_back(postgres: PostgresServer) -> None:
    url = await postgres.fresh_database("bus")
    bus = PostgresBus(url)
    await bus.start()
    await bus.publish([record("a", b"1")])
    other = await asyncpg.connect(url)
    await other.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await other.close()

    async def publish() -> bool:
        try:
            await bus.publish([record("a", b"2")])
        except BusUnavailable:
            return False
        return True

    await eventually(publish)
    assert await eventually(lambda: values(bus)) == [b"1", b"2"]
    await bus.stop()
    await bus.stop()
    with pytest.raises(BusUnavailable):
        await bus.publish([record("a", b"3")])


async def test_a_bus_that_is_stopped_while_it_connects_leaves_no_connection_behind(postgres: PostgresServer) -> None:
    url = await postgres.fresh_database("bus")
    watching = await asyncpg.connect(postgres.admin_url)

    async def connected() -> int:
        count: int = await watching.fetchval(
            "select count(*) from pg_stat_activity where datname = $1", url.rsplit("/", 1)[1]
        )
        return count

    gc.disable()  # what was forgotten is not to be closed by chance
    try:
        for steps in range(12):
            bus = PostgresBus(url)
            await bus.start()
            await bus.start()
            publishing = asyncio.create_task(bus.publish([record("a", b"1")]))
            for _ in range(steps):
                await asyncio.sleep(0)  # noqa: TID251 a step of the loop, no pause
            await bus.stop()
            await asyncio.gather(publishing, return_exceptions=True)
            del bus, publishing

        async def all_gone() -> bool:
            return await connected() == 0

        await eventually(all_gone)
    finally:
        gc.enable()
        await watching.close()
