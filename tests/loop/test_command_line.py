"""`heed` on the command line, against a running system: tail, parked, token, apply; and what it says when it cannot."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.loop.test_story import act, file, status_of, tasks_of
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.harness import project_root
from tests.support.system import HEED, System, free_port, running

pytestmark = pytest.mark.timeout(240)
RULES = project_root() / "triage" / "rules"
SAMPLE = project_root() / "deploy" / "sample"
NOBODY = UUID(int=0)
PATIENCE_SECONDS = 60


async def heed(system: System, *words: str, **settings: str) -> tuple[int, str]:
    """Run it to its end: the exit code, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        HEED,
        *words,
        cwd=system.var,
        env={**system.environment, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode is not None
    assert "Traceback" not in said
    return process.returncode, said


@asynccontextmanager
async def tailing(system: System, *words: str) -> AsyncIterator[asyncio.StreamReader]:
    """`heed tail`, as long as the block lasts: what it prints."""
    process = await asyncio.create_subprocess_exec(
        HEED, "tail", *words, env=dict(system.environment), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        await process.wait()


async def next_event(lines: asyncio.StreamReader) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        event: dict[str, Any] = json.loads(await lines.readline())
    return event


async def test_the_tail_goes_on_over_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path / "var") as system:

        async def filed() -> str:
            async with system.client("operator") as operator:
                return str((await file(operator))["id"])

        ids = [await filed()]
        async with tailing(system, "--from", "beginning", "--type", "heed.request.received") as lines:
            seen = [(await next_event(lines))["subject"]]
            ids.append(await filed())
            seen.append((await next_event(lines))["subject"])
            await system.kill()
            await system.start()
            ids.append(await filed())
            seen.append((await next_event(lines))["subject"])
            assert seen == ids
        async with tailing(system, "--from", "beginning", "--topic", "requests", "--request", ids[1]) as lines:
            event = await next_event(lines)
            assert (event["type"], event["subject"]) == ("heed.request.received", ids[1])
            assert (await next_event(lines))["subject"] == ids[1]


async def parked_about(system: System, request_id: str) -> list[str]:
    """The lines of `heed parked list` about the request."""
    code, said = await heed(system, "parked", "list")
    assert code == 0, said
    return [line for line in said.splitlines() if request_id in line]


async def test_what_is_parked_is_listed_and_mended(system: System) -> None:
    """A fault in the gateway's own table stops one request there; no other, and no other service."""
    async with (
        Books.open(system.var) as books,
        system.client("operator") as operator,
        system.client("liaison:central-hospital") as hospital,
    ):
        ill = (await file(operator))["id"]
        [task] = await eventually(lambda: tasks_of(hospital, ill), lambda found: len(found) == 1)
        fault = f"check (id <> '{ill}' or status <> 'accepted') not valid"
        await books.fetch("gateway", f"alter table requests add constraint fault {fault}")
        task = await act(hospital, task, "accept")
        await act(hospital, task, "contact", medium="phone")
        accepted, *behind = await eventually(
            lambda: parked_about(system, ill), lambda found: "contacted" in "".join(found), PATIENCE_SECONDS
        )
        assert re.match(r"gateway  \S+  heed.request.accepted .* IntegrityError$", accepted)
        assert all(re.match(r"gateway  \S+  heed.request.(contacted|notified) .* behind it$", line) for line in behind)
        other = (await file(operator))["id"]
        await eventually(lambda: status_of(operator, other), lambda now: now == "assigned", PATIENCE_SECONDS)
        retry = ("parked", "retry", "gateway", accepted.split()[1])
        code, said = await heed(system, *retry)
        assert code == 1
        assert "cannot be handled even now" in said
        assert {accepted, *behind} <= set(await parked_about(system, ill))
        await books.fetch("gateway", "alter table requests drop constraint fault")
        assert await heed(system, *retry) == (0, "handled\n")
        assert await parked_about(system, ill) == []
        view = (await operator.get(f"/v1/requests/{ill}")).json()
        steps = [entry["type"].rsplit(".")[-1] for entry in view["timeline"]]
        assert (view["status"], [step for step in steps if step in {"accepted", "contacted"}]) == (
            "accepted",
            ["accepted", "contacted"],
        )


async def test_a_key_is_issued_listed_and_revoked(system: System) -> None:
    code, token = await heed(system, "token", "issue", "inspector", "--id", "inspector-9")
    assert code == 0, token
    async with system.client(token=token.strip()) as inspector:
        assert (await inspector.get("/v1/queue")).status_code == 200
        [line] = [line for line in (await heed(system, "token", "list"))[1].splitlines() if "inspector-9" in line]
        assert line.endswith("in force")
        assert await heed(system, "token", "revoke", line.split()[0]) == (0, "revoked\n")
        assert (await inspector.get("/v1/queue")).status_code == 401


async def test_another_policy_is_tried_on_what_was_said_and_changes_nothing(system: System, tmp_path: Path) -> None:
    async with system.client("operator") as operator:
        request_id = (await file(operator, text="家里没有菜了，超市都关着门"))["id"]
    code, said = await heed(system, "triage", "replay", "--policy", str(RULES))
    assert (code, re.search(r"^0 of [1-9][0-9]* requests differ", said, re.MULTILINE) is not None) == (0, True), said
    changed = tmp_path / "policy"
    shutil.copytree(RULES, changed)
    policy = (changed / "policy.yaml").read_text("utf-8")
    assert "need: {now: yellow, days: yellow" in policy
    policy = policy.replace("need: {now: yellow, days: yellow", "need: {now: red, days: red")
    (changed / "policy.yaml").write_text(policy, "utf-8")
    code, said = await heed(system, "triage", "replay", "--policy", str(changed))
    assert (code, f"{request_id}  colour yellow -> red" in said) == (0, True), said
    code, said = await heed(system, "apply", "triage", str(changed), "--dry-run")
    assert (code, "policy" in said) == (0, True), said


async def test_a_file_is_checked_and_applied(system: System, tmp_path: Path) -> None:
    code, said = await heed(system, "apply", "clocks", str(SAMPLE / "clocks.yaml"), "--dry-run", "--json")
    assert (code, json.loads(said)["changes"]) == (0, [])
    wrong = tmp_path / "clocks.yaml"
    wrong.write_text((SAMPLE / "clocks.yaml").read_text().replace("red: 10", "red: none", 1))
    code, said = await heed(system, "apply", "clocks", str(wrong))
    assert code == 1
    assert "/minutes/assigned/red" in said


async def test_a_file_is_exported_changed_and_its_difference_shown(system: System, tmp_path: Path) -> None:
    for kind in ("areas", "directory", "routing", "clocks"):
        file = tmp_path / f"{kind}.yaml"
        code, said = await heed(system, "export", kind, "--output", str(file))
        assert (code, said) == (0, f"{kind}: {file}\n")
        code, said = await heed(system, "apply", kind, str(file), "--dry-run")
        assert (code, said) == (0, f"{kind} 2022-10-24: nothing differs\n")
    file = tmp_path / "directory.yaml"
    text = file.read_text("utf-8")
    assert text.count("phone: '+8619900000005'") == 1
    file.write_text(text.replace("phone: '+8619900000005'", "phone: '120'\n  capacity: 4"), "utf-8")
    code, said = await heed(system, "apply", "directory", str(file), "--dry-run")
    assert (code, said.splitlines()) == (
        0,
        [
            "changed  liaison central-hospital.day",
            "           phone: +8619900000005 -> 120",
            "           capacity: nothing -> 4",
            "directory 2022-10-24: 1 to change",
        ],
    )
    code, said = await heed(system, "export", "directory")
    assert (code, said) == (0, text)


async def test_a_drill_is_begun_and_shows_who_answered(system: System) -> None:
    code, said = await heed(system, "drill", "show")
    assert (code, "There was no drill yet" in said) == (1, True)
    code, said = await heed(system, "drill", "begin", "--minutes", "60")
    assert (code, "people are asked, until" in said) == (0, True), said
    drill_id, people = said.split()[:2]
    assert (await heed(system, "drill", "reached", drill_id, "police.deputy"))[0] == 0
    code, said = await heed(system, "drill", "show")
    assert code == 0
    assert said.splitlines()[0].startswith(drill_id)
    assert f"1 of {people} answered" in said
    assert "police: 1 of 4, half of them within 0 min\n" in said
    assert "  answered  police.deputy (deputy) after 0 min\n" in said
    assert "  waiting   police.supervisor (supervisor)\n" in said
    code, said = await heed(system, "drill", "list")
    assert (code, said.split()[0]) == (0, drill_id)
    code, said = await heed(system, "drill", "begin")
    assert (code, "Everybody is being asked already" in said) == (1, True)


async def test_the_draw_and_the_retrospective_are_shown(system: System) -> None:
    code, said = await heed(system, "draw", "list")
    assert code == 0, said
    assert all(line.endswith("secret yet") for line in said.splitlines())
    assert len(said.splitlines()) >= 2
    code, said = await heed(system, "draw", "check", said.split()[0])
    assert (code, "not published yet" in said) == (1, True)
    code, said = await heed(system, "retrospective", "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z")
    assert (code, said) == (0, "Nothing went wrong that the log tells of.\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("draw", "check", "2001-01-01"), "No such period"),
        (("parked", "retry", "gateway", str(NOBODY)), "No event with this id is parked here"),
        (("parked", "drop", "intake", str(NOBODY)), "No event with this id is parked here"),
        (("tail", "--topic", "nothing"), "There is no topic heed.nothing"),
        (("token", "revoke", "nothing"), "No key with this id is in force"),
    ],
    ids=["check", "retry", "drop", "tail", "revoke"],
)
async def test_a_problem_is_said_in_a_sentence(system: System, words: tuple[str, ...], says: str) -> None:
    code, said = await heed(system, *words)
    assert code == 1
    assert re.search(says, said), said


async def test_where_nobody_answers_it_says_so(system: System, tmp_path: Path) -> None:
    away = {"HEED_BASE_URL": f"http://127.0.0.1:{free_port()}", "HEED_TOKEN": "x"}
    assert "Is Heed running?" in (await heed(system, "parked", "list", **away))[1]
    code, said = await heed(system, "parked", "list", HEED_VAR=str(tmp_path))
    assert code == 1
    assert "HEED_BASE_URL" in said


async def test_explain_says_by_which_place_a_request_goes_and_why_to_this_person(system: System) -> None:
    asked = ("route", "explain", "--category", "other", "--area", "pinghu/dushangang/huxiao/06")
    code, said = await heed(system, *asked)
    assert code == 0, said
    assert "place:   pinghu/dushangang/huxiao/06\n" in said
    assert re.search(r"given to huxiao-office\.\S+ of huxiao-office\n", said)
    assert re.search(r"because: the (only one|least loaded of \d) on duty named for pinghu/dushangang/huxiao", said)
    code, said = await heed(system, *asked, "--confidence", "0.5")
    assert code == 0, said
    assert "place:   pinghu/dushangang\n" in said
    assert re.search(
        r"leads:   town-office, given to town-office\.\S+ of town-office\nbecause: the .* on duty: \d", said
    )


async def test_a_map_that_is_not_right_is_refused_with_its_feature_and_the_reason(
    system: System, tmp_path: Path
) -> None:
    crossed = {"type": "Polygon", "coordinates": [[[121, 30], [122, 31], [122, 30], [121, 31], [121, 30]]]}
    named = {"id": "pinghu", "level": "city", "name_zh": "平湖市", "name_en": "Pinghu"}
    feature = {"type": "Feature", "properties": named, "geometry": crossed}
    file = tmp_path / "city.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    code, said = await heed(system, "apply", "areas", str(file), "--dry-run")
    assert code != 0
    assert "/features/0/geometry" in said
    assert "the shape of pinghu is not right: its border crosses itself at 121.5, 30.5" in said
