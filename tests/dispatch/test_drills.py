"""Drills: everybody in the directory is asked whether he can be reached, and whoever was not is known by name."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pydantic
import pytest
import sqlalchemy as sa

from dispatch.app import build
from dispatch.city import Shift
from dispatch.clocks import DrillPolicy
from dispatch.drills import BEGINS, DRILL, Drill, next_drill
from dispatch.files import FileKind
from shared.contracts.drills import DrillAsked, DrillClosed
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.vocabulary import AlarmKind, Colour
from shared.identity import Kind, Principal
from shared.ids import new_id
from shared.messaging.tables import timers
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
    resident,
    sample,
    sample_city,
    triaged,
)
from tests.dispatch.test_directory_files import apply, call
from tests.dispatch.test_routing import local
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.harness import test_settings as settings_for_tests

OWN = "central-hospital"
WEEK, DAY = timedelta(days=7), timedelta(days=1)


async def begin(story: Story, who: Principal = OPERATOR, **body: Any) -> dict[str, Any]:
    answer = await call(story, "POST", "/v1/drills", who, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def answer(story: Story, drill: dict[str, Any], who: Principal, named: str | None = None) -> Any:
    body = {"liaison": named} if named else {}
    return await call(story, "POST", f"/v1/drills/{drill['id']}/answer", who, json=body)


async def read(story: Story, drill: dict[str, Any], who: Principal = OPERATOR) -> dict[str, Any]:
    found = await call(story, "GET", f"/v1/drills/{drill['id']}", who)
    assert found.status_code == 200, found.text
    return dict(found.json())


async def everybody(story: Story, drill: dict[str, Any], but: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """The desk rings all whom the drill asks, and reaches them."""
    for organisation in drill["organisations"]:
        for person in organisation["people"]:
            if person["liaison"] not in but:
                assert (await answer(story, drill, OPERATOR, person["liaison"])).status_code == 200


async def drills(story: Story, who: Principal = OPERATOR, **parameters: Any) -> list[dict[str, Any]]:
    return list((await call(story, "GET", "/v1/drills", who, params=parameters)).json()["items"])


def of(drill: dict[str, Any], organisation: str) -> dict[str, Any]:
    [found] = [one for one in drill["organisations"] if one["organisation"] == organisation]
    return dict(found)


def states(drill: dict[str, Any], organisation: str = OWN) -> dict[str, str]:
    return {person["liaison"].split(".")[1]: person["state"] for person in of(drill, organisation)["people"]}


# What happens by itself


async def test_every_week_everybody_is_asked_and_a_day_later_it_is_known_who_was_not_reached(story: Story) -> None:
    await story.harness.turn(to=START + WEEK - timedelta(seconds=1))
    assert await story.harness.stated(DrillAsked) == []
    await story.harness.turn(seconds=1)
    asked = {event.fact.organisation: event.fact for event in await story.harness.stated(DrillAsked)}
    assert asked.keys() == sample_city().organisations.keys()
    assert set(asked[OWN].liaisons) == {f"{OWN}.{post}" for post in ("day", "night", "deputy", "supervisor")}
    assert asked[OWN].answer_by == START + WEEK + DAY
    [drill] = await drills(story)
    assert (drill["asked_by"], drill["answered"], drill["closed_at"]) == (None, 0, None)
    await story.harness.turn(hours=1)
    assert (await answer(story, drill, liaison(OWN))).status_code == 200
    await story.harness.turn(to=START + WEEK + DAY)
    report = await read(story, drill)
    assert states(report) == {
        "day": "answered", "night": "unreached", "deputy": "unreached", "supervisor": "unreached"
    }  # fmt: skip
    assert (of(report, OWN)["median_seconds"], of(report, OWN)["slowest_seconds"]) == (3600, 3600)
    assert report["missing"] == report["asked"] - 1
    closed = {event.fact.organisation: event.fact for event in await story.harness.stated(DrillClosed)}
    assert (closed[OWN].asked, closed[OWN].answered) == (4, 1)
    assert closed[OWN].unreached == (f"{OWN}.night", f"{OWN}.deputy", f"{OWN}.supervisor")
    await story.harness.turn(to=START + 2 * WEEK)
    assert len(await drills(story)) == 2


async def test_an_emergency_level_asks_every_day(story: Story) -> None:
    await call(story, "PUT", "/v1/surge", json={"level": 1})
    await story.harness.turn(to=START + 3 * DAY + timedelta(minutes=1))
    shown = await drills(story)
    assert [datetime.fromisoformat(d["asked_at"]) - START for d in shown] == [3 * DAY, 2 * DAY, DAY]
    assert [d["closed_at"] is not None for d in shown] == [False, True, True]
    assert {d["policy_version"] for d in shown} == {f"{sample(FileKind.CLOCKS).version}+surge-1"}
    await call(story, "PUT", "/v1/surge", json={"level": 0})
    await story.harness.turn(to=START + 3 * DAY + WEEK)
    assert [datetime.fromisoformat(d["asked_at"]) - START for d in await drills(story)][:2] == [3 * DAY + WEEK, 3 * DAY]


async def test_drills_can_be_switched_off_and_on_again(story: Story) -> None:
    text = (SAMPLE / "clocks.yaml").read_text(encoding="utf-8")
    assert "every_hours: 168" in text
    await apply(story, "clocks", text.replace("every_hours: 168", "every_hours: 0"))
    assert await story.harness.rows(sa.select(timers).where(timers.c.key == DRILL)) == []
    await call(story, "PUT", "/v1/surge", json={"level": 1})
    await story.harness.turn(days=9)
    assert await drills(story) == []
    await call(story, "PUT", "/v1/surge", json={"level": 0})
    await begin(story)
    await story.harness.turn(days=9)
    assert len(await drills(story)) == 1
    await apply(story, "clocks", text)
    await story.harness.turn(minutes=1)
    assert len(await drills(story)) == 2


def test_a_drill_ends_before_the_next_begins() -> None:
    with pytest.raises(pydantic.ValidationError):
        DrillPolicy(every_hours=24, answer_minutes=1441)
    assert DrillPolicy(every_hours=168, answer_minutes=2880).at(24) == DrillPolicy(every_hours=24, answer_minutes=1440)
    assert DrillPolicy(every_hours=12, answer_minutes=60).at(24).every_hours == 12
    policy, now = DrillPolicy(every_hours=1, answer_minutes=60), START + timedelta(minutes=90)
    running = Drill(
        id=new_id(), asked_at=START, asked_by="operator", answer_by=START + timedelta(hours=5), policy_version="1"
    )
    assert next_drill(policy, START, running, now) == running.answer_by
    assert next_drill(policy, None, None, now) == now + timedelta(hours=1)
    assert next_drill(policy, START, None, START + WEEK) == START + WEEK + timedelta(seconds=1)


# Who is missed, and what of it


async def test_whoever_is_off_duty_all_the_time_is_asked_and_not_missed(story: Story) -> None:
    drill = await begin(story, answer_minutes=60)  # at 16:00 in the city
    assert states(drill) == {"day": "waiting", "night": "off_duty", "deputy": "waiting", "supervisor": "waiting"}
    assert drill["answer_by"] == (START + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    await everybody(story, drill, but={f"{OWN}.night"})
    await story.harness.turn(hours=1)
    [fact] = [e.fact for e in await story.harness.stated(DrillClosed) if e.fact.organisation == OWN]
    assert (fact.asked, fact.answered, fact.unreached) == (4, 3, ())
    assert await story.harness.stated(AlarmRaised) == []


async def test_an_organisation_with_somebody_missing_raises_an_alarm_until_all_were_reached(story: Story) -> None:
    for missed in (set(), {f"{OWN}.deputy"}, {f"{OWN}.day", "police.night"}, {"police.night"}, set()):
        drill = await begin(story)
        await everybody(story, drill, but=missed)
        await story.harness.turn(days=1)
    alarms = await story.harness.stated(AlarmRaised, AlarmCleared)
    assert {event.fact.kind for event in alarms} == {AlarmKind.NOT_REACHED}
    told = [(event.subject, event.fact.count if isinstance(event.fact, AlarmRaised) else None) for event in alarms]
    assert told == [(OWN, 1), (OWN, 2), ("police", 1), ("police", 2), (OWN, None), ("police", None)]


async def test_among_equals_a_task_goes_to_whoever_was_reached(story: Story) -> None:
    text = (SAMPLE / "directory.yaml").read_text(encoding="utf-8")
    twin = f'- {{id: {OWN}.also, organisation: {OWN}, post: liaison, name: {{zh: 某, en: A}}, phone: "110"}}\n'
    text = text.replace(f"- {{id: {OWN}.day,", f"{twin}  - {{id: {OWN}.day,", 1)
    text = text.replace(
        f"- {{liaison: {OWN}.day,",
        f'- {{liaison: {OWN}.also, days: daily, from: "08:00", to: "20:00"}}\n  - {{liaison: {OWN}.day,',
        1,
    )
    await apply(story, "directory", text)
    assert (await story.lead(await story.file(triaged(Colour.GREEN))))["liaison"] == f"{OWN}.also"
    assert (await story.lead(await story.file(triaged(Colour.GREEN))))["liaison"] == f"{OWN}.day"
    drill = await begin(story, answer_minutes=1)
    await everybody(story, drill, but={f"{OWN}.also"})
    await story.harness.turn(minutes=1)
    assert (await story.lead(await story.file(triaged(Colour.GREEN))))["liaison"] == f"{OWN}.day"
    assert (await story.lead(await story.file(triaged(Colour.GREEN))))["liaison"] == f"{OWN}.also"


@pytest.mark.parametrize(
    ("begins", "ends", "days", "expected"),
    [
        ("08:00", "20:00", "daily", True), ("20:00", "08:00", "daily", False), ("18:00", "19:00", "daily", False),
        ("16:59", "17:30", ["mon"], True), ("16:59", "17:30", ["tue"], False), ("12:00", "16:00", "daily", False),
        ("12:00", "16:01", "daily", True), ("18:00", "16:30", ["sun"], True), ("16:30", "16:30", ["sun"], True),
    ],
)  # fmt: skip
def test_a_shift_that_runs_for_a_moment_of_the_time_is_enough(
    begins: str, ends: str, days: object, expected: bool
) -> None:
    shift = Shift.model_validate({"liaison": "a", "days": days, "from": begins, "to": ends})
    assert shift.runs_between(local(0, 16), local(0, 17)) == expected


# Who answers


async def test_who_answers_for_whom(story: Story) -> None:
    drill = await begin(story)
    night = Principal(kind=Kind.LIAISON, id=f"{OWN}.night", organisation=OWN)
    assert (await answer(story, drill, liaison(OWN), f"{OWN}.night")).status_code == 403
    shown = (await answer(story, drill, liaison(OWN))).json()  # the office's key: whoever is on duty
    assert states(shown) == {"day": "answered", "night": "waiting", "deputy": "waiting", "supervisor": "waiting"}
    assert (await answer(story, drill, night)).status_code == 200  # himself, off duty or not
    assert (await answer(story, drill, deputy(OWN), f"{OWN}.supervisor")).status_code == 403
    assert (await answer(story, drill, deputy(OWN))).status_code == 200
    assert (await answer(story, drill, head(OWN))).status_code == 200
    assert set(states(await read(story, drill)).values()) == {"answered"}
    assert [one["organisation"] for one in shown["organisations"]] == [OWN]
    by = {person["liaison"]: person["answered_by"] for person in of(await read(story, drill), OWN)["people"]}
    assert by[f"{OWN}.day"] == f"{OWN}.liaison"
    assert (await answer(story, drill, OPERATOR, "police.day")).status_code == 200
    assert (await answer(story, drill, OPERATOR)).status_code == 422
    assert (await answer(story, drill, OPERATOR, "nobody")).status_code == 404
    for who in (INSPECTOR, GRID_WORKER, resident(new_id())):
        assert (await answer(story, drill, who)).status_code == 403
        assert (await answer(story, drill, who, f"{OWN}.night")).status_code == 403
    assert (await answer(story, {"id": new_id()}, liaison(OWN))).status_code == 404


async def test_an_answer_confirms_the_entry_and_a_second_one_changes_nothing(story: Story) -> None:
    await story.harness.turn(hours=1)
    drill = await begin(story)
    await story.harness.turn(minutes=10)
    await answer(story, drill, liaison(OWN))
    await story.harness.turn(minutes=10)
    shown = (await answer(story, drill, liaison(OWN))).json()
    assert of(shown, OWN)["slowest_seconds"] == 600
    entry = (await call(story, "GET", f"/v1/liaisons/{OWN}.day")).json()
    assert entry["revision"] == 1
    assert datetime.fromisoformat(entry["assured_at"]) >= START + timedelta(minutes=70)
    stale = {"assured_before": (START + timedelta(minutes=65)).isoformat()}
    left = (await call(story, "GET", "/v1/liaisons", params=stale)).json()["items"]
    assert f"{OWN}.day" not in {item["id"] for item in left}
    assert f"{OWN}.night" in {item["id"] for item in left}


async def test_an_answer_after_the_time_is_refused_also_before_the_timer_fired(story: Story) -> None:
    drill = await begin(story, answer_minutes=5)
    story.harness.clock.turn(minutes=5)
    late = await answer(story, drill, liaison(OWN))
    assert (late.status_code, late.json()["type"].rsplit("/", 1)[1]) == (409, "drill-over")
    await story.harness.fire_due()
    assert (await answer(story, drill, liaison(OWN))).status_code == 409
    assert states(await read(story, drill))["day"] == "unreached"


# Who begins and reads


async def test_one_drill_at_a_time(story: Story) -> None:
    drill = await begin(story)
    again = await call(story, "POST", "/v1/drills", json={})
    assert (again.status_code, again.json()["drill_id"]) == (409, drill["id"])
    await story.harness.turn(days=1)
    assert (await begin(story, SUPERVISOR))["asked_by"] == "supervisor"


async def test_who_may_begin_and_who_reads_what(story: Story) -> None:
    drill = await begin(story)
    for who in (INSPECTOR, GRID_WORKER, liaison(OWN), head(OWN), resident(new_id())):
        assert (await call(story, "POST", "/v1/drills", who, json={})).status_code == 403
    for who in (OPERATOR, SUPERVISOR, INSPECTOR):
        assert len((await read(story, drill, who))["organisations"]) == len(sample_city().organisations)
        assert [one["asked"] for one in await drills(story, who)] == [len(sample_city().liaisons)]
    own = await read(story, drill, liaison(OWN))
    assert ([one["organisation"] for one in own["organisations"]], own["asked"]) == ([OWN], 4)
    assert [(one["asked"], one["missing"]) for one in await drills(story, head(OWN))] == [(4, 4)]
    for who in (GRID_WORKER, resident(new_id())):
        assert (await call(story, "GET", "/v1/drills", who)).status_code == 403
        assert (await call(story, "GET", f"/v1/drills/{drill['id']}", who)).status_code == 403
    assert (await call(story, "GET", f"/v1/drills/{new_id()}")).status_code == 404


async def test_the_list_comes_in_pages_the_newest_first(story: Story) -> None:
    made = []
    for _ in range(3):
        made.append((await begin(story, answer_minutes=1))["id"])
        await story.harness.turn(minutes=2)
    first = (await call(story, "GET", "/v1/drills", params={"limit": 2})).json()
    rest = (await call(story, "GET", "/v1/drills", params={"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert (await call(story, "GET", "/v1/drills", params={"cursor": "WzEsMl0"})).status_code == 422


async def test_no_name_and_no_number_is_told(story: Story) -> None:
    await begin(story, answer_minutes=1)
    await story.harness.turn(minutes=1)
    told = "".join(e.fact.model_dump_json() for e in await story.harness.stated(DrillAsked, DrillClosed))
    for person in sample_city().liaisons.values():
        assert person.phone not in told
        assert person.name.zh not in told
        assert person.id in told


# However processes die


def other_process(harness: Harness) -> Harness:
    """The same service once more: another app, another pool, the same database."""
    url = harness.service.settings.database
    return Harness(build(settings_for_tests(database=url, bus=url, instance="other"), harness.clock), harness.clock)


@pytest.fixture
async def other(harness: Harness) -> AsyncIterator[Harness]:
    second = other_process(harness)
    await second.service.start()
    yield second
    await second.service.stop()


async def test_a_drill_survives_a_restart_between_asking_and_its_end(story: Story) -> None:
    drill = await begin(story)
    await answer(story, drill, liaison(OWN))
    await story.harness.service.stop()
    story.harness.clock.turn(days=2)  # nothing runs at its end
    after = other_process(story.harness)
    await after.service.start()
    assert await after.stated(DrillClosed) == []
    await after.fire_due()
    [fact] = [e.fact for e in await after.stated(DrillClosed) if e.fact.organisation == OWN]
    assert (str(fact.drill_id), fact.answered) == (drill["id"], 1)
    await after.turn(to=START + WEEK)
    async with after.client(OPERATOR) as client:
        shown = (await client.get("/v1/drills")).json()["items"]
    assert [datetime.fromisoformat(one["asked_at"]) - START for one in shown] == [WEEK, timedelta(0)]
    await after.service.stop()


async def test_two_replicas_close_a_drill_once(story: Story, other: Harness) -> None:
    organisations = len(sample_city().organisations)
    for closed in range(1, 6):
        await begin(story, answer_minutes=1)
        story.harness.clock.turn(minutes=1)
        await asyncio.gather(story.harness.fire_due(), other.fire_due())
        assert len(await story.harness.stated(DrillClosed)) == closed * organisations


async def test_two_operators_begin_one_drill(story: Story, other: Harness) -> None:
    async def post(at: Harness) -> int:
        async with at.client(OPERATOR) as client:
            return (await client.post("/v1/drills", json={})).status_code

    assert sorted(await asyncio.gather(post(story.harness), post(other))) == [201, 409]
    [timer] = await story.harness.rows(sa.select(timers).where(timers.c.kind == BEGINS))
    assert timer["due_at"] == START + WEEK
