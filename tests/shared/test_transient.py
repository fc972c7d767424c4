"""Which failures of the database pass: the server says so by SQLSTATE."""

import pytest
import sqlalchemy as sa

from shared.database import Database
from shared.messaging.transient import is_transient
from tests.support.postgres import PostgresServer


@pytest.mark.parametrize(
    ("sqlstate", "passes"),
    [
        ("40001", True),  # serialization failure
        ("40P01", True),  # deadlock
        ("53100", True),  # disk full
        ("53300", True),  # too many connections
        ("57P01", True),  # the server is shut down
        ("58030", True),  # the disk fails
        ("23505", False),  # not unique
        ("22P02", False),  # not a number
        ("42P01", False),  # no such table
    ],
)
async def test_a_failure_that_passes_is_tried_again(postgres: PostgresServer, sqlstate: str, passes: bool) -> None:
    database = Database(await postgres.fresh_database("transient"))
    try:
        with pytest.raises(sa.exc.DBAPIError) as raised:
            async with database.transaction() as connection:
                await connection.execute(sa.text(f"do $$ begin raise exception using errcode = '{sqlstate}'; end $$"))
        assert is_transient(raised.value) is passes
    finally:
        await database.close()


async def test_what_was_written_is_not_in_what_is_said_of_its_failure(postgres: PostgresServer) -> None:
    database = Database(await postgres.fresh_database("transient"))
    try:
        with pytest.raises(sa.exc.DBAPIError) as raised:
            async with database.transaction() as connection:
                await connection.execute(sa.text("select cast(:phone as text) / 0"), {"phone": "19900000777"})
        assert "19900000777" not in str(raised.value)
    finally:
        await database.close()
