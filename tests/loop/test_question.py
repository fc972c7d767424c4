"""A question to the resident, through the public API alone: he is told, he holds the request, and he answers."""

from typing import Any

import httpx2
import pytest

from tests.loop.test_story import act, file, tasks_of
from tests.support.eventually import eventually
from tests.support.system import System

pytestmark = pytest.mark.timeout(180)
FOOD = "家里的米和菜只够吃三天了，请帮忙送一些。"


async def view_of(client: httpx2.AsyncClient, request_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/requests/{request_id}")).json()
    return found


async def test_the_resident_is_asked_holds_the_request_and_answers(system: System) -> None:
    async with system.client("operator") as operator:
        filed = await file(operator, text=FOOD, filed_at=None)
        [lead] = await eventually(lambda: tasks_of(operator, filed["id"]), lambda found: len(found) == 1)
    async with (
        system.client(f"liaison:{lead['organisation']}") as liaison,
        system.client(token=filed["tracking_token"]) as resident,
    ):
        lead = await act(liaison, lead, "accept")
        lead = await act(liaison, lead, "question", text="家里有几口人？请回电 13800138000。")
        asked = await eventually(lambda: view_of(resident, filed["id"]), lambda view: view["question"] is not None)
        assert asked["holder"]["kind"] == "resident"
        assert asked["question"]["answer_by"] == lead["question_until"]
        whole = await eventually(lambda: view_of(resident, filed["id"]), lambda view: bool(view["question"]["text"]))
        assert "几口人" in whole["question"]["text"]
        assert "13800138000" not in whole["question"]["text"]

        async def notices() -> list[str]:
            items = (await resident.get(f"/v1/requests/{filed['id']}/notices")).json()["items"]
            return [item["about"] for item in items]

        await eventually(notices, lambda told: "heed.request.questioned" in told)
        answered = await resident.post(f"/v1/requests/{filed['id']}/amendments", json={"text": "三口人，有一个婴儿。"})
        assert answered.status_code < 300, answered.text
        after = await eventually(lambda: view_of(resident, filed["id"]), lambda view: view["question"] is None)
        assert (after["holder"]["kind"], after["holder"]["name"]) == ("organisation", lead["organisation"])
        assert "resident" in [span["kind"] for span in after["ledger"]["spans"]]
        seconds = sum(span["seconds"] for span in after["ledger"]["spans"])
        assert seconds == pytest.approx(after["ledger"]["seconds"], abs=0.001)
        await eventually(lambda: tasks_of(liaison, filed["id"]), lambda found: found[0]["question_until"] is None)
