"""The files of a city out again: what is exported changes nothing when applied, and holds every single edit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.city import DAYS
from dispatch.differences import differences
from dispatch.entries import LIAISON, ORGANISATION, POLICY, SHIFTS, Key, from_file, newer, of_today, to_file
from dispatch.files import FileKind, InvalidFile
from shared.contracts import directory as d
from shared.ids import new_id
from tests.dispatch.stories import INSPECTOR, OPERATOR, SAMPLE, SUPERVISOR, Story, liaison, resident, triaged
from tests.support.builders import START

KINDS = list(FileKind)


def sample_text(kind: str) -> str:
    return (SAMPLE / f"{kind}.yaml").read_text(encoding="utf-8")


async def call(story: Story, method: str, path: str, who: Any = OPERATOR, **options: Any) -> Any:
    async with story.harness.client(who) as client:
        return await client.request(method, path, **options)


async def export(story: Story, kind: str) -> str:
    answer = await call(story, "GET", f"/v1/directory/{kind}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/yaml")
    return str(answer.text)


async def apply(story: Story, kind: str, text: str, *, dry_run: bool = False) -> list[dict[str, Any]]:
    answer = await call(story, "POST", "/v1/directory", json={"kind": kind, "content": text, "dry_run": dry_run})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["changes"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_exported_changes_nothing_when_it_is_applied(story: Story, kind: FileKind) -> None:
    text = await export(story, kind)
    assert await apply(story, kind, text, dry_run=True) == []
    before = len(await story.harness.stated())
    assert await apply(story, kind, text) == []
    assert len(await story.harness.stated()) == before
    assert await export(story, kind) == text


async def test_single_edits_are_in_the_export(story: Story) -> None:
    entry = (await call(story, "GET", "/v1/liaisons/police.day")).json()
    content = entry["content"] | {"phone": "+8619900000999", "capacity": 4}
    put = await call(story, "PUT", "/v1/liaisons/police.day", json={"revision": 1, "content": content})
    assert put.status_code == 200, put.text
    shifts = [{"liaison": "police.day", "days": ["mon", "sun"], "from": "06:00", "to": "24:00"}]
    put = await call(story, "PUT", "/v1/shifts/police.day", json={"revision": 1, "content": {"shifts": shifts}})
    assert put.status_code == 200, put.text
    text = await export(story, "directory")
    filed = from_file(FileKind.DIRECTORY, text)
    assert filed.entries[LIAISON, "police.day"] == content
    assert filed.entries[SHIFTS, "police.day"]["shifts"] == [
        {"liaison": "police.day", "days": ["mon", "sun"], "from": "06:00:00", "to": "00:00:00"}
    ]
    assert await apply(story, "directory", text, dry_run=True) == []
    changes = await apply(story, "directory", sample_text("directory"), dry_run=True)
    assert {(c["kind"], c["id"]): c["fields"] for c in changes} == {
        ("liaison", "police.day"): ["capacity", "phone"], ("shifts", "police.day"): ["shifts"]
    }  # fmt: skip


async def test_an_entry_has_a_revision_and_a_history(story: Story) -> None:
    async def put(revision: int, **changed: Any) -> Any:
        entry = (await call(story, "GET", "/v1/organisations/police")).json()
        body = {"revision": revision, "content": entry["content"] | changed}
        return await call(story, "PUT", "/v1/organisations/police", SUPERVISOR, json=body)

    changed = await put(1, services=["rescue", "transport"])
    assert (changed.status_code, changed.json()["revision"], changed.json()["changed_by"]) == (200, 2, "supervisor")
    stale = await put(1, services=[])
    assert (stale.status_code, stale.json()["revision"]) == (409, 2)
    entry = (await call(story, "GET", "/v1/organisations/police")).json()
    assert [past["content"]["services"] for past in entry["history"]] == [["rescue"]]
    [*_, announced] = await story.harness.stated(d.OrganisationRecorded)
    assert announced.fact.services == ("rescue", "transport")
    assert (await put(2, areas=["nowhere"])).status_code == 422
    assert (await put(2, id="fire")).status_code == 422


async def test_a_changed_shift_counts_for_the_next_task(story: Story) -> None:
    content = {"shifts": [{"liaison": "central-hospital.day", "days": ["sun"], "from": "00:00", "to": "01:00"}]}
    path = "/v1/shifts/central-hospital.day"
    put = await call(story, "PUT", path, json={"revision": 1, "content": content})
    assert put.status_code == 200, put.text
    task = await story.lead(await story.file(triaged()))
    assert (task["liaison"], task["level"]) == ("central-hospital.deputy", 1)


@pytest.mark.parametrize(
    ("who", "status"),
    [(INSPECTOR, 200), (SUPERVISOR, 200), (liaison("police"), 200), (resident(new_id()), 403)],
)
async def test_who_may_export(story: Story, who: Any, status: int) -> None:
    assert (await call(story, "GET", "/v1/directory/directory", who)).status_code == status
    assert (await call(story, "GET", "/v1/directory/secrets", who)).status_code == 422


def test_an_export_is_a_page_for_people() -> None:
    filed = from_file(FileKind.DIRECTORY, sample_text("directory"))
    shown = to_file(FileKind.DIRECTORY, filed.entries, {(LIAISON, "police.day"): START})
    assert "null" not in shown
    assert "- id: police\n  name: {zh: 派出所（示例）, en: Police Station}" in shown
    assert "- {liaison: police.day, days: daily, from: '08:00', to: '20:00'}" in shown
    assert shown.count("assured_at: '2026-03-02T16:00:00+08:00'") == 1


# Whatever a city writes down comes out again

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
ids = st.from_regex(r"\A[a-z0-9][a-z0-9_.-]{0,9}\Z")
names = st.fixed_dictionaries({"zh": words, "en": words})
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 by timezones
times = st.times().map(lambda at: at.isoformat())


@st.composite
def contents(draw: st.DrawFn) -> tuple[dict[Key, Any], dict[Key, datetime]]:
    """Organisations, people and shifts as they are kept, and when some of them were confirmed."""
    entries: dict[Key, Any] = {(POLICY, "directory"): {"version": draw(words), "time_zone": "Asia/Shanghai"}}
    for name in draw(st.lists(ids, max_size=3, unique=True)):
        services = draw(st.lists(st.sampled_from(["medical", "other"]), unique=True))
        entries[ORGANISATION, name] = {
            "id": name,
            "name": draw(names),
            "services": services,
            "needs": draw(st.lists(words, max_size=2)),
        }
    for name in draw(st.lists(ids, max_size=3, unique=True)):
        person = {"id": name, "organisation": "x", "post": "deputy", "name": draw(names), "phone": "110"}
        entries[LIAISON, name] = person | {"capacity": draw(st.none() | st.integers(1, 99))}
        days = st.just(list(DAYS)) | st.lists(st.sampled_from(DAYS), min_size=1, max_size=3)
        shift = st.fixed_dictionaries({"liaison": st.just(name), "days": days, "from": times, "to": times})
        if shifts := draw(st.lists(shift, max_size=2)):
            entries[SHIFTS, name] = {"shifts": shifts}
    kept = {key: of_today(key, content) for key, content in entries.items()}
    confirmable = sorted(key for key in kept if key[0] != POLICY)
    assured = draw(st.dictionaries(st.sampled_from(confirmable), moments)) if confirmable else {}
    return kept, assured


@given(contents())
def test_any_directory_comes_out_as_it_went_in(made: tuple[dict[Key, Any], dict[Key, datetime]]) -> None:
    kept, assured = made
    filed = from_file(FileKind.DIRECTORY, to_file(FileKind.DIRECTORY, kept, assured))
    assert filed.entries == kept
    assert filed.assured == {key: at.replace(microsecond=0) for key, at in assured.items()}
    assert newer(filed.assured, assured) == {}


numbers = st.integers(1, 10_000)
colours = st.fixed_dictionaries({"red": numbers, "yellow": numbers, "green": numbers})


surges = st.fixed_dictionaries({"capacity_percent": st.none() | numbers, "drill_every_hours": numbers})
leads_of = st.dictionaries(words, numbers, max_size=3)


@given(colours, st.lists(st.integers(1, 99), max_size=3), leads_of, words, st.lists(surges, max_size=2))
def test_any_clocks_come_out_as_they_went_in(
    minutes: Any, reminders: list[int], leads: dict[str, int], version: str, surge: list[Any]
) -> None:
    stages = dict.fromkeys(("assigned", "accepted", "contacted", "answered"), minutes)
    given_ = {"version": version, "minutes": stages, "nudge_every_minutes": minutes, "reminders_percent": reminders,
              "lead_minutes": leads, "surge": surge}  # fmt: skip
    key = (POLICY, "clocks")
    kept = {key: of_today(key, given_)}
    assert from_file(FileKind.CLOCKS, to_file(FileKind.CLOCKS, kept, {})).entries == kept


@given(words, st.lists(words, max_size=3), st.none() | st.lists(st.sampled_from(["red", "green"]), min_size=1))
def test_any_routing_comes_out_as_it_went_in(note: str, needs: list[str], colour: list[str] | None) -> None:
    rules = [
        {"id": "a", "category": ["medical"], "areas": ["x/y"], "organisation": "help", "note": note, "colour": colour},
        {"id": "b", "organisation": {"serves": "category", "nearest": True}},
    ]
    steps = [
        {"id": "no", "by": "lead"},
        {"id": "on", "need": "null", "after": ["no"], "quantity": 3, "required": False},
    ]
    books = [{"id": "null", "needs": needs, "deadline": deadline, "steps": steps} for deadline in (None, True, False)]
    books = [book | {"id": f"book-{n}"} for n, book in enumerate(books)]
    given_ = {
        "version": note,
        "rules": rules,
        "backstop": "1.0",
        "needs": {"~": {"organisation": "yes"}},
        "playbooks": books,
    }
    key = (POLICY, "routing")
    kept = {key: of_today(key, given_)}
    assert from_file(FileKind.ROUTING, to_file(FileKind.ROUTING, kept, {})).entries == kept


# The difference


def test_a_difference_names_each_value_and_the_order_of_what_has_ids() -> None:
    before = {"r": {"rules": [{"id": "a", "to": 1}, {"id": "b", "to": 2}], "needs": {"x": {"by": 1}}, "days": [1, 2]}}
    after = {"r": {"rules": [{"id": "b", "to": 3}, {"id": "a", "to": 1}, {"id": "c"}], "needs": {}, "days": [1]}}
    [change] = differences(before, after, "policy")
    assert [(v.at, v.before, v.after) for v in change.values] == [
        ("rules/b/to", 2, 3),
        ("rules/c", None, {"id": "c"}),
        ("rules in order", ["a", "b"], ["b", "a"]),
        ("needs/x", {"by": 1}, None),
        ("days", [1, 2], [1]),
    ]


def test_an_entry_of_an_older_program_is_no_difference() -> None:
    entry = from_file(FileKind.DIRECTORY, sample_text("directory")).entries[LIAISON, "police.day"]
    old = {name: value for name, value in entry.items() if name != "capacity"}
    assert of_today((LIAISON, "police.day"), old) == entry


def test_a_file_states_when_an_entry_was_confirmed_as_a_time_with_its_offset() -> None:
    late = (START + timedelta(days=1)).isoformat()
    text = sample_text("directory").replace("services: [other]", f"services: [other]\n    assured_at: {late}", 1)
    filed = from_file(FileKind.DIRECTORY, text)
    assert filed.assured == {(ORGANISATION, "duty-office"): START + timedelta(days=1)}
    with pytest.raises(InvalidFile):
        from_file(FileKind.DIRECTORY, text.replace(late, "yesterday"))
