"""The schema as declared, the cost of a batch, and what is forgotten when."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event

from services.callbacks.app import build
from services.callbacks.store import attempts, cases, deliveries, facts, metadata, notices
from shared.contracts import requests as r
from shared.contracts.vocabulary import WithdrawalReason
from tests.callbacks.desk import Desk
from tests.callbacks.story import HOSPITAL, handler
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver


async def test_the_migrations_make_what_is_declared(desk: Desk) -> None:
    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
                "compare_type": True,
            },
        )
        return list(compare_metadata(context, metadata))

    async with desk.harness.service.database.transaction() as connection:
        assert await connection.run_sync(differences) == []


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    """The statements that the service sends meanwhile."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engine = desk.harness.service.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    await desk.register(receiver.url, handler(HOSPITAL))
    counts = []
    for size in (1, 40):
        stories = [desk.story() for _ in range(size)]
        await desk.take(*(e for s in stories for e in (s.received(), s.triaged())))
        with statements(desk) as seen:
            await desk.take(*(e for s in stories for e in (s.assigned(), s.accepted(), s.answered())))
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 20


async def test_what_is_old_is_forgotten_but_of_a_request_only_once_it_is_archived(
    postgres: PostgresServer, receiver: Receiver
) -> None:
    async with Desk.start(build, postgres, callback_retention_days=0.3) as desk:
        made = await desk.register(receiver.url)
        archived, alive = desk.story(), desk.story()
        withdrawn = r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)
        await desk.take(archived.received(), archived.fact(withdrawn), archived.fact(r.RequestArchived()))
        await desk.take(alive.received())
        await desk.send()
        await desk.harness.turn(hours=7)
        assert len(await desk.deliveries(made["id"])) == 4
        await desk.harness.turn(hours=7)
        for table in (facts, deliveries, attempts, notices):
            assert await desk.harness.rows(sa.select(table)) == [], table.name
        (left,) = await desk.harness.rows(sa.select(cases))
        assert left["request_id"] == alive.id
        await desk.take(alive.triaged(), archived.triaged())
        assert len(await desk.deliveries(made["id"])) == 1, "whose life goes on is still known"
