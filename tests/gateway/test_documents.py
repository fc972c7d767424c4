"""One OpenAPI document of all services, in which every route can be reached through the gateway."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema_rs import validator_for

import dispatch.app
import followup.app
import intake.app
import services.callbacks.app
import triage.app
from services.gateway.documents import merge, operations, page
from services.gateway.routes import ROUTES, Table, all_routes
from shared.clock import Clock
from shared.contracts import TOPICS
from shared.settings import Settings
from tests.gateway.stage import Gateway, gateway_with
from tests.support.harness import test_settings
from tests.support.postgres import PostgresServer

BUILDS: dict[str, Callable[[Settings, Clock | None], FastAPI]] = {
    "intake": intake.app.build,
    "triage": triage.app.build,
    "dispatch": dispatch.app.build,
    "followup": followup.app.build,
    "callbacks": services.callbacks.app.build,
}
NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def app_of(name: str) -> FastAPI:
    """The service's app, not started: its document needs no database."""
    return BUILDS[name](test_settings(database=NOWHERE, bus=NOWHERE), None)


@pytest.fixture
async def whole(postgres: PostgresServer) -> AsyncIterator[Gateway]:
    """A gateway in front of the real services, which are not started."""
    async with gateway_with(postgres, {name: app_of(name) for name in BUILDS}) as started:
        yield started


def filled(path: str) -> str:
    """The path of a pattern with something in each place."""
    return re.sub(r"\{[^}]*\}", "0193f1a0-0000-7000-8000-000000000001", path)


@pytest.mark.parametrize("name", BUILDS)
def test_every_route_of_a_service_is_reached_through_the_gateway(name: str) -> None:
    table = Table(all_routes())
    described = list(operations(app_of(name).openapi()))
    assert described
    lost = [
        f"{method.upper()} {path}"
        for path, method, _ in described
        if table.owners(filled(path)).get(method.upper()) != name
    ]
    assert lost == []


@pytest.mark.parametrize("name", BUILDS)
def test_every_route_of_the_table_is_answered_by_its_owner(name: str) -> None:
    theirs = Table((method.upper(), path, name) for path, method, _ in operations(app_of(name).openapi()))
    dead = [
        f"{method} {path}"
        for path, methods in ROUTES[name].items()
        for method in methods.split()
        if method not in theirs.owners(filled(path).replace("...", ""))
    ]
    assert dead == []


async def test_the_document_is_one_of_openapi_3_1_whose_references_hold(whole: Gateway) -> None:
    answer = await whole.get(None, "/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    names = document["components"]["schemas"]
    referred = set(re.findall(r'"\$ref": ?"([^"]+)"', answer.text))
    assert {ref.removeprefix("#/components/schemas/") for ref in referred} <= set(names)
    for name, schema in names.items():
        validator_for({**schema, "$id": f"urn:{name}", "components": document["components"]})
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


async def test_every_operation_says_whose_it_is_and_what_can_go_wrong(whole: Gateway) -> None:
    document = (await whole.get(None, "/openapi.json")).json()
    described = {(method.upper(), path) for path, method, _ in operations(document)}
    assert len(described) == len(list(operations(document)))
    for _, _, operation in operations(document):
        assert operation["tags"][0] in {"gateway", *BUILDS}
        assert {"401", "429", "503"} <= set(operation["responses"])
        assert not [p for p in operation.get("parameters", ()) if p["name"].lower() == "heed-identity"]
    assert document["paths"]["/v1/requests"]["post"]["security"] == [{}, {"token": []}]
    assert ("GET", "/v1/queue") in described
    assert ("POST", "/v1/parked/{service}/{event_id}/retry") in described


async def test_the_events_are_described_to_anybody(whole: Gateway) -> None:
    answer = await whole.get(None, "/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["asyncapi"] == "3.0.0"
    assert set(answer.json()["channels"]) == set(TOPICS)


async def test_the_page_lists_every_operation_and_needs_nothing_from_elsewhere(whole: Gateway) -> None:
    text = (await whole.get(None, "/docs")).text
    document = (await whole.get(None, "/openapi.json")).json()
    assert all(f"<code>{path}</code>" in text for path in document["paths"])
    assert "http" not in text
    assert "<script" not in text


def part(**schemas: Any) -> dict[str, Any]:
    return {
        "paths": {
            f"/v1/{'-'.join(schemas).lower()}": {
                "get": {
                    "operationId": "read",
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {"schema": {"$ref": f"#/components/schemas/{next(iter(schemas))}"}}
                            }
                        }
                    },
                }
            }
        },
        "components": {"schemas": schemas},
    }


def test_components_that_are_equal_are_one_and_those_that_clash_are_renamed() -> None:
    refers = {"properties": {"b": {"$ref": "#/components/schemas/B"}}}
    merged = merge(
        {
            "intake": part(A=refers, B={"type": "string"}, C={"type": "null"}),
            "triage": part(A=refers, B={"type": "integer"}, C={"type": "null"}),
        }
    )
    schemas = merged["components"]["schemas"]
    assert schemas["B"] == {"type": "string"}
    assert schemas["TriageB"] == {"type": "integer"}
    assert schemas["A"] == refers
    assert schemas["TriageA"] == {"properties": {"b": {"$ref": "#/components/schemas/TriageB"}}}
    assert "TriageC" not in schemas


def test_what_is_not_public_is_left_out() -> None:
    document: dict[str, Any] = {
        "paths": {"/livez": {"get": {"responses": {}}}, "/v1/parked": {"get": {"responses": {}}}}
    }
    merged = merge({"intake": document})
    assert "/livez" not in merged["paths"]
    assert "/v1/parked" not in merged["paths"]


def test_the_page_escapes_what_it_shows() -> None:
    document = {"paths": {"/v1/<x>": {"get": {"summary": "<b>", "tags": ["intake"]}}}}
    assert "<b>" not in page(document)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/requests/x", "gateway"),
        ("/v1/requests/x/tasks", None),
        ("/v1/areas/pinghu/dushangang/huxiao/06", "dispatch"),
        ("/v1/areas", "dispatch"),
        ("/v1/areas/", None),
        ("/v1/requests/x/y", None),
        ("/v1/requests/x/tasks/y", None),
        ("/v1/parked/intake", "intake"),
        ("", None),
        ("/", None),
        ("//v1/queue", None),
    ],
)
def test_the_table_finds_the_owner(path: str, owner: str | None) -> None:
    assert Table(all_routes()).owners(path).get("GET") == owner
