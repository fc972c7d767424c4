"""A city that was in force before entries were confirmed and drills were held goes on as it was."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import dispatch
from dispatch.app import build
from dispatch.drills import BEGINS
from dispatch.entry_store import entries
from shared.clock import TurnedClock, wall_now
from shared.database import Database, migrate
from shared.messaging.tables import timers
from shared.service import FLOOR_MIGRATIONS
from tests.dispatch.stories import OPERATOR
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.harness import test_settings as settings_for_tests
from tests.support.postgres import PostgresServer

FOLDER = next(iter(dispatch.__path__)) + "/migrations"
OLD = {"id": "a.day", "organisation": "a", "post": "liaison", "name": {"zh": "某", "en": "A"}, "phone": "110"}


def upgrade(connection: sa.Connection) -> None:
    """To the schema before."""
    config = Config()
    config.set_main_option("script_location", FOLDER)
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table="alembic_version")
    command.upgrade(config, "dispatch_0003")


async def test_what_was_kept_is_confirmed_when_it_was_changed_and_the_first_drill_is_a_week_away(
    postgres: PostgresServer,
) -> None:
    url = await postgres.fresh_database("old_city")
    database = Database(url)
    await migrate(database, FLOOR_MIGRATIONS, "floor_version")
    old = sa.table("entries", *(sa.column(c.name, c.type) for c in entries.c if not c.name.startswith("assured")))
    row = {"kind": "liaison", "id": "a.day", "revision": 1, "content": OLD, "changed_at": START, "changed_by": "x"}
    async with database.transaction() as connection:
        await connection.run_sync(upgrade)
        await connection.execute(sa.insert(old), row)
        await connection.execute(sa.text("update city set revision = 1"))
    await database.close()

    app = build(settings_for_tests(database=url, bus=url), TurnedClock(START))
    harness = Harness(app, app.state.service.clock)
    await harness.service.migrate()
    async with harness.client(OPERATOR) as client:
        [entry] = (await client.get("/v1/liaisons")).json()["items"]
    assert (entry["assured_at"], entry["assured_by"]) == (START.isoformat().replace("+00:00", "Z"), "x")
    [timer] = await harness.rows(sa.select(timers))
    assert timer["kind"] == BEGINS
    assert abs(timer["due_at"] - wall_now() - timedelta(days=7)) < timedelta(minutes=5)
    await harness.service.database.close()
