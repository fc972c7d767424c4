"""Facts reach those entitled, in order, signed, once; through a real server on loopback."""

import json

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from shared.contracts import requests as r
from shared.contracts.callbacks import DeliverySucceeded
from shared.contracts.vocabulary import ReturnReason, Role, WithdrawalReason
from tests.callbacks.desk import Desk
from tests.callbacks.story import HOSPITAL, POLICE, TRANSPORT, handler
from tests.support.receiver import Receiver


async def test_a_fact_arrives_with_a_valid_signature(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    story = desk.story()
    event = story.received()
    await desk.take(event)
    await desk.send()
    (call,) = receiver.calls
    payload = call.verified(made["secret"])
    assert call.headers["content-type"] == "application/json"
    assert call.id == payload["id"] == str(event.id)
    assert (payload["type"], payload["subject"]) == ("heed.request.received", str(story.id))
    assert (payload["source"], payload["sequence"], payload["number"]) == ("intake", 1, 1)
    assert payload["timestamp"] == "2026-03-02T08:00:00Z"
    assert payload["data"]["request_id"] == str(story.id)
    assert payload["data"]["receipt"] == "PH-0001"


async def test_another_secret_or_a_changed_body_does_not_verify(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    other = await desk.register(receiver.url)
    await desk.call("POST", f"/v1/webhooks/{made['id']}/test")
    await desk.send()
    (call,) = receiver.calls
    with pytest.raises(WebhookVerificationError):
        call.verified(other["secret"])
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(call.body + b" ", dict(call.headers))


async def test_the_city_hears_all_and_an_organisation_of_its_own_requests(desk: Desk, receiver: Receiver) -> None:
    async with Receiver.start() as hospital, Receiver.start() as police:
        await desk.register(receiver.url)
        await desk.register(hospital.url, handler(HOSPITAL))
        await desk.register(police.url, organisation=POLICE)
        mine, other = desk.story(), desk.story()
        await desk.take(mine.received(), other.received(), mine.triaged(), other.triaged(), mine.assigned())
        await desk.take(other.assigned(TRANSPORT), mine.accepted())
        await desk.send()
        assert len(receiver.calls) == 7
        assert police.calls == []
        assert [json.loads(c.body)["type"].rsplit(".", 1)[1] for c in hospital.calls] == [
            "received",
            "triaged",
            "assigned",
            "accepted",
        ]
        assert {json.loads(c.body)["data"]["request_id"] for c in hospital.calls} == {str(mine.id)}


async def test_at_its_first_task_an_organisation_hears_what_came_before_in_order(
    desk: Desk, receiver: Receiver
) -> None:
    await desk.register(receiver.url, handler(TRANSPORT))
    story = desk.story()
    await desk.take(story.received(), story.triaged())
    await desk.take(story.assigned(), story.accepted())
    await desk.send()
    assert receiver.calls == []
    await desk.take(story.assigned(TRANSPORT, Role.ASSISTING))
    await desk.send()
    assert [json.loads(c.body)["number"] for c in receiver.calls] == [1, 2, 3, 4, 5]


async def test_who_had_a_task_goes_on_hearing(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url, handler(HOSPITAL))
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned())
    await desk.take(story.of_task(r.TaskReturned, reason=ReturnReason.NOT_OURS), story.assigned(TRANSPORT))
    await desk.take(story.fact(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)))
    await desk.send()
    assert [json.loads(c.body)["number"] for c in receiver.calls] == [1, 2, 3, 4, 5, 6]


async def test_only_the_types_asked_for_are_sent(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url, handler(HOSPITAL), event_types=["heed.request.triaged"])
    story = desk.story()
    await desk.take(story.received(), story.triaged(), story.assigned())
    await desk.take(story.triaged(revision=2))
    await desk.send()
    assert [json.loads(c.body)["number"] for c in receiver.calls] == [2, 4]


async def test_the_whole_log_again_changes_nothing(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    story = desk.story()
    log = [story.received(), story.triaged(), story.assigned(), story.accepted(), story.answered()]
    await desk.take(*log)
    await desk.send()
    assert len(await desk.deliveries(made["id"])) == len(log)
    before = await desk.harness.everything()
    for event in log:
        await desk.take(event)
    await desk.take(*log)
    await desk.send()
    assert len(receiver.calls) == len(log)
    assert await desk.harness.everything() == before


async def test_every_delivery_is_stated_with_ids_and_words_only(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    event = desk.story().received()
    await desk.take(event)
    await desk.send()
    (said,) = await desk.harness.stated(DeliverySucceeded)
    assert said.key == said.subject == made["id"]
    assert (said.fact.event_id, said.fact.attempt, said.fact.event_type) == (event.id, 1, event.type)


async def test_of_one_request_never_two_at_once_of_many_as_many_as_allowed(desk: Desk, receiver: Receiver) -> None:
    await desk.register(receiver.url)
    receiver.hold()
    stories = [desk.story() for _ in range(5)]
    await desk.take(*(event for story in stories for event in (story.received(), story.triaged())))
    assert await desk.sender.send_some() == 5
    assert await desk.sender.send_some() == 0
    receiver.let_go()
    await desk.send()
    for story in stories:
        numbers = [json.loads(c.body)["number"] for c in receiver.calls if str(story.id).encode() in c.body]
        assert numbers == [1, 2]


async def test_a_payload_is_below_20_kb_whatever_its_fact(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    story = desk.story()
    triaged = story.triaged()
    assert isinstance(triaged.fact, r.RequestTriaged)
    many = tuple(r.Reason(rule=f"rule-{n}", gives="red") for n in range(1000))
    await desk.take(story.received(), story.fact(triaged.fact.model_copy(update={"reasons": many})))
    await desk.send()
    assert len(receiver.calls[1].body) < 20_000
    assert receiver.calls[1].verified(made["secret"])["data"] == {"request_id": str(story.id), "left_out": True}
