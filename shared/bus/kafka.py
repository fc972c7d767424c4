"""The bus on Apache Kafka: for a city. The only module that knows aiokafka.

Who reads which partition, and how far it was read, stand in each service's own database (decision 4); so partitions are
assigned by hand here, and what is committed to the broker is for its own tools to show.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.structs import ConsumerRecord

from shared.bus import BusUnavailable, Delivered, Partition, number_of
from shared.bus.kafka_address import Address
from shared.bus.kafka_connection import tell_of_closed_connections
from shared.clock import Clock
from shared.contracts import COMPACTED, Record, callbacks
from shared.database import assert_outside_transaction

BATCH_BYTES = 512 * 1024
"""Half of what a broker takes by default; an event is at most 64 KiB."""
FETCH_BYTES = 1024 * 1024
"""Most that is fetched ahead of each partition."""
FETCH_WAIT_MS = 250
QUIET_SECONDS = 60.0
"""A reader that was given nothing for so long connects anew: were the library stuck, nobody would ever hear of it."""
REQUEST_MS = 10_000
PUBLISH_SECONDS = 120.0
"""How long a publication is waited for. The library tries again by itself for as long as a broker is away; past this it
is taken to be stuck, and made anew."""
CLOSE_SECONDS = 5.0
TOPIC_SECONDS = 20.0
RETENTION_DAYS = {callbacks.TOPIC: 30}
"""How long a topic keeps what it has, where that is not for ever."""
TOPIC_EXISTS = 36
MOST_COPIES = 3
AWAY = (KafkaError, OSError, TimeoutError)
log = structlog.get_logger()


class KafkaBus:
    """The log in topics of a Kafka cluster."""

    def __init__(self, address: Address, partitions: int = 4, copies: int | None = None) -> None:
        """`partitions` and `copies` are what a topic gets when it is made; None for one a broker, at most three."""
        tell_of_closed_connections()
        self._partitions, self._copies = partitions, copies
        self._common: dict[str, Any] = {
            "bootstrap_servers": list(address.servers),
            "request_timeout_ms": REQUEST_MS,
            **address.security,
        }
        self._known: dict[str, list[Partition]] = {}
        self._producer: AIOKafkaProducer | None = None
        self._asking: AIOKafkaConsumer | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._one_publication = asyncio.Lock()
        self._one_connects = asyncio.Lock()
        self._clock = Clock()

    async def start(self) -> None:
        """Nothing yet: a service starts and takes what comes while the brokers are away."""

    async def stop(self) -> None:
        """Disconnect."""
        for client in (self._producer, self._asking):
            self._close(client)
        self._producer = self._asking = None
        if self._closing:
            await asyncio.wait(self._closing)

    def _close(self, client: AIOKafkaProducer | AIOKafkaConsumer | None) -> None:
        """Close in the background: what is still on its way may take as long as a broker is away."""
        if client is not None:
            task = asyncio.create_task(_stop(client), name="bus-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # Publishing

    async def publish(self, records: Sequence[Record]) -> None:
        """Append the records; where a subject's next record is for another topic, after the one before is durable.

        One publication at a time: the library counts down too fast for those that wait for a place in a partition.
        """
        assert_outside_transaction()
        async with self._one_publication:
            for wave in waves(records):
                by_partition: dict[Partition, deque[Record]] = defaultdict(deque)
                for record in wave:
                    partitions = await self.partitions(record.topic)
                    by_partition[partitions[number_of(record.key, len(partitions))]].append(record)
                await self._send(by_partition)

    async def _send(self, waiting: Mapping[Partition, deque[Record]]) -> None:
        """To each partition one batch after the other: a batch stands in the log whole or not at all."""
        producer = await self._publishing()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                while any(waiting.values()):
                    sent = [await _send_batch(producer, p, queue) for p, queue in waiting.items() if queue]
                    await asyncio.wait(sent)
                    for future in sent:
                        future.result()
        except AWAY as failed:
            log.warning("publish_failed", error=type(failed).__name__)
            self._producer = None
            self._close(producer)
            raise BusUnavailable("the bus did not acknowledge") from failed

    async def _publishing(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(**self._common, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES)
            await _started(producer)
            self._producer = producer
        return self._producer

    # Topics

    async def partitions(self, topic: str) -> list[Partition]:
        """All partitions of the topic, made where the topic is new."""
        if topic not in self._known:
            try:
                async with asyncio.timeout(TOPIC_SECONDS), self._admin() as admin:
                    numbers = await self._ensure_topic(admin, topic)
            except AWAY as away:
                raise BusUnavailable("the bus does not answer") from away
            self._known[topic] = [Partition(topic, number) for number in numbers]
        return self._known[topic]

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**self._common)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    async def _ensure_topic(self, admin: AIOKafkaAdminClient, topic: str) -> list[int]:
        """The numbers of its partitions, once each has a leader."""
        is_asked_for = False
        while not (numbers := await _led_partitions(admin, topic)):
            if not is_asked_for:
                await self._create(admin, topic)
                is_asked_for = True
            await self._clock.pause(0.05)
        return numbers

    async def _create(self, admin: AIOKafkaAdminClient, topic: str) -> None:
        copies = self._copies or min(MOST_COPIES, await _count_brokers(admin))
        new = NewTopic(topic, self._partitions, copies, topic_configs=settings_of(topic, copies))
        answer = await admin.create_topics([new])
        for _, code, *_ in answer.topic_errors:
            if code not in {0, TOPIC_EXISTS}:
                raise for_code(code)(topic)

    async def count_brokers(self) -> int:
        """How many brokers there are now."""
        try:
            async with asyncio.timeout(TOPIC_SECONDS), self._admin() as admin:
                return await _count_brokers(admin)
        except AWAY as away:
            raise BusUnavailable("the bus does not answer") from away

    # Asking

    async def ends(self, topics: Sequence[str]) -> dict[Partition, int]:
        """For each partition the position that the next record will have."""
        wanted = [p for topic in topics for p in await self.partitions(topic)]
        asking = await self._consumer()
        try:
            found = await asking.end_offsets([TopicPartition(*p) for p in wanted])
        except AWAY as away:
            raise BusUnavailable("the bus does not answer") from away
        return {Partition(tp.topic, tp.partition): end for tp, end in found.items()}

    async def positions_at(self, topics: Sequence[str], at: datetime) -> dict[Partition, int]:
        """By the times at which the brokers appended: an event is stated before it stands in the log."""
        ends = await self.ends(topics)
        asking = await self._consumer()
        try:
            found = await asking.offsets_for_times({TopicPartition(*p): int(at.timestamp() * 1000) for p in ends})
        except AWAY as away:
            raise BusUnavailable("the bus does not answer") from away
        at_time = {Partition(tp.topic, tp.partition): known.offset for tp, known in found.items() if known}
        return ends | at_time

    async def _consumer(self) -> AIOKafkaConsumer:
        """The one that asks where logs end; it reads nothing."""
        async with self._one_connects:
            if self._asking is None:
                asking = AIOKafkaConsumer(**self._common)
                await _started(asking)
                self._asking = asking
            return self._asking

    @asynccontextmanager
    async def reader(self, group: str | None = None) -> AsyncIterator["KafkaReader"]:
        """Somebody who reads, with a connection of his own."""
        reader = KafkaReader(self._common, group)
        try:
            yield reader
        finally:
            self._close(reader.let_go())


class KafkaReader:
    """Reads partitions that are assigned by hand."""

    def __init__(self, common: Mapping[str, Any], group: str | None) -> None:
        """`group` is the name under which the broker shows how far was read."""
        self._common, self._group = common, group
        self._consumer: AIOKafkaConsumer | None = None
        self._at: dict[TopicPartition, int] = {}
        self._heard_at = 0.0
        self._clock = Clock()

    async def read(
        self, positions: Mapping[Partition, int], limit: int, patience_seconds: float = 0.0
    ) -> list[Delivered]:
        """What was fetched ahead from these positions, or comes within this time."""
        if not positions:
            await self._clock.pause(patience_seconds)
            return []
        consumer = await self._started()
        self._point(consumer, {TopicPartition(*p): position for p, position in positions.items()})
        share = max(1, limit // len(positions))
        try:
            found = await consumer.getmany(timeout_ms=int(patience_seconds * 1000), max_records=share)
            for other in self._at.keys() - found.keys() if found else ():
                found |= await consumer.getmany(other, timeout_ms=0, max_records=share)
        except AWAY as away:
            raise BusUnavailable("the bus does not answer") from away
        await self._renew_if_quiet(is_quiet=not found)
        self._at |= {tp: messages[-1].offset + 1 for tp, messages in found.items() if messages}
        return [_delivered(message) for messages in found.values() for message in messages]

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._common,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # what a topic no longer keeps is passed over
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await _started(consumer)
            self._consumer, self._heard_at = consumer, asyncio.get_running_loop().time()
        return self._consumer

    async def _renew_if_quiet(self, *, is_quiet: bool) -> None:
        now = asyncio.get_running_loop().time()
        if not is_quiet:
            self._heard_at = now
        elif now - self._heard_at > QUIET_SECONDS and (consumer := self.let_go()):
            await _stop(consumer)

    def _point(self, consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, int]) -> None:
        """Have it read from there; where it stands there already, what it has fetched ahead stays."""
        if wanted.keys() != self._at.keys():
            consumer.assign(list(wanted))
            self._at = {}
        for tp, position in wanted.items():
            if self._at.get(tp) != position:
                consumer.seek(tp, position)
                self._at[tp] = position

    async def report(self) -> None:
        """Commit where it stands, for tools that show lag and scale by it."""
        if self._consumer is None or self._group is None or not self._at:
            return
        try:
            await self._consumer.commit(dict(self._at))
        except AWAY as failed:
            log.warning("positions_not_shown", error=type(failed).__name__)

    def let_go(self) -> AIOKafkaConsumer | None:
        """Give up the connection, to be closed."""
        consumer, self._consumer, self._at = self._consumer, None, {}
        return consumer


def waves(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The records in groups, each to go out once the one before is durable.

    Within a group every subject, and every key, stays on one topic: there a partition keeps the order by itself.
    """
    grouped: list[list[Record]] = []
    at: dict[str, tuple[int, str]] = {}
    for record in records:
        wave = 0
        for name in {record.headers.get("ce_subject", record.key), record.key}:
            before, topic = at.get(name, (0, record.topic))
            wave = max(wave, before + (topic != record.topic))
        for name in {record.headers.get("ce_subject", record.key), record.key}:
            at[name] = wave, record.topic
        if wave == len(grouped):
            grouped.append([])
        grouped[wave].append(record)
    yield from grouped


def settings_of(topic: str, copies: int) -> dict[str, str]:
    """The settings with which a topic is made."""
    days = RETENTION_DAYS.get(topic)
    return {
        "cleanup.policy": "compact" if topic in COMPACTED else "delete",
        "retention.ms": str(days * 24 * 60 * 60 * 1000) if days else "-1",
        "min.insync.replicas": str(max(1, copies - 1)),
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
    }


async def _send_batch(producer: AIOKafkaProducer, partition: Partition, queue: deque[Record]) -> "asyncio.Future[Any]":
    """Send as much of the queue as one batch holds."""
    batch = producer.create_batch()
    while queue:
        record = queue[0]
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        if batch.append(key=record.key.encode(), value=record.value, timestamp=None, headers=headers) is None:
            break
        queue.popleft()
    batch.close()
    sent: asyncio.Future[Any] = await producer.send_batch(batch, partition.topic, partition=partition.number)
    return sent


async def _count_brokers(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


async def _led_partitions(admin: AIOKafkaAdminClient, topic: str) -> list[int]:
    """The numbers of the topic's partitions where all have a leader; none otherwise."""
    [described] = await admin.describe_topics([topic])
    partitions = described["partitions"]
    if described["error_code"] or any(p["error_code"] or p["leader"] < 0 for p in partitions):
        return []
    return sorted(p["partition"] for p in partitions)


async def _started(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Connect; a client that cannot is closed again."""
    try:
        await client.start()
    except AWAY as away:
        await _stop(client)
        raise BusUnavailable("the bus does not answer") from away
    except BaseException:
        await _stop(client)
        raise


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    with suppress(*AWAY):
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.stop()


def _delivered(message: "ConsumerRecord[bytes, bytes]") -> Delivered:
    headers = {name: value.decode("utf-8", "replace") for name, value in message.headers}
    key = (message.key or b"").decode("utf-8", "replace")
    return Delivered(
        partition=Partition(message.topic, message.partition),
        position=message.offset,
        record=Record(topic=message.topic, key=key, headers=headers, value=message.value),
    )
