"""An upstream is an ASGI app: a service's own, in this process, or a proxy to it over HTTP with the same signature."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

import httpx2

from services.gateway.routes import SERVICES
from shared.problems import Problem, Unavailable
from shared.settings import Settings, required
from shared.web import ASGIApp, Message, Receive, Scope, Send, problem_response

CONNECT_SECONDS = 2.0
CONNECTIONS = 256
AVOIDED_SECONDS = 5.0
"""How long a replica that did not answer is asked last."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
Headers = list[tuple[bytes, bytes]]


class NoAnswer(Problem):
    """A part of Heed took too long or broke off. Whether it did what you asked is not known: read it, or send the same
    call again with the same Idempotency-Key."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    title = "No answer"


class CallerGone(Exception):
    """Whoever called has hung up; there is nobody to answer."""


class Proxy:
    """A service at the other end of HTTP, by one or several replicas. Bodies pass through as they come, both ways."""

    def __init__(self, urls: str, answer_seconds: float) -> None:
        """`urls` are the replicas' addresses, by comma; `answer_seconds` is the longest silence that is borne."""
        self._urls = [httpx2.URL(url.strip().rstrip("/")) for url in urls.split(",") if url.strip()]
        self._turn = 0
        self._avoided_until: dict[httpx2.URL, float] = {}
        self._client = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on, and its answer back."""
        if scope["type"] != "http":
            return
        try:
            response = await self._ask(scope, receive)
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
        except CallerGone:
            return
        else:
            try:
                await _send_back(response, receive, send)
            finally:
                await response.aclose()

    async def _ask(self, scope: Scope, receive: Receive) -> httpx2.Response:
        """The answer of the replica whose turn it is; of the next one where that cannot have heard the call, or may
        hear it twice. Raises Unavailable, NoAnswer, CallerGone."""
        problem: Problem = Unavailable()
        for url in self._in_turn():
            try:
                return await self._client.send(self._request(url, scope, receive), stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self._avoid(url)
            except httpx2.PoolTimeout:
                raise problem from None
            except httpx2.TransportError:
                self._avoid(url)
                problem = NoAnswer()
                if scope["method"] not in SAFE:
                    break
        raise problem

    def _in_turn(self) -> list[httpx2.URL]:
        """Every replica once: those that answered lately first, each time beginning with another."""
        self._turn = (self._turn + 1) % len(self._urls)
        turned = self._urls[self._turn :] + self._urls[: self._turn]
        now = asyncio.get_running_loop().time()
        return sorted(turned, key=lambda url: self._avoided_until.get(url, 0.0) > now)

    def _avoid(self, url: httpx2.URL) -> None:
        self._avoided_until[url] = asyncio.get_running_loop().time() + AVOIDED_SECONDS

    def _request(self, url: httpx2.URL, scope: Scope, receive: Receive) -> httpx2.Request:
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        query = scope.get("query_string", b"")
        target = url.raw_path.rstrip(b"/") + path + (b"?" + query if query else b"")
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        headers = [(name, value) for name, value in end_to_end(scope["headers"]) if name != b"host"]
        return httpx2.Request(
            scope["method"],
            url.copy_with(raw_path=target),
            headers=[(b"host", url.netloc), *headers],
            content=_body(receive) if has_body else None,
            extensions={"timeout": self._client.timeout.as_dict()},
        )


def end_to_end(headers: Headers) -> Headers:
    """The headers that are meant for the other end, not for the next hop."""
    named = {
        token.strip().lower() for name, value in headers if name.lower() == b"connection" for token in value.split(b",")
    }
    dropped = HOP_BY_HOP | named
    return [(name.lower(), value) for name, value in headers if name.lower() not in dropped]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        if chunk := message.get("body"):
            yield chunk
        if not message.get("more_body"):
            return


async def _send_back(response: httpx2.Response, receive: Receive, send: Send) -> None:
    start: Message = {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": end_to_end(response.headers.raw),
    }
    await send(start)
    if "content-length" in response.headers:
        await _pump(response, send)
        return
    pump = asyncio.ensure_future(_pump(response, send))
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        if pump.done():
            pump.result()
    finally:
        for task in (pump, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, httpx2.TransportError):
                await task


async def _pump(response: httpx2.Response, send: Send) -> None:
    """The answer's body, as it comes. Where it breaks off, so does ours: the error ends the connection."""
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def proxies(settings: Settings) -> Mapping[str, ASGIApp]:
    """A proxy to each service, from the settings HEED_INTAKE_URL and so on."""
    return {
        name: Proxy(required(getattr(settings, f"{name}_url"), f"{name}_url"), settings.upstream_seconds)
        for name in SERVICES
    }
