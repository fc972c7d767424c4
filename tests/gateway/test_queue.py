"""The queue: its order, its pages, what it is filtered by, and that it does not cost more as history grows."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from services.gateway import store
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, DisputeReason, Outcome, WithdrawalReason
from tests.gateway.histories import GRID, GRID_WORKER, HOSPITAL, HUXIAO, LONGYIN, OPERATOR, PHARMACY, History
from tests.gateway.stage import Gateway


async def page(gateway: Gateway, query: str = "", **headers: str) -> dict[str, Any]:
    answer = await gateway.get(OPERATOR, f"/v1/queue{query}", **headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def ids(gateway: Gateway, query: str = "") -> list[str]:
    return [item["id"] for item in (await page(gateway, query))["items"]]


async def given(gateway: Gateway, *histories: History) -> list[str]:
    await gateway.take(*(event for history in histories for event in history.new()))
    return [str(history.id) for history in histories]


def new(gateway: Gateway, **options: Any) -> History:
    return History(gateway.builder, **options).received()


async def test_the_most_urgent_comes_first(gateway: Gateway) -> None:
    green = new(gateway).triaged(Colour.GREEN).assigned()
    late_yellow = new(gateway).triaged(Colour.YELLOW, minutes=30).assigned()
    yellow = new(gateway).triaged(Colour.YELLOW).assigned()
    red = new(gateway).triaged(Colour.RED).assigned()
    untriaged = new(gateway)
    green_id, late_id, yellow_id, red_id, untriaged_id = await given(
        gateway, green, late_yellow, yellow, red, untriaged
    )
    assert await ids(gateway) == [untriaged_id, red_id, yellow_id, late_id, green_id]


async def test_what_ended_is_not_in_the_queue(gateway: Gateway) -> None:
    ended = new(gateway).add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))
    _, open_id = await given(gateway, ended, new(gateway))
    assert await ids(gateway) == [open_id]


async def test_what_was_closed_comes_back_when_it_is_disputed(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand().answered().add(r.RequestClosed(outcome=Outcome.UNASKED))
    (request_id,) = await given(gateway, history)
    assert await ids(gateway) == []
    await given(gateway, history.add(r.RequestDisputed(reason=DisputeReason.LOOK_BACK)))
    assert await ids(gateway) == [request_id]


async def test_the_ended_are_listed_newest_first_by_pages(gateway: Gateway) -> None:
    closed = [
        History(gateway.builder).in_hand().answered().add(r.RequestClosed(outcome=Outcome.UNASKED)) for _ in range(5)
    ]
    expected = list(reversed(await given(gateway, *closed)))
    found, query = [], "?status=closed&limit=2"
    while query:
        document = await page(gateway, query)
        found += [item["id"] for item in document["items"]]
        cursor = document["next_cursor"]
        query = f"?status=closed&limit=2&cursor={cursor}" if cursor else ""
    assert found == expected
    assert (await gateway.get(OPERATOR, "/v1/queue?status=closed&status=triaged")).status_code == 422


async def test_pages_neither_skip_nor_repeat_while_requests_come_in(gateway: Gateway) -> None:
    there = await given(gateway, *(new(gateway).triaged(Colour(c)) for c in ["red", "yellow", "green"] * 5))
    found: list[str] = []
    cursor = ""
    while True:
        document = await page(gateway, f"?limit=4{cursor}")
        found += [item["id"] for item in document["items"]]
        if document["next_cursor"] is None:
            break
        cursor = f"&cursor={document['next_cursor']}"
        await given(gateway, *(new(gateway).triaged(Colour(c)) for c in ("red", "yellow", "green")))
    assert len(found) == len(set(found))
    assert set(there) <= set(found)


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "WzEsMiwzLDRd", "é"])
async def test_a_cursor_that_is_none_of_ours_is_refused(gateway: Gateway, cursor: str) -> None:
    answer = await gateway.get(OPERATOR, f"/v1/queue?cursor={quote(cursor)}")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/invalid-input")


async def filtered(gateway: Gateway) -> Sequence[str]:
    """A red one of the hospital in Huxiao, a green one of the pharmacy in Longyin, one that nobody has yet."""
    red = new(gateway, area=GRID).triaged(Colour.RED).assigned(HOSPITAL)
    green = History(gateway.builder, area=f"{LONGYIN}/02").received("高血压药 50% 快吃完了").triaged(Colour.GREEN)
    return await given(gateway, red, green.assigned(PHARMACY), new(gateway, area=None))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "nrg"),
        ("?colour=red", "r"),
        ("?colour=red&colour=green", "rg"),
        ("?status=received", "n"),
        ("?status=assigned", "rg"),
        ("?organisation=pharmacy-supply", "g"),
        ("?organisation=pharmacy", ""),
        (f"?area={HUXIAO}", "r"),
        (f"?area={GRID}", "r"),
        ("?area=pinghu", "rg"),
        (f"?area={HUXIAO[:-1]}", ""),
        ("?overdue=true", "n"),
        ("?overdue=false", "rg"),
        ("?q=高血压", "g"),
        ("?q=50%25", "g"),
        ("?q=%25%25", ""),
        ("?q=__", ""),
        (f"?colour=green&area={LONGYIN}&organisation=pharmacy-supply&overdue=false&q=血压", "g"),
    ],
)
async def test_the_queue_is_filtered(gateway: Gateway, query: str, expected: str) -> None:
    names = dict(zip(await filtered(gateway), "rgn", strict=True))
    gateway.clock.turn(minutes=2)
    assert "".join(names[found] for found in await ids(gateway, query)) == expected


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?colour=pink", "?q=x", "?overdue=perhaps", "?more=1"])
async def test_what_cannot_be_asked_is_refused(gateway: Gateway, query: str) -> None:
    assert (await gateway.get(OPERATOR, f"/v1/queue{query}")).status_code == 422


async def test_a_receipt_finds_its_request_in_any_status(gateway: Gateway) -> None:
    history = new(gateway).add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))
    (request_id,) = await given(gateway, history)
    assert await ids(gateway, f"?q={history.receipt.lower().replace('-', '')}") == [request_id]
    elsewhere = History(gateway.builder, area=LONGYIN).received()
    await given(gateway, elsewhere)
    hidden = await gateway.get(GRID_WORKER, f"/v1/queue?q={elsewhere.receipt}")
    assert hidden.json()["items"] == []


async def test_a_reader_of_the_queue_finds_what_he_just_wrote(gateway: Gateway) -> None:
    history = new(gateway)
    mark = {"heed-seen": f"intake:{history.id}:1"}
    reading = asyncio.create_task(page(gateway, "", **mark))
    await asyncio.wait([reading], timeout=0.3)
    assert not reading.done()
    (request_id,) = await given(gateway, history)
    assert [item["id"] for item in (await reading)["items"]] == [request_id]


async def test_the_queue_is_read_from_the_index_of_open_requests(gateway: Gateway) -> None:
    """What ended is not looked at, however much of it there is."""
    await given(gateway, *(new(gateway).triaged() for _ in range(10)))
    now = gateway.clock.now()
    async with gateway.service.database.transaction() as connection:
        await connection.execute(
            sa.text(
                "insert into requests select gen_random_uuid(), n::text, 'closed', false, 'red', 0, due_at,"
                " received_at, area, handling, body from (select * from requests limit 1) r,"
                " generate_series(1, 20000) n"
            )
        )
        await connection.execute(sa.text("analyze requests"))
        statement = store.queue_page(store.Wanted(), now, None, 50)
        compiled = statement.compile(connection.engine.sync_engine, compile_kwargs={"literal_binds": True})
        rows = await connection.execute(sa.text(f"explain (analyze, format json) {compiled}"))
        plan = str(rows.scalar_one())
    assert "ix_requests_queue" in plan
    assert "Seq Scan" not in plan
