"""What a start learns from the log, on both buses: its own numbers, and that nothing is to be learned."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared.bus import Bus
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from shared.contracts import Event, Record, encode
from shared.contracts.requests import RequestWithdrawn
from shared.contracts.vocabulary import WithdrawalReason
from shared.ids import new_id
from shared.messaging.recovery import Recovery
from shared.messaging.tables import foretold, statements
from tests.shared.noting import app as noting
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

WITHDRAWN = RequestWithdrawn(reason=WithdrawalReason.UNSTATED)
TOPIC = WITHDRAWN.TOPIC


def stated(key: str, sequence: int, source: str) -> Record:
    return encode(
        Event(
            id=new_id(),
            source=source,
            subject=key,
            key=key,
            time=datetime.now(UTC),  # noqa: TID251 as long after the database was in use as it really is
            sequence=sequence,
            fact=WITHDRAWN,
        )
    )


async def learn(harness: Harness, bus: Bus) -> Recovery:
    """As a start does."""
    recovery = Recovery("noting", harness.service.database, bus, [TOPIC], 10)
    await recovery.learn()
    return recovery


async def is_over(recovery: Recovery) -> bool:
    await recovery.look()
    return recovery.is_over


async def check(harness: Harness, bus: Bus) -> None:
    """Own numbers go on after those of the log, and it is over once the facts were heard."""
    key = str(new_id())
    await bus.publish([stated(key, n, "noting") for n in (1, 2, 3)] + [stated(key, 1, "another")])

    recovery = await learn(harness, bus)
    assert not await is_over(recovery)
    assert [row["sequence"] for row in await harness.rows(sa.select(foretold))] == [1, 2, 3]
    known = {row["key"]: row["last_sequence"] for row in await harness.rows(sa.select(statements))}
    assert known[key] == 3
    assert not await is_over(await learn(harness, bus)), "it is still to be heard"

    async with harness.service.database.transaction() as connection:
        await recovery.forget(connection, [stated(key, 3, "noting")])
    assert await is_over(recovery)
    assert await is_over(await learn(harness, bus))


async def test_own_numbers_go_on_after_those_of_the_log(postgres: PostgresServer) -> None:
    async with Harness.start(noting.build, postgres) as harness:
        await check(harness, harness.service.bus)


@pytest.mark.timeout(240)
async def test_the_same_on_kafka(postgres: PostgresServer, kafka: list[str]) -> None:
    bus = KafkaBus(Address(kafka))
    await bus.start()
    try:
        async with Harness.start(noting.build, postgres) as harness:
            await check(harness, bus)
    finally:
        await bus.stop()
