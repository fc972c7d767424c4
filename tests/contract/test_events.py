"""Events can be read by those who were here before, and those before can be read by us."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from shared.contracts import COMPACTED, FACTS, TOPICS, Event, Fact, NotAnEvent, Record, decode, encode
from shared.contracts.texts import TextErased
from shared.ids import new_id
from tests.contract.examples import EXAMPLES
from tests.support.harness import project_root

GOLDEN = Path(__file__).parent / "golden"
NOUNS = {
    "request", "text", "organisation", "area", "policy", "delivery", "endpoint", "event", "alarm", "draw", "drill",
    "improvement", "log",
}  # fmt: skip
SCHEMAS = project_root() / "shared" / "contracts" / "schemas"
STORED = sorted(GOLDEN.glob("*/*.json"))


def event(fact: Fact) -> Event[Fact]:
    return Event(
        id=new_id(),
        source="intake",
        subject=str(new_id()),
        key="key",
        time=datetime(2026, 11, 24, 12, 0, 0, 5, UTC),
        sequence=3,
        fact=fact,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


@pytest.mark.parametrize("fact", EXAMPLES, ids=lambda fact: fact.TYPE)
def test_an_event_comes_back_as_it_went(fact: Fact) -> None:
    sent = event(fact)
    assert decode(encode(sent)) == sent


def test_there_is_an_example_of_every_type() -> None:
    assert {fact.TYPE for fact in EXAMPLES} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_a_type_is_named_after_its_fact(name: str) -> None:
    prefix, noun, participle = name.split(".")
    assert prefix == "heed"
    assert FACTS[name].__name__.lower().endswith(participle.replace("_", ""))
    assert noun in NOUNS
    assert FACTS[name].TOPIC in TOPICS


@pytest.mark.parametrize("fact", [e for e in EXAMPLES if not isinstance(e, TextErased)], ids=lambda fact: fact.TYPE)
def test_the_cloudevents_library_reads_our_records(fact: Fact) -> None:
    """All but tombstones: that library has no word for an event without data."""
    record = encode(event(fact))
    assert record.value is not None
    headers = {name: value.encode() for name, value in record.headers.items()}
    read = from_kafka_event(KafkaMessage(headers=headers, key=record.key.encode(), value=record.value))
    said = (read.get_type(), read.get_specversion(), read.get_datacontenttype())
    assert said == (fact.TYPE, "1.0", "application/json")
    assert read.get_extension("sequence") == "3"
    assert read.get_data() == json.loads(record.value)


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_once_published_can_still_be_read(path: Path) -> None:
    stored = json.loads(path.read_text())
    value = None if stored["value"] is None else json.dumps(stored["value"]).encode()
    read = decode(Record(topic=stored["topic"], key=stored["key"], headers=stored["headers"], value=value))
    assert read is not None
    assert read.type == path.parent.name


def test_every_type_has_a_stored_example() -> None:
    missing = set(FACTS) - {path.parent.name for path in STORED}
    assert missing == set(), "run `python -m tests.contract.examples`: it adds, and never changes one that is there"


@pytest.mark.parametrize("fact", EXAMPLES, ids=lambda fact: fact.TYPE)
def test_the_stored_schema_accepts_what_we_publish(fact: Fact) -> None:
    schema = json.loads((SCHEMAS / f"{fact.TYPE}.json").read_text())
    jsonschema_rs.validate(schema, json.loads(encode(event(fact)).value or b"{}"))


@pytest.mark.parametrize("name", FACTS)
def test_a_reader_ignores_what_it_does_not_know(name: str) -> None:
    [fact] = [example for example in EXAMPLES if name == example.TYPE]
    record = encode(event(fact))
    if record.value is None:
        assert isinstance(fact, TextErased)
        return
    more = json.dumps({**json.loads(record.value), "of_a_later_version": 1}).encode()
    read = decode(Record(topic=record.topic, key=record.key, headers=record.headers, value=more))
    assert read is not None
    assert read.fact == fact


def test_a_type_of_a_later_version_is_passed_over() -> None:
    record = encode(event(EXAMPLES[0]))
    headers = {**record.headers, "ce_type": "heed.request.teleported"}
    assert decode(Record(topic=record.topic, key="k", headers=headers, value=b"{}")) is None


@pytest.mark.parametrize("missing", ["ce_type", "ce_id", "ce_source", "ce_subject", "ce_time", "ce_sequence"])
def test_a_record_without_an_attribute_is_no_event(missing: str) -> None:
    record = encode(event(EXAMPLES[0]))
    headers = {name: value for name, value in record.headers.items() if name != missing}
    with pytest.raises(NotAnEvent):
        decode(Record(topic=record.topic, key="k", headers=headers, value=record.value))


PERSONAL = ("name", "phone", "address", "latitude", "longitude", "door", "text", "words", "comment", "note")


@pytest.mark.parametrize("name", [n for n, fact in FACTS.items() if fact.TOPIC != "heed.texts"])
def test_no_fact_has_a_place_for_personal_data(name: str) -> None:
    """A name in the directory is an organisation's or a place's, never a person's."""
    fields: dict[str, Any] = dict(FACTS[name].model_fields)
    if FACTS[name].TOPIC in COMPACTED:
        fields.pop("name", None)
    assert [field for field in fields if field in PERSONAL] == []


def test_ids_tell_their_age() -> None:
    made = [new_id() for _ in range(100)]
    assert made == sorted(made)
    assert all(identifier.version == 7 for identifier in made)
