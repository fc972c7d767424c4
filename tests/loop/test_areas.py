"""From the city's file over the bus into intake: what somebody drew is where a request is found to be."""

from collections.abc import AsyncIterator

import pytest

import dispatch.app
import intake.app
from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.identity import ANONYMOUS, Kind, Principal
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
ISLAND = "pinghu/island"


def ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


GEOMETRY = {
    "type": "MultiPolygon",
    "coordinates": [
        [ring(121.22, 30.52, 121.26, 30.56), ring(121.23, 30.53, 121.24, 30.54)],
        [ring(121.28, 30.52, 121.29, 30.53)],
    ],
}


@pytest.fixture(scope="module")
async def door(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """Intake, after it heard of all that dispatch announced."""
    named = {"id": ISLAND, "level": "town", "name": {"zh": "岛镇", "en": "Island"}, "aliases": ["月牙島"]}
    entry = {"revision": 0, "content": {**named, "shape": GEOMETRY, "people": ["town-office.day"]}}
    async with Harness.start(dispatch.app.build, postgres) as desk, Harness.start(intake.app.build, postgres) as made:
        async with desk.client(OPERATOR) as client:
            answer = await client.put(f"/v1/areas/{ISLAND}", json=entry)
        assert answer.status_code == 200, answer.text
        await made.take(*await desk.stated(d.AreaRecorded))
        yield made


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ({"longitude": 121.25, "latitude": 30.55}, (ISLAND, 0.95)),
        ({"longitude": 121.285, "latitude": 30.525, "accuracy_m": 20}, (ISLAND, 0.95)),
        ({"longitude": 121.235, "latitude": 30.535}, ("pinghu", 0.95)),  # the lake
        ({"longitude": 121.235, "latitude": 30.535, "address": "月牙岛３幢"}, (ISLAND, 0.9)),
        ({"longitude": 121.116, "latitude": 30.606}, ("pinghu/dushangang/jufu/14/1", 0.95)),
        ({"longitude": 121.111, "latitude": 30.606}, ("pinghu/dushangang/jufu/14/2", 0.95)),  # its house in grid 13
        ({"longitude": 121.25, "latitude": 30.55, "address": "聚福村"}, ("pinghu", 0.5)),
    ],
)
async def test_what_was_drawn_is_where_a_request_is(
    place: dict[str, object], found: tuple[str, float], door: Harness
) -> None:
    body = {"text": "停水了", "contact": {"phone": "13800138000"}, "place": place}
    async with door.client(ANONYMOUS) as client:
        filed = await client.post("/v1/requests", json=body)
    assert filed.status_code == 201, filed.text
    fact = (await door.stated(r.RequestReceived))[-1].fact
    assert (fact.area, fact.place_confidence) == found
