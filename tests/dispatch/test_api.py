"""The HTTP door: who may do what, what is refused, lists, and the directory."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from dispatch.app import build
from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from tests.dispatch.stories import (
    GRID_WORKER,
    INSPECTOR,
    OPERATOR,
    SAMPLE,
    SUPERVISOR,
    Story,
    deputy,
    liaison,
    resident,
    triaged,
)
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

OWN, OTHER = "central-hospital", "police"
VERBS = {
    "accept": {},
    "return": {"reason": "not_ours", "belongs_to": "police", "note": "It is theirs."},
    "contact": {"medium": "phone"},
    "progress": {"text": "We are on our way."},
    "answer": {"text": "All settled."},
    "fulfil": {},
}
PARTNER = Principal(kind=Kind.PARTNER, id="hospital-system", organisation=OWN)


@pytest.fixture(scope="module")
async def shared_harness(postgres: PostgresServer) -> AsyncIterator[Harness]:
    """One service for all cells of the tables below; each files a request of its own."""
    async with Harness.start(build, postgres) as started:
        yield started


@pytest.fixture(scope="module")
def city(shared_harness: Harness) -> Story:
    return Story(shared_harness)


async def call(story: Story, who: Principal, method: str, path: str, **options: Any) -> Any:
    async with story.harness.client(who) as client:
        return await client.request(method, path, **options)


async def ready_for(city: Story, verb: str) -> dict[str, Any]:
    """A lead of the hospital's in the state that the verb starts from."""
    task = await city.lead(await city.file(triaged(Colour.GREEN)))
    if verb not in {"accept", "return"}:
        task = await city.done(liaison(OWN), task, "accept")
    if verb == "fulfil":
        task = await city.done(liaison(OWN), task, "answer", text="Soon.", fulfil_by="2030-01-01T00:00:00Z")
    return task


ROLES = {
    "own liaison": (liaison(OWN), 200),
    "own deputy": (deputy(OWN), 200),
    "own partner": (PARTNER, 200),
    "other liaison": (liaison(OTHER), 404),
    "other deputy": (deputy(OTHER), 404),
    "operator": (OPERATOR, 403),
    "supervisor": (SUPERVISOR, 403),
    "inspector": (INSPECTOR, 403),
    "grid worker": (GRID_WORKER, 404),
    "anonymous": (ANONYMOUS, 404),
}


@pytest.mark.parametrize("verb", list(VERBS))
@pytest.mark.parametrize("role", list(ROLES))
async def test_who_may_act_on_a_task(city: Story, role: str, verb: str) -> None:
    who, expected = ROLES[role]
    task = await ready_for(city, verb)
    answer = await city.do(who, task, verb, **VERBS[verb])
    assert answer.status_code == expected, answer.text
    after = await city.task(task["id"])
    assert (after["revision"] > task["revision"]) == (expected == 200)
    if expected == 200:
        assert answer.json()["revision"] == after["revision"]


@pytest.mark.parametrize("verb", list(VERBS))
async def test_the_resident_acts_on_no_task(city: Story, verb: str) -> None:
    task = await ready_for(city, verb)
    answer = await city.do(resident(UUID(task["request_id"])), task, verb, **VERBS[verb])
    assert answer.status_code == 404


READERS = {role: 200 if code in {200, 403} else 404 for role, (_, code) in ROLES.items()}


@pytest.mark.parametrize("role", list(ROLES))
async def test_who_may_read_a_task(city: Story, role: str) -> None:
    task = await ready_for(city, "accept")
    answer = await call(city, ROLES[role][0], "GET", f"/v1/tasks/{task['id']}")
    assert answer.status_code == READERS[role]


async def test_who_had_a_task_still_sees_it_and_hears_who_holds_it(city: Story) -> None:
    task = await ready_for(city, "return")
    await city.done(liaison(OWN), task, "return", reason="not_ours", belongs_to=OTHER, note="It is theirs.")
    assert (await call(city, liaison(OWN), "GET", f"/v1/tasks/{task['id']}")).status_code == 200
    refused = await city.do(liaison(OWN), task, "accept")
    assert (refused.status_code, refused.json()["organisation"]) == (409, OTHER)


LISTERS = {"operator": 200, "supervisor": 200, "inspector": 200, "own liaison": 200, "own deputy": 200,
           "own partner": 200, "other liaison": 200, "grid worker": 403, "anonymous": 403}  # fmt: skip


@pytest.mark.parametrize("role", list(LISTERS))
async def test_who_may_list_and_whose(city: Story, role: str) -> None:
    who = ROLES[role][0]
    task = await ready_for(city, "accept")
    answer = await call(city, who, "GET", "/v1/tasks", params={"limit": 200})
    assert answer.status_code == LISTERS[role]
    if answer.status_code == 200:
        items = answer.json()["items"]
        assert {i["organisation"] for i in items} <= ({who.organisation} if who.organisation else {OWN, OTHER})
        if who.organisation == OTHER:
            assert task["id"] not in {i["id"] for i in items}


@pytest.mark.parametrize(
    ("who", "add", "urge"),
    [
        (OPERATOR, 201, 201), (SUPERVISOR, 201, 201), (INSPECTOR, 403, 403), (GRID_WORKER, 403, 403),
        (liaison(OWN), 201, 403), (deputy(OWN), 201, 403), (liaison("food-supply"), 404, 404), (ANONYMOUS, 404, 404),
        ("own resident", 403, 201), ("other resident", 404, 404),
    ],
    ids=lambda value: getattr(value, "id", str(value)),
)  # fmt: skip
async def test_who_may_add_help_and_who_may_urge(city: Story, who: Principal | str, add: int, urge: int) -> None:
    request_id = await city.file(triaged(Colour.GREEN))
    if isinstance(who, str):
        who = resident(request_id if who == "own resident" else new_id())
    added = await call(city, who, "POST", f"/v1/requests/{request_id}/tasks", json={"organisation": "police"})
    urged = await call(city, who, "POST", f"/v1/requests/{request_id}/nudges")
    assert (added.status_code, urged.status_code) == (add, urge)
    assert len(await city.stated(request_id, r.TaskNudged)) == (urge == 201)
    assert len(await city.stated(request_id, r.TaskAssigned)) == 1 + (add == 201)


DIRECTORY = {
    "operator": (200, 200), "supervisor": (200, 200), "inspector": (200, 403), "grid worker": (200, 403),
    "own liaison": (200, 403), "own deputy": (200, 403), "own partner": (200, 403), "anonymous": (403, 403),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["organisations", "liaisons", "shifts", "areas"])
@pytest.mark.parametrize("role", list(DIRECTORY))
async def test_who_may_read_and_write_the_directory(city: Story, role: str, kind: str) -> None:
    who, (may_read, may_write) = ROLES[role][0], DIRECTORY[role]
    listed = await call(city, who, "GET", f"/v1/{kind}")
    assert listed.status_code == may_read
    [entry, *_] = (await call(city, OPERATOR, "GET", f"/v1/{kind}")).json()["items"]
    put = await call(
        city, who, "PUT", f"/v1/{kind}/{entry['id']}", json={"revision": entry["revision"], "content": entry["content"]}
    )
    assert put.status_code == may_write, put.text
    one = await call(city, who, "GET", f"/v1/{kind}/{entry['id']}")
    assert one.status_code == may_read


# What is refused


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("accept", {"revision": "1"}), ("accept", {"revision": 0}), ("accept", {}), ("accept", {"revision": 1, "x": 1}),
        ("return", {"revision": 1, "reason": "lazy"}), ("return", {"revision": 1, "reason": "not_ours"}),
        ("return", {"revision": 1, "reason": "not_ours", "belongs_to": "nobody"}),
        ("progress", {"revision": 1, "text": ""}), ("progress", {"revision": 1, "text": " \n "}),
        ("progress", {"revision": 1, "text": "a\x00b"}), ("answer", {"revision": 1, "text": "x" * 10_001}),
        ("answer", {"revision": 1, "text": "x", "fulfil_by": "tomorrow"}),
        ("answer", {"revision": 1, "text": "x", "fulfil_by": "2030-01-01T00:00:00"}),
        ("answer", {"revision": 1, "text": "x", "fulfil_by": 1_900_000_000}),
        ("contact", {"revision": 1, "medium": "pigeon"}),
    ],
)  # fmt: skip
async def test_bad_input_is_a_clear_problem_and_changes_nothing(city: Story, verb: str, body: dict[str, Any]) -> None:
    task = await ready_for(city, "accept")
    answer = await call(city, liaison(OWN), "POST", f"/v1/tasks/{task['id']}/{verb}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await city.task(task["id"]) == task


async def test_a_promise_in_the_past_is_refused(city: Story) -> None:
    task = await ready_for(city, "answer")
    answer = await city.do(liaison(OWN), task, "answer", text="x", fulfil_by="2020-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["title"]) == (422, "Fulfilment in the past")


async def test_accepting_twice_is_a_revision_conflict(city: Story) -> None:
    task = await ready_for(city, "accept")
    await city.done(liaison(OWN), task, "accept")
    again = await city.do(liaison(OWN), task, "accept")
    assert (again.status_code, again.json()["title"], again.json()["revision"]) == (409, "Revision conflict", 2)


async def test_a_repeated_key_gives_the_first_answer_and_another_body_a_problem(city: Story) -> None:
    request_id = await city.file(triaged(Colour.GREEN))
    path, key = f"/v1/requests/{request_id}/tasks", {"idempotency-key": str(new_id())}
    first = await call(city, OPERATOR, "POST", path, json={"organisation": "police"}, headers=key)
    again = await call(city, OPERATOR, "POST", path, json={"organisation": "police"}, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await call(city, OPERATOR, "POST", path, json={"organisation": "food-supply"}, headers=key)
    assert other.status_code == 422
    nudge = [await call(city, OPERATOR, "POST", f"/v1/requests/{request_id}/nudges", headers={"idempotency-key": "n"})
             for _ in range(2)]  # fmt: skip
    assert nudge[0].json() == nudge[1].json()
    assert len(await city.stated(request_id, r.TaskNudged)) == 1


async def test_what_is_not_there_is_not_found(city: Story) -> None:
    for method, path in (("GET", "/v1/tasks/{}"), ("POST", "/v1/requests/{}/nudges")):
        assert (await call(city, OPERATOR, method, path.format(new_id()))).status_code == 404


@pytest.mark.parametrize("cursor", ["x", "WzFd", "WzEsMiwzLDRd", "WyJhIiw5OSwiYiIsImMiXQ"])
async def test_a_cursor_that_is_none_of_ours_is_refused(city: Story, cursor: str) -> None:
    assert (await call(city, OPERATOR, "GET", "/v1/tasks", params={"cursor": cursor})).status_code == 422


# Lists


async def test_tasks_come_by_urgency_and_pages_join_without_gap_or_twin(story: Story) -> None:
    for minutes in range(3):
        await story.harness.turn(minutes=minutes)
        for colour in Colour:
            await story.file(triaged(colour, Category.MEDICAL))
    await story.harness.turn(minutes=20)
    everything = await story.tasks()
    order = {"red": 0, "yellow": 1, "green": 2}
    keys = [(not t["overdue"], order[t["colour"]], t["next_due"]["at"]) for t in everything]
    assert keys == sorted(keys)
    assert {t["overdue"] for t in everything} == {True, False}
    paged, page = [], await story.page(limit=2)
    while True:
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        story.harness.clock.turn(minutes=3)  # what becomes overdue between two pages neither hides nor doubles
        page = await story.page(limit=2, cursor=page["next_cursor"])
    assert sorted(t["id"] for t in paged) == sorted(t["id"] for t in everything)


async def test_filters_and_mine(story: Story) -> None:
    request_id = await story.file(triaged())
    other = await story.file(triaged(Colour.GREEN, Category.FOOD_SUPPLIES))
    done, _ = await story.answered()

    async def requests(**parameters: Any) -> set[str]:
        return {t["request_id"] for t in await story.tasks(**parameters)}

    assert await requests() == {str(request_id), str(other)}
    assert await requests(organisation="food-supply") == {str(other)}
    assert await requests(status="answered") == {str(done)}
    assert await requests(request_id=str(done)) == {str(done)}
    assert await requests(request_id=str(other), who=liaison(OWN)) == set()
    assert await requests(overdue=True) == set()
    assert await requests(who=liaison(OWN), organisation="food-supply") == set()
    assert await requests(who=OPERATOR, mine=True) == set()
    assert await requests(who=liaison(OWN), mine=True) == {str(request_id)}
    await story.harness.turn(minutes=5)
    assert await requests(who=liaison(OWN), mine=True) == set()
    assert await requests(who=liaison(OWN)) == {str(request_id)}
    assert await requests(who=deputy(OWN), mine=True) == {str(request_id)}
    assert await requests(overdue=True) == set()


# The directory


async def apply(story: Story, kind: str, content: str, *, dry_run: bool = False, who: Principal = OPERATOR) -> Any:
    body = {"kind": kind, "content": content, "dry_run": dry_run}
    return await call(story, who, "POST", "/v1/directory", json=body)


def sample_text(kind: str) -> str:
    return (SAMPLE / f"{kind}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["directory", "areas", "routing", "clocks"])
async def test_the_same_file_again_changes_nothing(city: Story, kind: str) -> None:
    answer = await apply(city, kind, sample_text(kind), dry_run=True)
    assert (answer.status_code, answer.json()["changes"]) == (200, [])


async def test_a_file_is_tried_then_applied_announced_and_used(story: Story) -> None:
    text = sample_text("routing").replace("organisation: central-hospital", "organisation: ambulance")
    text = text.replace('version: "2022-10-24"', 'version: "2"')
    before = len(await story.harness.stated())
    tried = (await apply(story, "routing", text, dry_run=True)).json()
    assert tried["changes"] == [
        {
            "kind": "policy",
            "id": "routing",
            "change": "changed",
            "fields": ["rules", "version"],
            "values": [
                {"at": "version", "before": "2022-10-24", "after": "2"},
                {"at": "rules/hospital/organisation", "before": "central-hospital", "after": "ambulance"},
            ],
        }
    ]
    assert len(await story.harness.stated()) == before
    assert (await story.lead(await story.file(triaged())))["organisation"] == "central-hospital"
    assert (await apply(story, "routing", text)).status_code == 200
    [*_, announced] = await story.harness.stated(d.PolicyRecorded)
    assert (announced.key, announced.fact.version) == ("routing", "2")
    assert (await story.lead(await story.file(triaged())))["organisation"] == "ambulance"


async def test_only_what_changed_is_announced_and_what_is_gone_is_emptied(story: Story) -> None:
    before = len(await story.harness.stated())
    text = sample_text("directory")
    head, _, rest = text.partition("  - id: human-resources")
    kept = rest[rest.index("  - id:") :] if "  - id:" in rest else rest[rest.index("\nliaisons:") :]
    text = "\n".join(line for line in (head + kept).splitlines() if "human-resources" not in line)
    refused = await apply(story, "directory", text)
    assert refused.status_code == 422
    assert "human-resources" in refused.text
    routing = sample_text("routing").replace("organisation: human-resources", "organisation: civil-affairs")
    assert (await apply(story, "routing", routing)).status_code == 200
    assert (await apply(story, "directory", text)).status_code == 200
    news = (await story.harness.stated())[before:]
    assert {(e.type, e.key) for e in news} <= {
        ("heed.policy.recorded", "routing"), ("heed.organisation.recorded", "human-resources")
    }  # fmt: skip
    [gone] = [e for e in news if e.key == "human-resources"]
    assert (gone.fact.services, gone.fact.liaisons) == ((), ())


@pytest.mark.parametrize(
    ("kind", "old", "new", "place", "line"),
    [
        ("directory", "services: [medical, maternity]", "services: [medicl]", "/organisations/1/services/0", 16),
        ("clocks", "red: 10, yellow: 30", "red: none, yellow: 30", "/minutes/assigned/red", 6),
        ("routing", "backstop: duty-office", "backstops: duty-office", "/backstops", None),
        ("directory", "time_zone: Asia/Shanghai", "time_zone: Mars/Base", "/time_zone", 5),
        ("routing", 'version: "2022-10-24"', 'version: "2022-10-24', "/", None),
        ("areas", "id: pinghu, level: city", "id: pinghu, id: x, level: city", "/areas/0/id", None),
    ],
)
async def test_a_wrong_file_is_refused_with_the_place(
    city: Story, kind: str, old: str, new: str, place: str, line: int | None
) -> None:
    text = sample_text(kind)
    assert old in text
    answer = await apply(city, kind, text.replace(old, new, 1))
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert place in {error["pointer"] for error in errors}
    assert line is None or line in {error["line"] for error in errors}


@pytest.mark.parametrize("text", ["a: &x 1\nb: *x", "- 1", "", "\x00", "[" * 5000, "a: [&a [x], *a]"])
async def test_what_is_no_file_of_ours_is_refused(city: Story, text: str) -> None:
    assert (await apply(city, "clocks", text or " ")).status_code == 422


async def test_an_area_is_found_by_its_whole_path(city: Story) -> None:
    answer = await call(city, OPERATOR, "GET", "/v1/areas/pinghu/dushangang/huxiao/06")
    assert (answer.status_code, answer.json()["id"]) == (200, "pinghu/dushangang/huxiao/06")
