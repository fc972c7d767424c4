from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.contracts.requests import RequestTriaged, RequestWithdrawn
from shared.contracts.vocabulary import WithdrawalReason
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from tests.support.builders import START
from tests.support.harness import Harness
from tests.triage.builders import (
    DOUBTFUL,
    FILED_AT,
    GRID_WORKER,
    INSPECTOR,
    OPERATOR,
    OTHER_GRID_WORKER,
    SERVICE,
    STORY,
    SUPERVISOR,
    SUPPOSED,
    UNKNOWN,
    Request,
    get,
    handler,
    items,
    post,
    resident,
)

OTHER_REQUEST = new_id()
CALLERS = {
    "operator": OPERATOR,
    "supervisor": SUPERVISOR,
    "inspector": INSPECTOR,
    "grid worker of the area": GRID_WORKER,
    "grid worker elsewhere": OTHER_GRID_WORKER,
    "liaison with a task": handler(Kind.LIAISON),
    "deputy with a task": handler(Kind.DEPUTY),
    "partner with a task": handler(Kind.PARTNER),
    "liaison without": handler(Kind.LIAISON, "utilities"),
    "partner without": handler(Kind.PARTNER, "utilities"),
    "service": SERVICE,
    "the resident": None,
    "another resident": resident(OTHER_REQUEST),
    "anonymous": ANONYMOUS,
}
MAY = {
    "read": {
        "operator": 200, "supervisor": 200, "inspector": 200, "grid worker of the area": 200,
        "grid worker elsewhere": 404, "liaison with a task": 200, "deputy with a task": 200, "partner with a task": 200,
        "liaison without": 404, "partner without": 404, "service": 403, "the resident": 403, "another resident": 404,
        "anonymous": 404,
    },
    "override": {
        "operator": 201, "supervisor": 201, "inspector": 403, "grid worker of the area": 403,
        "grid worker elsewhere": 404, "liaison with a task": 403, "deputy with a task": 403, "partner with a task": 403,
        "liaison without": 404, "partner without": 404, "service": 403, "the resident": 403, "another resident": 404,
        "anonymous": 404,
    },
    "reviews": {name: 200 if name in {"operator", "supervisor"} else 403 for name in CALLERS},
}  # fmt: skip
CELLS = [(operation, caller) for operation in MAY for caller in CALLERS]


def _path(request: Request) -> str:
    return f"/v1/requests/{request.id}/assessments"


async def _filed(harness: Harness, text: str = STORY, **changes: Any) -> Request:
    request = Request()
    await harness.take(request.received(), request.text(text, **changes), request.assigned())
    return request


@pytest.mark.parametrize(("operation", "name"), CELLS)
async def test_who_may_do_what(harness: Harness, operation: str, name: str) -> None:
    request = await _filed(harness)
    caller = CALLERS[name] or resident(request.id)
    if operation == "override":
        response = await post(harness, _path(request), {"revision": 1, "reason": "核对"}, caller)
    else:
        response = await get(harness, "/v1/reviews" if operation == "reviews" else _path(request), caller)
    assert response.status_code == MAY[operation][name], response.text


async def test_what_is_not_there_is_not_found(harness: Harness) -> None:
    unknown = f"/v1/requests/{new_id()}/assessments"
    assert (await get(harness, unknown)).status_code == 404
    assert (await post(harness, unknown, {"revision": 1, "reason": "x"})).status_code == 404


async def test_an_assessment_shows_its_reasons_with_their_words(harness: Harness) -> None:
    request = await _filed(harness, filed_at=FILED_AT)
    (shown,) = await items(harness, _path(request))
    assert (shown["revision"], shown["category"], shown["colour"]) == (1, "medical", "red")
    assert shown["deadline"] == "2022-10-26T15:59:00Z"
    assert (shown["decided_by"], shown["decided_by_id"], shown["reason"], shown["unsure"]) == (
        "machine",
        None,
        None,
        False,
    )
    assert shown["needs"] == ["transport"]
    deadline = next(reason for reason in shown["reasons"] if reason["gives"] == "deadline")
    assert deadline["words"] == STORY[deadline["start"] : deadline["end"]] == "10月26日"
    assert datetime.fromisoformat(shown["at"]) == START


async def test_a_request_that_is_not_triaged_yet_has_an_empty_list(harness: Harness) -> None:
    request = Request()
    await harness.take(request.received())
    assert await items(harness, _path(request)) == []
    response = await post(harness, _path(request), {"revision": 1, "reason": "x", "colour": "red"})
    assert (response.status_code, response.json()["state"]) == (409, "received")


async def test_an_override_is_a_new_revision_with_who_and_why(harness: Harness) -> None:
    request = await _filed(harness)
    body = {"revision": 1, "colour": "yellow", "deadline": "2026-03-03T10:00:00+08:00", "reason": " 与家属通话 "}
    response = await post(harness, _path(request), body, SUPERVISOR)
    assert response.status_code == 201
    shown = response.json()
    assert (shown["revision"], shown["colour"], shown["category"]) == (2, "yellow", "medical")
    assert (shown["decided_by"], shown["decided_by_id"], shown["reason"]) == ("person", "supervisor", "与家属通话")
    assert response.headers["heed-seen"] == f"triage:{request.id}:2"
    assert [each["revision"] for each in await items(harness, _path(request))] == [2, 1]
    (_, stated) = await harness.stated(RequestTriaged)
    assert stated.fact.deadline == datetime.fromisoformat("2026-03-03T10:00:00+08:00")


async def test_a_deadline_can_be_taken_away_and_is_kept_where_nothing_is_said(harness: Harness) -> None:
    request = await _filed(harness, "明天要去透析，没有车")
    kept = await post(harness, _path(request), {"revision": 1, "reason": "x"})
    assert kept.json()["deadline"] is not None
    taken = await post(harness, _path(request), {"revision": 2, "reason": "x", "deadline": None})
    assert taken.json()["deadline"] is None


async def test_a_decision_on_an_older_revision_is_refused(harness: Harness) -> None:
    request = await _filed(harness)
    assert (await post(harness, _path(request), {"revision": 1, "reason": "x"})).status_code == 201
    stale = await post(harness, _path(request), {"revision": 1, "reason": "x", "colour": "green"}, SUPERVISOR)
    assert (stale.status_code, stale.json()["revision"]) == (409, 2)
    assert stale.json()["type"].endswith("/revision-conflict")
    assert len(await harness.stated(RequestTriaged)) == 2


async def test_what_has_ended_cannot_be_decided(harness: Harness) -> None:
    request = await _filed(harness)
    await harness.take(request.event(RequestWithdrawn(reason=WithdrawalReason.UNSTATED)))
    response = await post(harness, _path(request), {"revision": 1, "reason": "x", "colour": "green"})
    assert (response.status_code, response.json()["state"]) == (409, "withdrawn")


async def test_the_same_call_with_its_key_is_answered_again(harness: Harness) -> None:
    request = await _filed(harness)
    body = {"revision": 1, "reason": "x", "colour": "green"}
    first = await post(harness, _path(request), body, key="k1")
    again = await post(harness, _path(request), body, key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(await harness.stated(RequestTriaged)) == 2
    other = await post(harness, _path(request), body | {"colour": "red"}, key="k1")
    assert other.status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"revision": 0}, {"revision": "1"}, {"revision": 1.5}, {"revision": None}, {"revision": True},
        {"colour": "purple"}, {"colour": None}, {"category": "toys"}, {"category": None},
        {"deadline": "tomorrow"}, {"deadline": "2026-03-03T10:00:00"}, {"deadline": 5},
        {"deadline": "0001-01-01T00:00:00+14:00"}, {"deadline": "9999-12-31T23:59:59-12:00"},
        {"reason": ""}, {"reason": "   "}, {"reason": "x" * 1001}, {"reason": "a\x00b"}, {"reason": "\u200b"},
        {"reason": None}, {"emergency": False},
    ],
)  # fmt: skip
async def test_bad_input_is_refused_and_changes_nothing(harness: Harness, change: dict[str, Any]) -> None:
    request = await _filed(harness)
    response = await post(harness, _path(request), {"revision": 1, "reason": "x"} | change)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert len(await harness.stated(RequestTriaged)) == 1


# Reviews


async def test_the_dearest_mistake_is_looked_at_first_then_what_is_due_first(harness: Harness) -> None:
    texts = {"green": SUPPOSED, "yellow": UNKNOWN, "red": DOUBTFUL}
    order = [("yellow", 2), ("green", 0), ("red", 9), ("yellow", 1), ("red", 3)]
    made: dict[UUID, tuple[str, int]] = {}
    for colour, minutes in order:
        request = Request()
        await harness.take(request.text(texts[colour], at=START + timedelta(minutes=minutes)))
        made[request.id] = (colour, minutes)
    queue = [made[UUID(review["request_id"])] for review in await items(harness, "/v1/reviews")]
    assert queue == [("red", 3), ("red", 9), ("yellow", 1), ("yellow", 2), ("green", 0)]


@pytest.mark.parametrize("path", ["reviews", "assessments"])
async def test_pages_hold_everything_once(harness: Harness, path: str) -> None:
    requests = [Request() for _ in range(7)]
    await harness.take(*(request.text(UNKNOWN) for request in requests))
    if path == "assessments":
        path = f"requests/{requests[0].id}/assessments"
        for revision in range(1, 7):
            await post(harness, f"/v1/{path}", {"revision": revision, "reason": "x"})
    listed: list[Any] = []
    query: dict[str, Any] = {"limit": 3}
    pages = 0
    while True:
        page = (await get(harness, f"/v1/{path}", **query)).json()
        listed += [(item.get("request_id"), item["revision"]) for item in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert (pages, len(listed), len(set(listed))) == (3, 7, 7)


@pytest.mark.parametrize("cursor", ["!", "bm8", "WzFd", "WzEsMiwzXQ", "WyJ4Il0", "WzEsICIyMDI2LTAxLTAxIiwgIngiXQ"])
async def test_a_cursor_that_is_not_ours_is_refused(harness: Harness, cursor: str) -> None:
    request = await _filed(harness, UNKNOWN)
    assert (await get(harness, "/v1/reviews", cursor=cursor)).status_code == 422
    if cursor != "WzFd":
        assert (await get(harness, _path(request), cursor=cursor)).status_code == 422


async def test_limits_are_bounded(harness: Harness) -> None:
    for limit in (0, 201, "many"):
        assert (await get(harness, "/v1/reviews", limit=limit)).status_code == 422


def test_no_caller_is_forgotten() -> None:
    kinds = {caller.kind for caller in CALLERS.values() if isinstance(caller, Principal)}
    assert kinds == set(Kind)
    assert all(set(row) == set(CALLERS) for row in MAY.values())
