"""Registering, changing, replaying; and who may do what, cell by cell."""

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.callbacks.app import build
from services.callbacks.model import PROVIDER_ID
from services.callbacks.store import endpoints
from shared.contracts.callbacks import DeliverySucceeded
from shared.contracts.vocabulary import Role
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.messaging.tables import idempotency
from tests.callbacks.desk import Desk
from tests.callbacks.story import (
    GRID_WORKER,
    HOSPITAL,
    INSPECTOR,
    OPERATOR,
    POLICE,
    SUPERVISOR,
    TRANSPORT,
    handler,
    resident,
)
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, Reply

URL = "http://127.0.0.1:9/heed"
CALLERS: dict[str, Principal | None] = {
    "operator": OPERATOR,
    "supervisor": SUPERVISOR,
    "liaison": handler(HOSPITAL),
    "deputy": handler(HOSPITAL, Kind.DEPUTY),
    "partner": handler(HOSPITAL, Kind.PARTNER),
    "other_liaison": handler(POLICE),
    "inspector": INSPECTOR,
    "grid_worker": GRID_WORKER,
    "resident": resident(new_id()),
    "service": Principal(kind=Kind.SERVICE, id="callbacks"),
    "anonymous": ANONYMOUS,
    "nobody": None,
}
OPERATIONS: dict[str, tuple[str, str, Any]] = {
    "read": ("GET", "", None),
    "change": ("PATCH", "", {"revision": 1, "event_types": []}),
    "delete": ("DELETE", "", None),
    "deliveries": ("GET", "/deliveries", None),
    "replay": ("POST", "/replay", {}),
    "test": ("POST", "/test", None),
}
SUCCESS = {"read": 200, "change": 200, "delete": 204, "deliveries": 200, "replay": 202, "test": 202}
MANAGES = {"operator", "supervisor", "liaison", "deputy", "partner"}


def expected(who: str, operation: str, owner: str | None) -> int:
    """DESK all; handlers their own organisation's, others' they do not see; nobody else anything."""
    if who == "nobody":
        return 401
    if who in {"operator", "supervisor"} or (who in MANAGES and owner == HOSPITAL):
        return SUCCESS[operation]
    return 404 if who in MANAGES | {"other_liaison"} else 403


@pytest.mark.parametrize("owner", [HOSPITAL, TRANSPORT, None], ids=["own", "other", "city"])
async def test_each_role_may_do_what_the_table_says(desk: Desk, owner: str | None) -> None:
    found, wanted = {}, {}
    for operation, (method, path, body) in OPERATIONS.items():
        for who, caller in CALLERS.items():
            made = await desk.register(URL, organisation=owner)
            async with desk.harness.client(caller) as client:
                answer = await client.request(method, f"/v1/webhooks/{made['id']}{path}", json=body)
            found[operation, who] = answer.status_code
            wanted[operation, who] = expected(who, operation, owner)
    assert found == wanted


async def test_who_may_register_for_whom(desk: Desk) -> None:
    for who, (organisation, ours) in product(CALLERS, ((None, True), (HOSPITAL, True), (TRANSPORT, False))):
        async with desk.harness.client(CALLERS[who]) as client:
            answer = await client.post("/v1/webhooks", json={"url": URL, "organisation": organisation})
        if who in {"operator", "supervisor"}:
            assert (answer.status_code, answer.json()["organisation"]) == (201, organisation)
        elif who in {"liaison", "deputy", "partner"} and ours:
            assert (answer.status_code, answer.json()["organisation"]) == (201, HOSPITAL)
        elif who == "other_liaison" and organisation is None:
            assert (answer.status_code, answer.json()["organisation"]) == (201, POLICE)
        else:
            assert answer.status_code == (401 if who == "nobody" else 403)


async def test_a_list_shows_ones_own_and_the_desk_all(desk: Desk) -> None:
    for organisation in (None, HOSPITAL, TRANSPORT):
        await desk.register(URL, organisation=organisation)
    for caller, count in ((OPERATOR, 3), (handler(HOSPITAL), 1), (handler(POLICE), 0)):
        answer = await desk.call("GET", "/v1/webhooks", caller=caller)
        assert len(answer.json()["items"]) == count
        assert "secret" not in answer.text
    assert (await desk.call("GET", "/v1/webhooks", caller=INSPECTOR)).status_code == 403
    first = (await desk.call("GET", "/v1/webhooks?limit=2")).json()
    rest = (await desk.call("GET", f"/v1/webhooks?limit=2&cursor={first['next_cursor']}")).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [2, 1, None]


REFUSED_URLS = (
    "http://10.0.0.1/",
    "https://169.254.169.254/latest",
    "http://[::1]:9/",
    "https://192.168.1.1/",
    "http://93.184.216.34/",
    "https://93.184.216.34:8443/",
    "ftp://127.0.0.1/",
    "https://nowhere.invalid/",
    "not a url",
    "http+unix://%2Frun%2Fx.sock/",
)


async def test_an_address_that_must_not_be_called_is_refused_at_the_door(desk: Desk) -> None:
    made = await desk.register(URL)
    for url in REFUSED_URLS:
        answer = await desk.call("POST", "/v1/webhooks", {"url": url})
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (422, "target-refused"), url
        answer = await desk.call("PATCH", f"/v1/webhooks/{made['id']}", {"revision": 1, "url": url})
        assert answer.status_code == 422, url
    assert (await desk.webhook(made["id"]))["url"] == URL


async def test_loopback_is_refused_unless_the_settings_allow_it(postgres: PostgresServer) -> None:
    async with Desk.start(build, postgres, dangerous_callback_networks="") as desk:
        answer = await desk.call("POST", "/v1/webhooks", {"url": URL})
        assert answer.status_code == 422


BAD_BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"url": ""},
    {"url": 5},
    {"url": URL, "event_types": ["heed.request.unheard_of"]},
    {"url": URL, "event_types": ["heed.text.recorded"]},
    {"url": URL, "event_types": "heed.request.received"},
    {"url": URL, "organisation": "no-such-organisation"},
    {"url": URL, "surprise": True},
    {"url": URL, "description": "x" * 501},
)


async def test_bad_input_is_a_problem_and_nothing_is_stored(desk: Desk) -> None:
    for body in BAD_BODIES:
        answer = await desk.call("POST", "/v1/webhooks", body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"]
    assert await desk.harness.rows(sa.select(endpoints)) == []


async def test_the_secret_is_shown_once_and_lies_open_nowhere(desk: Desk) -> None:
    headers = {"idempotency-key": "register-1"}
    made = (await desk.call("POST", "/v1/webhooks", {"url": URL}, headers=headers)).json()
    assert made["secret"].startswith("whsec_")
    again = (await desk.call("POST", "/v1/webhooks", {"url": URL}, headers=headers)).json()
    assert again == made, "the same call again answers the same"
    assert len(await desk.harness.rows(sa.select(endpoints))) == 1
    for table in (endpoints, idempotency):
        assert made["secret"].removeprefix("whsec_") not in str(await desk.harness.rows(sa.select(table)))
    other = await desk.call("POST", "/v1/webhooks", {"url": URL + "2"}, headers=headers)
    assert other.status_code == 422
    assert "secret" not in await desk.webhook(made["id"])


async def test_after_a_rotation_both_secrets_sign_for_a_day(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    changed = (await desk.call("PATCH", f"/v1/webhooks/{made['id']}", {"revision": 1, "rotate_secret": True})).json()
    assert changed["secret"] != made["secret"]
    await desk.take(desk.story().received())
    await desk.send()
    for secret in (made["secret"], changed["secret"]):
        receiver.calls[0].verified(secret)
    desk.harness.clock.turn(hours=25)
    await desk.take(desk.story().received())
    await desk.send()
    receiver.calls[1].verified(changed["secret"])
    assert len(receiver.calls[1].headers["webhook-signature"].split()) == 1


async def test_an_old_revision_is_a_conflict(desk: Desk) -> None:
    made = await desk.register(URL)
    path = f"/v1/webhooks/{made['id']}"
    assert (await desk.call("PATCH", path, {"revision": 1, "enabled": False})).json()["revision"] == 2
    stale = await desk.call("PATCH", path, {"revision": 1, "enabled": True})
    assert (stale.status_code, stale.json()["revision"]) == (409, 2)
    now = await desk.webhook(made["id"])
    assert (now["enabled"], now["disabled_because"]) == (False, "owner")


async def test_a_deleted_endpoint_gets_nothing_more(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    await desk.take(desk.story().received())
    assert (await desk.call("DELETE", f"/v1/webhooks/{made['id']}")).status_code == 204
    await desk.send()
    assert receiver.calls == []
    assert (await desk.call("GET", f"/v1/webhooks/{made['id']}")).status_code == 404


async def test_deleted_while_a_call_is_under_way(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    await desk.take(desk.story().received())
    receiver.hold()
    assert await desk.sender.send_some() == 1
    await desk.call("DELETE", f"/v1/webhooks/{made['id']}")
    receiver.let_go()
    await desk.send()
    assert await desk.harness.stated(DeliverySucceeded) == []


async def test_what_was_missed_while_disabled_can_be_replayed(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    await desk.call("PATCH", path, {"revision": 1, "enabled": False})
    story = desk.story()
    await desk.take(story.received(), story.triaged())
    await desk.call("PATCH", path, {"revision": 2, "enabled": True})
    await desk.send()
    assert receiver.calls == []
    answer = await desk.call("POST", f"{path}/replay", {})
    assert (answer.status_code, answer.json()) == (202, {"replayed": 2, "next_since": None})
    await desk.send()
    assert len(receiver.calls) == 2


async def test_a_replay_of_a_time_sends_again_with_the_same_ids_and_no_more(desk: Desk, receiver: Receiver) -> None:
    start = desk.harness.clock.now()
    before = desk.story()
    await desk.take(before.received(), before.assigned())
    desk.harness.clock.turn(hours=1)
    made = await desk.register(receiver.url, handler(HOSPITAL), event_types=["heed.request.received"])
    mine, foreign = desk.story(), desk.story()
    await desk.take(mine.received(), mine.assigned(), foreign.received(), foreign.assigned(TRANSPORT, Role.LEAD))
    await desk.send()
    sent = receiver.ids
    path = f"/v1/webhooks/{made['id']}/replay"
    assert (await desk.call("POST", path, {}, handler(HOSPITAL))).json()["replayed"] == 1
    await desk.send()
    assert receiver.ids == sent * 2
    until = (start + timedelta(minutes=30)).isoformat()
    answer = await desk.call("POST", path, {"since": start.isoformat(), "until": until}, handler(HOSPITAL))
    assert answer.json()["replayed"] == 1, "also what came before it was registered"
    await desk.send()
    assert len(receiver.calls) == 3
    (delivered, _) = await desk.deliveries(made["id"])
    assert [a["number"] for a in delivered["attempts"]] == [1, 2]


async def test_one_failed_delivery_is_sent_again_by_hand(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    receiver.replies.append(Reply(500))
    await desk.take(desk.story().received())
    await desk.send()
    (delivery,) = await desk.deliveries(made["id"], state="pending")
    path = f"/v1/webhooks/{made['id']}/replay"
    assert (await desk.call("POST", path, {"delivery_id": delivery["id"]})).json()["replayed"] == 1
    await desk.send()
    assert len(receiver.calls) == 2
    assert await desk.deliveries(made["id"], state="pending") == []
    assert (await desk.call("POST", path, {"delivery_id": str(new_id())})).status_code == 404
    both = {"delivery_id": delivery["id"], "since": "2026-03-02T08:00:00Z"}
    assert (await desk.call("POST", path, both)).status_code == 422
    assert (await desk.call("POST", path, {"since": "2026-03-02T08:00:00"})).status_code == 422


async def test_a_test_event_is_signed_and_listed(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    answer = await desk.call("POST", f"/v1/webhooks/{made['id']}/test")
    assert answer.status_code == 202
    await desk.send()
    (call,) = receiver.calls
    assert call.verified(made["secret"])["type"] == "heed.webhook.test" == answer.json()["event_type"]
    assert call.id == answer.json()["event_id"]
    (delivery,) = await desk.deliveries(made["id"])
    assert (delivery["request_id"], delivery["state"]) == (None, "succeeded")


async def test_deliveries_are_paged(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    await desk.take(*(desk.story().received() for _ in range(5)))
    path, seen = f"/v1/webhooks/{made['id']}/deliveries?limit=2", []
    cursor: str | None = ""
    while cursor is not None:
        page = (await desk.call("GET", f"{path}&cursor={cursor}" if cursor else path)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5
    for wrong in ("nonsense", "WyJ4Il0"):
        assert (await desk.call("GET", f"{path}&cursor={wrong}")).status_code == 422
        assert (await desk.call("GET", f"/v1/webhooks?cursor={wrong}")).status_code == 422


async def test_an_unknown_endpoint_and_the_providers_are_not_there(desk: Desk) -> None:
    for webhook_id in (new_id(), PROVIDER_ID, UUID(int=0)):
        assert (await desk.call("GET", f"/v1/webhooks/{webhook_id}")).status_code == 404
