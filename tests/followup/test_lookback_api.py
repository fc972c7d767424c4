"""Look-back at the door: who may do what, the work list, scores, figures, suspicions, the retrospective."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from followup.app import build
from shared.contracts import requests as r
from shared.contracts.lookback import RatingReminded, RequestInspected
from shared.contracts.reviews import ImprovementAssigned, ImprovementDone
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Colour, DisputeReason, Finding, ProblemKind, ReturnReason, Role, Stage
from shared.ids import new_id
from tests.followup.stories import HUXIAO, INSPECTOR, OPERATOR, SUPERVISOR, Story, minutes
from tests.followup.test_api import WHO, answered
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

GOOD = {
    "answers_what_was_asked": 2,
    "concrete_action_and_time": 2,
    "right_owner_and_contact": 2,
    "plain_and_polite": 2,
    "proof_attached": 2,
}
SPAN = "from=2026-03-01T00:00:00Z&to=2026-03-07T00:00:00Z"
NO_TIME = "from=2026-04-01T00:00:00Z&to=2026-04-02T00:00:00Z"
NOT_SOLVED = r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)
MISSED = r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED)


@pytest.fixture(scope="module")
async def shared(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """One service for all cells of the table; each makes its own request."""
    async with Harness.start(build, postgres) as started:
        yield started


# Role: visit, score, figures of look-back, draws, suspicions, retrospective
OPERATIONS = ("visit", "score", "figures/look-back", "draws", "suspicions", "retrospective")
MAY: dict[str, tuple[int, ...]] = {
    "resident": (403, 403, 403, 403, 403, 403),
    "another resident": (403, 403, 403, 403, 403, 403),
    "anonymous": (403, 403, 403, 403, 403, 403),
    "operator": (403, 403, 200, 200, 403, 200),
    "supervisor": (200, 201, 200, 200, 200, 200),
    "inspector": (200, 201, 200, 200, 200, 200),
    "own grid worker": (403, 403, 200, 403, 403, 403),
    "other grid worker": (403, 403, 200, 403, 403, 403),
    "own liaison": (403, 403, 403, 403, 403, 403),
    "own deputy": (403, 403, 403, 403, 403, 403),
    "own partner": (403, 403, 403, 403, 403, 403),
    "other liaison": (403, 403, 403, 403, 403, 403),
    "other partner": (403, 403, 403, 403, 403, 403),
    "handling inspector": (403, 403, 200, 200, 200, 200),
    "service": (403, 403, 403, 403, 403, 403),
}


async def call(client: httpx2.AsyncClient, operation: str, visit: UUID) -> httpx2.Response:
    if operation == "visit":
        return await client.get(f"/v1/visits/{visit}")
    if operation == "score":
        return await client.post(f"/v1/visits/{visit}/score", json=GOOD | {"revision": 1})
    return await client.get(f"/v1/{operation}?{SPAN}" if operation == "retrospective" else f"/v1/{operation}")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", MAY)
async def test_who_may_do_what(shared: Harness, role: str, operation: str) -> None:
    story, visit = await answered(shared)
    async with shared.client(story.resident if role == "resident" else WHO[role]) as client:
        response = await call(client, operation, visit)
    assert response.status_code == MAY[role][OPERATIONS.index(operation)], response.text
    if response.status_code >= 400:
        stated = await shared.stated(RequestInspected)
        assert not [event for event in stated if event.subject == str(story.id)]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_nobody_without_the_gateways_token(shared: Harness, operation: str) -> None:
    _, visit = await answered(shared)
    async with shared.client() as client:
        assert (await call(client, operation, visit)).status_code == 401


@pytest.mark.parametrize("role", [role for role, may in MAY.items() if may[0] == 403 and role in WHO])
@pytest.mark.parametrize("operation", ["visit", "score"])
async def test_a_handler_cannot_tell_whether_an_answer_was_drawn(shared: Harness, role: str, operation: str) -> None:
    _, visit = await answered(shared)
    async with shared.client(WHO[role]) as client:
        known, unknown = await call(client, operation, visit), await call(client, operation, new_id())
    if role == "handling inspector":  # he may look back at others', and is told why not at this one
        assert (known.status_code, unknown.status_code) == (403, 404)
    else:
        assert known.json() == unknown.json()


# The work list, with the answer and its proof in view


async def test_a_visit_shows_the_answer_and_its_proof(harness: Harness) -> None:
    story = Story().received(area=HUXIAO).told_received().triaged(Colour.RED).assigned().assisted().accepted()
    story.answered(5, fulfil_by=story.now + minutes(60)).fulfilled(30)
    await harness.take(*story.events)
    harness.clock.turn(to=story.now)
    async with harness.client(INSPECTOR) as client:
        (item,) = (await client.get("/v1/visits?due")).json()["items"]
        shown = (await client.get(f"/v1/visits/{item['id']}")).json()
    answer = next(event.fact for event in story.events if isinstance(event.fact, r.RequestAnswered))
    assert shown["answer"]["text_id"] == str(answer.text_id)
    assert shown["answer"]["organisation"] == shown["organisation"] == "central-hospital"
    assert [proof["type"] for proof in shown["proofs"]] == ["heed.request.fulfilled"]
    assert (shown["status"], shown["reason"], shown["medium"], shown["scored"]) == (
        "answered",
        "colour",
        "phone",
        False,
    )


async def test_a_failed_score_reopens_the_request_and_leaves_the_list(harness: Harness) -> None:
    story, visit = await answered(harness)
    async with harness.client(INSPECTOR) as client:
        poor = GOOD | {"revision": 1, "concrete_action_and_time": 0, "note": "No time given. 13812345678"}
        kept = await client.post(f"/v1/visits/{visit}/score", json=poor)
        again = await client.post(f"/v1/visits/{visit}/score", json=GOOD | {"revision": 2})
        stale = await client.post(f"/v1/visits/{visit}/score", json=GOOD | {"revision": 1})
        left = (await client.get("/v1/visits")).json()["items"]
        to_score = (await client.get("/v1/visits?to_score=true")).json()["items"]
        shown = (await client.get(f"/v1/visits/{visit}")).json()
    assert kept.json() | {"visit_id": None} == {
        "visit_id": None,
        "request_id": str(story.id),
        "total": 8,
        "passed": False,
        "finding": "redo",
        "effect": "disputed",
        "revision": 2,
    }
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[1]) == (409, "already-scored")
    assert stale.status_code == 409
    assert left == to_score == []
    assert shown["score"]["concrete_action_and_time"] == 0
    stated = await harness.stated(RequestInspected, r.RequestDisputed, TextRecorded)
    assert [type(event.fact) for event in stated] == [RequestInspected, r.RequestDisputed, TextRecorded]
    assert stated[1].fact.reason is DisputeReason.LOOK_BACK
    assert "13812345678" not in stated[2].fact.text


async def test_a_passing_score_without_proof_asks_for_supervision_and_changes_no_status(harness: Harness) -> None:
    _, visit = await answered(harness)
    async with harness.client(INSPECTOR) as client:
        kept = await client.post(f"/v1/visits/{visit}/score", json=GOOD | {"revision": 1, "proof_attached": 0})
        assert (kept.json()["finding"], kept.json()["effect"]) == (Finding.SUPERVISION, "none")
        assert len((await client.get("/v1/visits")).json()["items"]) == 1  # still to be rung
    assert await harness.stated(r.RequestDisputed) == []


@pytest.mark.parametrize(
    "body", [{}, GOOD, GOOD | {"revision": 1, "proof_attached": 3}, {**GOOD, "revision": 1, "x": 1}]
)
async def test_a_bad_score_is_refused_and_nothing_stored(shared: Harness, body: dict[str, Any]) -> None:
    story, visit = await answered(shared)
    async with shared.client(INSPECTOR) as client:
        assert (await client.post(f"/v1/visits/{visit}/score", json=body)).status_code == 422
    assert not [e for e in await shared.stated(RequestInspected) if e.subject == str(story.id)]


async def test_a_home_visit_is_an_outcome(harness: Harness) -> None:
    _, visit = await answered(harness)
    async with harness.client(INSPECTOR) as client:
        at_the_door = {"revision": 1, "outcome": "reached", "medium": "home", "solved": True, "satisfaction": 5}
        assert (await client.post(f"/v1/visits/{visit}/attempts", json=at_the_door)).json()["effect"] == "closed"
    (visited,) = await harness.stated(r.ResidentVisited)
    assert visited.fact.medium == "home"


# Figures


async def test_coverage_and_quality_follow_what_was_done(harness: Harness) -> None:
    visits = [await answered(harness) for _ in range(4)]
    async with harness.client(INSPECTOR) as client:
        for n, (_, visit) in enumerate(visits[:3]):
            poor = {} if n else {"answers_what_was_asked": 0}
            await client.post(f"/v1/visits/{visit}/score", json=GOOD | {"revision": 1} | poor)
        word = {"revision": 2, "outcome": "reached", "solved": True}
        assert (await client.post(f"/v1/visits/{visits[1][1]}/attempts", json=word)).status_code == 201
    async with harness.client(visits[3][0].resident) as client:  # rated by himself: heard as well
        await client.post(f"/v1/requests/{visits[3][0].id}/rating", json={"solved": True, "satisfaction": 5})
    mine = {str(story.id) for story, _ in visits}
    await harness.take(*(event for event in await harness.stated() if event.subject in mine))
    async with harness.client(OPERATOR) as client:
        shown = (await client.get("/v1/figures/look-back")).json()["figures"]
        none = (await client.get("/v1/figures/look-back?from=2027-01-01")).json()["figures"]
        assert (await client.get("/v1/figures/look-back?from=2026-03-02&to=2026-03-02")).status_code == 422
    assert shown["tally"] == {"opened": 4, "sampled": 4, "reached": 2, "unreached": 0, "scored": 3, "passed": 2}
    assert (shown["coverage"]["n"], shown["coverage"]["of"], shown["quality"]["n"]) == (2, 4, 2)
    (stratum,) = shown["strata"]
    assert (stratum["colour"], stratum["certain"], stratum["organisation"]) == ("red", True, "central-hospital")
    assert (none["quality"]["value"], none["coverage"]["value"], none["strata"]) == (None, None, [])


async def test_unreached_is_counted_apart_and_is_never_satisfied(harness: Harness) -> None:
    story, visit = await answered(harness)
    async with harness.client(INSPECTOR) as client:
        for revision in (1, 2, 3):
            tried = {"revision": revision, "outcome": "no_answer"}
            assert (await client.post(f"/v1/visits/{visit}/attempts", json=tried)).status_code == 201
            harness.clock.turn(days=1)
    await harness.take(*(event for event in await harness.stated() if event.subject == str(story.id)))
    async with harness.client(OPERATOR) as client:
        tally = (await client.get("/v1/figures/look-back")).json()["figures"]["tally"]
        figures = (await client.get("/v1/figures")).json()["figures"]
    assert (tally["sampled"], tally["reached"], tally["unreached"]) == (1, 0, 1)
    totals = figures["totals"]
    assert (totals["closed"], totals["unreached"], totals["confirmed"], totals["unasked"]) == (1, 1, 0, 0)
    assert (figures["solved"]["of"], figures["satisfaction"]["of"]) == (0, 0)


async def test_an_answer_whose_fulfilment_was_missed_counts_as_unanswered(harness: Harness) -> None:
    story = Story().begun(Colour.RED)
    story.answered(5, fulfil_by=story.now + minutes(60))
    await harness.take(*story.events)
    await harness.turn(minutes=100)
    own = [event for event in await harness.stated() if event.subject == str(story.id)]
    await harness.take(*own)
    async with harness.client(OPERATOR) as client:
        before = (await client.get("/v1/figures")).json()["figures"]["totals"]
        harness.clock.turn(to=START + minutes(121))
        await harness.fire_due()
        after = (await client.get("/v1/figures")).json()["figures"]
    assert before["answered"] == after["totals"]["answered"] == 0
    assert (after["totals"]["due"], after["effective_answer"]["n"], after["effective_answer"]["of"]) == (1, 0, 1)


async def test_the_resident_is_reminded_once(harness: Harness) -> None:
    story = Story().begun().answered(10)
    await harness.take(*story.events)
    await harness.turn(days=3)
    assert await harness.stated(RatingReminded) == []
    await harness.turn(minutes=10)
    assert [event.subject for event in await harness.stated(RatingReminded)] == [str(story.id)]
    await harness.turn(days=10)
    assert len(await harness.stated(RatingReminded)) == 1


# Suspicions and the retrospective


async def test_suspicions_are_listed_and_correct_nothing(harness: Harness) -> None:
    story = Story().begun()
    for _ in range(2):
        story.answered(20).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED), 10).assigned().accepted()
    await harness.take(*story.events)
    harness.clock.turn(to=story.now + minutes(1))
    stated = len(await harness.stated())
    async with harness.client(SUPERVISOR) as client:
        (item,) = (await client.get("/v1/suspicions")).json()["items"]
        long = await client.get("/v1/suspicions?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z")
        turned = await client.get("/v1/suspicions?from=2026-03-03T00:00:00Z&to=2026-03-02T00:00:00Z")
    assert (item["kind"], item["organisation"], item["requests"]) == ("loop", "central-hospital", [str(story.id)])
    assert [(p.status_code, p.json()["type"].rsplit("/", 1)[1]) for p in (long, turned)] == [
        (422, "span-too-long"),
        (422, "invalid-input"),
    ]
    assert len(await harness.stated()) == stated


async def test_a_device_is_kept_as_a_keyed_hash_alone(harness: Harness) -> None:
    for _ in range(2):
        story, _ = await answered(harness)
        async with harness.client(story.resident) as client:
            await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True, "device": "phone-4711"})
    hashes = {event.fact.device_hash for event in await harness.stated(r.RequestRated)}
    assert len(hashes) == 1
    assert None not in hashes
    assert "4711" not in str(await harness.everything())


def nudged() -> Story:
    story = Story().begun()
    for count in (1, 2):
        nudge = r.TaskNudged(
            task_id=story.task,
            role=Role.LEAD,
            organisation="central-hospital",
            stage=Stage.ANSWERED,
            count=count,
            due_at=story.now,
        )
        story.add(nudge, 60)
    return story


def given_back() -> Story:
    story = Story().received().told_received().triaged(Colour.GREEN).assigned("police").accepted(organisation="police")
    back = r.TaskReturned(task_id=story.task, role=Role.LEAD, organisation="police", reason=ReturnReason.NO_CAPACITY)
    return story.add(back, 5)


def went_wrong() -> dict[tuple[str, str | None, str | None], Story]:
    """A story of each problem, by what the retrospective calls it."""
    missed = Story().begun().answered(5, fulfil_by=START + minutes(30))
    return {
        ("late", "answered", "central-hospital"): nudged(),
        ("returned", None, "police"): given_back(),
        ("disputed", None, "central-hospital"): Story().begun().answered(5).add(NOT_SOLVED, 5),
        ("missed", None, "central-hospital"): missed.add(MISSED, 60),
        ("under_triaged", None, None): Story().begun().triaged(Colour.RED, after=9, revision=2, decided_by="person"),
    }


async def retrospective(harness: Harness, span: str = SPAN) -> dict[str, Any]:
    async with harness.client(OPERATOR) as client:
        shown: dict[str, Any] = (await client.get(f"/v1/retrospective?{span}")).json()
    return shown


async def test_the_retrospective_groups_what_went_wrong_with_the_requests(harness: Harness) -> None:
    stories = went_wrong()
    for story in (*stories.values(), Story().begun().answered(5)):
        await harness.take(*story.events)
    found = (await retrospective(harness))["problems"]
    assert {(p["kind"], p["stage"], p["organisation"]): p["requests"] for p in found} == {
        key: [str(story.id)] for key, story in stories.items()
    }
    assert {problem["count"] for problem in found} == {1}
    assert (await retrospective(harness, NO_TIME))["problems"] == []


async def test_the_retrospective_shows_how_far_improvements_are(harness: Harness) -> None:
    story, id_ = nudged(), new_id()
    given = ImprovementAssigned(
        service="dispatch",
        improvement_id=id_,
        problem=ProblemKind.LATE,
        stage=Stage.ANSWERED,
        organisation="central-hospital",
        holder="central-hospital.supervisor",
        due_at=START + minutes(600),
    )
    handed_out = story.builder.event(given, id_, source="dispatch", time=START + minutes(200))
    await harness.take(*story.events, handed_out)
    harness.clock.turn(minutes=300)
    shown = [await retrospective(harness), await retrospective(harness, NO_TIME)]
    harness.clock.turn(minutes=400)
    shown.append(await retrospective(harness))
    done = ImprovementDone(service="dispatch", improvement_id=id_)
    await harness.take(story.builder.event(done, id_, source="dispatch", time=harness.clock.now()))
    shown.append(await retrospective(harness))
    assert [report["improvements"][0]["state"] for report in shown] == ["open", "open", "overdue", "done"]
    assert shown[0]["problems"][0]["improvements"] == [str(id_)]
    later = await retrospective(harness, NO_TIME)
    assert later["improvements"] == []  # it was done before that period


async def test_a_retrospective_of_no_time_is_refused(shared: Harness) -> None:
    async with shared.client(OPERATOR) as client:
        turned = "/v1/retrospective?from=2026-03-03T00:00:00Z&to=2026-03-02T00:00:00Z"
        assert (await client.get(turned)).status_code == 422
        assert (await client.get("/v1/retrospective")).status_code == 422
