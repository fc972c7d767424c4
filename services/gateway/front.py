"""The front door: who calls, how fast, how much, and who answers. Nothing here reads a body or knows a route's meaning.

Calls that are passed on go through no framework: the tour of one costs some tens of microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from services.gateway import waiting
from services.gateway.identity import Callers
from services.gateway.limits import Limits
from services.gateway.routes import GATEWAY, PARKED, Table
from services.gateway.waiting import TriageWait
from shared.identity import ANONYMOUS, Principal
from shared.problems import NotFound, Problem, TooManyRequests, Unauthenticated
from shared.web import ASGIApp, Message, Receive, Scope, Send, problem_response

FLOOR = frozenset({"/livez", "/readyz", "/metrics"})
FILING = "/v1/requests"
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class MethodNotAllowed(Problem):
    """This address does not know that method; the header Allow says which it knows."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


@dataclass(slots=True)
class Call:
    """What the headers of a call say to the gateway, and what of them goes on."""

    authorization: bytes | None = None
    length: bytes | None = None
    is_chunked: bool = False
    prefer: bytes | None = None


class Front:
    """The outermost part of the gateway's app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: Callers,
        limits: Limits,
        table: Table,
        upstreams: Mapping[str, ASGIApp],
        triage_wait: TriageWait,
    ) -> None:
        """`app` answers the gateway's own routes; `upstreams` are the others, by their names in the table."""
        self._app, self._callers, self._limits, self._table = app, callers, limits, table
        self._upstreams = {**upstreams, GATEWAY: app}
        self._triage_wait = triage_wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit a call, or refuse it; then let its owner answer."""
        if scope["type"] != "http" or scope["path"] in FLOOR:
            await self._app(scope, receive, send)
            return
        send = secured(send)
        try:
            call, headers = read_headers(scope["headers"])
            caller = await self._admit(call, scope)
            owner = self._owner(scope)
            self._limits.check_length(call.length)
            if call.is_chunked:
                receive = await self._limits.read_whole(receive)
        except Problem as problem:
            await refusal(problem)(scope, receive, send)
            return
        headers.append((b"heed-identity", self._callers.vouch(caller)))
        target = self._upstreams[owner]
        if call.prefer and scope["path"] == FILING and (seconds := waiting.seconds_preferred(call.prefer)):
            target = self._triage_wait.around(target, seconds)
        await target(_passed_on(scope, headers), receive, send)

    async def _admit(self, call: Call, scope: Scope) -> Principal:
        address = (scope.get("client") or ("unknown",))[0]
        try:
            caller = await self._callers.identify(call.authorization)
        except Unauthenticated:
            self._limits.count(ANONYMOUS, address)
            raise
        self._limits.count(caller, address)
        return caller

    def _owner(self, scope: Scope) -> str:
        owners = self._table.owners(scope["path"])
        owner = owners.get(scope["method"])
        if owner is not None:
            return owner
        if not owners:
            raise NotFound
        raise MethodNotAllowed(allowed=sorted(owners))


def read_headers(headers: list[tuple[bytes, bytes]]) -> tuple[Call, list[tuple[bytes, bytes]]]:
    """What the headers say, and those that go on: never a client's Heed-Identity, nor the token itself."""
    call, kept = Call(), []
    for header in headers:
        name, value = header
        if name == b"authorization":
            if call.authorization is not None:
                raise Unauthenticated("Send one Authorization header.")
            call.authorization = value
            continue
        if name == b"heed-identity":
            continue
        if name == b"content-length":
            call.length = value
        elif name == b"transfer-encoding":
            call.is_chunked = True
        elif name == b"prefer":
            call.prefer = value if call.prefer is None else call.prefer + b"," + value
        kept.append(header)
    return call, kept


def _passed_on(scope: Scope, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The call as its owner sees it."""
    passed = {**scope, "headers": headers}
    path: str = scope["path"]
    if path.startswith(f"{PARKED}/"):
        passed["path"] = PARKED + path.removeprefix(f"{PARKED}/").removeprefix(path.split("/")[3])
        passed["raw_path"] = passed["path"].encode()
    return passed


def secured(send: Send) -> Send:
    """Add the headers that every answer shall have, where its owner did not set them."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", ())
            names = {name for name, _ in given}
            message["headers"] = [*given, *(header for header in SECURITY if header[0] not in names)]
        await send(message)

    return sending


def refusal(problem: Problem) -> ASGIApp:
    """The answer to a call that is not admitted."""
    headers = {}
    if isinstance(problem, TooManyRequests):
        headers["retry-after"] = str(problem.members["retry_after_seconds"])
    if isinstance(problem, MethodNotAllowed):
        headers["allow"] = ", ".join(problem.members["allowed"])
    return problem_response(problem, headers)
