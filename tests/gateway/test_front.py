"""The front door: limits of pace and size, addresses, headers, and calls that pass through unchanged."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.histories import OPERATOR, History
from tests.gateway.stage import SERVICES, Gateway, echo, gateway_with
from tests.support.postgres import PostgresServer

KIB = 1024
LIMIT_KIB = 512


async def test_a_call_passes_through_unchanged(gateway: Gateway) -> None:
    async with gateway.caller(OPERATOR, **{"idempotency-key": '"a b"', "x-something": "else"}) as client:
        answer = await client.post("/v1/requests/x/merge?a=1&b=%20c", json={"into": "y"})
    told = answer.json()
    headers = dict(told["headers"])
    assert (told["method"], told["path"], told["query"]) == ("POST", "/v1/requests/x/merge", "a=1&b=%20c")
    assert told["bytes"] == len('{"into":"y"}')
    assert (headers["idempotency-key"], headers["x-something"]) == ('"a b"', "else")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v1/requests//events", "/v1/tasks/", "/v2/queue", "/v1/parked"]
)
async def test_an_unknown_address_is_not_found(gateway: Gateway, path: str) -> None:
    answer = await gateway.get(OPERATOR, path)
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/not-found")


async def test_an_unknown_method_is_told_which_there_are(gateway: Gateway) -> None:
    async with gateway.caller(OPERATOR) as client:
        answer = await client.delete("/v1/webhooks")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_every_answer_has_the_headers_of_safety(gateway: Gateway) -> None:
    for path in ("/v1/categories", "/v1/tasks", "/v1/nothing", "/docs"):
        headers = (await gateway.get(None, path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["cache-control"] == "no-store", path
        assert headers["referrer-policy"] == "no-referrer", path


@pytest.fixture
async def narrow(emptied: PostgresServer) -> AsyncIterator[Gateway]:
    """A gateway with narrow limits."""
    limits = {"anonymous_calls_per_minute": 3, "resident_calls_per_minute": 2, "named_calls_per_minute": 4}
    async with gateway_with(emptied, dict.fromkeys(SERVICES, echo()), **limits) as started:
        yield started


async def test_who_calls_too_often_is_told_when_to_call_again(narrow: Gateway) -> None:
    statuses = [(await narrow.get(None, "/v1/categories")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = await narrow.get(None, "/v1/categories")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json()["type"].endswith("/too-many-requests")


async def test_each_caller_has_a_limit_of_his_own(narrow: Gateway) -> None:
    one, other = History(narrow.builder).resident, History(narrow.builder).resident
    async with narrow.caller(one) as first, narrow.caller(other) as second, narrow.caller(OPERATOR) as staff:
        assert [(await first.get("/v1/categories")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await second.get("/v1/categories")).status_code == 200
        assert [(await staff.get("/v1/categories")).status_code for _ in range(5)] == [200, 200, 200, 200, 429]


async def test_guessing_tokens_is_limited_by_address(narrow: Gateway) -> None:
    guesses = [await narrow.get(None, "/v1/queue", authorization=f"Bearer heed_{n:012x}_x") for n in range(4)]
    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]


async def test_health_is_not_limited(narrow: Gateway) -> None:
    assert [(await narrow.get(None, "/livez")).status_code for _ in range(5)] == [200] * 5


async def test_a_body_to_the_limit_passes(gateway: Gateway) -> None:
    async with gateway.client() as client:
        answer = await client.post("/v1/requests", content=b"x" * LIMIT_KIB * KIB)
    assert answer.json()["bytes"] == LIMIT_KIB * KIB


async def test_a_body_over_the_limit_is_refused(gateway: Gateway) -> None:
    async with gateway.client() as client:
        answer = await client.post("/v1/requests", content=b"x" * (LIMIT_KIB * KIB + 1))
    assert answer.status_code == 413
    assert answer.json()["limit_bytes"] == LIMIT_KIB * KIB


async def _chunks(kib: int) -> AsyncIterator[bytes]:
    for _ in range(kib):
        yield b"x" * KIB


@pytest.mark.parametrize(("kib", "status"), [(1, 200), (LIMIT_KIB, 200), (LIMIT_KIB + 1, 413), (1024, 413)])
async def test_a_body_of_unstated_length_has_the_same_limit(gateway: Gateway, kib: int, status: int) -> None:
    async with gateway.client() as client:
        answer = await client.post("/v1/requests", content=_chunks(kib))
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["bytes"] == kib * KIB


async def test_a_length_that_is_no_number_is_refused(gateway: Gateway) -> None:
    async with gateway.caller(None, **{"content-length": "-1"}) as client:
        assert (await client.post("/v1/requests", content=b"x")).status_code == 413


async def test_parked_events_are_asked_of_their_service(gateway: Gateway) -> None:
    async with gateway.caller(OPERATOR) as client:
        assert (await client.get("/v1/parked/triage")).json()["path"] == "/v1/parked"
        told = (await client.post("/v1/parked/triage/0193f1a0-0000-7000-8000-000000000001/retry")).json()
        assert told["path"] == "/v1/parked/0193f1a0-0000-7000-8000-000000000001/retry"
        assert (await client.post("/v1/parked/triage/x/burn")).status_code == 404
        assert (await client.get("/v1/parked/nobody")).status_code == 404
        assert (await client.get("/v1/parked/gateway")).json() == {"items": [], "next_cursor": None}
