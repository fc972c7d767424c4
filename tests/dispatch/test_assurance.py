"""When each entry was last confirmed to be right: by a change, a file, a word; who may say so; and what is not told."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.contracts import directory as d
from shared.identity import Principal
from tests.dispatch.stories import (
    GRID_WORKER,
    INSPECTOR,
    OPERATOR,
    SAMPLE,
    SUPERVISOR,
    Story,
    deputy,
    head,
    liaison,
)
from tests.dispatch.test_directory_files import apply, call, export
from tests.support.builders import START

OWN = "central-hospital"
DAY = f"{OWN}.day"


async def entry(story: Story, path: str) -> dict[str, Any]:
    return dict((await call(story, "GET", f"/v1/{path}")).json())


async def assured_at(story: Story, path: str) -> datetime:
    return datetime.fromisoformat((await entry(story, path))["assured_at"])


async def test_the_first_start_and_a_change_confirm_and_the_history_says_when(story: Story) -> None:
    assert await assured_at(story, f"liaisons/{DAY}") == START
    await story.harness.turn(days=3)
    known = await entry(story, f"liaisons/{DAY}")
    body = {"revision": 1, "content": known["content"] | {"phone": "120"}}
    changed = (await call(story, "PUT", f"/v1/liaisons/{DAY}", SUPERVISOR, json=body)).json()
    assert (datetime.fromisoformat(changed["assured_at"]), changed["assured_by"]) == (
        START + timedelta(days=3), "supervisor"
    )  # fmt: skip
    [before] = (await entry(story, f"liaisons/{DAY}"))["history"]
    assert datetime.fromisoformat(before["assured_at"]) == START
    assert await assured_at(story, f"liaisons/{OWN}.night") == START


async def test_a_word_confirms_without_a_revision_and_without_a_fact(story: Story) -> None:
    await story.harness.turn(days=2)
    stated = len(await story.harness.stated())
    for path in (f"organisations/{OWN}", f"liaisons/{DAY}", f"shifts/{DAY}"):
        answer = await call(story, "POST", f"/v1/{path}/assurance", OPERATOR, json={})
        assert (answer.status_code, answer.json()["revision"]) == (200, 1)
        assert datetime.fromisoformat(answer.json()["assured_at"]) == START + timedelta(days=2)
        assert (await entry(story, path))["assured_by"] == "operator"
    assert len(await story.harness.stated()) == stated
    assert await assured_at(story, f"liaisons/{OWN}.night") == START


async def test_an_entry_that_is_sent_as_it_stands_is_confirmed_and_stays(story: Story) -> None:
    await story.harness.turn(days=2)
    known = await entry(story, f"shifts/{DAY}")
    same = await call(story, "PUT", f"/v1/shifts/{DAY}", json={"revision": 1, "content": known["content"]})
    assert (same.json()["revision"], same.json()["assured_by"]) == (1, "operator")
    assert await assured_at(story, f"shifts/{DAY}") == START + timedelta(days=2)
    content = known["content"]["shifts"][0] | {"assured_at": START.isoformat()}
    body = {"revision": 1, "content": {"shifts": [content]}}
    assert (await call(story, "PUT", f"/v1/shifts/{DAY}", json=body)).status_code == 422


async def test_a_leader_confirms_all_of_his_people_at_once(story: Story) -> None:
    await story.harness.turn(days=2)
    body = {"with_people": True}
    answer = await call(story, "POST", f"/v1/organisations/{OWN}/assurance", head(OWN), json=body)
    assert answer.status_code == 200
    before = (START + timedelta(days=1)).isoformat()
    for kind in ("organisations", "liaisons", "shifts"):
        page = (await call(story, "GET", f"/v1/{kind}", params={"assured_before": before})).json()["items"]
        left = {item["id"] for item in page}
        assert "police" in left or "police.day" in left
        assert not [i for i in left if i.startswith(OWN)]
    everything = (await call(story, "GET", "/v1/liaisons")).json()["items"]
    assert any(item["id"] == DAY for item in everything)


# Who: the organisation, the liaison who has the post now, his deputy, his shifts
MAY: dict[str, tuple[Principal, int, int, int, int]] = {
    "operator": (OPERATOR, 200, 200, 200, 200),
    "supervisor": (SUPERVISOR, 200, 200, 200, 200),
    "own head": (head(OWN), 200, 200, 200, 200),
    "own deputy": (deputy(OWN), 200, 200, 200, 200),
    "office key": (liaison(OWN), 403, 200, 403, 200),
    "himself": (liaison(OWN).__class__(kind=liaison(OWN).kind, id=DAY, organisation=OWN), 403, 200, 403, 200),
    "other head": (head("police"), 403, 403, 403, 403),
    "other office": (liaison("police"), 403, 403, 403, 403),
    "inspector": (INSPECTOR, 403, 403, 403, 403),
    "grid worker": (GRID_WORKER, 403, 403, 403, 403),
}


@pytest.mark.parametrize("role", MAY)
async def test_who_may_confirm_what(story: Story, role: str) -> None:
    who, *expected = MAY[role]
    paths = (f"organisations/{OWN}", f"liaisons/{DAY}", f"liaisons/{OWN}.deputy", f"shifts/{DAY}")
    await story.harness.turn(seconds=1)
    for path, status in zip(paths, expected, strict=True):
        answer = await call(story, "POST", f"/v1/{path}/assurance", who, json={})
        assert answer.status_code == status, (path, answer.text)
        assert (await assured_at(story, path) > START) == (status == 200)


@pytest.mark.parametrize("path", ["organisations/nobody", "liaisons/nobody", "shifts/nobody", f"shifts/{OWN}.deputy"])
async def test_what_is_not_there_cannot_be_confirmed(story: Story, path: str) -> None:
    assert (await call(story, "POST", f"/v1/{path}/assurance", json={})).status_code == 404


# Files


async def test_a_file_may_state_it_and_never_takes_it_back(story: Story) -> None:
    await story.harness.turn(days=5)
    line = f"- {{liaison: {DAY}, days: daily"
    text = (SAMPLE / "directory.yaml").read_text(encoding="utf-8")
    assert line in text

    def stating(day: int) -> str:
        at = (START + timedelta(days=day)).isoformat()
        return text.replace(line, f'- {{liaison: {DAY}, assured_at: "{at}", days: daily')

    stated = len(await story.harness.stated())
    changes = await apply(story, "directory", stating(3), dry_run=True)
    assert [(c["kind"], c["id"], c["change"], c["fields"]) for c in changes] == [
        ("shifts", DAY, "assured", ["assured_at"])
    ]
    assert await assured_at(story, f"shifts/{DAY}") == START
    await apply(story, "directory", stating(3))
    assert await assured_at(story, f"shifts/{DAY}") == START + timedelta(days=3)
    assert await apply(story, "directory", stating(1)) == []
    assert await assured_at(story, f"shifts/{DAY}") == START + timedelta(days=3)
    assert (await entry(story, f"shifts/{DAY}"))["revision"] == 1
    assert len(await story.harness.stated()) == stated
    refused = await call(story, "POST", "/v1/directory", json={"kind": "directory", "content": stating(6)})
    assert refused.status_code == 422


async def test_a_new_entry_is_confirmed_when_its_file_says_and_a_changed_one_now(story: Story) -> None:
    await story.harness.turn(days=5)
    text = await export(story, "directory")
    of_police = next(line for line in text.split("- id: ") if line.startswith("police.day\n"))
    assert "assured_at: '2026-03-02T16:00:00+08:00'" in of_police
    more = of_police.replace("police.day", "police.more")
    changed = of_police.replace("phone:", "capacity: 3\n  phone:")
    await apply(story, "directory", text.replace(of_police, f"{changed}- id: {more}", 1))
    assert await assured_at(story, "liaisons/police.more") == START
    assert await assured_at(story, "liaisons/police.day") == START + timedelta(days=5)


async def test_nothing_of_it_is_told_to_others(story: Story) -> None:
    for event in await story.harness.stated(d.OrganisationRecorded):
        assert "assured" not in event.fact.model_dump_json()
