import base64

import pytest
import sqlalchemy as sa

from intake import store
from intake.handlers import HANDLES
from shared.contracts.operations import AlarmRaised
from shared.contracts.requests import (
    RequestAmended,
    RequestMerged,
    RequestReceived,
    RequestRejected,
    RequestWithdrawn,
    TaskReturned,
)
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import AlarmKind, Decider, ReturnReason, Role, Status, TextKind
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.tokens import make_tracking_token
from tests.intake.builders import (
    ADDRESS,
    GRID_WORKER,
    INSPECTOR,
    NAME,
    OPERATOR,
    PHONE,
    SERVICE,
    TEXT,
    accepted,
    assign,
    assigned,
    body,
    file,
    handler,
    post,
    resident,
    triaged,
)
from tests.support.builders import START, Builder
from tests.support.harness import SECRET, Harness


async def standing(harness: Harness, request: object) -> tuple[str, str, int]:
    query = sa.select(store.requests).where(store.requests.c.request_id == request)
    (row,) = await harness.rows(query)
    return row["status"], row["ahead"], row["unheard"]


async def hear_own(harness: Harness) -> None:
    """Let the bus bring what intake has stated so far."""
    await harness.take(*await harness.stated())


async def test_a_withdrawal_counts_at_once_and_is_heard_once(harness: Harness) -> None:
    request = await file(harness)
    sent = {"reason": "solved_otherwise"}
    response = await post(harness, f"/v1/requests/{request}/withdrawal", sent, resident(request))
    assert response.json() == {"id": str(request), "status": "withdrawn", "merged_into": None}
    assert [e.fact.reason for e in await harness.stated(RequestWithdrawn)] == ["solved_otherwise"]
    assert await standing(harness, request) == (Status.RECEIVED, Status.WITHDRAWN, 1)
    await hear_own(harness)
    assert await standing(harness, request) == (Status.WITHDRAWN, Status.WITHDRAWN, 0)
    again = await post(harness, f"/v1/requests/{request}/withdrawal", {}, resident(request))
    assert (again.status_code, again.json()["state"]) == (409, "withdrawn")


async def test_a_withdrawn_request_stays_withdrawn_when_others_were_at_work(harness: Harness) -> None:
    request, build = await file(harness), Builder()
    await post(harness, f"/v1/requests/{request}/withdrawal", {}, resident(request))
    task = new_id()
    await harness.take(build.event(assigned(task), request), build.event(accepted(task), request))
    assert (await standing(harness, request))[1] == Status.WITHDRAWN
    await hear_own(harness)
    assert await standing(harness, request) == (Status.WITHDRAWN, Status.WITHDRAWN, 0)


async def test_an_amendment_is_masked_by_what_the_filing_said(harness: Harness) -> None:
    request = await file(harness, category="medical", persons=2)
    words = f"{NAME}又发烧了，{ADDRESS}，请打13900139000"
    response = await post(harness, f"/v1/requests/{request}/amendments", {"text": words}, resident(request))
    assert response.status_code == 201
    (fact,) = [e.fact for e in await harness.stated(RequestAmended)]
    text = (await harness.stated(TextRecorded))[-1].fact
    assert response.json() == {"id": str(request), "status": "received", "text_id": str(fact.text_id)}
    assert (text.text_id, text.kind, text.text) == (
        fact.text_id,
        TextKind.AMENDMENT,
        "[name]又发烧了，[door]，请打[phone]",
    )
    assert (text.stated_category, text.persons, text.filed_at) == ("medical", 2, START)
    assert await standing(harness, request) == (Status.RECEIVED, Status.RECEIVED, 1)
    await hear_own(harness)
    assert (await standing(harness, request))[2] == 0


async def test_a_request_that_has_ended_is_not_amended(harness: Harness) -> None:
    request = await file(harness)
    await post(harness, f"/v1/requests/{request}/withdrawal", {}, OPERATOR)
    response = await post(harness, f"/v1/requests/{request}/amendments", {"text": "还有"}, resident(request))
    assert (response.status_code, response.json()["state"]) == (409, "withdrawn")
    assert await harness.stated(RequestAmended) == []


async def test_a_rejection_says_why_in_words_that_tell_nothing(harness: Harness) -> None:
    request = await file(harness)
    sent = {"reason": "out_of_area", "explanation": f"{NAME}先生，请打0571-88001234"}
    response = await post(harness, f"/v1/requests/{request}/rejection", sent, OPERATOR)
    assert (response.status_code, response.json()["status"]) == (200, "rejected")
    fact, text = [e.fact for e in (await harness.stated())[-2:]]
    assert isinstance(fact, RequestRejected)
    assert (fact.reason, fact.decided_by, fact.approved_by) == ("out_of_area", Decider.PERSON, OPERATOR.id)
    assert (text.kind, text.text, text.text_id) == (TextKind.NOTE, "[name]先生，请打[phone]", fact.text_id)


async def test_a_rejection_needs_no_words(harness: Harness) -> None:
    request = await file(harness)
    await post(harness, f"/v1/requests/{request}/rejection", {"reason": "test"}, OPERATOR)
    (fact,) = [e.fact for e in await harness.stated(RequestRejected)]
    assert (fact.text_id, fact.text_hash, fact.approved_by) == (None, None, OPERATOR.id)


async def test_what_somebody_works_on_is_not_rejected(harness: Harness) -> None:
    request, build = await file(harness), Builder()
    await harness.take(build.event(triaged(), request), build.event(assigned(new_id()), request))
    sent = {"reason": "test", "explanation": "测试"}
    response = await post(harness, f"/v1/requests/{request}/rejection", sent, OPERATOR)
    assert (response.status_code, response.json()["state"]) == (409, "assigned")
    assert len(await harness.stated()) == 2


async def test_a_rejection_too_late_gives_way_to_the_log(harness: Harness) -> None:
    request, build = await file(harness), Builder()
    await harness.take(build.event(triaged(), request))
    await post(harness, f"/v1/requests/{request}/rejection", {"reason": "test"}, OPERATOR)
    assert await standing(harness, request) == (Status.TRIAGED, Status.REJECTED, 1)
    await harness.take(build.event(assigned(new_id()), request))
    await hear_own(harness)
    assert await standing(harness, request) == (Status.ASSIGNED, Status.ASSIGNED, 0)


async def test_a_request_is_merged_by_id_or_by_receipt(harness: Harness) -> None:
    one, two = await file(harness), await file(harness)
    answer = (await post(harness, "/v1/requests", body(), ANONYMOUS)).json()
    spoken = answer["receipt"].replace("-", " ").lower()
    for request, into in ((one, answer["id"]), (two, spoken)):
        response = await post(harness, f"/v1/requests/{request}/merge", {"into": into}, OPERATOR)
        assert response.json() == {"id": str(request), "status": "merged", "merged_into": answer["id"]}
    assert [str(e.fact.into) for e in await harness.stated(RequestMerged)] == [answer["id"]] * 2


async def test_a_request_is_merged_only_into_another_that_is_open(harness: Harness) -> None:
    one, two, three = await file(harness), await file(harness), await file(harness)
    for into in (str(one), str(new_id()), "H7K3-92QF-X", "nonsense"):
        response = await post(harness, f"/v1/requests/{one}/merge", {"into": into}, OPERATOR)
        assert (response.status_code, response.json()["title"]) == (422, "No such target")
    await post(harness, f"/v1/requests/{two}/merge", {"into": str(three)}, OPERATOR)
    response = await post(harness, f"/v1/requests/{one}/merge", {"into": str(two)}, OPERATOR)
    assert (response.status_code, response.json()["state"]) == (409, "merged")
    assert response.json()["merged_into"] == str(three)
    again = await post(harness, f"/v1/requests/{two}/merge", {"into": str(one)}, OPERATOR)
    assert (again.status_code, again.json()["state"]) == (409, "merged")
    assert len(await harness.stated(RequestMerged)) == 1


async def test_two_requests_are_not_merged_into_each_other(harness: Harness) -> None:
    one, two = await file(harness), await file(harness)
    assert (await post(harness, f"/v1/requests/{one}/merge", {"into": str(two)}, OPERATOR)).status_code == 200
    assert (await post(harness, f"/v1/requests/{two}/merge", {"into": str(one)}, OPERATOR)).status_code == 409


async def test_a_contact_view_shows_all_and_is_logged(harness: Harness) -> None:
    where = {"address": ADDRESS, "latitude": 30.65, "longitude": 121.15, "accuracy_m": 20.0}
    request = await file(harness, place=where, on_behalf_of="奶奶")
    response = await post(harness, f"/v1/requests/{request}/contact-views", {"purpose": f"回电{PHONE}"}, SERVICE)
    text_id = str((await harness.stated(RequestReceived))[0].fact.text_id)
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "id": str(request),
        "name": NAME,
        "phone": f"+86{PHONE}",
        "on_behalf_of": "奶奶",
        "originals": {text_id: TEXT},
        "tracking_token": make_tracking_token(base64.b64decode(SECRET), request),
        **where,
    }
    async with harness.client(INSPECTOR) as client:
        (logged,) = (await client.get(f"/v1/requests/{request}/contact-views")).json()["items"]
    assert (logged["viewer_kind"], logged["viewer_id"], logged["purpose"]) == ("service", "callbacks", "回电[phone]")
    assert logged["viewed_at"] == "2026-03-02T08:00:00Z"


@pytest.mark.parametrize("caller", [OPERATOR, INSPECTOR], ids=lambda caller: caller.kind)
async def test_no_person_gets_what_speaks_for_the_resident(harness: Harness, caller: Principal) -> None:
    request = await file(harness)
    response = await post(harness, f"/v1/requests/{request}/contact-views", {"purpose": "回电"}, caller)
    assert response.json()["tracking_token"] is None


async def test_a_refused_look_is_not_taken_for_a_look(harness: Harness) -> None:
    request = await file(harness)
    await post(harness, f"/v1/requests/{request}/contact-views", {"purpose": "好奇"}, handler(Kind.LIAISON))
    assert await harness.rows(sa.select(store.contact_views)) == []


async def test_the_log_of_looks_is_read_page_by_page(harness: Harness) -> None:
    request = await file(harness)
    for n in range(5):
        harness.clock.turn(minutes=1)
        await post(harness, f"/v1/requests/{request}/contact-views", {"purpose": f"第{n}次"}, OPERATOR)
    seen, cursor = [], None
    async with harness.client(OPERATOR) as client:
        while True:
            query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await client.get(f"/v1/requests/{request}/contact-views", params=query)).json()
            seen += [item["purpose"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        wrong = await client.get(f"/v1/requests/{request}/contact-views", params={"cursor": "WzFd"})
    assert seen == [f"第{n}次" for n in range(5)]
    assert wrong.status_code == 422


async def test_who_has_the_task_now_sees_the_contact_and_who_had_it_does_not(harness: Harness) -> None:
    request, build = await file(harness), Builder()
    task = await assign(harness, build, request, "central-hospital")

    async def may_look(organisation: str) -> int:
        caller = handler(Kind.LIAISON, organisation)
        path = f"/v1/requests/{request}/contact-views"
        return (await post(harness, path, {"purpose": "回电"}, caller)).status_code

    assert (await may_look("central-hospital"), await may_look("ambulance")) == (201, 404)
    given_back = TaskReturned(
        task_id=task, role=Role.LEAD, organisation="central-hospital", reason=ReturnReason.NOT_OURS
    )
    await harness.take(build.event(given_back, request), build.event(assigned(task, "ambulance"), request))
    assert (await may_look("central-hospital"), await may_look("ambulance")) == (403, 201)
    await post(harness, f"/v1/requests/{request}/withdrawal", {}, resident(request))
    assert await may_look("ambulance") == 403


async def test_a_grid_worker_of_a_micro_grid_does_not_see_the_grid(harness: Harness) -> None:
    request = await file(harness)
    below = Principal(kind=Kind.GRID_WORKER, id="g", area=f"{GRID_WORKER.area}/06/1")
    beside = Principal(kind=Kind.GRID_WORKER, id="g", area=f"{GRID_WORKER.area}/0")
    for caller in (below, beside):
        response = await post(harness, f"/v1/requests/{request}/amendments", {"text": "x"}, caller)
        assert response.status_code == 404


async def test_a_request_that_only_the_log_knows_is_restored_without_its_contact(harness: Harness) -> None:
    await file(harness)
    received = (await harness.stated(RequestReceived))[0].fact
    lost, build = new_id(), Builder()
    await harness.take(
        build.event(received.model_copy(update={"receipt": "H7K3-92QF-X"}), lost),
        build.event(assigned(new_id()), lost),
    )
    (alarm,) = [e.fact for e in await harness.stated(AlarmRaised)]
    assert (alarm.kind, alarm.request_id) == (AlarmKind.CONTACT_LOST, lost)
    response = await post(harness, f"/v1/requests/{lost}/contact-views", {"purpose": "回电"}, OPERATOR)
    assert (response.status_code, response.json()["title"]) == (410, "Contact lost")
    assert (await post(harness, f"/v1/requests/{lost}/amendments", {"text": "还在"}, OPERATOR)).status_code == 201


async def test_facts_of_a_request_that_nobody_knows_are_passed_over(harness: Harness) -> None:
    await harness.take(Builder().event(assigned(new_id()), new_id()))
    assert await harness.parked() == []
    assert await harness.rows(sa.select(store.tasks)) == []


def test_what_intake_states_about_a_request_it_also_hears() -> None:
    own = {RequestReceived, RequestAmended, RequestRejected, RequestMerged, RequestWithdrawn}
    assert own <= set(HANDLES)
