"""The AsyncAPI document says what is on the bus, who states it and who reads it, and a tool can read it."""

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
import yaml

import services.gateway.app
from docs import asyncapi, asyncapi_page
from services import standalone
from shared.contracts import FACTS, TOPICS, Event, Fact, encode
from shared.contracts.requests import RequestArchived
from shared.contracts.texts import TextErased
from tests.contract.examples import AT, EXAMPLES
from tests.support.harness import project_root, test_settings

SPECIFICATION = Path(__file__).parent / "schemas" / "asyncapi-3.0.0.json"
PACKAGES = {name: name for name in ("intake", "triage", "dispatch", "followup")} | {
    "callbacks": "services/callbacks",
    "gateway": "services/gateway",
}
FLOOR = "shared/messaging"
STATED_BY_NOBODY_YET = {RequestArchived, TextErased}
NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi.document()


@pytest.fixture(scope="module")
def specification() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(SPECIFICATION.read_text()))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def at(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def schema_in(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """A validator of one of the document's schemas, which may refer to others."""
    return jsonschema_rs.Draft7Validator(
        {"allOf": [schema], "components": document["components"]}, validate_formats=True
    )


def as_record(fact: Fact) -> dict[str, Any]:
    event = Event(
        id=UUID("0193f1a0-0000-7000-8000-000000000009"),
        source=fact.STATED_BY[0],
        subject="0193f1a0-0000-7000-8000-000000000001",
        key="0193f1a0-0000-7000-8000-000000000001",
        time=AT,
        sequence=7,
        fact=fact,
    )
    record = encode(event)
    value = None if record.value is None else json.loads(record.value)
    return {"headers": dict(record.headers), "value": value}


def test_the_document_is_valid_by_the_specification(
    document: dict[str, Any], specification: jsonschema_rs.Validator
) -> None:
    assert [f"{error.instance_path}: {error.message}" for error in specification.iter_errors(document)] == []


def test_a_document_that_is_not_valid_is_found(
    document: dict[str, Any], specification: jsonschema_rs.Validator
) -> None:
    wrong = copy.deepcopy(document)
    wrong["operations"]["intake.states.requests"]["action"] = "publish"
    assert not specification.is_valid(wrong)
    wrong = copy.deepcopy(document)
    wrong["channels"]["heed.texts"]["bindings"]["kafka"]["partitions"] = 0
    assert not specification.is_valid(wrong)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert len(references) > len(FACTS)
    for reference in references:
        assert at(document, reference)


def test_every_fact_is_a_message_of_its_topic(document: dict[str, Any]) -> None:
    assert list(document["channels"]) == list(TOPICS)
    said = {
        at(document, message["$ref"])["name"]: topic
        for topic, channel in document["channels"].items()
        for message in channel["messages"].values()
    }
    assert said == {name: fact.TOPIC for name, fact in FACTS.items()}


@pytest.mark.parametrize("fact", EXAMPLES, ids=lambda fact: fact.TYPE)
def test_a_record_as_it_is_published_is_as_the_document_says(document: dict[str, Any], fact: Fact) -> None:
    message = document["components"]["messages"][type(fact).__name__]
    record = as_record(fact)
    schema_in(document, message["headers"]).validate(record["headers"])
    schema_in(document, message["payload"]).validate(record["value"])
    assert not schema_in(document, message["headers"]).is_valid({**record["headers"], "ce_type": "heed.other"})
    assert not schema_in(document, message["headers"]).is_valid({**record["headers"], "ce_source": "/heed/nobody"})


def test_the_examples_are_as_the_document_says(document: dict[str, Any]) -> None:
    shown = [message for message in document["components"]["messages"].values() if "examples" in message]
    assert len(shown) == len(FACTS) - 1, "all but the tombstone"
    for message in shown:
        for example in message["examples"]:
            schema_in(document, message["headers"]).validate(example["headers"])
            schema_in(document, message["payload"]).validate(example["payload"])


def stated_in(package: str) -> set[str]:
    """The names of facts that the code in a folder makes, or hands over to be made."""
    names = {fact.__name__ for fact in FACTS.values()}
    found: set[str] = set()
    for path in (project_root() / package).rglob("*.py"):
        if path.name == "simulation.py":
            continue  # it makes up a city, and states nothing
        for node in ast.walk(ast.parse(path.read_text())):
            if package == FLOOR and isinstance(node, ast.Name):
                found.add(node.id)
            if isinstance(node, ast.Call):
                is_state = isinstance(node.func, ast.Attribute) and node.func.attr == "state"
                for made in (node.func, *(node.args[:1] if is_state else ())):
                    found.add(made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", ""))
    return found & names


def test_each_service_states_what_the_contracts_say_and_nothing_else() -> None:
    by_all = stated_in(FLOOR)
    assert by_all, "the floor states what was parked"
    stated = {service: stated_in(package) | by_all for service, package in PACKAGES.items()}
    for fact in FACTS.values():
        code = {service for service in PACKAGES if fact.__name__ in stated[service]}
        assert code == (set() if fact in STATED_BY_NOBODY_YET else set(fact.STATED_BY)), fact.TYPE


def test_each_service_reads_what_the_document_says(document: dict[str, Any]) -> None:
    settings = test_settings(
        database=NOWHERE, bus=NOWHERE, **{f"{name}_url": "http://127.0.0.1:1" for name in standalone.INSIDE}
    )
    for service in standalone.NAMES:
        build = standalone.INSIDE.get(service, services.gateway.app.build)
        reads = {
            operation["channel"]["$ref"].removeprefix("#/channels/")
            for name, operation in document["operations"].items()
            if name.startswith(f"{service}.reads.")
        }
        assert reads == set(build(settings, None).state.service.topics), service


def test_what_is_kept_is_the_same_for_people_for_tools_and_for_the_gateway(document: dict[str, Any]) -> None:
    root = project_root()
    assert yaml.safe_load((root / "docs/asyncapi.yaml").read_text()) == document
    assert json.loads((root / "services/gateway/asyncapi.json").read_text()) == document


def test_the_page_tells_of_every_fact_and_needs_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    text = asyncapi_page.page(document)
    assert [name for name in FACTS if f'<h3 id="{name}">' not in text] == []
    assert "<script" not in text
    assert "src=" not in text
    assert "http:" not in text
    assert "<code>ce_sequence</code>" in text


def test_the_page_escapes_what_it_shows(document: dict[str, Any]) -> None:
    odd = copy.deepcopy(document)
    odd["components"]["messages"]["RequestReceived"]["summary"] = "<b>"
    odd["components"]["messages"]["RequestReceived"]["examples"][0]["payload"]["receipt"] = "</pre><i>"
    text = asyncapi_page.page(odd)
    assert "<b>" not in text
    assert "<i>" not in text
