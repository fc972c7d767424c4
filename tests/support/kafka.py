"""A Kafka for a test session: the one that HEED_TEST_KAFKA names (host:port,host:port), or one of our own.

Where neither can be had, tests that need a broker are skipped, which counts as a failure where HEED_TEST_STRICT is set;
what speaks Kafka's protocol is tried against the mock cluster inside librdkafka everywhere.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer

from services.cluster.kafka import NoKafka, brokers_in, fetch_jars


async def kafka_or_skip() -> None:
    """Skip the test, and say what is missing, where no broker of our own can be started."""
    try:
        await fetch_jars()
    except NoKafka as missing:
        pytest.skip(f"no Kafka: {missing}")


@asynccontextmanager
async def kafka_servers(brokers: int = 1) -> AsyncIterator[list[str]]:
    """The addresses of brokers, for as long as the block lasts; skips where none can be had, and says why."""
    if named := os.environ.get("HEED_TEST_KAFKA"):
        yield named.split(",")
        return
    with tempfile.TemporaryDirectory(prefix="heed-kafka-") as folder:
        try:
            async with brokers_in(Path(folder), brokers) as running:
                yield running.servers
        except NoKafka as missing:
            pytest.skip(f"no Kafka: {missing}")


@contextmanager
def mock_servers(brokers: int = 3) -> Iterator[list[str]]:
    """The addresses of a mock cluster in this process: no Java, no disk; it makes a topic when it is first asked about.

    It keeps to the protocol in producing and fetching. It knows no admin commands, times of records or retention.
    """
    cluster = Producer({"bootstrap.servers": "mock:1", "test.mock.num.brokers": brokers, "log_level": 3})
    yield [f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=10).brokers.values()]
    del cluster
