"""A service behind HTTP: what passes through, what does not, and what a caller is told when it is not there."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from services.gateway.upstreams import Proxy, end_to_end, proxies
from shared.settings import SettingMissing
from shared.web import ASGIApp
from tests.gateway.histories import OPERATOR
from tests.gateway.serving import serving
from tests.gateway.stage import SERVICES, Gateway, echo, gateway_with
from tests.support.harness import test_settings
from tests.support.postgres import PostgresServer

KIB = 1024


@pytest.fixture
async def behind() -> AsyncIterator[FastAPI]:
    """A service in a server of its own; its address is app.state.url."""
    app = echo()
    async with serving(app) as url:
        app.state.url = url
        yield app
        app.state.go_on.set()


@pytest.fixture
async def far(emptied: PostgresServer, behind: FastAPI) -> AsyncIterator[Gateway]:
    """A gateway whose services are at the other end of HTTP."""
    async with proxied(behind.state.url) as upstreams, gateway_with(emptied, upstreams) as started:
        yield started


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[dict[str, ASGIApp]]:
    """A proxy to the address, for every service."""
    proxy = Proxy(url, answer_seconds=5)
    yield dict.fromkeys(SERVICES, proxy)
    await proxy.aclose()


@asynccontextmanager
async def calling(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the app, over a real connection."""
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@asynccontextmanager
async def through(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a proxy in front of the app."""
    async with serving(app) as behind, proxied(behind) as upstreams, calling(upstreams["intake"]) as client:
        yield client


async def test_a_call_passes_through_unchanged(far: Gateway) -> None:
    async with far.caller(OPERATOR, **{"idempotency-key": "abc"}) as client:
        answer = await client.post("/v1/requests/a%20b/merge?x=1&y=%2F", content=b"\x00\xff" * 50 * KIB)
    told = answer.json()
    headers = dict(told["headers"])
    assert (told["method"], told["path"], told["query"]) == ("POST", "/v1/requests/a b/merge", "x=1&y=%2F")
    assert told["bytes"] == 100 * KIB
    assert headers["idempotency-key"] == "abc"
    assert far.app.state.identity_reader.read(headers["heed-identity"]) == OPERATOR
    assert "authorization" not in headers


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(10):
        yield b"x" * KIB


async def test_a_body_of_unstated_length_passes_through(far: Gateway) -> None:
    async with far.caller(OPERATOR) as client:
        assert (await client.post("/v1/requests", content=_chunks())).json()["bytes"] == 10 * KIB


async def test_headers_for_the_next_hop_go_no_further(far: Gateway) -> None:
    hop = {"connection": "keep-alive, x-mine", "x-mine": "1", "te": "trailers", "proxy-authorization": "Basic eA=="}
    async with far.caller(OPERATOR, **hop) as client:
        passed = dict((await client.get("/v1/tasks")).json()["headers"])
    assert not {"x-mine", "te", "proxy-authorization"} & set(passed)


def test_what_connection_names_is_dropped() -> None:
    headers = [(b"Connection", b"X-A, close"), (b"x-a", b"1"), (b"X-B", b"2"), (b"Transfer-Encoding", b"chunked")]
    assert end_to_end(headers) == [(b"x-b", b"2")]


async def test_an_answer_streams_through_as_it_comes(far: Gateway, behind: FastAPI) -> None:
    async with calling(far.app) as client, client.stream("GET", "/v1/notices") as answer:
        assert answer.headers["heed-seen"] == "dispatch:x:3"
        await _streams(answer, behind)


async def _streams(answer: httpx2.Response, service: FastAPI) -> None:
    """The first chunk is here before the service makes the second."""
    lines = answer.aiter_lines()
    assert await anext(lines) == "chunk 0"
    service.state.go_on.set()
    assert [line async for line in lines] == ["chunk 1", "chunk 2"]


async def test_a_caller_who_hangs_up_is_hung_up_on_behind() -> None:
    gone = asyncio.Event()

    async def endless(_: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                yield b"first\n"
                await asyncio.Event().wait()
            finally:
                gone.set()

        return StreamingResponse(chunks())

    app = FastAPI()
    app.add_api_route("/v1/notices", endless, methods=["GET"])
    async with through(app) as client:
        async with client.stream("GET", "/v1/notices") as answer:
            assert await anext(answer.aiter_lines()) == "first"
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_redirect_is_told_not_followed() -> None:
    app = FastAPI()

    async def elsewhere(_: Request) -> Response:
        return RedirectResponse("http://127.0.0.1:1/")

    app.add_api_route("/v1/tasks", elsewhere, methods=["GET"])
    async with through(app) as client:
        assert (await client.get("/v1/tasks")).status_code == 307


async def test_a_service_that_is_away_is_said_to_be_so(emptied: PostgresServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with proxied(f"http://127.0.0.1:{port}") as upstreams, gateway_with(emptied, upstreams) as far:
        for path in ("/v1/tasks", "/openapi.json"):
            answer = await far.get(OPERATOR, path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["type"].endswith("/unavailable")
        assert (await far.get(OPERATOR, "/v1/queue")).status_code == 200


async def _misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, say: bytes) -> None:
    await reader.readuntil(b"\r\n\r\n")
    if say:
        writer.write(say)
        await writer.drain()
        writer.close()
    else:
        await reader.read()
        writer.close()


@pytest.mark.parametrize("say", [b"", b"nonsense\r\n\r\n"], ids=["silent", "not HTTP"])
async def test_a_service_that_does_not_answer_leaves_it_open_what_it_did(say: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _misbehave(reader, writer, say)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy(f"http://127.0.0.1:{port}", answer_seconds=0.2)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=proxy), base_url="http://gateway") as client:
        answer = await client.post("/v1/requests", json={})
    await proxy.aclose()
    server.close()
    assert answer.status_code == 504
    assert answer.json()["type"].endswith("/no-answer")


async def test_an_answer_that_breaks_off_is_not_taken_for_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
        await _misbehave(reader, writer, head)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = Proxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answer_seconds=5)
    async with calling(proxy) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/v1/tasks")
    await proxy.aclose()
    server.close()


def test_every_service_must_have_an_address() -> None:
    with pytest.raises(SettingMissing, match="HEED_TRIAGE_URL"):
        proxies(test_settings(database="postgresql://x", intake_url="http://127.0.0.1:1"))


async def test_in_this_process_too_an_answer_streams_as_it_comes(emptied: PostgresServer) -> None:
    service = echo()
    near: dict[str, Any] = dict.fromkeys(SERVICES, service)
    async with (
        gateway_with(emptied, near) as gateway,
        calling(gateway.app) as client,
        client.stream("GET", "/v1/notices") as answer,
    ):
        await _streams(answer, service)


async def test_replicas_are_asked_in_turn_and_a_dead_one_is_passed_over(behind: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    proxy = Proxy(f"{nobody}, {behind.state.url}", answer_seconds=5)
    async with calling(proxy) as client:
        for _ in range(4):
            answer = await client.post("/v1/tasks/1/accept", json={})
            assert answer.status_code == 200, answer.text
    await proxy.aclose()


async def test_a_replica_that_freezes_is_asked_last_and_what_may_be_asked_twice_is(behind: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        silent = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        proxy = Proxy(f"{silent},{behind.state.url}", answer_seconds=0.3)
        async with calling(proxy) as client:
            assert {(await client.get("/v1/tasks")).status_code for _ in range(4)} == {200}
        other = Proxy(f"{behind.state.url},{silent}", answer_seconds=0.3)
        async with calling(other) as client:
            statuses = [(await client.post("/v1/tasks/1/accept", json={})).status_code for _ in range(3)]
        assert statuses == [504, 200, 200]
        await proxy.aclose()
        await other.aclose()
