"""`Prefer: wait` on a filing: with the assessment where it comes in time, else the plain answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Response

from services.gateway.waiting import seconds_preferred
from tests.gateway.histories import History
from tests.gateway.stage import SERVICES, Gateway, gateway_with
from tests.support.postgres import PostgresServer


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"wait=2", 2),
        (b"respond-async, wait=5", 5),
        (b"WAIT = 3 ; x=y", 3),
        (b'wait="4"', 4),
        (b"wait=1000", 10),
        (b"wait=0", 0),
        (b"respond-async", None),
        (b"await=5", None),
        (b"wait=-1", None),
        (b"wait=2.5", None),
        (b"", None),
    ],
)
def test_the_preference_is_read_as_rfc_7240_has_it(header: bytes, seconds: int | None) -> None:
    assert seconds_preferred(header) == seconds


class Filing:
    """A service that answers a filing as intake does, with the request of a history."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.history: History | None = None
        self.app.add_api_route("/v1/requests", self.file, methods=["POST"])

    async def file(self, response: Response) -> dict[str, Any]:
        if self.history is None:
            response.status_code = 422
            return {"type": "invalid"}
        response.status_code = 201
        response.headers["heed-seen"] = f"intake:{self.history.id}:1"
        return {
            "id": str(self.history.id),
            "receipt": self.history.receipt,
            "status": "received",
            "promises": {"triage_by": "soon"},
        }


@pytest.fixture
async def filing(emptied: PostgresServer) -> AsyncIterator[tuple[Gateway, Filing]]:
    service = Filing()
    async with gateway_with(emptied, dict.fromkeys(SERVICES, service.app)) as gateway:
        service.history = History(gateway.builder)
        yield gateway, service


async def file(gateway: Gateway, prefer: str = "wait=2") -> httpx2.Response:
    async with gateway.client() as client:
        return await client.post("/v1/requests", json={}, headers={"prefer": prefer})


async def test_the_answer_comes_with_the_assessment(filing: tuple[Gateway, Filing]) -> None:
    gateway, service = filing
    history = service.history
    assert history
    waiting = asyncio.create_task(file(gateway))
    await gateway.take(*history.received().new())
    await asyncio.wait([waiting], timeout=0.2)
    assert not waiting.done()
    await gateway.take(*history.triaged(deadline=history.now).assigned().new())
    answer = await waiting
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=2"
    assert answer.headers["heed-seen"] == f"intake:{history.id}:1"
    document = answer.json()
    assert (document["id"], document["receipt"]) == (str(history.id), history.receipt)
    assert (document["status"], document["category"], document["colour"]) == ("assigned", "medical", "red")
    assert document["deadline"] == "2026-03-02T08:00:00Z"
    assert document["promises"]["triage_by"] == "soon"
    assert document["promises"]["answer_by"] == "2026-03-02T10:00:00Z"
    assert "emergency_advice" not in document


async def test_whoever_is_in_danger_is_told_whom_to_ring(filing: tuple[Gateway, Filing]) -> None:
    gateway, service = filing
    assert service.history
    await gateway.take(*service.history.received().triaged(emergency=True).new())
    advice = (await file(gateway)).json()["emergency_advice"]
    for language in ("zh", "en"):
        assert all(number in advice[language] for number in ("110", "119", "120"))


async def test_without_an_assessment_in_time_the_answer_is_the_plain_one(filing: tuple[Gateway, Filing]) -> None:
    gateway, service = filing
    assert service.history
    await gateway.take(*service.history.received().new())
    answer = await file(gateway, "wait=1")
    assert answer.status_code == 201
    assert "preference-applied" not in answer.headers
    assert answer.json()["status"] == "received"
    assert "colour" not in answer.json()


async def test_without_the_preference_nobody_waits(filing: tuple[Gateway, Filing]) -> None:
    gateway, _ = filing
    async with asyncio.timeout(1), gateway.client() as client:
        assert (await client.post("/v1/requests", json={})).json()["status"] == "received"


async def test_a_refusal_passes_through_at_once(filing: tuple[Gateway, Filing]) -> None:
    gateway, service = filing
    service.history = None
    async with asyncio.timeout(1):
        answer = await file(gateway, "wait=10")
    assert (answer.status_code, answer.json()) == (422, {"type": "invalid"})
