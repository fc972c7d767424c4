"""The whole log of a living system, handed to all its services a second time, changes nothing anywhere."""

import json
from pathlib import Path

import pytest

from services import standalone
from shared.bus.postgres import PostgresBus
from shared.contracts import Record
from tests.loop.test_story import file, go_all_the_way
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.receiver import Receiver
from tests.support.system import System, running

SETTLED_SECONDS = 30
MOVES = ("positions", "leases")
"""Tables that say how far was read, and by whom: they change, and must."""


async def live(system: System) -> None:
    """One request to its end, one withdrawn, one merged, one waiting for its first liaison."""
    async with system.client("operator") as operator:
        await go_all_the_way(system, await file(operator))
        open_one, withdrawn, merged = [await file(operator) for _ in range(3)]
        await operator.post(f"/v1/requests/{withdrawn['id']}/withdrawal", json={})
        into = {"into": open_one["id"]}
        assert (await operator.post(f"/v1/requests/{merged['id']}/merge", json=into)).status_code == 200
        await operator.post(f"/v1/requests/{open_one['id']}/amendments", json={"text": "又发烧了"})
        assert (await operator.post(f"/v1/requests/{open_one['id']}/nudges")).status_code == 201


async def state_again(books: Books) -> int:
    """Append all that is on the bus to the bus, in its order; how many records that was."""
    rows = await books.fetch("bus", "select topic, key, headers::text, value from log order by topic, number, position")
    records = [Record(topic=r[0], key=r[1], headers=json.loads(r[2]), value=r[3]) for r in rows]
    bus = PostgresBus(await books.url("bus"))
    await bus.start()
    await bus.publish(records)
    await bus.stop()
    return len(records)


@pytest.mark.timeout(180)
async def test_the_whole_log_again_changes_nothing(tmp_path: Path) -> None:
    async with (
        Receiver.start() as partner,
        running(tmp_path / "var", HEED_DANGEROUS_CALLBACK_NETWORKS="127.0.0.0/8") as system,
    ):
        async with system.client("operator") as operator:
            hook = {"url": partner.url, "event_types": []}
            assert (await operator.post("/v1/webhooks", json=hook)).status_code == 201
        await live(system)
        async with Books.open(system.var) as books:
            await eventually(books.unsettled, lambda found: found == [], SETTLED_SECONDS)
            before = {name: await books.everything(name, *MOVES) for name in standalone.NAMES}
            called = len(partner.calls)
            again = await state_again(books)
            await eventually(books.unsettled, lambda found: found == [], SETTLED_SECONDS)
            for name in standalone.NAMES:
                assert await books.everything(name, *MOVES) == before[name], name
            assert (await books.fetch("bus", "select count(*) from log"))[0][0] == 2 * again
            assert len(partner.calls) == called > 0
