"""A Kafka for a test session: the one that HEED_TEST_KAFKA names (host:port,host:port), or one of our own."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

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
