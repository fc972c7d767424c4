"""Batches of facts become views, whatever the batches and however often they come."""

import sqlalchemy as sa

from services.gateway import store
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import Named, OrganisationRecorded
from shared.contracts.texts import TextErased
from shared.contracts.vocabulary import Colour
from tests.gateway.histories import HOSPITAL, OPERATOR, History
from tests.gateway.stage import Gateway

VIEWS = sa.select(store.requests).order_by(store.requests.c.id)
TIMELINE = sa.select(store.timeline).order_by(store.timeline.c.request_id, store.timeline.c.number)


def histories(gateway: Gateway) -> list[Event[Fact]]:
    """Three requests, their facts in turn."""
    events = [History(gateway.builder).in_hand().answered().new() for _ in range(3)]
    return [event for turn in zip(*events, strict=True) for event in turn]


async def test_a_batch_and_single_events_make_the_same_views(gateway: Gateway) -> None:
    events = histories(gateway)
    await gateway.take(*events)
    together = await gateway.rows(VIEWS), await gateway.rows(TIMELINE)
    async with gateway.service.database.transaction() as connection:
        for table in ("requests", "timeline", "texts", "histories"):
            await connection.execute(sa.text(f"truncate {table}"))
    for event in events:
        await gateway.take(event)
    assert (await gateway.rows(VIEWS), await gateway.rows(TIMELINE)) == together


async def test_the_same_facts_again_change_nothing(gateway: Gateway) -> None:
    events = histories(gateway)
    await gateway.take(*events)
    before = await gateway.everything()
    await gateway.take(*events)
    await gateway.take(*reversed(events))
    assert await gateway.everything() == before


async def test_a_history_without_its_beginning_waits_parked_and_others_flow(gateway: Gateway) -> None:
    headless, whole = History(gateway.builder).triaged(), History(gateway.builder).received()
    await gateway.take(*headless.new(), *whole.new())
    assert [p["error"] for p in await gateway.parked()] == ["HistoryWithoutBeginning"]
    assert (await gateway.get(OPERATOR, f"/v1/requests/{whole.id}")).status_code == 200


async def test_an_erased_text_is_gone_from_everywhere(gateway: Gateway) -> None:
    history = History(gateway.builder).received("不要给别人看")
    received, text = history.new()
    await gateway.take(received, text)
    await gateway.take(gateway.builder.event(TextErased(), history.id, key=text.key, source="intake"))
    gateway.clock.turn(minutes=1)
    shown = (await gateway.get(OPERATOR, f"/v1/requests/{history.id}")).text
    assert "不要给别人看" not in shown
    assert await gateway.rows(sa.select(store.texts)) == []


async def test_a_new_name_is_shown_at_once(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand()
    renamed = OrganisationRecorded(organisation=HOSPITAL, name=Named(zh="新医院", en="New Hospital"))
    await gateway.take(*history.new(), gateway.builder.event(renamed, HOSPITAL))
    shown = (await gateway.get(OPERATOR, f"/v1/requests/{history.id}")).json()
    assert shown["holder"]["title"] == {"zh": "新医院", "en": "New Hospital"}


async def test_a_batch_costs_few_statements_however_large(gateway: Gateway) -> None:
    statements: list[str] = []
    engine = gateway.service.database.engine.sync_engine

    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        await gateway.take(*histories(gateway))
        small = len(statements)
        statements.clear()
        more = [event for _ in range(20) for event in histories(gateway)]
        await gateway.take(*more)
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert len(statements) == small <= 10


async def test_the_last_word_on_the_colour_is_the_one_shown(gateway: Gateway) -> None:
    history = History(gateway.builder).received().triaged(Colour.GREEN).triaged(Colour.RED, revision=2)
    await gateway.take(*history.new())
    rows = await gateway.rows(sa.select(store.requests.c.colour, store.requests.c.urgency))
    assert rows == [{"colour": "red", "urgency": 0}]


async def test_every_fact_about_a_request_has_a_place_in_the_timeline(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand().add(r.RequestMerged(into=History(gateway.builder).id))
    await gateway.take(*history.new())
    shown = (await gateway.get(OPERATOR, f"/v1/requests/{history.id}")).json()
    assert shown["status"] == "merged"
    assert shown["timeline"][-1]["type"] == "heed.request.merged"
