"""Problems handed out to be put right: who may, by when, and what is said when nobody does."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.lookback import RequestInspected
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.reviews import ImprovementAssigned, ImprovementDone
from shared.contracts.vocabulary import AlarmKind, Finding, ProblemKind
from shared.identity import Principal
from shared.ids import new_id
from tests.dispatch.stories import GRID_WORKER, INSPECTOR, OPERATOR, SUPERVISOR, deputy, head, liaison, resident
from tests.support.builders import START, Builder
from tests.support.harness import Harness

OWN, OTHER = "central-hospital", "police"
WANTED = {
    "problem": "late",
    "stage": "answered",
    "organisation": OWN,
    "words": "Answers come too late at night. Ring 13812345678.",
    "due_at": (START + timedelta(days=7)).isoformat(),
}


async def hand_out(harness: Harness, **values: Any) -> dict[str, Any]:
    async with harness.client(SUPERVISOR) as client:
        response = await client.post("/v1/improvements", json=WANTED | values)
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def done(harness: Harness, who: Principal, shown: dict[str, Any], **values: Any) -> Any:
    async with harness.client(who) as client:
        body = {"revision": shown["revision"], "result": "A second shift at night."} | values
        return await client.post(f"/v1/improvements/{shown['id']}/done", json=body)


async def test_a_problem_goes_to_the_leader_and_comes_back_done(harness: Harness) -> None:
    shown = await hand_out(harness)
    assert (shown["holder"], shown["state"], shown["revision"]) == (f"{OWN}.supervisor", "open", 1)
    assert "13812345678" not in shown["words"]
    (given,) = await harness.stated(ImprovementAssigned)
    assert (given.fact.problem, given.fact.organisation, given.subject) == (ProblemKind.LATE, OWN, shown["id"])
    answer = await done(harness, head(OWN), shown)
    assert (answer.status_code, answer.json()["state"], answer.json()["revision"]) == (200, "done", 2)
    assert [event.subject for event in await harness.stated(ImprovementDone)] == [shown["id"]]
    assert (await done(harness, head(OWN), shown, revision=2)).status_code == 409


async def test_an_older_revision_is_refused(harness: Harness) -> None:
    shown = await hand_out(harness)
    assert (await done(harness, head(OWN), shown, revision=7)).status_code == 409


async def test_what_nobody_does_raises_an_alarm_when_it_is_due_which_is_cleared_once_done(harness: Harness) -> None:
    shown = await hand_out(harness)
    await harness.turn(days=7, seconds=-1)
    assert await harness.stated(AlarmRaised) == []
    await harness.turn(seconds=1)
    (raised,) = await harness.stated(AlarmRaised)
    assert (raised.fact.kind, raised.subject) == (AlarmKind.IMPROVEMENT_OVERDUE, shown["id"])
    async with harness.client(INSPECTOR) as client:
        assert (await client.get(f"/v1/improvements/{shown['id']}")).json()["state"] == "overdue"
    assert (await done(harness, liaison(OWN), shown)).status_code == 200
    assert [event.subject for event in await harness.stated(AlarmCleared)] == [shown["id"]]


async def test_what_was_done_in_time_raises_none(harness: Harness) -> None:
    await done(harness, liaison(OWN), await hand_out(harness))
    await harness.turn(days=30)
    raised = [event.fact.kind for event in await harness.stated(AlarmRaised)]
    assert AlarmKind.IMPROVEMENT_OVERDUE not in raised


# Role: hand out, read, list (how many of one), done
MAY: dict[str, tuple[int, int, int | None, int]] = {
    "supervisor": (201, 200, 1, 403),
    "operator": (403, 200, 1, 403),
    "inspector": (403, 200, 1, 403),
    "own liaison": (403, 200, 1, 200),
    "own deputy": (403, 200, 1, 200),
    "own head": (403, 200, 1, 200),
    "other liaison": (403, 404, 0, 404),
    "grid worker": (403, 404, None, 404),
    "resident": (403, 404, None, 404),
}
WHO = {
    "supervisor": SUPERVISOR,
    "operator": OPERATOR,
    "inspector": INSPECTOR,
    "own liaison": liaison(OWN),
    "own deputy": deputy(OWN),
    "own head": head(OWN),
    "other liaison": liaison(OTHER),
    "grid worker": GRID_WORKER,
    "resident": resident(new_id()),
}


@pytest.mark.parametrize("role", MAY)
async def test_who_may_do_what(harness: Harness, role: str) -> None:
    shown, who = await hand_out(harness), WHO[role]
    may_hand_out, may_read, listed, may_finish = MAY[role]
    async with harness.client(who) as client:
        assert (await client.get(f"/v1/improvements/{shown['id']}")).status_code == may_read
        page = await client.get("/v1/improvements")
        assert (len(page.json()["items"]) if page.status_code == 200 else None) == listed
        assert (await client.post("/v1/improvements", json=WANTED)).status_code == may_hand_out
    assert (await done(harness, who, shown)).status_code == may_finish


@pytest.mark.parametrize(
    ("values", "slug"),
    [
        ({"organisation": "nobody"}, "unknown-organisation"),
        ({"holder": "nobody"}, "unknown-leader"),
        ({"due_at": START.isoformat()}, "due-in-the-past"),
        ({"problem": "weather"}, "invalid-input"),
        ({"words": ""}, "invalid-input"),
        ({"since": START.isoformat(), "until": START.isoformat()}, "invalid-input"),
    ],
)
async def test_bad_input_is_refused_and_nothing_handed_out(harness: Harness, values: Any, slug: str) -> None:
    async with harness.client(SUPERVISOR) as client:
        refused = await client.post("/v1/improvements", json=WANTED | values)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (422, slug)
    assert await harness.stated(ImprovementAssigned) == []


async def test_the_list_comes_in_pages_and_without_what_is_done(harness: Harness) -> None:
    made = [await hand_out(harness, due_at=(START + timedelta(days=n)).isoformat()) for n in (3, 1, 2)]
    await done(harness, head(OWN), made[1])
    async with harness.client(OPERATOR) as client:
        first = (await client.get("/v1/improvements?limit=2")).json()
        rest = (await client.get(f"/v1/improvements?limit=2&cursor={first['next_cursor']}")).json()
        open_ones = (await client.get("/v1/improvements?open=true")).json()
        assert (await client.get("/v1/improvements?cursor=WzEsMl0")).status_code == 422
    assert [item["id"] for item in first["items"] + rest["items"]] == [made[n]["id"] for n in (1, 2, 0)]
    assert [item["id"] for item in open_ones["items"]] == [made[n]["id"] for n in (2, 0)]


@pytest.mark.parametrize(("finding", "made"), [(Finding.SUPERVISION, 1), (Finding.REDO, 0), (Finding.NONE, 0)])
async def test_a_finding_of_look_back_is_handed_to_the_leader(harness: Harness, finding: Finding, made: int) -> None:
    fact = RequestInspected(
        visit_id=new_id(),
        organisation=OWN,
        answers_what_was_asked=2,
        concrete_action_and_time=2,
        right_owner_and_contact=2,
        plain_and_polite=2,
        proof_attached=0,
        passed=True,
        finding=finding,
    )
    request_id = new_id()
    event = Builder().event(fact, request_id, source="followup")
    await harness.take(event)
    await harness.take(event)  # delivered again, it changes nothing
    given = [e.fact for e in await harness.stated(ImprovementAssigned)]
    assert [(g.problem, g.holder, g.request_id) for g in given] == [
        (ProblemKind.LOOK_BACK, f"{OWN}.supervisor", request_id)
    ] * made
