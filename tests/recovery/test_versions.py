"""Old and new versions side by side: each reads what the other states."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from dispatch import app as dispatch
from followup import app as followup
from intake import app as intake
from services.callbacks import app as callbacks
from services.gateway import app as gateway
from shared.clock import Clock
from shared.contracts import Event, Fact, Record, decode, encode
from shared.contracts.requests import RequestAmended, RequestReceived
from shared.ids import new_id
from shared.messaging.tables import histories
from shared.settings import Settings
from tests.contract.examples import EXAMPLES
from tests.support.builders import Builder
from tests.support.harness import Build, Harness, project_root
from tests.support.postgres import PostgresServer
from triage import app as triage

GOLDEN = project_root() / "tests" / "contract" / "golden"


def build_gateway(settings: Settings, clock: Clock | None) -> FastAPI:
    """With nobody behind it."""
    return gateway.build(settings, clock, {})


build_gateway.__module__ = gateway.__name__
BUILDS: dict[str, Build] = {
    "intake": intake.build,
    "triage": triage.build,
    "dispatch": dispatch.build,
    "followup": followup.build,
    "callbacks": callbacks.build,
    "gateway": build_gateway,
}


def stored(path: Path) -> Record:
    kept = json.loads(path.read_text())
    value = None if kept["value"] is None else json.dumps(kept["value"]).encode()
    return Record(topic=kept["topic"], key=kept["key"], headers=kept["headers"], value=value)


def about(record: Record, request_id: str, sequence: int) -> Record:
    """The same fact, about a request that is known here."""
    ids = {"ce_id": str(new_id()), "ce_subject": request_id, "ce_sequence": str(sequence)}
    headers = {**record.headers, **ids, "ce_source": "/heed/older"}
    return replace(record, key=request_id, headers=headers)


def of_a_later_version(record: Record) -> Record:
    """The same fact, with a field that nobody here knows."""
    assert record.value is not None
    value = {**json.loads(record.value), "of_a_later_version": {"nested": [1, 2]}}
    return replace(record, value=json.dumps(value).encode())


def received(request_id: str) -> Event[Fact]:
    [fact] = [example for example in EXAMPLES if isinstance(example, RequestReceived)]
    return Builder().event(fact, request_id)


@pytest.mark.parametrize("name", BUILDS)
async def test_facts_of_an_older_schema_are_taken_by_every_service(name: str, postgres: PostgresServer) -> None:
    """All that was ever published of what can happen to a request: none is parked."""
    request_id = str(new_id())
    paths = sorted(GOLDEN.glob("heed.request.*/*.json"))
    olds = [stored(path) for path in paths if path.parent.name not in {RequestReceived.TYPE, "heed.request.merged"}]
    async with Harness.start(BUILDS[name], postgres) as harness:
        await harness.take_records(encode(received(request_id)))
        await harness.take_records(*(about(old, request_id, n) for n, old in enumerate(olds, 1)))
        assert await harness.parked() == []


@pytest.mark.parametrize("name", BUILDS)
async def test_unknown_types_and_fields_of_a_later_version_pass(name: str, postgres: PostgresServer) -> None:
    request_id, build = str(new_id()), Builder()
    begin = received(request_id)
    amended = RequestAmended(text_id=new_id(), text_hash="of the text")
    later = [encode(build.event(amended, request_id, source="later")) for _ in range(3)]
    later[1] = replace(later[1], headers={**later[1].headers, "ce_type": "heed.request.teleported"}, value=b"[1]")
    async with Harness.start(BUILDS[name], postgres) as harness:
        await harness.take_records(of_a_later_version(encode(begin)), *map(of_a_later_version_or_same, later))
        assert await harness.parked() == []
        known = await harness.rows(sa.select(histories))
        assert {(row["source"], row["last_sequence"]) for row in known} >= {("later", 3)}


def of_a_later_version_or_same(record: Record) -> Record:
    return of_a_later_version(record) if decode(record) else record
