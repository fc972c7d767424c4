"""A database of the version before look-back comes up with its plan, its visits and its secret."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from followup.app import build
from followup.plan import Plan
from followup.store import CASE, find_policy, find_visit
from shared.clock import TurnedClock
from shared.database import Database, migrate
from shared.ids import new_id
from tests.followup.stories import Story
from tests.support.builders import START
from tests.support.harness import project_root, test_settings
from tests.support.postgres import PostgresServer

MIGRATIONS = project_root() / "followup" / "migrations"
FIRST = "2026_11_24_0100_cases.py"
NEWER = ("complained_at_most", "period_days", "seed_published_after_days", "pass_at", "essential", "findings")


async def fill(database: Database, plan: dict[str, object], story: Story, visit: UUID) -> None:
    """What that version kept: a plan with its secret, a case, a call-back."""
    case = story.case(Plan.model_validate(plan))
    of_old = {key: value for key, value in plan.items() if key not in {"suspicions", "rating_reminder_days"}}
    look_back = plan["look_back"]
    assert isinstance(look_back, dict)
    of_old["look_back"] = {k: v for k, v in look_back.items() if k not in NEWER} | {"top_up_after_minutes": 1440}
    rows = {
        "plans": "insert into plans (version, body, seed, applied_at) values ('1', cast(:a as jsonb), :b, :c)",
        "cases": "insert into cases values (:a, 'answered', '{central-hospital}', cast(:b as jsonb))",
        "visits": "insert into visits values (:a, :b, 'colour', 'open', 1, :c, 'phone', '{}', 1)",
    }
    values = {
        "plans": {"a": json.dumps(of_old), "b": b"secret", "c": START},
        "cases": {"a": story.id, "b": CASE.dump_json(case).decode()},
        "visits": {"a": visit, "b": story.id, "c": START + timedelta(hours=1)},
    }
    async with database.transaction() as connection:
        for table, insert in rows.items():
            await connection.execute(sa.text(insert), values[table])


async def test_what_was_there_before_is_there_after(postgres: PostgresServer, tmp_path: Path, plan: Plan) -> None:
    old = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, old, ignore=lambda _, names: [n for n in names if n[:1] == "2" and n != FIRST])
    url, story, visit_id = await postgres.fresh_database("followup"), Story().begun().answered(5), new_id()
    database = Database(url)
    await migrate(database, old)
    await fill(database, plan.model_dump(mode="json"), story, visit_id)
    service = build(test_settings(database=url, bus=url), TurnedClock(START)).state.service
    await service.start()
    async with database.transaction() as connection:
        policy, visit = await find_policy(connection), await find_visit(connection, visit_id)
    await service.stop()
    await database.close()
    assert policy is not None
    assert (policy.plan, policy.seed) == (plan, b"secret")
    assert visit is not None
    assert (visit.opened_at, visit.stratum) == (story.now, ("medical", "green", "central-hospital", True))
