"""A client that is not ours (librdkafka, which kcat is made of) reads our topics: headers, values, settings, places."""

import asyncio
import json
from collections.abc import Sequence
from uuid import uuid4

from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined] # no __all__

from shared.bus import number_of
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.contracts import TOPICS, Event, Fact, Record, encode, requests, texts
from tests.contract.examples import AT, EXAMPLES, REQUEST

PATIENCE_SECONDS = 20.0
PARTITIONS = 4
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def events(topic: str) -> list[Event[Fact]]:
    """An event of each type of the topic, all about one request."""
    subject = str(REQUEST)
    return [
        Event(
            id=uuid4(), source="intake", subject=subject, key=subject, time=AT, sequence=n, fact=fact, traceparent=TRACE
        )
        for n, fact in enumerate((fact for fact in EXAMPLES if topic == fact.TOPIC), 1)
    ]


def tail(servers: Sequence[str], topic: str, count: int) -> list[Message]:
    """What `kcat -C -t TOPIC -o beginning -c COUNT` does."""
    consumer = Consumer(
        {
            "bootstrap.servers": ",".join(servers),
            "group.id": f"stock-{uuid4().hex}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        return consumer.consume(count, timeout=PATIENCE_SECONDS)
    finally:
        consumer.close()


async def published(servers: Sequence[str], topic: str, records: Sequence[Record]) -> list[Message]:
    """The records, published by our bus, as the stock client reads them."""
    bus = KafkaBus(Address(servers), PARTITIONS)
    try:
        await bus.publish(records)
    finally:
        await bus.stop()
    return await asyncio.to_thread(tail, servers, topic, len(records))


def renamed(stated: Sequence[Event[Fact]], topic: str) -> list[Record]:
    """The events as records of a topic that this test has for itself."""
    return [Record(topic=topic, key=r.key, headers=r.headers, value=r.value) for r in map(encode, stated)]


async def test_it_reads_every_type_with_its_headers(kafka: list[str]) -> None:
    stated, topic = events(requests.TOPIC), f"stock.{uuid4().hex}"
    found = await published(kafka, topic, renamed(stated, topic))
    assert len(found) == len(stated) > 20
    for message, event in zip(found, stated, strict=True):
        assert message.error() is None
        assert message.key() == str(REQUEST).encode()
        assert dict(message.headers() or []) == {
            "ce_specversion": b"1.0",
            "ce_id": str(event.id).encode(),
            "ce_type": event.type.encode(),
            "ce_source": b"/heed/intake",
            "ce_subject": str(REQUEST).encode(),
            "ce_time": b"2026-11-24T12:00:00Z",
            "ce_sequence": str(event.sequence).encode(),
            "content-type": b"application/json",
            "traceparent": TRACE.encode(),
        }
        assert type(event.fact).model_validate(json.loads(message.value() or b"")) == event.fact


async def test_it_reads_a_tombstone_as_one(kafka: list[str]) -> None:
    topic = f"stock.{uuid4().hex}"
    erased = [event for event in events(texts.TOPIC) if isinstance(event.fact, texts.TextErased)]
    [found] = await published(kafka, topic, renamed(erased, topic))
    assert found.value() is None
    assert dict(found.headers() or [])["ce_type"] == texts.TextErased.TYPE.encode()


async def test_a_stock_producer_puts_a_key_where_we_do(kafka: list[str]) -> None:
    topic, keys = f"stock.{uuid4().hex}", [str(uuid4()) for _ in range(40)]
    await published(kafka, topic, [Record(topic=topic, key="first", headers={}, value=b"x")])
    placed: dict[str, int | None] = {}

    def note(_error: object, message: Message) -> None:
        placed[(message.key() or b"").decode()] = message.partition()

    def produce() -> None:
        producer = Producer({"bootstrap.servers": ",".join(kafka), "partitioner": "consistent_random"})
        for key in keys:
            producer.produce(topic, b"x", key, on_delivery=note)
        producer.flush(PATIENCE_SECONDS)

    await asyncio.to_thread(produce)
    assert placed == {key: number_of(key, PARTITIONS) for key in keys}


async def test_it_sees_the_settings_that_keep_what_is_promised(kafka: list[str]) -> None:
    bus = KafkaBus(Address(kafka))
    for topic in TOPICS:
        await bus.partitions(topic)
    await bus.stop()

    def ask() -> dict[str, dict[str, str]]:
        admin = AdminClient({"bootstrap.servers": ",".join(kafka)})
        asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic) for topic in TOPICS])
        answers = {resource.name: future.result(PATIENCE_SECONDS) for resource, future in asked.items()}
        return {topic: {name: entry.value for name, entry in found.items()} for topic, found in answers.items()}

    settings = await asyncio.to_thread(ask)
    assert {topic for topic in TOPICS if settings[topic]["cleanup.policy"] == "compact"} == {
        "heed.texts",
        "heed.directory",
    }
    assert settings[requests.TOPIC]["retention.ms"] == "-1"
    assert settings[requests.TOPIC]["unclean.leader.election.enable"] == "false"
