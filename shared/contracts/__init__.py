"""Every fact that crosses a boundary, one module per topic; the single source of schemas and documents."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from shared.contracts import callbacks, casework, directory, drills, lookback, operations, requests, reviews, texts
from shared.contracts.envelope import CONTENT_TYPE, SPECVERSION, Arrival, Event, Fact, NotAnEvent, Record

TOPICS = (requests.TOPIC, texts.TOPIC, directory.TOPIC, callbacks.TOPIC, operations.TOPIC)
COMPACTED = frozenset({texts.TOPIC, directory.TOPIC})
TOMBSTONES = {texts.TOPIC: texts.TextErased}


def _leaves(kind: type[Fact]) -> Iterator[type[Fact]]:
    for child in kind.__subclasses__():
        if "TYPE" in child.__dict__:
            yield child
        else:
            yield from _leaves(child)


FACTS: dict[str, type[Fact]] = {fact.TYPE: fact for fact in _leaves(Fact)}
"""Each CloudEvents type with its model."""


def encode(event: Event[Fact]) -> Record:
    """The event as a record of the bus, in the binary mode of the CloudEvents Kafka binding."""
    headers = {
        "ce_specversion": SPECVERSION,
        "ce_id": str(event.id),
        "ce_type": event.type,
        "ce_source": f"/heed/{event.source}",
        "ce_subject": event.subject,
        "ce_time": event.time.isoformat().replace("+00:00", "Z"),
        "ce_sequence": str(event.sequence),
        "content-type": CONTENT_TYPE,
    }
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    tombstone = TOMBSTONES.get(event.topic) is type(event.fact)
    value = None if tombstone else event.fact.model_dump_json(exclude_none=True).encode()
    return Record(topic=event.topic, key=event.key, headers=headers, value=value)


def decode(record: Record) -> Event[Fact] | None:
    """The event in a record; None where its type is not known here, which a reader passes over.

    Raises NotAnEvent where an attribute is missing or malformed, pydantic.ValidationError where the data is.
    """
    headers = record.headers
    try:
        kind = FACTS.get(headers["ce_type"])
        if kind is None:
            return None
        fact = kind() if record.value is None else kind.model_validate_json(record.value)
        return Event(
            id=UUID(headers["ce_id"]),
            source=headers["ce_source"].removeprefix("/heed/"),
            subject=headers["ce_subject"],
            key=record.key,
            time=datetime.fromisoformat(headers["ce_time"]),
            sequence=int(headers["ce_sequence"]),
            fact=fact,
            traceparent=headers.get("traceparent"),
        )
    except KeyError as missing:
        raise NotAnEvent(f"the record has no header {missing}") from missing


__all__ = [
    "COMPACTED",
    "FACTS",
    "TOPICS",
    "Arrival",
    "Event",
    "Fact",
    "NotAnEvent",
    "Record",
    "callbacks",
    "casework",
    "decode",
    "directory",
    "drills",
    "encode",
    "lookback",
    "operations",
    "requests",
    "reviews",
    "texts",
]
