"""A connection that the broker has closed is told of as such on uvloop too, and a quiet reader connects anew."""

from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from shared.bus import kafka
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.bus.kafka_connection import Connection
from tests.contract.bus_cases import TOPIC, record
from tests.support.kafka import mock_servers


async def write_to_a_closed_one(kind: type[Any], server: str) -> Any:
    """Send on a connection whose transport is closed, before its reader has noticed."""
    host, port = server.split(":")
    connection = kind(host, int(port))
    await connection.connect()
    writer = connection._writer
    connection.close()
    await writer.wait_closed()
    connection._writer = writer
    return await connection.send(ApiVersionRequest())


@pytest.mark.parametrize(
    ("kind", "raised"),
    [(Connection, KafkaConnectionError), (AIOKafkaConnection, RuntimeError)],
    ids=["ours", "theirs, or this module may go"],
)
def test_a_closed_connection_is_told_of(kind: type[Any], raised: type[Exception]) -> None:
    with mock_servers(1) as [server], pytest.raises(raised):
        uvloop.run(write_to_a_closed_one(kind, server))


async def test_a_quiet_reader_connects_anew_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "QUIET_SECONDS", 0.1)
    with mock_servers(1) as servers:
        bus = KafkaBus(Address(servers))
        try:
            positions = dict.fromkeys(await bus.partitions(TOPIC), 0)
            async with bus.reader() as reader:
                first = await started(reader)
                assert await reader.read(positions, 10, 0.2) == []
                await bus.publish([record("a", b"1")])
                assert [d.record.value for d in await reader.read(positions, 10, 10)] == [b"1"]
                assert await started(reader) is not first
        finally:
            await bus.stop()


async def started(reader: kafka.KafkaReader) -> object:
    """The connection that it reads with."""
    return await reader._started()
