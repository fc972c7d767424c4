"""The HTTP door of every service: problems, who calls, Idempotency-Key, paging, what was seen."""

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import cache
from time import perf_counter
from types import GenericAlias
from typing import Annotated, Any, Generic, TypeVar

import structlog
from fastapi import Depends, FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException

from shared.identity import Principal
from shared.messaging.idempotency import Idempotency, Replay
from shared.messaging.transient import is_transient
from shared.messaging.work import Seen, seen_in_call
from shared.problems import (
    InvalidInput,
    MalformedBody,
    NotFound,
    Problem,
    RevisionConflict,
    Unauthenticated,
    Unavailable,
)
from shared.telemetry import HTTP_SECONDS

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
T = TypeVar("T")
Row = TypeVar("Row")
log = structlog.get_logger()
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Body(BaseModel):
    """The base of every request body: unknown fields are refused, surrounding white space is not part of a value."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Page(BaseModel, Generic[T]):
    """A list's page; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*values: Any) -> str:
    """An opaque cursor that stands after the row with these sort values (JSON values)."""
    return (
        base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":"), default=str).encode()).decode().rstrip("=")
    )


def page(rows: Sequence[Row], limit: int, show: Callable[[Row], T], place: Callable[[Row], tuple[Any, ...]]) -> Page[T]:
    """The first `limit` rows as `show` has them; where there are more, the next begins behind `place`."""
    more = len(rows) > limit
    return Page(
        items=[show(row) for row in rows[:limit]],
        next_cursor=encode_cursor(*place(rows[limit - 1])) if more else None,
    )


def read_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The sort values in a cursor, each of its kind, a datetime with its offset; raises InvalidInput."""
    if cursor is None:
        return None
    try:
        written = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return _sort_values(kinds).validate_json(written, strict=True)
    except (ValueError, OverflowError) as broken:
        raise InvalidInput("The cursor is none that this list gave. Begin again without it.") from broken


KINDS: dict[type, Any] = {
    datetime: Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))],
    int: Annotated[int, Field(ge=-(2**63), lt=2**63)],
}
"""What is more than its type: a number that a column holds, a time that every offset can write."""


@cache
def _sort_values(kinds: tuple[type, ...]) -> TypeAdapter[tuple[Any, ...]]:
    values: Any = GenericAlias(tuple, tuple(KINDS.get(kind, kind) for kind in kinds))
    return TypeAdapter(values)


async def caller_of(request: Request) -> Principal:
    """Who calls, by the token that the gateway signed; raises Unauthenticated."""
    token = request.headers.get("heed-identity")
    if token is None:
        raise Unauthenticated("This service is called through the gateway only.")
    reader = request.app.state.identity_reader
    principal: Principal = reader.read(token)
    return principal


Caller = Annotated[Principal, Depends(caller_of)]


async def _idempotency(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
) -> Idempotency | None:
    if idempotency_key is None:
        return None
    caller = await caller_of(request)
    body = hashlib.sha256(await request.body()).hexdigest()
    return Idempotency(
        principal=f"{caller.kind}:{caller.id}",
        key=idempotency_key.strip('"'),
        fingerprint=f"{request.method} {request.url.path} {body}",
        status=request.scope["route"].status_code or 200,
    )


IdempotencyKey = Annotated[Idempotency | None, Depends(_idempotency)]


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside success, for its OpenAPI description."""
    described: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        sentence = " ".join((problem.__doc__ or problem.title).split())
        known = described.get(int(problem.status))
        description = f"{known['description']} Or: {sentence}" if known else sentence
        described[int(problem.status)] = {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
    return described


def check_revision(given: int, actual: int) -> None:
    """Raise RevisionConflict, with the present revision, where the caller decided on an older one."""
    if given != actual:
        raise RevisionConflict(revision=actual)


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as an HTTP response."""
    extra = dict(headers or {})
    if isinstance(problem, Unauthenticated):
        extra["www-authenticate"] = "Bearer"
    if isinstance(problem, Unavailable):
        extra["retry-after"] = str(RETRY_AFTER_SECONDS)
    elif (seconds := problem.members.get("retry_after_seconds")) is not None:
        extra["retry-after"] = str(seconds)
    return JSONResponse(problem.document(), int(problem.status), headers=extra, media_type=PROBLEM_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of the app leave as a problem document, and none with its insides."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(Replay, _on_replay)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 registered for this class alone
    return problem_response(error)


async def _on_replay(_: Request, error: Exception) -> Response:
    assert isinstance(error, Replay)  # noqa: S101 registered for this class alone
    return JSONResponse(error.body, error.status, headers={"idempotent-replayed": "true"})


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this class alone
    errors = [{"pointer": _pointer(e["loc"]), "detail": e["msg"]} for e in error.errors()]
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return problem_response(MalformedBody(errors=errors))
    return problem_response(InvalidInput(errors=errors))


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Where it is: a JSON pointer into the body, or the parameter's name."""
    where, *path = loc
    return "#/" + "/".join(map(str, path)) if where == "body" else ".".join(map(str, loc))


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for this class alone
    if error.status_code == NotFound.status:
        return problem_response(NotFound())
    if error.status_code == MalformedBody.status:
        return problem_response(MalformedBody())
    document = {"type": "about:blank", "title": error.detail, "status": error.status_code}
    return JSONResponse(document, error.status_code, headers=dict(error.headers or {}), media_type=PROBLEM_TYPE)


async def _on_unexpected(_: Request, error: Exception) -> Response:
    if is_transient(error):
        return problem_response(Unavailable())
    log.error("call_failed", error=type(error).__name__)
    document = {"type": "about:blank", "title": "Internal error", "status": 500}
    return JSONResponse(document, 500, media_type=PROBLEM_TYPE)


class Door:
    """Around every app: turns unexpected errors into problems, measures, and says what was written (Heed-Seen)."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        """`name` is the service's."""
        self._app, self._name = app, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen: list[Seen] = []
        token = seen_in_call.set(seen)
        began = perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                HTTP_SECONDS.labels(self._name, scope["method"], message["status"]).observe(perf_counter() - began)
                if seen:
                    value = ",".join(str(s) for s in seen).encode()
                    message["headers"] = [*message.get("headers", ()), (b"heed-seen", value)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seen_in_call.reset(token)
