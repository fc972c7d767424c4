"""What happens when a partner fails: the schedule, giving up, recovering, and that nobody else waits for it."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from services.callbacks.app import build
from services.callbacks.sender import Sender
from services.callbacks.store import endpoints
from shared.contracts.callbacks import DeliveryFailed, DeliverySucceeded, EndpointDisabled
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.vocabulary import AlarmKind
from tests.callbacks.desk import Desk
from tests.callbacks.story import HOSPITAL, handler
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, Reply

SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


async def test_the_schedule_is_kept_with_its_jitter_and_then_it_is_over(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.reply = Reply(500)
    await desk.take(desk.story().received())
    await desk.send()
    for tries, pause in enumerate(SCHEDULE, start=1):
        (delivery,) = await desk.deliveries(made["id"])
        assert len(delivery["attempts"]) == len(receiver.calls) == tries
        desk.harness.clock.turn(seconds=pause * 0.8 - 1)
        await desk.send()
        assert len(receiver.calls) == tries, "too early"
        desk.harness.clock.turn(seconds=pause * 0.4 + 2)
        await desk.send()
    assert len(receiver.calls) == 10
    (delivery,) = await desk.deliveries(made["id"])
    assert (delivery["state"], delivery["next_attempt_at"]) == ("failed", None)
    desk.harness.clock.turn(days=3)
    await desk.send()
    assert len(receiver.calls) == 10
    assert len(set(receiver.ids)) == 1, "the webhook-id is the same at every attempt"
    said = [(e.fact.attempt, e.fact.status_code, e.fact.final) for e in await desk.harness.stated(DeliveryFailed)]
    assert said == [(n, 500, n == 10) for n in range(1, 11)]


async def test_each_attempt_is_signed_anew_with_the_real_time(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.replies.append(Reply(503))
    await desk.take(desk.story().received())
    await desk.send()
    desk.harness.clock.turn(days=1)
    await desk.send()
    assert [call.verified(made["secret"])["type"] for call in receiver.calls] == ["heed.request.received"] * 2
    (said,) = await desk.harness.stated(DeliverySucceeded)
    assert said.fact.attempt == 2


async def test_attempts_are_listed_with_status_and_duration(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.replies.extend([Reply(500), Reply(hang_up=True)])
    await desk.take(desk.story().received())
    await desk.send()
    for _ in range(2):
        desk.harness.clock.turn(minutes=7)
        await desk.send()
    (delivery,) = await desk.deliveries(made["id"])
    tried = [(a["number"], a["status_code"], a["error"]) for a in delivery["attempts"]]
    assert tried == [(1, 500, None), (2, None, "protocol"), (3, 204, None)]
    assert all(a["duration_ms"] >= 0 for a in delivery["attempts"])
    assert delivery["state"] == "succeeded"


async def test_a_redirect_is_a_failure_and_is_not_followed(desk: Desk, receiver: Receiver) -> None:
    async with Receiver.start() as elsewhere:
        made = await desk.register(receiver.url)
        receiver.reply = Reply(307, {"location": elsewhere.url})
        await desk.take(desk.story().received())
        await desk.send()
        assert elsewhere.calls == []
        (delivery,) = await desk.deliveries(made["id"])
        assert (delivery["state"], delivery["attempts"][0]["status_code"]) == ("pending", 307)


async def test_retry_after_is_honoured_for_all_that_waits_for_the_endpoint(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    receiver.replies.append(Reply(429, {"retry-after": "600"}))
    await desk.take(desk.story().received())
    await desk.send()
    desk.harness.clock.turn(minutes=9)
    await desk.take(desk.story().received())
    await desk.send()
    assert len(receiver.calls) == 1
    desk.harness.clock.turn(minutes=2)
    await desk.send()
    assert len(receiver.calls) == 3


async def test_410_disables_at_once_with_an_alarm(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.reply = Reply(410)
    await desk.take(desk.story().received())
    await desk.send()
    now = await desk.webhook(made["id"])
    assert (now["enabled"], now["disabled_because"]) == (False, "gone")
    await desk.take(desk.story().received())
    desk.harness.clock.turn(days=1)
    await desk.send()
    assert len(receiver.calls) == 1
    assert [e.subject for e in await desk.harness.stated(EndpointDisabled)] == [made["id"]]
    (alarm,) = await desk.harness.stated(AlarmRaised)
    assert (alarm.fact.kind, alarm.subject) == (AlarmKind.ENDPOINT_DISABLED, made["id"])
    (failed,) = await desk.harness.stated(DeliveryFailed)
    assert failed.fact.final


async def _fail_until(desk: Desk, days: float) -> None:
    """Let time pass in steps of 11 hours, sending what is due."""
    until = desk.harness.clock.now() + timedelta(days=days)
    while desk.harness.clock.now() < until:
        await desk.harness.turn(hours=11)
        await desk.send()


async def test_lasting_failure_disables_with_an_alarm_and_enabling_clears_it(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.reply = Reply(500)
    await desk.take(desk.story().received())
    await desk.send()
    await _fail_until(desk, 4.5)
    assert (await desk.webhook(made["id"]))["enabled"]
    await desk.harness.turn(days=1)
    now = await desk.webhook(made["id"])
    assert (now["enabled"], now["disabled_because"]) == (False, "failing")
    assert len(await desk.harness.stated(EndpointDisabled)) == 1
    assert [e.fact.kind for e in await desk.harness.stated(AlarmRaised)] == [AlarmKind.ENDPOINT_DISABLED]
    refused = await desk.call("POST", f"/v1/webhooks/{made['id']}/test")
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (409, "not-in-this-state")
    await desk.call("PATCH", f"/v1/webhooks/{made['id']}", {"revision": now["revision"], "enabled": True})
    assert [e.fact.kind for e in await desk.harness.stated(AlarmCleared)] == [AlarmKind.ENDPOINT_DISABLED]
    receiver.reply = Reply()
    event = desk.story().received()
    await desk.take(event)
    await desk.send()
    said = await desk.harness.stated(DeliverySucceeded)
    assert event.id in {e.fact.event_id for e in said}


async def test_one_success_in_five_days_keeps_it_enabled(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.reply = Reply(500)
    await desk.take(desk.story().received())
    await desk.send()
    await _fail_until(desk, 2)
    receiver.replies.append(Reply())
    await desk.take(desk.story().received())
    await desk.send()
    await desk.take(desk.story().received())
    await _fail_until(desk, 4)
    assert (await desk.webhook(made["id"]))["enabled"]
    await _fail_until(desk, 2)
    assert not (await desk.webhook(made["id"]))["enabled"]


async def test_a_slow_partner_holds_only_its_own_share(desk: Desk, receiver: Receiver) -> None:
    async with Receiver.start() as slow:
        await desk.register(slow.url)
        await desk.register(receiver.url)
        slow.hold()
        running = asyncio.create_task(desk.sender.run())
        await desk.take(*(desk.story().received() for _ in range(100)))

        async def all_arrived() -> int:
            return len(receiver.calls)

        await eventually(all_arrived, lambda n: n == 100)
        assert slow.most_at_once <= desk.harness.service.settings.callback_endpoint_concurrency
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_dead_partner_is_probed_not_hammered_and_catches_up_in_order(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    receiver.reply = Reply(503)
    stories = [desk.story() for _ in range(60)]
    await desk.take(*(story.received(receipt=f"PH-{n:04}") for n, story in enumerate(stories)))
    await desk.send()
    for _ in range(30):
        desk.harness.clock.turn(seconds=60)
        await desk.send()
    assert len(receiver.calls) <= 16 * 31
    before = len(receiver.calls)
    receiver.reply = Reply()
    desk.harness.clock.turn(hours=1)
    await desk.send()
    arrived = receiver.calls[before:]
    assert len({call.id for call in arrived}) == 60, "what failed meanwhile need not wait for its turn"


async def test_a_poisoned_fact_stops_nobody(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    receiver.replies.append(Reply(400))
    first, second = desk.story(), desk.story()
    await desk.take(first.received())
    await desk.send()
    await desk.take(second.received(), first.triaged())
    await desk.send()
    numbers = [(json.loads(c.body)["subject"], json.loads(c.body)["number"]) for c in receiver.calls]
    assert numbers == [(str(first.id), 1), (str(second.id), 1), (str(first.id), 2)]


async def test_killed_in_the_middle_of_sending_it_is_sent_again_with_the_same_id(
    postgres: PostgresServer, receiver: Receiver
) -> None:
    async with Desk.start(build, postgres, callback_lease_seconds=0.5) as desk:
        made = await desk.register(receiver.url)
        receiver.hold()
        await desk.take(desk.story().received())
        running = asyncio.create_task(desk.sender.run())

        async def calls() -> int:
            return len(receiver.calls)

        await eventually(calls, lambda n: n == 1)
        running.cancel()  # nothing is recorded, as by kill -9
        await asyncio.gather(running, return_exceptions=True)
        receiver.let_go()
        (delivery,) = await desk.deliveries(made["id"])
        assert (delivery["state"], delivery["attempts"]) == ("pending", [])
        again = asyncio.create_task(desk.sender.run())
        await eventually(calls, lambda n: n == 2)

        async def state() -> str:
            (delivery,) = await desk.deliveries(made["id"])
            return str(delivery["state"])

        await eventually(state, lambda s: s == "succeeded")
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)
        assert len(set(receiver.ids)) == 1
        assert len(await desk.harness.stated(DeliverySucceeded)) == 1


async def test_who_lost_the_lease_records_nothing(postgres: PostgresServer, receiver: Receiver) -> None:
    async with Desk.start(build, postgres, callback_lease_seconds=0.001) as desk:
        made = await desk.register(receiver.url)
        receiver.hold()
        await desk.take(desk.story().received())
        await desk.sender.send_some()
        assert await desk.sender.send_some() == 1, "its lease is over: taken again"
        receiver.let_go()
        await desk.send()
        (delivery,) = await desk.deliveries(made["id"])
        assert [a["number"] for a in delivery["attempts"]] == [1]
        assert len(await desk.harness.stated(DeliverySucceeded)) == 1


async def test_two_processes_share_the_queue_and_send_nothing_twice(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    stories = [desk.story() for _ in range(40)]
    await desk.take(*(event for story in stories for event in (story.received(), story.triaged())))
    twin = build(desk.harness.service.settings, desk.harness.clock)
    other: Sender = twin.state.tools.sender
    await asyncio.gather(desk.send(), other.send_all())
    await desk.send()
    assert len(receiver.calls) == len(set(receiver.ids)) == 80
    await other.aclose()
    await twin.state.service.database.close()


async def test_an_endpoint_whose_key_was_lost_fails_alone(desk: Desk, receiver: Receiver) -> None:
    lost = await desk.register(receiver.url)
    await desk.register(receiver.url)
    async with desk.harness.service.database.transaction() as connection:
        broken = sa.update(endpoints).where(endpoints.c.id == UUID(lost["id"])).values(secret=b"\x01\x09" + b"0" * 40)
        await connection.execute(broken)
    await desk.take(desk.story().received())
    await desk.send()
    assert len(receiver.calls) == 1
    (delivery,) = await desk.deliveries(lost["id"])
    assert delivery["attempts"][0]["error"] == "no_secret"


async def test_a_partner_that_moves_into_the_house_is_refused_at_the_call(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    async with desk.harness.service.database.transaction() as connection:
        await connection.execute(sa.update(endpoints).values(url="http://[::1]:9/"))
    await desk.take(desk.story().received())
    await desk.send()
    (delivery,) = await desk.deliveries(made["id"])
    assert delivery["attempts"][0]["error"] == "refused"


async def test_taking_wakes_the_sender_at_once(postgres: PostgresServer, receiver: Receiver) -> None:
    async with Desk.start(build, postgres, poll_seconds=60) as desk:
        await desk.register(receiver.url, handler(HOSPITAL))
        running = asyncio.create_task(desk.sender.run())
        story = desk.story()
        await desk.take(story.received(), story.triaged(), story.assigned())

        async def calls() -> int:
            return len(receiver.calls)

        await eventually(calls, lambda n: n == 3, within_seconds=5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
