"""One OpenAPI document for the whole API, merged from those of the services, a page that lists it, and the events."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import httpx2
from starlette.responses import HTMLResponse, JSONResponse, Response

from services.gateway.routes import GATEWAY, PARKED, ROUTES, SERVICES
from shared.messaging.parking import StillFails
from shared.problems import (
    BodyTooLarge,
    Forbidden,
    InvalidInput,
    MalformedBody,
    NotFound,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from shared.web import ASGIApp, Receive, Scope, Send, problem_response, responses

Document = dict[str, Any]
Fetch = Callable[[], Awaitable[Document]]
FRESH_SECONDS = 60.0
"""How long a merged document is given out before the services are asked again."""
EVENTS = Path(__file__).with_name("asyncapi.json")
"""The AsyncAPI document, made from the contracts by `make docs`."""
SCHEMAS = "#/components/schemas/"
OPEN_TO_ALL = frozenset({("post", "/v1/requests"), ("get", "/v1/categories")})
FILING = ("post", "/v1/requests")
PREFER: Document = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string", "examples": ["wait=2"]},
    "description": "`wait=<seconds>` (RFC 7240, ten at most): the answer is held back until the request is triaged, "
    "and comes with `category`, `colour`, `deadline`, `promises` and, where life is in danger, "
    "`emergency_advice` in `zh` and `en`. Preference-Applied says so; without it the answer is plain.",
}
PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
PROBLEM_DOCUMENT: Document = {
    "title": "ProblemDocument",
    "type": "object",
    "description": "What is wrong, by RFC 9457. `type` is stable; further members depend on it.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
    "additionalProperties": True,
}


class Documents:
    """Answers /openapi.json, /asyncapi.json and /docs."""

    def __init__(self, own: Callable[[], Document], upstreams: Mapping[str, ASGIApp]) -> None:
        """`own` makes the gateway's document; the others are fetched from the upstreams."""
        self._own, self._upstreams = own, upstreams
        self._events = EVENTS.read_bytes()
        self._merged: tuple[float, Document] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["path"] == "/asyncapi.json":
            await Response(self._events, media_type="application/json")(scope, receive, send)
            return
        try:
            merged = await self.merged()
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        is_page = scope["path"] == "/docs"
        response = HTMLResponse(page(merged), headers=PAGE_HEADERS) if is_page else JSONResponse(merged)
        await response(scope, receive, send)

    async def merged(self) -> Document:
        """The one document; raises Unavailable where a service does not give its part."""
        now = asyncio.get_running_loop().time()
        if self._merged is None or now > self._merged[0]:
            fetched = await asyncio.gather(*(fetch(app) for app in self._upstreams.values()))
            parts = {GATEWAY: self._own(), **dict(zip(self._upstreams, fetched, strict=True))}
            self._merged = now + FRESH_SECONDS, merge(parts)
        return self._merged[1]


async def fetch(upstream: ASGIApp) -> Document:
    """A service's own document."""
    transport = httpx2.ASGITransport(app=upstream, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        response = await client.get("/openapi.json")
    if response.status_code != httpx2.codes.OK:
        raise Unavailable
    document: Document = response.json()
    return document


def merge(parts: Mapping[str, Document]) -> Document:
    """One document of several; a component whose name another one has already gets its service's name in front."""
    schemas: dict[str, Any] = {"ProblemDocument": PROBLEM_DOCUMENT}
    paths: dict[str, Any] = {}
    for owner, given in parts.items():
        part = _renamed(copy.deepcopy(given), owner, schemas)
        schemas |= part.get("components", {}).get("schemas", {})
        for path, method, operation in operations(part):
            if path.startswith("/v1/") and not path.startswith(PARKED):
                paths.setdefault(path, {})[method] = _finished(operation, owner, method, path)
    for path, method, operation in _parked():
        paths.setdefault(path, {})[method] = _finished(operation, GATEWAY, method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Heed",
            "version": "1",
            "description": "A city's help desk for an emergency: every call for help gets an answer.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The tracking token of a request, or the token of a member of staff or a partner.",
                }
            },
        },
        "security": [{"token": []}],
        "tags": [{"name": owner} for owner in (GATEWAY, *ROUTES) if owner in parts],
    }


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Every operation as path, method in lower case, description."""
    for path, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            yield path, method, operation


def _renamed(part: Document, owner: str, taken: Mapping[str, Any]) -> Document:
    """The part with its clashing components renamed, and with them those that refer to them and clash then."""
    names: dict[str, str] = {}
    while True:
        schemas = part.get("components", {}).get("schemas", {})
        clashing = {name for name, schema in schemas.items() if name in taken and taken[name] != schema}
        if not clashing:
            return part
        names = {name: f"{owner.capitalize()}{name}" for name in clashing}
        part["components"]["schemas"] = {names.get(name, name): schema for name, schema in schemas.items()}
        part = _with_references(part, {SCHEMAS + old: SCHEMAS + new for old, new in names.items()})


def _with_references(node: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: renamed.get(value, value) if key == "$ref" else _with_references(value, renamed)
            for key, value in node.items()
        }
    return [_with_references(value, renamed) for value in node] if isinstance(node, list) else node


def _finished(operation: Document, owner: str, method: str, path: str) -> Document:
    """An operation with what holds for all: whose it is, who may try, what the gateway may answer."""
    parameters = [p for p in operation.get("parameters", ()) if p["name"].lower() != "heed-identity"]
    finished = {**operation, "tags": [owner]}
    finished.pop("parameters", None)
    if parameters:
        finished["parameters"] = parameters
    always = (Unauthenticated, TooManyRequests, Unavailable)
    of_a_body = (MalformedBody, BodyTooLarge) if "requestBody" in operation else ()
    finished["responses"] = _as_text(responses(*always, *of_a_body)) | operation["responses"]
    invalid = finished["responses"].get("422")
    if invalid and "application/json" in invalid.get("content", {}):
        schema = {"$ref": SCHEMAS + "ProblemDocument"}
        finished["responses"]["422"] = {
            "description": "The body or a parameter is not as described.",
            "content": {"application/problem+json": {"schema": schema}},
        }
    if (method, path) in OPEN_TO_ALL:
        finished["security"] = [{}, {"token": []}]
    if (method, path) == FILING:
        finished["parameters"] = [*parameters, PREFER]
    return finished


def _as_text(described: Mapping[int | str, Any]) -> Document:
    return {str(status): answer for status, answer in described.items()}


def _parked() -> Iterator[tuple[str, str, Document]]:
    service = {
        "name": "service",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": [GATEWAY, *SERVICES]},
    }
    event = {"name": "event_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    yield (
        f"{PARKED}/{{service}}",
        "get",
        {
            "summary": "Events that a service could not handle",
            "operationId": "list_parked",
            "parameters": [service],
            "responses": {
                "200": {
                    "description": "What is parked",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                **_as_text(responses(Forbidden, NotFound)),
            },
        },
    )
    for verb, summary in (("retry", "Handle a parked event again"), ("drop", "Leave a parked event out")):
        yield (
            f"{PARKED}/{{service}}/{{event_id}}/{verb}",
            "post",
            {
                "summary": summary,
                "operationId": f"{verb}_parked",
                "parameters": [service, event],
                "responses": {
                    "204": {"description": "Done"},
                    **_as_text(responses(Forbidden, NotFound, StillFails, InvalidInput)),
                },
            },
        )


def page(document: Document) -> str:
    """A page that lists every operation; it needs nothing from elsewhere."""
    rows = "".join(
        f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('summary', ''))}</td><td>{escape(operation['tags'][0])}</td></tr>"
        for path, method, operation in operations(document)
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Heed API</title>"
        "<style>body{font:16px sans-serif;margin:2em}td{padding:.2em .8em;border-top:1px solid #ccc}</style>"
        "<h1>Heed API</h1><p>The whole description: <a href=/openapi.json>openapi.json</a> (OpenAPI 3.1). "
        "The events: <a href=/asyncapi.json>asyncapi.json</a> (AsyncAPI 3.0).</p>"
        f"<table>{rows}</table></html>"
    )
