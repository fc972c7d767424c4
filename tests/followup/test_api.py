"""Who may do what, and what the door says to bad input."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from followup import store
from followup.app import build
from shared.contracts import requests as r
from shared.contracts.operations import AlarmRaised
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import AlarmKind, Colour
from shared.database import NAMING
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from tests.followup.stories import HUXIAO, INSPECTOR, OPERATOR, SUPERVISOR, Story
from tests.support.builders import Builder
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

HOSPITAL, FOREIGN = "central-hospital", "police"


def handler(kind: Kind, organisation: str) -> Principal:
    return Principal(kind=kind, id=f"{organisation}.{kind}", organisation=organisation)


WHO: dict[str, Principal] = {
    "another resident": Principal(kind=Kind.RESIDENT, id="x", request_id=new_id()),
    "anonymous": ANONYMOUS,
    "operator": OPERATOR,
    "supervisor": SUPERVISOR,
    "inspector": INSPECTOR,
    "own grid worker": Principal(kind=Kind.GRID_WORKER, id="g", area="pinghu/dushangang/huxiao"),
    "other grid worker": Principal(kind=Kind.GRID_WORKER, id="g", area="pinghu/dushangang/jufu"),
    "own liaison": handler(Kind.LIAISON, HOSPITAL),
    "own deputy": handler(Kind.DEPUTY, HOSPITAL),
    "own partner": handler(Kind.PARTNER, HOSPITAL),
    "other liaison": handler(Kind.LIAISON, FOREIGN),
    "other partner": handler(Kind.PARTNER, FOREIGN),
    "handling inspector": Principal(kind=Kind.INSPECTOR, id="i", organisation=HOSPITAL),
    "service": Principal(kind=Kind.SERVICE, id="callbacks"),
}

# Role: rating, visits, attempt, figures, alarms. The resident himself is tested beside.
MAY: dict[str, tuple[int, int, int, int, int]] = {
    "resident": (201, 403, 403, 403, 403),
    "another resident": (404, 403, 403, 403, 403),
    "anonymous": (404, 403, 403, 403, 403),
    "operator": (403, 403, 403, 200, 200),
    "supervisor": (403, 200, 201, 200, 200),
    "inspector": (403, 200, 201, 200, 403),
    "own grid worker": (403, 403, 403, 200, 403),
    "other grid worker": (404, 403, 403, 200, 403),
    "own liaison": (403, 403, 403, 403, 403),
    "own deputy": (403, 403, 403, 403, 403),
    "own partner": (403, 403, 403, 403, 403),
    "other liaison": (404, 403, 403, 403, 403),
    "other partner": (404, 403, 403, 403, 403),
    "handling inspector": (403, 200, 403, 200, 403),
    "service": (403, 403, 403, 403, 403),
}
OPERATIONS = ("rating", "visits", "attempt", "figures", "alarms")


@pytest.fixture(scope="module")
async def shared(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """One service for all cells of the table; each makes its own request."""
    async with Harness.start(build, postgres) as started:
        yield started


async def answered(harness: Harness) -> tuple[Story, UUID]:
    """A red request that was answered, and its call-back."""
    story = Story().received(area=HUXIAO).told_received().triaged(Colour.RED).assigned(HOSPITAL).accepted().answered(1)
    await harness.take(*story.events)
    (visit,) = await harness.rows(sa.select(store.visits.c.id).where(store.visits.c.request_id == story.id))
    harness.clock.turn(to=max(story.now, harness.clock.now()))
    return story, visit["id"]


async def call(client: httpx2.AsyncClient, operation: str, story: Story, visit: UUID) -> httpx2.Response:
    if operation == "rating":
        return await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True})
    if operation == "attempt":
        body = {"revision": 1, "outcome": "reached", "solved": True}
        return await client.post(f"/v1/visits/{visit}/attempts", json=body)
    return await client.get(f"/v1/{operation}")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", MAY)
async def test_who_may_do_what(shared: Harness, role: str, operation: str) -> None:
    story, visit = await answered(shared)
    async with shared.client(story.resident if role == "resident" else WHO[role]) as client:
        response = await call(client, operation, story, visit)
    assert response.status_code == MAY[role][OPERATIONS.index(operation)], response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        stated = await shared.stated(r.RequestRated, r.ResidentVisited)
        assert not [event for event in stated if event.subject == str(story.id)]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_nobody_without_the_gateways_token(shared: Harness, operation: str) -> None:
    story, visit = await answered(shared)
    async with shared.client() as client:
        assert (await call(client, operation, story, visit)).status_code == 401


@pytest.mark.parametrize(
    "role", [role for role in WHO if role not in {"supervisor", "inspector", "handling inspector"}]
)
async def test_a_handler_cannot_tell_whether_a_call_back_exists(shared: Harness, role: str) -> None:
    story, visit = await answered(shared)
    async with shared.client(WHO[role]) as client:
        known = await call(client, "attempt", story, visit)
        unknown = await call(client, "attempt", story, new_id())
    assert known.json() == unknown.json()


async def test_an_inspector_of_the_handling_organisation_does_not_see_its_call_backs(shared: Harness) -> None:
    _, visit = await answered(shared)
    seen = {}
    for name in ("inspector", "handling inspector"):
        async with shared.client(WHO[name]) as client:
            seen[name] = await all_pages(client, "/v1/visits?limit=7")
    assert str(visit) in {item["id"] for item in seen["inspector"]}
    assert seen["handling inspector"] == []


async def all_pages(client: httpx2.AsyncClient, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await client.get(path + cursor)).json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_rating_before_anything_was_read_says_not_answered(shared: Harness) -> None:
    story = Story()
    async with shared.client(story.resident) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True})
    assert (response.status_code, response.json()["type"]) == (409, "https://heed.example/problems/not-answered-yet")


async def test_what_was_written_can_be_waited_for(shared: Harness) -> None:
    story, _ = await answered(shared)
    async with shared.client(story.resident) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", json={"solved": True, "comment": "ok"})
    assert response.headers["heed-seen"] == f"followup:{story.id}:2"  # rated, closed


async def test_the_same_key_rates_once(shared: Harness) -> None:
    story, _ = await answered(shared)
    key = {"idempotency-key": "k"}
    async with shared.client(story.resident, **key) as client:
        path = f"/v1/requests/{story.id}/rating"
        answers = [await client.post(path, json={"solved": True}) for _ in range(2)]
        other = await client.post(path, json={"solved": False})
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert other.status_code == 422
    assert len([e for e in await shared.stated(r.RequestRated) if e.subject == str(story.id)]) == 1


async def test_an_older_revision_is_refused_with_the_present_one(shared: Harness) -> None:
    _, visit = await answered(shared)
    path, failed = f"/v1/visits/{visit}/attempts", {"revision": 1, "outcome": "busy"}
    async with shared.client(INSPECTOR) as client:
        assert (await client.post(path, json=failed)).json()["revision"] == 2
        late = await client.post(path, json=failed)
        early = await client.post(path, json=failed | {"revision": 2})
    assert (late.status_code, late.json()["revision"]) == (409, 2)
    assert (early.status_code, early.json()["type"].rsplit("/", 1)[1]) == (409, "not-due-yet")


async def test_the_third_try_needs_another_medium(shared: Harness) -> None:
    _, visit = await answered(shared)
    path, failed = f"/v1/visits/{visit}/attempts", {"outcome": "wrong_number", "medium": "phone"}
    async with shared.client(INSPECTOR) as client:
        for revision, wait in ((1, 0), (2, 1440)):
            assert (await client.post(path, json=failed | {"revision": revision})).status_code == 201
            shared.clock.turn(minutes=wait)
        refused = await client.post(path, json=failed | {"revision": 3})
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[1]) == (422, "another-medium-needed")


async def test_no_call_back_no_attempt(shared: Harness) -> None:
    async with shared.client(INSPECTOR) as client:
        response = await client.post(f"/v1/visits/{new_id()}/attempts", json={"revision": 1, "outcome": "busy"})
    assert response.status_code == 404


RATING: list[Any] = [
    {},
    {"solved": "yes"},
    {"solved": 1},
    {"solved": None},
    {"solved": True, "satisfaction": 0},
    {"solved": True, "satisfaction": 6},
    {"solved": True, "satisfaction": 4.5},
    {"solved": True, "comment": "x" * 2001},
    {"solved": True, "comment": 5},
    {"solved": True, "comment": "a\u0000b"},
    {"solved": True, "surprise": 1},
    [],
    "solved",
]


@pytest.mark.parametrize("body", RATING, ids=str)
async def test_a_bad_rating_is_refused_and_nothing_stored(shared: Harness, body: Any) -> None:
    story, _ = await answered(shared)
    async with shared.client(story.resident) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", json=body)
    assert response.status_code == 422, response.text
    stated = await shared.stated(r.RequestRated, TextRecorded)
    assert not [event for event in stated if event.subject == str(story.id)]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b""])
async def test_a_malformed_body_is_refused(shared: Harness, content: bytes) -> None:
    story, _ = await answered(shared)
    async with shared.client(story.resident, **{"content-type": "application/json"}) as client:
        response = await client.post(f"/v1/requests/{story.id}/rating", content=content)
    assert response.status_code in {400, 422}, response.text


ATTEMPTS: list[Any] = [
    {},
    {"revision": 1},
    {"revision": 0, "outcome": "busy"},
    {"revision": 1, "outcome": "gone fishing"},
    {"revision": 1, "outcome": "busy", "medium": "pigeon"},
    {"revision": 1, "outcome": "reached"},
    {"revision": 1, "outcome": "busy", "solved": True},
    {"revision": 1, "outcome": "busy", "satisfaction": 3},
    {"revision": 1, "outcome": "busy", "note": "a\u0000b"},
]


@pytest.mark.parametrize("body", ATTEMPTS, ids=str)
async def test_a_bad_attempt_is_refused_and_nothing_stored(shared: Harness, body: Any) -> None:
    story, visit = await answered(shared)
    async with shared.client(INSPECTOR) as client:
        response = await client.post(f"/v1/visits/{visit}/attempts", json=body)
    assert response.status_code == 422, response.text
    assert not [event for event in await shared.stated(r.ResidentVisited) if event.subject == str(story.id)]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/visits?cursor=nonsense",
        "/v1/visits?cursor=WzEsMl0",
        "/v1/visits?limit=0",
        "/v1/visits?limit=201",
        "/v1/visits?due=perhaps",
        "/v1/figures?by=weather",
        "/v1/figures?by=colour,area,channel",
        "/v1/figures?by=colour,colour",
        "/v1/figures?by=hour,hour_of_day",
        "/v1/figures?by=colour,",
        "/v1/figures/exclusions?reason=weather",
        "/v1/figures/exclusions?cursor=WzEsMl0x",
        "/v1/figures?from=yesterday",
        "/v1/figures?from=2026-03-02T08:00:00",
        "/v1/figures?from=2026-03-03T08:00:00Z&to=2026-03-02T08:00:00Z",
        "/v1/alarms?kind=weather",
        "/v1/alarms?cursor=WzEsMl0",
    ],
)
async def test_a_bad_parameter_is_refused(shared: Harness, path: str) -> None:
    async with shared.client(SUPERVISOR) as client:
        response = await client.get(path)
    assert response.status_code == 422, response.text


async def test_what_is_received_on_the_hour_counts_at_once(harness: Harness) -> None:
    await harness.take(*Story().received().events)  # at 08:00, which it is now
    async with harness.client(OPERATOR) as client:
        report = (await client.get("/v1/figures")).json()
    assert (report["from"], report["to"], report["figures"]["totals"]["received"]) == (None, None, 1)


async def test_figures_of_a_span_take_whole_hours(harness: Harness) -> None:
    builder = Builder()
    for n in range(6):
        await harness.take(*Story(builder).received().events)
        harness.clock.turn(minutes=20 + n)
        at = harness.clock.now()
        story = Story(builder, at=at).received()
        await harness.take(*story.events)
    async with harness.client(INSPECTOR) as client:
        everything = (await client.get("/v1/figures?by=hour")).json()
        hour = (await client.get("/v1/figures?from=2026-03-02T09:10:00Z&to=2026-03-02T09:50:00%2B00:00")).json()
    assert everything["from"] is None
    assert everything["figures"]["totals"]["received"] == 12
    assert (hour["from"], hour["to"]) == ("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z")
    nine = next(group for group in everything["groups"] if group["value"].startswith("2026-03-02T09"))
    assert hour["figures"] == nine["figures"]


async def test_figures_before_the_first_request_are_null(harness: Harness) -> None:
    async with harness.client(OPERATOR) as client:
        report = (await client.get("/v1/figures?by=colour")).json()
    assert report["groups"] == []
    assert report["figures"]["admitted"] == {"value": None, "n": 0, "of": 0, "low": None, "high": None}
    assert report["sentence"]["en"].startswith("Since opening, received 0 requests, admitted none due yet")


async def test_alarms_of_all_services_are_listed_in_pages(harness: Harness) -> None:
    builder = Builder()
    subjects = [new_id() for _ in range(5)]
    raised = [AlarmRaised(service="triage", kind=AlarmKind.REVIEW_OVERDUE, request_id=id_) for id_ in subjects]
    await harness.take(*(builder.event(fact, fact.request_id or "", source="triage") for fact in raised))
    gap = AlarmRaised(service="callbacks", kind=AlarmKind.ENDPOINT_DISABLED)
    await harness.take(builder.event(gap, "endpoint-1", source="callbacks"))
    async with harness.client(OPERATOR) as client:
        items = await all_pages(client, "/v1/alarms?limit=2")
        disabled = await all_pages(client, "/v1/alarms?kind=endpoint_disabled")
    assert len(items) == 6
    assert {item["subject"] for item in items} == {*map(str, subjects), "endpoint-1"}
    assert [item["request_id"] for item in disabled] == [None]
    assert await harness.service.query(store.count_alarms) == {"review_overdue": 5, "endpoint_disabled": 1}


async def test_the_migrations_make_the_tables_that_are_declared(harness: Harness) -> None:
    def differences(connection: sa.Connection) -> list[str]:
        found = sa.MetaData(naming_convention=NAMING)
        found.reflect(connection, only=[table.name for table in store.metadata.sorted_tables])
        return [
            f"{table.name}: {declared ^ made}"
            for table in store.metadata.sorted_tables
            if (declared := _shape(table)) != (made := _shape(found.tables[table.name]))
        ]

    async with harness.service.database.transaction() as connection:
        assert isinstance(connection, AsyncConnection)
        assert await connection.run_sync(differences) == []


def _shape(table: sa.Table) -> set[str]:
    columns = {f"{column.name} nullable={column.nullable} key={column.primary_key}" for column in table.columns}
    return columns | {str(index.name) for index in table.indexes}
