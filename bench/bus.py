"""The bus on Kafka beside the plain library, on one broker: records a second, published and read."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.report import Row, at_least
from services.cluster.kafka import brokers_in
from shared.bus import Partition, number_of
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.contracts import Record

ROUNDS = 3
BATCH = 1000
PARTITIONS = 4
PATIENCE_MS = 5000
HEADERS = {
    "ce_specversion": "1.0",
    "ce_id": "01939f7e-7c3b-7d1e-9f00-5b1f6f1c2d3e",
    "ce_type": "heed.request.received",
    "ce_source": "/heed/intake",
    "ce_subject": "01939f7e-7c3b-7d1e-9f00-5b1f6f1c2d3e",
    "ce_time": "2026-03-02T08:00:00.000000Z",
    "ce_sequence": "1",
    "content-type": "application/json",
}
VALUE = b'{"channel":"app","area":"pinghu/dushangang/huxiao/06","text_id":"01939f7e-7c3b-7d1e-9f00-5b1f6f1c2d3e"}' * 4


def records(topic: str, count: int) -> list[Record]:
    """Facts about so many requests."""
    return [
        Record(topic=topic, key=f"{n}", headers=HEADERS | {"ce_subject": f"{n}"}, value=VALUE) for n in range(count)
    ]


async def _publish_plainly(producer: AIOKafkaProducer, batch: Sequence[Record]) -> None:
    sent = [
        await producer.send(
            r.topic,
            r.value,
            r.key.encode(),
            number_of(r.key, PARTITIONS),
            headers=[(name, value.encode()) for name, value in r.headers.items()],
        )
        for r in batch
    ]
    await asyncio.gather(*sent)


async def _read_plainly(servers: Sequence[str], topic: str, count: int) -> float:
    """Records a second, connecting included, as in ours."""
    began, found = monotonic(), 0
    consumer = AIOKafkaConsumer(bootstrap_servers=list(servers), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])
        while found < count:
            batch = await consumer.getmany(timeout_ms=PATIENCE_MS, max_records=BATCH)
            found += sum(len(messages) for messages in batch.values())
        return count / (monotonic() - began)
    finally:
        await consumer.stop()


async def _read(bus: KafkaBus, topic: str, count: int) -> float:
    positions: dict[Partition, int] = dict.fromkeys(await bus.partitions(topic), 0)
    async with bus.reader() as reader:
        began, found = monotonic(), 0
        while found < count:
            batch = await reader.read(positions, BATCH, PATIENCE_MS / 1000)
            found += len(batch)
            positions |= {d.partition: d.position + 1 for d in batch}
        return count / (monotonic() - began)


async def measure(work: Path, count: int) -> list[Row]:
    """The rows about the bus; ours and the plain one take turns."""
    rates: dict[str, list[float]] = {"plain out": [], "our out": [], "plain in": [], "our in": []}
    async with brokers_in(work / "bus", 1) as brokers:
        bus = KafkaBus(Address(brokers.servers), PARTITIONS)
        producer = AIOKafkaProducer(bootstrap_servers=brokers.servers, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            for n in range(ROUNDS):
                plain, ours = f"bench.plain.{n}", f"bench.ours.{n}"
                for topic in (plain, ours):
                    await bus.partitions(topic)
                rates["plain out"].append(await _timed(count, records(plain, count), producer, None))
                rates["our out"].append(await _timed(count, records(ours, count), None, bus))
                rates["plain in"].append(await _read_plainly(brokers.servers, plain, count))
                rates["our in"].append(await _read(bus, ours, count))
        finally:
            await producer.stop()
            await bus.stop()
    middle = {name: sorted(found)[ROUNDS // 2] for name, found in rates.items()}
    return [
        at_least(f"Kafka, {title}, against plain aiokafka", f"{ours:.0f}/s; plain {plain:.0f}/s", ours / plain, 0.7)
        for title, ours, plain in (
            ("published", middle["our out"], middle["plain out"]),
            ("read", middle["our in"], middle["plain in"]),
        )
    ]


async def _timed(count: int, made: list[Record], producer: AIOKafkaProducer | None, bus: KafkaBus | None) -> float:
    began = monotonic()
    for n in range(0, count, BATCH):
        if bus is not None:
            await bus.publish(made[n : n + BATCH])
        elif producer is not None:
            await _publish_plainly(producer, made[n : n + BATCH])
    return count / (monotonic() - began)
