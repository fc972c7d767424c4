"""Live streams over a real connection: a request's timeline, and the operators' tail of the bus."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from services.gateway import tail
from shared.bus import Partition, write_positions
from shared.contracts import Event, Fact, encode
from shared.contracts import requests as r
from shared.contracts.vocabulary import Stage, WithdrawalReason
from shared.identity import Principal
from shared.ids import new_id
from tests.gateway.histories import OPERATOR, History
from tests.gateway.serving import events, first, serving
from tests.gateway.stage import SERVICES, Gateway, echo, gateway_with
from tests.support.builders import START
from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Live:
    gateway: Gateway
    url: str

    @asynccontextmanager
    async def stream(
        self, caller: Principal, path: str, last: str | None = None, **params: Any
    ) -> AsyncIterator[httpx2.Response]:
        headers = {"authorization": f"Bearer {await self.gateway.token(caller)}"}
        if last is not None:
            headers["last-event-id"] = last
        async with (
            httpx2.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=20) as client,
            client.stream("GET", path, params=params) as answer,
        ):
            yield answer


@pytest.fixture
async def live(gateway: Gateway) -> AsyncIterator[Live]:
    async with serving(gateway.app) as url:
        yield Live(gateway, url)


def names(sent: Sequence[Any]) -> list[str]:
    return [event.data["type"].rsplit(".", 1)[1] for event in sent]


# A request's timeline


async def test_the_timeline_streams_what_was_and_what_comes(live: Live) -> None:
    history = History(live.gateway.builder).received().triaged()
    await live.gateway.take(*history.new())
    async with live.stream(history.resident, f"/v1/requests/{history.id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in answer.headers["cache-control"]
        stream = events(answer)
        sent = [await anext(stream) for _ in range(2)]
        await live.gateway.take(*history.assigned().new())
        sent.append(await anext(stream))
    assert names(sent) == ["received", "triaged", "assigned"]
    assert [event.id for event in sent] == ["1", "2", "3"]
    assert sent[0].data["text"] == "需要打第二针狂犬疫苗"


async def test_the_stream_is_the_same_as_the_timeline(live: Live) -> None:
    history = History(live.gateway.builder).in_hand().answered()
    await live.gateway.take(*history.new())
    async with live.stream(history.resident, f"/v1/requests/{history.id}/events") as answer:
        sent = await first(answer, 6)
    timeline = (await live.gateway.get(history.resident, f"/v1/requests/{history.id}")).json()["timeline"]
    assert [event.data for event in sent] == timeline


async def test_a_broken_stream_goes_on_where_it_was(live: Live) -> None:
    history = History(live.gateway.builder).in_hand()
    await live.gateway.take(*history.new())
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events") as answer:
        seen = await first(answer, 2)
    await live.gateway.take(*history.answered().new())
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events", last=seen[-1].id) as answer:
        rest = await first(answer, 4)
    assert [event.id for event in [*seen, *rest]] == ["1", "2", "3", "4", "5", "6"]


async def test_what_a_resident_is_not_told_is_not_streamed_to_him(live: Live) -> None:
    history = History(live.gateway.builder).received().triaged().assigned()
    history.add(r.TaskNudged(stage=Stage.ACCEPTED, count=1, due_at=START, **history.task())).accepted()
    await live.gateway.take(*history.new())
    async with live.stream(history.resident, f"/v1/requests/{history.id}/events") as answer:
        sent = await first(answer, 4)
    assert names(sent) == ["received", "triaged", "assigned", "accepted"]
    assert sent[-1].id == "5"


async def test_a_fact_is_streamed_with_its_text_though_that_comes_behind_it(live: Live) -> None:
    history = History(live.gateway.builder).in_hand()
    await live.gateway.take(*history.new())
    answered, text = history.answered().new()
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events", last="5") as answer:
        next_one = asyncio.create_task(first(answer, 1))
        await live.gateway.take(answered)
        await asyncio.wait([next_one], timeout=0.5)
        assert not next_one.done()
        await live.gateway.take(text)
        assert (await next_one)[0].data["text"] == "专车已安排"


async def test_a_text_that_never_comes_does_not_hold_the_stream(live: Live) -> None:
    history = History(live.gateway.builder).received()
    await live.gateway.take(*history.new())
    history.add(r.RequestAmended(text_id=new_id(), text_hash="h")).triaged()
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events") as answer:
        await live.gateway.take(*history.new())
        assert names(await first(answer, 3)) == ["received", "amended", "triaged"]


async def test_a_stream_ends_when_its_request_is_archived(live: Live) -> None:
    history = History(live.gateway.builder).received().add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))
    await live.gateway.take(*history.add(r.RequestArchived()).new())
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events") as answer:
        async with asyncio.timeout(10):
            sent = [event async for event in events(answer)]
    assert names(sent) == ["received", "withdrawn", "archived"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "99999999999999"])
async def test_a_last_event_id_that_is_none_is_refused(live: Live, last: str) -> None:
    history = History(live.gateway.builder).received()
    await live.gateway.take(*history.new())
    async with live.stream(OPERATOR, f"/v1/requests/{history.id}/events", last=last) as answer:
        assert answer.status_code == 422


async def test_nobody_keeps_all_streams_for_himself(emptied: PostgresServer) -> None:
    async with gateway_with(emptied, dict.fromkeys(SERVICES, echo()), streams_per_caller=2) as gateway:
        history = History(gateway.builder).received()
        await gateway.take(*history.new())
        path = f"/v1/requests/{history.id}/events"
        async with serving(gateway.app) as url:
            live = Live(gateway, url)
            async with live.stream(OPERATOR, path):
                async with live.stream(OPERATOR, path), live.stream(OPERATOR, path) as refused:
                    assert refused.status_code == 429
                async with live.stream(history.resident, path) as other:
                    assert other.status_code == 200
                await _eventually_open(live, path)


async def _eventually_open(live: Live, path: str) -> None:
    """A stream that was closed is free again, once the server has noticed."""
    async with asyncio.timeout(10):
        while True:
            async with live.stream(OPERATOR, path) as answer:
                if answer.status_code == 200:
                    return


# The operators' tail


async def published(live: Live, *facts: Event[Fact]) -> None:
    await live.gateway.service.bus.publish([encode(event) for event in facts])


async def test_the_tail_shows_the_bus_as_cloud_events(live: Live) -> None:
    history = History(live.gateway.builder).received()
    fact, text = history.new()
    await published(live, fact, text)
    async with live.stream(OPERATOR, "/v1/events", **{"from": "beginning"}) as answer:
        sent = await first(answer, 2)
    event = next(s.data for s in sent if s.data["type"] == "heed.request.received")
    assert event["specversion"] == "1.0"
    assert (event["id"], event["source"], event["subject"]) == (str(fact.id), "/heed/intake", str(history.id))
    assert (event["time"], event["sequence"]) == ("2026-03-02T08:00:00Z", "1")
    assert event["data"]["receipt"] == history.receipt


async def test_the_tail_is_live_from_the_latest_on(live: Live) -> None:
    await published(live, *History(live.gateway.builder).received().new())
    history = History(live.gateway.builder).received()
    async with live.stream(OPERATOR, "/v1/events", topic="requests") as answer:
        await published(live, *history.new())
        assert (await first(answer, 1))[0].data["subject"] == str(history.id)


async def test_the_tail_goes_on_after_any_event(live: Live) -> None:
    histories = [History(live.gateway.builder).received().triaged() for _ in range(6)]
    await published(live, *(event for history in histories for event in history.new()))
    async with live.stream(OPERATOR, "/v1/events", **{"from": "beginning"}) as answer:
        whole = await first(answer, 18)
    for cut in (1, 7, 17):
        for how in ({"last": whole[cut - 1].id}, {"from": whole[cut - 1].id}):
            async with live.stream(OPERATOR, "/v1/events", **how) as answer:
                rest = await first(answer, 18 - cut)
            found = {event.data["id"] for event in [*whole[:cut], *rest]}
            assert found == {event.data["id"] for event in whole}


async def test_the_tail_is_filtered(live: Live) -> None:
    one, other = (History(live.gateway.builder).received().triaged() for _ in range(2))
    await published(live, *one.new(), *other.new())
    beginning: dict[str, Any] = {"from": "beginning"}
    async with live.stream(OPERATOR, "/v1/events", request=str(one.id), **beginning) as answer:
        sent = await first(answer, 3)
        assert {event.data["subject"] for event in sent} == {str(one.id)}
    async with live.stream(OPERATOR, "/v1/events", types="heed.request.triaged", **beginning) as answer:
        assert set(names(await first(answer, 2))) == {"triaged"}
    async with live.stream(OPERATOR, "/v1/events", topic=["texts", "heed.directory"], **beginning) as answer:
        assert set(names(await first(answer, 2))) == {"recorded"}


async def test_the_tail_begins_at_a_time(live: Live) -> None:
    histories = [History(live.gateway.builder, at=START + timedelta(hours=n)).received() for n in range(8)]
    await published(live, *(event for history in histories for event in history.new()))
    since: dict[str, Any] = {"from": "2026-03-02T13:00:00Z", "topic": "requests"}
    async with live.stream(OPERATOR, "/v1/events", **since) as answer:
        sent = await first(answer, 3)
    assert {event.data["subject"] for event in sent} == {str(history.id) for history in histories[5:]}


@pytest.mark.parametrize(
    "params",
    [
        {"from": "yesterday"},
        {"from": "2026-03-02T13:00:00"},
        {"from": "requests:x"},
        {"topic": "nothing"},
        {"request": "x"},
    ],
    ids=str,
)
async def test_what_the_tail_does_not_understand_it_refuses(live: Live, params: dict[str, str]) -> None:
    async with live.stream(OPERATOR, "/v1/events", **params) as answer:
        assert answer.status_code == 422


async def test_what_is_passed_over_moves_the_place_to_go_on_from(live: Live) -> None:
    await published(live, *History(live.gateway.builder).received().new())
    bus, clock = live.gateway.service.bus, live.gateway.clock
    start = await tail.start_positions(bus, tail.topics_named(["requests"]), tail.BEGINNING)
    wanted = tail.Filter(types=frozenset({"heed.request.closed"}))
    told = await anext(tail.follow(bus, clock, start, wanted, 0.1))
    assert told.event is None
    assert tail.read_positions(told.id) == await bus.ends(["heed.requests"])


def test_positions_are_read_as_they_were_written() -> None:
    positions = {Partition("heed.requests", 0): 12, Partition("heed.requests", 1): 0, Partition("heed.texts", 0): 7}
    assert write_positions(positions) == "requests:12,0;texts:7"
    assert tail.read_positions("requests:12,0;texts:7") == positions
