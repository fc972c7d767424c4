"""The AsyncAPI document: each topic with its facts, who states them and who reads them, made from the contracts."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

import dispatch.handlers
import followup.handlers
import intake.handlers
import services.callbacks.handlers
import services.gateway.handlers
import triage.handlers
from shared.bus.kafka import MOST_COPIES, settings_of
from shared.contracts import FACTS, TOMBSTONES, TOPICS, Fact
from shared.settings import ROOT, Settings

Document = dict[str, Any]
READ_BY: Mapping[str, Collection[type[Fact]]] = {
    "intake": intake.handlers.HANDLES,
    "triage": triage.handlers.HANDLES,
    "dispatch": dispatch.handlers.HANDLES,
    "followup": followup.handlers.HANDLES,
    "callbacks": services.callbacks.handlers.HANDLES,
    "gateway": services.gateway.handlers.HANDLES,
}
"""The facts to which each service reacts."""
GOLDEN = ROOT / "tests" / "contract" / "golden"
SCHEMAS = "#/components/schemas/"
KAFKA = {"bindingVersion": "0.5.0"}
REPLICAS = MOST_COPIES
KEYS = {
    "heed.requests": "The request's id: all facts about a request stand in one partition, in one order.",
    "heed.texts": "The text's id; the newest record of a key replaces the older, and a tombstone erases the text.",
    "heed.directory": "The entry's id; the newest record of a key replaces the older.",
    "heed.callbacks": "The endpoint's id.",
    "heed.operations": "The id of what it is about.",
}
ABOUT = (
    "Every fact of Heed, as CloudEvents 1.0 in the binary mode of the Kafka binding: the attributes are headers, the "
    "value is JSON. Delivery is at least once; `ce_sequence` counts without gaps, so that a reader keeps the last "
    "number per source and key, passes over what is not greater, and knows when something is missing. Readers pass "
    "over types and fields that they do not know. No name, phone, address or free text is on any topic but "
    "`heed.texts`, where phone and id numbers are masked."
)
HEADERS: Document = {
    "type": "object",
    "description": "The CloudEvents attributes, as UTF-8.",
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_subject",
        "ce_time",
        "ce_sequence",
        "content-type",
    ],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv7; the same when a record is sent twice."},
        "ce_type": {"type": "string", "description": "`heed.<noun>.<past participle>`."},
        "ce_source": {"type": "string", "format": "uri-reference", "description": "`/heed/<service>`."},
        "ce_subject": {"type": "string", "description": "The request's id, or the id of what the fact is about."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Number of the fact among those that this source stated under this key; without gaps.",
        },
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context of the call that led to the fact."},
    },
}


def document() -> Document:
    """The whole document, by AsyncAPI 3.0."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Heed", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka",
                "description": "The brokers that HEED_BUS names. An outside reader takes a consumer group of its own.",
                "variables": {"brokers": {"default": "127.0.0.1:9092"}},
            }
        },
        "channels": {topic: _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": {fact.__name__: _message(fact) for fact in FACTS.values()},
            "schemas": {"CloudEventsHeaders": HEADERS, **_schemas()},
        },
    }


def facts_of(topic: str) -> list[type[Fact]]:
    """The topic's facts, in the order in which its modules tell of them."""
    modules = dict.fromkeys(fact.__module__ for fact in FACTS.values() if topic == fact.TOPIC)
    return [named for name in modules for named in vars(sys.modules[name]).values() if _is_of(named, name)]


def _is_of(named: object, module: str) -> bool:
    """Whether it is a fact that the module itself tells of."""
    return named in FACTS.values() and getattr(named, "__module__", None) == module


def _channel(topic: str) -> Document:
    facts = facts_of(topic)
    settings = settings_of(topic, REPLICAS)
    kafka = {
        "topic": topic,
        "partitions": Settings.model_fields["bus_partitions"].default,
        "replicas": REPLICAS,
        "topicConfiguration": {
            "cleanup.policy": [settings["cleanup.policy"]],
            "retention.ms": int(settings["retention.ms"]),
            "min.insync.replicas": int(settings["min.insync.replicas"]),
        },
        **KAFKA,
    }
    return {
        "address": topic,
        "description": " ".join((sys.modules[facts[0].__module__].__doc__ or "").split()),
        "messages": {fact.__name__: {"$ref": f"#/components/messages/{fact.__name__}"} for fact in facts},
        "bindings": {"kafka": kafka},
    }


def _operations() -> Iterator[tuple[str, Document]]:
    for service, read in READ_BY.items():
        for topic in TOPICS:
            facts = facts_of(topic)
            stated = [fact for fact in facts if service in fact.STATED_BY]
            taken = [fact for fact in facts if fact in read]
            name = topic.removeprefix("heed.")
            if stated:
                yield f"{service}.states.{name}", _operation("send", topic, stated)
            if taken:
                group = {"groupId": {"type": "string", "enum": [f"heed.{service}"]}, **KAFKA}
                yield (
                    f"{service}.reads.{name}",
                    {**_operation("receive", topic, taken), "bindings": {"kafka": group}},
                )


def _operation(action: str, topic: str, facts: list[type[Fact]]) -> Document:
    channel = f"#/channels/{topic}"
    messages = [{"$ref": f"{channel}/messages/{fact.__name__}"} for fact in facts]
    return {"action": action, "channel": {"$ref": channel}, "messages": messages}


def _message(fact: type[Fact]) -> Document:
    sources = [f"/heed/{service}" for service in fact.STATED_BY]
    own = {"properties": {"ce_type": {"const": fact.TYPE}, "ce_source": {"enum": sources}}}
    stored = sorted((GOLDEN / fact.TYPE).glob("*.json"))
    return {
        "name": fact.TYPE,
        "title": fact.__name__,
        "summary": _summary(fact),
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": SCHEMAS + "CloudEventsHeaders"}, own]},
        "payload": {"type": "null"} if _is_tombstone(fact) else {"$ref": SCHEMAS + fact.__name__},
        "bindings": {"kafka": {"key": {"type": "string", "description": KEYS[fact.TOPIC]}, **KAFKA}},
        **({"examples": [_example(stored[-1], sources[0])]} if stored and not _is_tombstone(fact) else {}),
    }


def _example(path: Path, source: str) -> Document:
    stored = json.loads(path.read_text("utf-8"))
    return {"headers": {**stored["headers"], "ce_source": source}, "payload": stored["value"]}


def _summary(fact: type[Fact]) -> str:
    return " ".join((fact.__doc__ or "").split())


def _is_tombstone(fact: type[Fact]) -> bool:
    return TOMBSTONES.get(fact.TOPIC) is fact


def _schemas() -> Document:
    facts = [fact for fact in FACTS.values() if not _is_tombstone(fact)]
    _, made = models_json_schema([(fact, "validation") for fact in facts], ref_template=SCHEMAS + "{model}")
    definitions: Document = _as_draft_7(made["$defs"])
    return definitions


def _as_draft_7(node: Any) -> Any:
    """AsyncAPI's own schemas are draft 7, where a tuple's items stand in `items`."""
    if isinstance(node, dict):
        return {"items" if key == "prefixItems" else key: _as_draft_7(value) for key, value in node.items()}
    return [_as_draft_7(value) for value in node] if isinstance(node, list) else node
