"""The log as it stands: every record with its bytes and its place, page after page."""

from base64 import b64decode
from typing import Any

import httpx2
import pytest

from shared.contracts import Record, encode
from shared.contracts.texts import TextErased
from shared.ids import new_id
from tests.gateway.histories import OPERATOR, History
from tests.gateway.serving import serving
from tests.gateway.stage import Gateway

NO_JSON = Record(topic="heed.requests", key="torn", headers={"ce_id": "x", "traceparent": "y"}, value=b"\xff{")


async def page(gateway: Gateway, url: str, **params: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {await gateway.token(OPERATOR)}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
        return await client.get("/v1/log", params=params)


async def test_every_record_is_given_out_as_it_is_stored(gateway: Gateway) -> None:
    history = History(gateway.builder).received().triaged()
    facts = [encode(event) for event in history.new()]
    erased = encode(gateway.builder.event(TextErased(), history.id, key=new_id(), source="intake"))
    await gateway.service.bus.publish([*facts, NO_JSON, erased])
    async with serving(gateway.app) as url:
        found = (await page(gateway, url)).json()
    given = {
        (item["topic"], item["key"]): (item["headers"], item["value"] and b64decode(item["value"]))
        for item in found["items"]
    }
    for record in (*facts[-1:], NO_JSON, erased):
        assert given[record.topic, record.key] == (dict(record.headers), record.value)
    assert len(found["items"]) == len(facts) + 2
    assert found["next"] == found["ends"]


async def test_pages_follow_on_each_other_and_miss_nothing(gateway: Gateway) -> None:
    histories = [History(gateway.builder).received().triaged() for _ in range(10)]
    await gateway.service.bus.publish([encode(event) for history in histories for event in history.new()])
    at, seen = "beginning", []
    async with serving(gateway.app) as url:
        whole = (await page(gateway, url, topic="requests")).json()
        while at != whole["ends"]:
            found = (await page(gateway, url, topic="requests", limit=3, **{"from": at})).json()
            seen += [(item["partition"], item["position"]) for item in found["items"]]
            at = found["next"]
        assert (await page(gateway, url, topic="requests", **{"from": at})).json()["items"] == []
        latest = (await page(gateway, url, topic="requests", **{"from": "latest"})).json()
    assert sorted(seen) == sorted((item["partition"], item["position"]) for item in whole["items"])
    assert len(seen) == len(set(seen)) == 20
    assert (latest["items"], latest["next"]) == ([], whole["ends"])


@pytest.mark.parametrize("params", [{"from": "yesterday"}, {"topic": "nothing"}, {"limit": 0}], ids=str)
async def test_what_it_does_not_understand_it_refuses(gateway: Gateway, params: dict[str, Any]) -> None:
    async with serving(gateway.app) as url:
        assert (await page(gateway, url, **params)).status_code == 422
