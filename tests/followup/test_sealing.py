"""Sealing: the hash moves with the position, in one transaction, whatever happens; what is quiet publishes nothing."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from followup import chain, sealing
from followup.app import build
from followup.seal_store import chains
from shared.bus import Delivered, Partition
from shared.contracts import Record, encode
from shared.contracts.directory import Named, OrganisationRecorded
from shared.contracts.operations import AlarmCleared, LogSealed
from shared.contracts.vocabulary import AlarmKind
from shared.messaging.tables import positions
from tests.followup.stories import Story
from tests.support.builders import Builder
from tests.support.harness import Harness
from tests.support.harness import test_settings as settings_for_tests

REQUESTS, OPERATIONS = Partition("heed.requests", 0), Partition("heed.operations", 0)
MINUTE = timedelta(minutes=1)
TORN = Record(topic="heed.requests", key="torn", headers={"ce_type": "heed.request.received"}, value=b"{")


@pytest.fixture
async def reading(harness: Harness) -> Harness:
    await harness.service.positions.claim([REQUESTS, OPERATIONS])
    return harness


def told(count: int = 3) -> list[Record]:
    return [encode(event) for event in Story(Builder()).begun().events[:count]]


def batch(records: list[Record], begin: int = 0, at: Partition = REQUESTS) -> list[Delivered]:
    return [Delivered(partition=at, position=begin + n, record=record) for n, record in enumerate(records)]


async def read(harness: Harness, delivered: list[Delivered]) -> None:
    assert harness.service.consumer is not None
    await harness.service.consumer.handle(delivered)


async def seal(harness: Harness) -> list[LogSealed]:
    before = len(await harness.stated(LogSealed))
    await harness.service.command(sealing.seal, MINUTE)
    return [event.fact for event in (await harness.stated(LogSealed))[before:]]


async def kept(harness: Harness) -> list[dict[str, Any]]:
    return await harness.rows(sa.select(chains).order_by(chains.c.topic))


def expected(records: list[Record], begin: int = 0) -> chain.Chain:
    running = chain.begin(*REQUESTS, begin)
    for n, record in enumerate(records):
        running = chain.extend(running, begin + n, record)
    return running


async def test_a_seal_says_how_far_and_what(reading: Harness) -> None:
    records = told(5)
    await read(reading, batch(records[:3]))
    [first] = await seal(reading)
    assert (first.first_position, first.from_position, first.to_position, first.records) == (0, 0, 3, 3)
    assert (first.topic, first.partition, first.hash) == ("heed.requests", 0, expected(records[:3]).hash.hex())
    await read(reading, batch(records[3:], 3))
    reading.clock.turn(minutes=2)
    [second] = await seal(reading)
    assert (second.first_position, second.from_position, second.to_position, second.records) == (0, 3, 5, 5)
    assert second.hash == expected(records).hash.hex()


async def test_a_quiet_partition_publishes_nothing_new(reading: Harness) -> None:
    await read(reading, batch(told()))
    assert len(await seal(reading)) == 1
    reading.clock.turn(minutes=2)
    assert await seal(reading) == []


async def test_it_is_sealed_once_a_minute_whoever_asks(reading: Harness) -> None:
    records = told(4)
    await read(reading, batch(records[:2]))
    assert len(await seal(reading)) == 1
    await read(reading, batch(records[2:], 2))
    reading.clock.turn(seconds=59)
    assert await seal(reading) == []
    reading.clock.turn(seconds=1)
    assert len(await seal(reading)) == 1


async def test_seals_of_seals_come_to_an_end(reading: Harness) -> None:
    """A seal is news for its topic unless it is a seal of that topic: else each would ask for the next, for ever."""
    await read(reading, batch(told()))
    rounds = []
    for n in range(5):
        seals = await seal(reading)
        rounds.append([fact.topic for fact in seals])
        events = await reading.stated(LogSealed)
        new = [encode(event) for event in events][len(events) - len(seals) :]
        await read(reading, batch(new, n, OPERATIONS))
        reading.clock.turn(minutes=2)
    assert rounds == [["heed.requests"], ["heed.operations"], [], [], []]
    alarm = AlarmCleared(service="followup", kind=AlarmKind.SILENT)
    await read(reading, batch([encode(Builder().event(alarm, "x", source="followup"))], 9, OPERATIONS))
    [seals_of_all] = await seal(reading)
    assert seals_of_all.records == 3


async def test_a_batch_that_is_read_again_changes_no_hash(reading: Harness) -> None:
    records = told(4)
    await read(reading, batch(records))
    before = await kept(reading)
    await read(reading, batch(records))
    await read(reading, batch(records[1:], 1))
    assert await kept(reading) == before


async def test_what_stands_twice_in_the_log_is_hashed_twice(reading: Harness) -> None:
    records = told(3)
    await read(reading, batch([*records, records[1]]))
    [row] = await kept(reading)
    assert row["hash"] == expected([*records, records[1]]).hash


async def test_what_nobody_can_read_is_hashed_too(reading: Harness) -> None:
    records = [*told(2), TORN]
    await read(reading, batch(records))
    [row] = await kept(reading)
    assert (row["position"], row["hash"]) == (3, expected(records).hash)
    assert len(await reading.parked()) == 1


async def test_a_batch_that_is_rolled_back_leaves_hash_and_position(reading: Harness) -> None:
    """Another process has taken the partition over meanwhile: neither its position nor its hash may move."""
    records = told(4)
    await read(reading, batch(records[:2]))
    async with reading.service.database.transaction() as connection:
        await connection.execute(sa.update(positions).values(epoch=positions.c.epoch + 1, owner="other"))
    await read(reading, batch(records[2:], 2))
    [row] = await kept(reading)
    moved = await reading.rows(sa.select(positions.c.position).where(positions.c.topic == "heed.requests"))
    assert (row["position"], moved) == (2, [{"position": 2}])


async def test_who_takes_a_partition_over_goes_on_with_its_hash(reading: Harness) -> None:
    records = told(5)
    await read(reading, batch(records[:2]))
    await reading.service.positions.release()
    url = reading.service.settings.database
    second = Harness(build(settings_for_tests(database=url, bus=url, instance="second"), reading.clock), reading.clock)
    await second.service.start()
    try:
        await second.service.positions.claim([REQUESTS])
        at = second.service.positions.read_from[REQUESTS]
        await read(second, batch(records[at:], at))
        [fact] = await seal(second)
        assert fact.hash == expected(records).hash.hex()
        reading.clock.turn(minutes=2)
        assert await seal(reading) == []
    finally:
        await second.service.stop()


async def test_sealing_that_comes_to_an_old_log_begins_where_followup_stands(reading: Harness) -> None:
    records = told(3)
    await read(reading, batch(records, 40))
    [fact] = await seal(reading)
    assert (fact.first_position, fact.to_position, fact.records) == (40, 43, 3)
    assert fact.hash == expected(records, 40).hash.hex()


async def test_what_a_compacted_topic_loses_one_day_is_in_no_hash(reading: Harness) -> None:
    at = Partition("heed.directory", 0)
    await reading.service.positions.claim([at])
    fact = OrganisationRecorded(organisation="hospital", name=Named(zh="医院", en="Hospital"))
    await read(reading, batch([encode(Builder().event(fact, "hospital"))], at=at))
    assert (await kept(reading), await seal(reading)) == ([], [])
