"""What every bus must do, as plain functions: the suite, not the tests. Expectations are written by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from shared.bus import Bus, Delivered, Partition
from shared.clock import wall_now
from shared.contracts import Record

TOPIC = "heed.test"
OTHER = "heed.other"
PATIENCE_SECONDS = 10.0


def record(key: str, value: bytes | None, topic: str = TOPIC) -> Record:
    """A record with the headers that all carry."""
    return Record(topic=topic, key=key, headers={"ce_id": "1", "ce_note": "第一"}, value=value)


async def read_all(bus: Bus, *topics: str, limit: int = 1000) -> list[Delivered]:
    """Everything on the topics, read as a new reader would: from the beginning, batch by batch."""
    positions = {p: 0 for topic in topics or (TOPIC,) for p in await bus.partitions(topic)}
    ends = await bus.ends(topics or (TOPIC,))
    found: list[Delivered] = []
    async with bus.reader() as reader:
        while any(positions[p] < end for p, end in ends.items()):
            batch = await reader.read(positions, limit, PATIENCE_SECONDS)
            assert batch, "the log has an end that cannot be reached"
            found += batch
            positions |= {d.partition: d.position + 1 for d in batch}
    return found


async def nothing_is_lost(bus: Bus) -> None:
    await bus.publish([record(f"{n}", f"{n}".encode()) for n in range(300)])
    assert {d.record.value for d in await read_all(bus)} == {f"{n}".encode() for n in range(300)}


async def order_per_key_is_kept(bus: Bus) -> None:
    for n in range(30):
        await bus.publish([record(key, f"{n}".encode()) for key in "abc"])
    found = await read_all(bus, limit=7)
    for key in "abc":
        assert [int(d.record.value or b"") for d in found if d.record.key == key] == list(range(30))


async def equal_keys_share_a_partition(bus: Bus) -> None:
    await bus.publish([record(f"{n % 10}", b"x") for n in range(100)])
    seen: dict[str, set[Partition]] = {}
    for d in await read_all(bus):
        seen.setdefault(d.record.key, set()).add(d.partition)
    assert [len(partitions) for partitions in seen.values()] == [1] * 10


async def a_record_comes_back_as_it_went(bus: Bus) -> None:
    sent = record("钥匙", "值".encode())
    await bus.publish([sent])
    [found] = await read_all(bus)
    assert (found.record.key, found.record.value) == (sent.key, sent.value)
    assert found.record.topic == found.partition.topic
    assert dict(found.record.headers) == dict(sent.headers)


async def a_tombstone_has_no_value(bus: Bus) -> None:
    await bus.publish([record("a", None), record("a", b"")])
    assert [d.record.value for d in await read_all(bus)] == [None, b""]


async def positions_grow_by_one(bus: Bus) -> None:
    await bus.publish([record(f"{n}", b"x") for n in range(50)])
    by_partition: dict[Partition, list[int]] = {}
    for d in await read_all(bus):
        by_partition.setdefault(d.partition, []).append(d.position)
    assert all(positions == list(range(len(positions))) for positions in by_partition.values())


async def a_reader_begins_where_it_says(bus: Bus) -> None:
    await bus.publish([record("a", f"{n}".encode()) for n in range(10)])
    [partition] = {d.partition for d in await read_all(bus)}
    async with bus.reader() as reader:
        assert [d.record.value for d in await reader.read({partition: 8}, 100, PATIENCE_SECONDS)] == [b"8", b"9"]
        assert await reader.read({partition: 10}, 100) == []
        assert [d.record.value for d in await reader.read({partition: 9}, 100, PATIENCE_SECONDS)] == [b"9"]


async def many_writers_leave_no_hole_that_fills_later(bus: Bus) -> None:
    """A reader that follows while many write must meet every record: a late commit must not land behind it."""
    positions = dict.fromkeys(await bus.partitions(TOPIC), 0)
    met: list[bytes] = []

    async def write(writer: int) -> None:
        for n in range(20):
            await bus.publish([record(f"{(writer + k) % 5}", f"{writer}-{n}-{k}".encode()) for k in range(3)])

    async def follow() -> None:
        async with bus.reader() as reader:
            while len(met) < 8 * 20 * 3:
                for d in await reader.read(positions, 50, 0.05):
                    met.append(d.record.value or b"")
                    positions[d.partition] = d.position + 1

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(writer) for writer in range(8)))
    assert len(set(met)) == len(met) == 480


async def order_holds_across_topics(bus: Bus) -> None:
    """Whoever sees the later record can read the earlier one on its own topic."""
    positions = dict.fromkeys(await bus.partitions(OTHER), 0)
    await bus.partitions(TOPIC)

    async def write() -> None:
        for n in range(50):
            await bus.publish([record("a", f"{n}".encode()), record("a", f"{n}".encode(), OTHER)])

    writing = asyncio.create_task(write())
    async with bus.reader() as reader:
        while not writing.done():
            if later := await reader.read(positions, 1000, 0.05):
                earlier = {d.record.value for d in await read_all(bus)}
                assert {d.record.value for d in later} <= earlier
    await writing


async def a_waiting_reader_is_woken(bus: Bus) -> None:
    positions = dict.fromkeys(await bus.partitions(TOPIC), 0)
    loop = asyncio.get_running_loop()
    async with bus.reader() as reader:
        assert await reader.read(positions, 10) == []
        waiting = asyncio.create_task(reader.read(positions, 10, 20))
        began = loop.time()
        await bus.publish([record("a", b"x")])
        assert [d.record.value for d in await waiting] == [b"x"]
    assert loop.time() - began < 10


async def two_readers_do_not_disturb_each_other(bus: Bus) -> None:
    await bus.publish([record("a", f"{n}".encode()) for n in range(10)])
    [partition] = {d.partition for d in await read_all(bus)}
    async with bus.reader("one") as one, bus.reader("other") as other:
        for n in range(10):
            assert [d.record.value for d in await one.read({partition: n}, 1, PATIENCE_SECONDS)] == [f"{n}".encode()]
            assert [d.record.value for d in await other.read({partition: 0}, 1, PATIENCE_SECONDS)] == [b"0"]
        await one.report()


async def a_position_is_found_by_time(bus: Bus) -> None:
    async def publish_some() -> None:
        headers = {"ce_time": wall_now().isoformat()}
        await bus.publish([replace(record(f"{n}", b"x"), headers=headers) for n in range(20)])

    async def let_time_pass() -> None:
        async with bus.reader() as reader:
            assert await reader.read(await bus.ends([TOPIC]), 1, 0.05) == []

    start, began = dict.fromkeys(await bus.partitions(TOPIC), 0), wall_now()
    await publish_some()
    await let_time_pass()
    middle, ends = wall_now(), await bus.ends([TOPIC])
    await let_time_pass()
    await publish_some()
    assert await bus.positions_at([TOPIC], began) == start
    assert await bus.positions_at([TOPIC], middle) == ends
    assert await bus.positions_at([TOPIC], middle + timedelta(days=1)) == await bus.ends([TOPIC])


async def one_slow_partition_does_not_starve_the_others(bus: Bus) -> None:
    await bus.publish([record("busy", b"x") for _ in range(500)])
    await bus.publish([record(f"{n}", b"y") for n in range(40)])
    positions = dict.fromkeys(await bus.partitions(TOPIC), 0)
    found: list[Delivered] = []
    async with bus.reader() as reader:
        while len({d.partition for d in found}) < len(positions):
            batch = await reader.read(positions, 40, PATIENCE_SECONDS)
            found += batch
            positions |= {d.partition: d.position + 1 for d in batch}
    assert len([d for d in found if d.record.key == "busy"]) < 250


async def an_empty_publish_is_nothing(bus: Bus) -> None:
    await bus.publish([])
    assert await read_all(bus) == []


CASES: list[Callable[[Bus], Awaitable[None]]] = [
    nothing_is_lost,
    order_per_key_is_kept,
    equal_keys_share_a_partition,
    a_record_comes_back_as_it_went,
    a_tombstone_has_no_value,
    positions_grow_by_one,
    a_reader_begins_where_it_says,
    many_writers_leave_no_hole_that_fills_later,
    order_holds_across_topics,
    a_waiting_reader_is_woken,
    two_readers_do_not_disturb_each_other,
    a_position_is_found_by_time,
    one_slow_partition_does_not_starve_the_others,
    an_empty_publish_is_nothing,
]
