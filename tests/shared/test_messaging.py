"""Relay and positions: what a crash or a frozen process can do, and cannot."""

from collections.abc import AsyncIterator, Sequence

import pytest
import sqlalchemy as sa

from shared.bus import Partition
from shared.bus.postgres import PostgresBus
from shared.contracts import Record
from shared.contracts.requests import RequestWithdrawn
from shared.contracts.vocabulary import WithdrawalReason
from shared.database import InsideTransaction
from shared.ids import new_id
from shared.messaging import leases
from shared.messaging.positions import Positions, StaleLease
from shared.messaging.relay import Relay
from shared.messaging.tables import outbox
from shared.messaging.work import Work
from shared.problems import Problem
from tests.contract.bus_cases import read_all
from tests.shared.noting import app as noting
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

WITHDRAWN = RequestWithdrawn(reason=WithdrawalReason.UNSTATED)
TOPIC = WITHDRAWN.TOPIC


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    async with Harness.start(noting.build, postgres) as made:
        yield made


class DiesAfterPublishing(PostgresBus):
    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish(records)
        raise KeyboardInterrupt


async def state(work: Work, subjects: list[object]) -> None:
    for subject in subjects:
        work.state(WITHDRAWN, str(subject))


async def test_a_relay_that_dies_after_publishing_publishes_again_and_readers_can_tell(harness: Harness) -> None:
    service = harness.service
    subject = new_id()
    await service.command(state, [subject, subject])
    dying = DiesAfterPublishing(service.settings.bus or "")
    await dying.start()
    with pytest.raises(KeyboardInterrupt):
        await Relay(service.database, dying, "a", 10, 1).relay_once()
    await dying.stop()
    await Relay(service.database, service.bus, "b", 10, 1).relay_once()
    numbers = [d.record.headers["ce_sequence"] for d in await read_all(service.bus, TOPIC)]
    assert numbers == ["1", "2", "1", "2"]
    assert await harness.rows(sa.select(outbox)) == []


async def test_what_is_rolled_back_is_never_published(harness: Harness) -> None:
    async def fail(work: Work) -> None:
        work.state(WITHDRAWN, new_id())
        await work.flush()
        raise Problem

    with pytest.raises(Problem):
        await harness.service.command(fail)
    assert await harness.rows(sa.select(outbox)) == []


async def test_one_relay_at_a_time_and_the_next_when_it_lets_go(harness: Harness) -> None:
    database = harness.service.database
    assert await leases.hold(database, "relay", "a", 60)
    assert await leases.hold(database, "relay", "a", 60)
    assert not await leases.hold(database, "relay", "b", 60)
    await leases.release(database, "relay", "a")
    assert await leases.hold(database, "relay", "b", 60)


async def test_a_frozen_process_that_wakes_cannot_write(harness: Harness) -> None:
    database, partition = harness.service.database, Partition(TOPIC, 0)
    frozen, next_one = Positions(database, "frozen", 0.000001), Positions(database, "next", 60)
    await frozen.claim([partition])
    await next_one.claim([partition])
    assert partition in next_one.read_from

    async def write_as_if_nothing_had_happened(work: Work) -> None:
        work.state(WITHDRAWN, new_id())
        await work.flush()
        await frozen.advance(work.connection, {partition: 5})

    with pytest.raises(StaleLease):
        await harness.service.command(write_as_if_nothing_had_happened)
    assert await harness.rows(sa.select(outbox)) == []
    async with database.transaction() as connection:
        await next_one.advance(connection, {partition: 7})
    third = Positions(database, "next", 60)
    await third.claim([partition])
    assert third.read_from[partition] == 7


async def held_by(*replicas: Positions) -> list[list[int]]:
    """Which of six partitions each replica reads, once each has seen the others, let go, and taken."""
    partitions = [Partition(TOPIC, n) for n in range(6)]
    for replica in replicas * 3:
        await replica.claim(partitions)
    return [sorted(p.number for p in replica.read_from) for replica in replicas]


async def test_a_partition_in_use_is_not_taken(harness: Harness) -> None:
    await harness.service.positions.release()
    database, partition = harness.service.database, Partition(TOPIC, 1)
    one, other = Positions(database, "one", 60), Positions(database, "other", 60)
    await one.claim([partition])
    await other.claim([partition])
    assert (partition in one.read_from, partition in other.read_from) == (True, False)


async def test_replicas_share_the_partitions_evenly_and_none_is_read_twice(harness: Harness) -> None:
    await harness.service.positions.release()
    one, two, three = (Positions(harness.service.database, name, 60) for name in ("a", "b", "c"))
    assert await held_by(one) == [[0, 1, 2, 3, 4, 5]]
    assert await held_by(one, two) == [[0, 2, 4], [1, 3, 5]]
    assert await held_by(one, two, three) == [[0, 3], [1, 4], [2, 5]]
    await two.release()
    assert await held_by(one, three) == [[0, 2, 4], [1, 3, 5]]


async def test_what_is_handed_over_is_read_on_from_where_it_stood(harness: Harness) -> None:
    await harness.service.positions.release()
    database, partition = harness.service.database, Partition(TOPIC, 1)
    one, two = Positions(database, "a", 60), Positions(database, "b", 60)
    await held_by(one)
    async with database.transaction() as connection:
        await one.advance(connection, {partition: 7})
    one.read_from[partition] = 7
    await held_by(one, two)
    assert two.read_from[partition] == 7
    with pytest.raises(StaleLease):
        async with database.transaction() as connection:
            await one.advance(connection, {partition: 8})


async def test_the_share_of_one_that_died_goes_to_the_others(harness: Harness) -> None:
    await harness.service.positions.release()
    dying, other = Positions(harness.service.database, "a", 0.000001), Positions(harness.service.database, "b", 60)
    await held_by(dying)
    assert await held_by(other) == [[0, 1, 2, 3, 4, 5]]


async def test_nothing_is_published_inside_a_transaction(harness: Harness) -> None:
    async with harness.service.database.transaction():
        with pytest.raises(InsideTransaction):
            await harness.service.bus.publish([])
