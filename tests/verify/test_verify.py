"""`heed verify` on a running system: green while it works, and red for every kind of tampering."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from services.verify.seals import read_kept
from tests.verify.town import TEXTS, Town, file, sealed

pytestmark = pytest.mark.timeout(180)

OF_LOG = "select topic, number, position, key, headers::text, value, appended_at from log"
SOME = f"{OF_LOG} where topic = 'heed.requests' and headers->>'ce_type' = 'heed.request.triaged' limit 1"
AT = "topic = :topic and number = :number and position = :position"


def place(row: Any) -> dict[str, Any]:
    return {"topic": row.topic, "number": row.number, "position": row.position}


async def test_it_is_green_and_counts(town: Town) -> None:
    report = await town.verify()
    assert report.is_green, report.verdict
    records, requests, figures = report.lines
    assert "sealed" in records
    assert f"The requests: {len(TEXTS)} = " in requests
    assert "withdrawn 1" in requests
    assert "recounted" in figures
    assert report.verdict == "Verified: the log, the requests and the figures agree."


async def test_it_is_green_at_the_bus_itself(town: Town) -> None:
    report = await town.verify_at_the_bus()
    assert report.is_green, report.verdict


async def test_it_is_green_however_small_the_pages(town: Town) -> None:
    report = await town.verify(page_records=7)
    assert report.is_green, report.verdict


async def test_the_command_says_so_and_ends_with_0(town: Town) -> None:
    code, said = await town.heed("verify")
    assert (code, said.splitlines()[-1]) == (0, "Verified: the log, the requests and the figures agree.")


async def test_one_changed_byte_is_found(town: Town) -> None:
    row = await town.row("bus", SOME)
    changed = row.value.replace(b'"revision":1', b'"revision":2')
    assert sum(a != b for a, b in zip(changed, row.value, strict=True)) == 1
    await town.execute("bus", f"update log set value = :value where {AT}", value=changed, **place(row))
    try:
        report = await town.verify()
        assert not report.is_green
        assert f"heed.requests/{row.number}" in report.verdict
        assert "is not what was sealed" in report.verdict
        assert not (await town.verify_at_the_bus()).is_green
        code, said = await town.heed("verify")
        assert (code, said.splitlines()[-1]) == (1, report.verdict)
    finally:
        await town.execute("bus", f"update log set value = :value where {AT}", value=row.value, **place(row))
    assert (await town.verify()).is_green


@pytest.mark.parametrize("which", ["first", "middle", "last"])
async def test_a_removed_record_is_found(town: Town, which: str) -> None:
    order = {"first": "position", "last": "position desc", "middle": "abs(position - 5), position"}[which]
    row = await town.row("bus", f"{OF_LOG} where topic = 'heed.requests' order by {order} limit 1")
    await town.execute("bus", f"delete from log where {AT}", **place(row))
    try:
        report = await town.verify()
        assert f"heed.requests/{row.number}" in report.verdict, report.verdict
    finally:
        await put(town, row)
    assert (await town.verify()).is_green


async def put(town: Town, row: Any, **changes: Any) -> None:
    """Insert a row as it was, but for the changes."""
    statement = (
        "insert into log (topic, number, position, key, headers, value, appended_at)"
        " values (:topic, :number, :position, :key, cast(:headers as jsonb), :value, :appended_at)"
    )
    await town.execute("bus", statement, **row._asdict() | changes)


async def grow(town: Town, row: Any, by: int = 1) -> int:
    """Let the row's partition end later; where it ended."""
    where = "where topic = :topic and number = :number"
    of = {"topic": row.topic, "number": row.number}
    end: int = (await town.row("bus", f"select next_position from log_partitions {where}", **of)).next_position
    await town.execute("bus", f"update log_partitions set next_position = next_position + {by} {where}", **of)
    return end


VIEW = "update requests set body = jsonb_set(body, '{life,%s}', '\"%s\"') where id = :id"
CASE = "update cases set body = jsonb_set(body, '{life,%s}', '\"%s\"') where request_id = :id"
CHANGED = [
    ("gateway", "requests", VIEW % ("status", "accepted")),
    ("gateway", "requests", VIEW % ("holder,name", "town-office")),
    ("gateway", "requests", VIEW % ("colour", "green")),
    ("gateway", "requests", "update requests set status = 'accepted' where id = :id"),
    ("gateway", "requests", "delete from requests where id = :id"),
    ("followup", "cases", CASE % ("status", "accepted")),
    ("followup", "cases", "update cases set status = 'accepted' where request_id = :id"),
]
OF = {"requests": "id", "cases": "request_id"}


@pytest.mark.parametrize(("service", "table", "statement"), CHANGED, ids=range(len(CHANGED)))
async def test_a_changed_request_is_found(town: Town, service: str, table: str, statement: str) -> None:
    asked = await town.row(
        "gateway", "select id from requests where status = 'answered' and colour <> 'green' order by id limit 1"
    )
    where = f"where {OF[table]} = :id"
    await town.execute(service, f"create table kept as select * from {table} {where}".replace(":id", f"'{asked.id}'"))
    assert await town.execute(service, statement, id=asked.id) == 1
    try:
        report = await town.verify()
        assert str(asked.id) in report.verdict, report.verdict
    finally:
        await town.execute(service, f"delete from {table} {where}", id=asked.id)
        await town.execute(service, f"insert into {table} select * from kept")
        await town.execute(service, "drop table kept")
    assert (await town.verify()).is_green


@pytest.mark.parametrize(
    "where", ["dimension = 'total' and size = 'month'", "dimension = 'colour' and size = 'month'", "size = 'hour'"]
)
async def test_a_changed_figure_is_found(town: Town, where: str) -> None:
    await town.execute("followup", f"update cells set on_time = on_time - 1 where {where}")
    try:
        report = await town.verify()
        assert "on_time" in report.verdict, report.verdict
        assert "figures of" in report.verdict
    finally:
        await town.execute("followup", f"update cells set on_time = on_time + 1 where {where}")
    assert (await town.verify()).is_green


async def test_a_seal_that_was_kept_outside_is_checked_too(town: Town, tmp_path: Path) -> None:
    """Who can write to every database of the city can forge seals as well; not those that others have kept."""
    lines = [json.dumps(event) for event in await town.system.events(types="heed.log.sealed")]
    kept = tmp_path / "seals.jsonl"
    kept.write_text("\n".join(lines))
    assert (await town.verify(read_kept(lines))).is_green
    code, said = await town.heed("verify", "--seals", str(kept))
    assert code == 0, said
    forged = [json.loads(line) for line in lines]
    forged[0]["data"]["hash"] = "00" * 32
    report = await town.verify(read_kept(map(json.dumps, forged)))
    assert "is not what was sealed" in report.verdict
    kept.write_text("{}")
    code, said = await town.heed("verify", "--seals", str(kept))
    assert (code, "no seal" in said) == (1, True)


async def test_it_is_green_while_the_services_go_on(town: Town) -> None:
    async def busy() -> None:
        async with town.system.client("operator") as operator:
            for n, text in enumerate(TEXTS * 4):
                await file(operator, text, 100 + n)

    working = asyncio.create_task(busy())
    reports = []
    while not working.done():
        reports.append(await town.verify())
    await working
    assert [report.verdict for report in reports if not report.is_green] == []
    assert reports


async def test_it_is_green_after_redelivery_and_a_kill(town: Town) -> None:
    """What a relay publishes twice, and what a killed process reads again, is nothing new."""
    row = await town.row("bus", SOME)
    await put(town, row, position=await grow(town, row))
    async with town.system.client("operator") as operator:
        await file(operator, TEXTS[0], 900)
        await town.system.kill()
    await town.system.start()
    async with town.system.client("operator") as operator:
        await file(operator, TEXTS[1], 901)
    await sealed(town)
    report = await town.verify()
    assert report.is_green, report.verdict
    assert f"The requests: {len(TEXTS) * 5 + 2} = " in report.lines[1]


async def test_where_nobody_answers_it_ends_with_2(town: Town) -> None:
    await town.system.stop()
    try:
        code, said = await town.heed("verify")
        assert (code, "Is Heed running?" in said) == (2, True)
    finally:
        await town.system.start()


async def test_an_inserted_record_is_found(town: Town) -> None:
    """In a place of its own, all behind it moved up by one. The last test: followup reads on in what was tampered with,
    so nothing can be as it was."""
    row = await town.row("bus", SOME)
    behind = "topic = :topic and number = :number and position >= :position"
    for by in (100_001, -100_000):  # in two steps, for positions are unique
        await town.execute("bus", f"update log set position = position + {by} where {behind}", **place(row))
    await grow(town, row)
    await put(town, row)
    report = await town.verify()
    assert f"heed.requests/{row.number}: what stands from position" in report.verdict, report.verdict
