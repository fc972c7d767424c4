"""What a start learns from the log, on both buses: its own numbers, and that nothing is to be learned."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared.bus import Bus
from shared.bus.kafka import KafkaBus
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


@pytest.mark.parametrize("kind", ["postgres", "kafka"])
@pytest.mark.timeout(240)
async def test_own_numbers_go_on_after_those_of_the_log(
    kind: str, postgres: PostgresServer, request: pytest.FixtureRequest
) -> None:
    async with Harness.start(noting.build, postgres) as harness:
        bus: Bus = harness.service.bus
        if kind == "kafka":
            bus = KafkaBus(request.getfixturevalue("kafka"))
            await bus.start()
        key = str(new_id())
        await bus.publish([stated(key, n, "noting") for n in (1, 2, 3)] + [stated(key, 1, "another")])

        recovery = await learn(harness, bus)
        assert not recovery.is_over
        assert [row["sequence"] for row in await harness.rows(sa.select(foretold))] == [1, 2, 3]
        known = {row["key"]: row["last_sequence"] for row in await harness.rows(sa.select(statements))}
        assert known[key] == 3
        assert not (await learn(harness, bus)).is_over, "it is still to be heard"

        async with harness.service.database.transaction() as connection:
            await recovery.forget(connection, [stated(key, 3, "noting")])
        await recovery.look()
        assert recovery.is_over
        assert (await learn(harness, bus)).is_over
        if kind == "kafka":
            await bus.stop()
