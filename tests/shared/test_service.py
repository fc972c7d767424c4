import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared.contracts import encode
from shared.contracts.operations import AlarmRaised, EventDropped, EventParked, EventRetried
from shared.contracts.requests import RequestArchived, RequestMerged, RequestWithdrawn
from shared.contracts.vocabulary import WithdrawalReason
from shared.database import Database
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.messaging.tables import outbox
from shared.messaging.timers import moments_missed
from shared.messaging.work import Work
from tests.shared.noting import app as noting
from tests.shared.noting.store import notes
from tests.support.builders import START, Builder
from tests.support.eventually import eventually
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
WITHDRAWN = RequestWithdrawn(reason=WithdrawalReason.UNSTATED)


@pytest.fixture
async def harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    noting.FAILS_ON.clear()
    async with Harness.start(noting.build, postgres) as made:
        yield made


async def words(harness: Harness, subject: object = None) -> list[str]:
    query = sa.select(notes).order_by(notes.c.position)
    rows = await harness.rows(query if subject is None else query.where(notes.c.subject == str(subject)))
    return [row["type"] for row in rows]


async def test_what_is_taken_is_answered_in_the_same_transaction(harness: Harness) -> None:
    request = new_id()
    await harness.take(Builder().event(RequestMerged(into=new_id()), request))
    assert await words(harness, request) == ["heed.request.merged"]
    assert [(e.subject, e.sequence) for e in await harness.stated(RequestArchived)] == [(str(request), 1)]


async def test_the_same_event_again_changes_nothing(harness: Harness) -> None:
    event = Builder().event(RequestMerged(into=new_id()), new_id())
    await harness.take(event, event)
    await harness.take(event)
    assert len(await words(harness)) == 1
    assert len(await harness.stated()) == 1


async def test_a_gap_in_a_history_raises_an_alarm_and_is_handled(harness: Harness) -> None:
    await harness.take(Builder().event(WITHDRAWN, new_id(), sequence=3))
    assert len(await words(harness)) == 1
    assert [e.fact.kind for e in await harness.stated(AlarmRaised)] == ["sequence_gap"]


async def test_a_type_that_nobody_here_knows_leaves_no_gap(harness: Harness) -> None:
    """A newer version may state what this one has no word for; its number counts all the same."""
    request, build = new_id(), Builder()
    first, second, third = (encode(build.event(WITHDRAWN, request)) for _ in range(3))
    dreamt = {**second.headers, "ce_type": "heed.request.dreamt"}
    await harness.take_records(first, replace(second, headers=dreamt, value=b'{"of": "rain"}'), third)
    assert await words(harness, request) == ["heed.request.withdrawn"] * 2
    assert not await harness.stated(AlarmRaised)
    assert not await harness.parked()


WAITING: sa.Select[int] = (
    sa.select(sa.column("pid", sa.Integer))
    .select_from(sa.table("pg_locks"))
    .where(sa.text("locktype = 'advisory' and not granted"))
)


async def test_one_bad_event_is_parked_with_those_behind_it_and_all_others_flow(harness: Harness) -> None:
    build, bad, good = Builder(), new_id(), new_id()
    noting.FAILS_ON.add(str(bad))
    await harness.take(*(build.event(WITHDRAWN, subject) for subject in (bad, good, bad, good)))
    noting.FAILS_ON.clear()
    await harness.take(build.event(WITHDRAWN, bad), build.event(WITHDRAWN, good))
    assert len(await words(harness, good)) == 3
    assert await words(harness, bad) == []
    assert [(row["subject"], row["behind"]) for row in await harness.parked()] == [
        (str(bad), False),
        (str(bad), True),
        (str(bad), True),
    ]
    assert len(await harness.stated(EventParked)) == 3


async def test_retry_mends_the_queue_in_its_order(harness: Harness) -> None:
    build, bad = Builder(), new_id()
    noting.FAILS_ON.add(str(bad))
    await harness.take(build.event(WITHDRAWN, bad), build.event(RequestMerged(into=new_id()), bad))
    noting.FAILS_ON.clear()
    parked = await harness.parked()
    async with harness.client(OPERATOR) as client:
        listed = (await client.get("/v1/parked")).json()["items"]
        answer = await client.post(f"/v1/parked/{parked[0]['event_id']}/retry")
    assert [item["error"] for item in listed] == ["ZeroDivisionError", "behind"]
    assert answer.status_code == 204
    assert await words(harness, bad) == ["heed.request.withdrawn", "heed.request.merged"]
    assert await harness.parked() == []
    assert len(await harness.stated(EventRetried)) == 2


async def test_what_is_said_about_parking_is_parked_without_a_word(harness: Harness) -> None:
    """Else a service that reads heed.operations would park what it says of what it parks, for ever."""
    build, bad = Builder(), new_id()
    noting.FAILS_ON.add(str(bad))
    await harness.take(build.event(WITHDRAWN, bad))
    [said] = await harness.stated(EventParked)
    for source in ("noting", "gateway"):
        await harness.take(build.event(said.fact, bad, source=source))
    assert [row["type"] for row in await harness.parked()] == [WITHDRAWN.TYPE, EventParked.TYPE, EventParked.TYPE]
    assert len(await harness.stated(EventParked)) == 1


async def test_what_joins_a_queue_while_it_is_taken_out_is_not_left_behind(harness: Harness) -> None:
    build, bad, service = Builder(), new_id(), harness.service
    noting.FAILS_ON.add(str(bad))
    await harness.take(build.event(WITHDRAWN, bad))
    noting.FAILS_ON.clear()
    [parked] = await harness.parked()
    async with service.database.transaction() as connection:
        work = Work(connection, harness.clock.now(), service.name)
        await service.retry_parked(work, parked["event_id"], drop=False)
        joining = asyncio.create_task(harness.take(build.event(RequestMerged(into=new_id()), bad)))
        await eventually(lambda: harness.rows(WAITING))
        await work.flush()
    await joining
    assert await harness.parked() == []
    assert await words(harness, bad) == [WITHDRAWN.TYPE, RequestMerged.TYPE]


async def test_a_retry_that_fails_leaves_everything_parked(harness: Harness) -> None:
    bad = new_id()
    noting.FAILS_ON.add(str(bad))
    await harness.take(Builder().event(WITHDRAWN, bad))
    event_id = (await harness.parked())[0]["event_id"]
    async with harness.client(OPERATOR) as client:
        answer = await client.post(f"/v1/parked/{event_id}/retry")
    assert (answer.status_code, answer.json()["title"]) == (409, "Still fails")
    assert answer.json()["error"]
    assert len(await harness.parked()) == 1


async def test_drop_leaves_out_one_event_and_handles_the_rest(harness: Harness) -> None:
    build, bad = Builder(), new_id()
    noting.FAILS_ON.add(str(bad))
    await harness.take(build.event(WITHDRAWN, bad), build.event(RequestMerged(into=new_id()), bad))
    noting.FAILS_ON.clear()
    event_id = (await harness.parked())[0]["event_id"]
    async with harness.client(OPERATOR) as client:
        assert (await client.post(f"/v1/parked/{event_id}/drop")).status_code == 204
    assert await words(harness, bad) == ["heed.request.merged"]
    assert len(await harness.stated(EventDropped)) == 1


async def test_a_record_that_is_no_event_is_parked(harness: Harness) -> None:
    record = encode(Builder().event(WITHDRAWN, new_id()))
    broken = type(record)(topic=record.topic, key=record.key, headers=record.headers, value=b"{")
    await harness.take_records(broken, encode(Builder().event(WITHDRAWN, new_id())))
    assert len(await harness.parked()) == 1
    assert len(await words(harness)) == 1


async def test_parked_events_are_for_the_desk_only(harness: Harness) -> None:
    async with harness.client(Principal(kind=Kind.LIAISON, id="x", organisation="x")) as client:
        assert (await client.get("/v1/parked")).status_code == 403


async def test_a_key_used_again_replays_the_answer(harness: Harness) -> None:
    async with harness.client(ANONYMOUS) as client:
        for path in ("/v1/notes", "/v1/grouped-notes"):
            headers = {"idempotency-key": f'"{path}"'}
            first = await client.post(path, json={"word": "once"}, headers=headers)
            second = await client.post(path, json={"word": "once"}, headers=headers)
            other = await client.post(path, json={"word": "other"}, headers=headers)
            assert (first.status_code, second.status_code, other.status_code) == (201, 201, 422)
            assert first.json() == second.json()
            assert second.headers["idempotent-replayed"] == "true"
            assert other.json()["type"].endswith("idempotency-key-reused")
    assert len(await words(harness)) == 2


async def test_calls_that_share_a_transaction_fail_alone(harness: Harness) -> None:
    async with harness.client(ANONYMOUS) as client:
        answers = await asyncio.gather(
            *(client.post("/v1/grouped-notes", json={"word": word}) for word in ("a", "refused", "fails", "b"))
        )
    assert [answer.status_code for answer in answers] == [201, 409, 500, 201]
    assert sorted(await words(harness)) == ["note", "note"]


async def test_a_write_says_what_a_reader_must_have_seen(harness: Harness) -> None:
    async with harness.client(ANONYMOUS) as client:
        for path in ("/v1/notes", "/v1/grouped-notes"):
            answer = await client.post(path, json={"word": "a"})
            assert answer.headers["heed-seen"] == f"noting:{answer.json()['id']}:1"


async def test_a_service_is_called_through_the_gateway_only(harness: Harness) -> None:
    async with harness.client() as client:
        answer = await client.post("/v1/notes", json={"word": "a"})
        forged = await client.post("/v1/notes", json={"word": "a"}, headers={"heed-identity": "e30.e30.e30"})
    assert (answer.status_code, forged.status_code) == (401, 401)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_bad_input_is_a_problem_with_places(harness: Harness) -> None:
    async with harness.client(ANONYMOUS) as client:
        unknown = await client.post("/v1/notes", json={"word": "a", "more": 1})
        broken = await client.post("/v1/notes", content=b"{", headers={"content-type": "application/json"})
        not_utf8 = await client.post(
            "/v1/notes", content=b'{"word": "\xff"}', headers={"content-type": "application/json"}
        )
        nowhere = await client.get("/v1/nowhere")
    assert unknown.json()["errors"][0]["pointer"] == "#/more"
    assert (unknown.status_code, broken.status_code, not_utf8.status_code, nowhere.status_code) == (422, 400, 400, 404)
    assert all(a.headers["content-type"] == "application/problem+json" for a in (unknown, broken, not_utf8, nowhere))


async def test_timers_fire_all_that_is_due_however_many(harness: Harness) -> None:
    async def set_many(work: Work) -> None:
        for n in range(10_000):
            work.set_timer("ring", f"{n}", START)

    await harness.service.command(set_many)
    done = await harness.fire_due()
    assert len(done) == 20
    assert len(await words(harness)) == 10_000


async def test_a_timer_that_fails_is_put_off_and_holds_up_nobody(harness: Harness) -> None:
    async def set_two(work: Work) -> None:
        work.set_timer("ring", "bad", START)
        work.set_timer("ring", "good", START)

    noting.FAILS_ON.add("bad")
    await harness.service.command(set_two)
    await harness.fire_due()
    assert (await words(harness, "good"), await words(harness, "bad")) == (["ring"], [])
    noting.FAILS_ON.clear()
    await harness.turn(minutes=2)
    assert await words(harness, "bad") == ["ring"]


def test_a_late_timer_says_how_many_moments_it_missed() -> None:
    every = timedelta(minutes=10)
    assert moments_missed(START, every, START + timedelta(minutes=9)) == (0, START + every)
    assert moments_missed(START, every, START + timedelta(minutes=35)) == (3, START + timedelta(minutes=40))


async def test_it_runs_and_relays_and_hears_itself(postgres: PostgresServer) -> None:
    noting.FAILS_ON.clear()
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(Harness.start(noting.build, postgres))
        await harness.service.bus.stop()
        await stack.enter_async_context(harness.app.router.lifespan_context(harness.app))
        async with harness.client(ANONYMOUS) as client:
            assert (await client.get("/readyz")).status_code == 200
            made = (await client.post("/v1/notes", json={"word": "a"})).json()
            await eventually(lambda: words(harness, made["id"]), lambda seen: len(seen) == 2)
            assert "heed_facts_stated_total" in (await client.get("/metrics")).text
        assert await harness.rows(sa.select(outbox)) == []


async def test_what_callers_share_is_done_before_the_service_lets_go(postgres: PostgresServer) -> None:
    async with Harness.start(noting.build, postgres) as harness:
        url = harness.service.settings.database
        calls = [asyncio.create_task(harness.app.state.grouped(word)) for word in ("a", "b")]
        await asyncio.sleep(0)  # noqa: TID251 a step of the loop, in which they begin
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert url is not None
    database = Database(url)
    async with database.transaction() as connection:
        kept = (await connection.execute(sa.select(notes.c.word))).scalars().all()
    await database.close()
    assert sorted(kept) == ["a", "b"]
