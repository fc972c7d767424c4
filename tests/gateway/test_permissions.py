"""Who may see what: role × operation × own or other's, each cell a test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from shared.contracts.vocabulary import Role
from shared.identity import Kind, Principal
from tests.gateway.histories import (
    GRID_WORKER,
    HOSPITAL,
    INSPECTOR,
    LONGYIN,
    OPERATOR,
    PHARMACY,
    SUPERVISOR,
    TRANSPORT,
    History,
    liaison_of,
)
from tests.gateway.serving import serving
from tests.gateway.stage import SERVICES, Gateway, echo, gateway_with
from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Stand:
    """A served gateway with a request in hand of the hospital, another of the pharmacy, and a client for each role."""

    gateway: Gateway
    url: str
    own: History
    other: History

    async def status(self, caller: Principal | None, path: str) -> int:
        headers = {"authorization": f"Bearer {await self.gateway.token(caller)}"} if caller else {}
        async with (
            httpx2.AsyncClient(base_url=self.url, headers=headers, trust_env=False) as client,
            client.stream("GET", path) as answer,
        ):
            return answer.status_code

    def caller(self, role: str) -> Principal | None:
        named = {
            "anonymous": None,
            "resident": self.own.resident,
            "operator": OPERATOR,
            "supervisor": SUPERVISOR,
            "inspector": INSPECTOR,
            "grid worker": GRID_WORKER,
            "liaison": liaison_of(HOSPITAL),
            "deputy": liaison_of(HOSPITAL, Kind.DEPUTY),
            "partner": liaison_of(HOSPITAL, Kind.PARTNER),
            "assisting liaison": liaison_of(TRANSPORT),
            "liaison of nothing": Principal(kind=Kind.LIAISON, id="nobody.liaison"),
            "grid worker of nowhere": Principal(kind=Kind.GRID_WORKER, id="nobody"),
        }
        return named[role]


@pytest.fixture(scope="module")
async def stand(postgres: PostgresServer) -> AsyncIterator[Stand]:
    async with gateway_with(postgres, dict.fromkeys(SERVICES, echo())) as gateway:
        own = History(gateway.builder).in_hand()
        other = History(gateway.builder, area=f"{LONGYIN}/01").received().triaged().assigned(PHARMACY, Role.LEAD)
        await gateway.take(*own.new(), *other.new())
        async with serving(gateway.app) as url:
            yield Stand(gateway, url, own, other)


# role: the request that is its own, another, the queue, the tail of events
TABLE = {
    "anonymous": (404, 404, 403, 403),
    "resident": (200, 404, 403, 403),
    "operator": (200, 200, 200, 200),
    "supervisor": (200, 200, 200, 200),
    "inspector": (200, 200, 200, 403),
    "grid worker": (200, 404, 200, 403),
    "liaison": (200, 404, 200, 403),
    "deputy": (200, 404, 200, 403),
    "partner": (200, 404, 200, 403),
    "assisting liaison": (200, 404, 200, 403),
    "liaison of nothing": (404, 404, 403, 403),
    "grid worker of nowhere": (404, 404, 403, 403),
}


@pytest.mark.parametrize("role", TABLE)
@pytest.mark.parametrize("what", ["", "/events"])
@pytest.mark.parametrize("whose", ["own", "other's"])
async def test_who_may_read_a_request(stand: Stand, role: str, what: str, whose: str) -> None:
    history = stand.own if whose == "own" else stand.other
    expected = TABLE[role][0 if whose == "own" else 1]
    assert await stand.status(stand.caller(role), f"/v1/requests/{history.id}{what}") == expected


@pytest.mark.parametrize("role", TABLE)
async def test_who_may_read_the_queue(stand: Stand, role: str) -> None:
    assert await stand.status(stand.caller(role), "/v1/queue") == TABLE[role][2]


@pytest.mark.parametrize("role", TABLE)
async def test_who_may_follow_the_events(stand: Stand, role: str) -> None:
    assert await stand.status(stand.caller(role), "/v1/events") == TABLE[role][3]


@pytest.mark.parametrize("role", TABLE)
async def test_who_may_read_the_log(stand: Stand, role: str) -> None:
    assert await stand.status(stand.caller(role), "/v1/log") == TABLE[role][3]


@pytest.mark.parametrize("role", TABLE)
async def test_who_may_see_what_is_parked(stand: Stand, role: str) -> None:
    expected = 200 if role in {"operator", "supervisor"} else 403
    assert await stand.status(stand.caller(role), "/v1/parked/gateway") == expected


@pytest.mark.parametrize("role", TABLE)
async def test_everybody_may_read_the_categories(stand: Stand, role: str) -> None:
    assert await stand.status(stand.caller(role), "/v1/categories") == 200


SEES_BOTH, SEES_OWN = {"own", "other"}, {"own"}


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("operator", SEES_BOTH),
        ("supervisor", SEES_BOTH),
        ("inspector", SEES_BOTH),
        ("grid worker", SEES_OWN),
        ("liaison", SEES_OWN),
        ("deputy", SEES_OWN),
        ("partner", SEES_OWN),
        ("assisting liaison", SEES_OWN),
    ],
)
@pytest.mark.parametrize("query", ["", "?organisation=pharmacy-supply", "?area=pinghu/dushangang/longyin", "?q=other"])
async def test_a_queue_holds_only_what_its_reader_may_read(stand: Stand, role: str, sees: set[str], query: str) -> None:
    if query == "?q=other":
        query = f"?q={stand.other.receipt}"
    answer = await stand.gateway.get(stand.caller(role), f"/v1/queue{query}")
    assert answer.status_code == 200
    names = {str(stand.own.id): "own", str(stand.other.id): "other"}
    assert {names[item["id"]] for item in answer.json()["items"]} == (sees - {"own"} if query else sees)
