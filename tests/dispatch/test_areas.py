"""Areas: their shapes as files bring them, their people, and who has what is not surely anywhere."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from dispatch.city import Area, City, Liaison, Organisation, Shift
from dispatch.explaining import explain
from dispatch.files import AreasFile, FileKind, InvalidFile, disagreements, parse
from dispatch.routing import Route
from shared.contracts import directory as d
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, PlaceSource
from shared.ids import new_id
from tests.dispatch.stories import GRID, OPERATOR, SAMPLE, Story, liaison, received, sample_duty, triaged
from tests.support.builders import START

HUXIAO, TOWN = "pinghu/dushangang/huxiao", "pinghu/dushangang"
RING = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
HOLE = [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4], [0.2, 0.4], [0.2, 0.2]]
NIGHT = START + timedelta(hours=12)
"""04:00 in the city."""


def feature(area: str, geometry: Any, **properties: Any) -> dict[str, Any]:
    level = ("city", "town", "village", "grid", "micro_grid")[area.count("/")]
    named = {"id": area, "level": level, "name": {"zh": "某地", "en": "Somewhere"}, **properties}
    return {"type": "Feature", "properties": named, "geometry": geometry}


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def collection(*features: Any, **members: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **members})


def areas_of(text: str) -> AreasFile:
    content = parse(FileKind.AREAS, text)
    assert isinstance(content, AreasFile)
    return content


def errors_of(text: str) -> list[dict[str, Any]]:
    with pytest.raises(InvalidFile) as refused:
        parse(FileKind.AREAS, text)
    return list(refused.value.members["errors"])


# Shapes


def test_a_map_programs_collection_is_read_as_areas() -> None:
    apart = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [[[x + 2, y, 7.5] for x, y in RING]]]}
    text = collection(
        feature("c", apart, aliases="老城; Old Town", people=["office.day"], fid=12),
        {"type": "Feature", "id": "c/t", "geometry": None,
         "properties": {"level": "town", "name_zh": "镇", "name_en": "Town", "aliases": None}},
    )  # fmt: skip
    city, town = areas_of(text).areas
    assert city.aliases == ("老城", "Old Town")
    assert city.people == ("office.day",)
    assert city.shape is not None
    assert city.shape.model_dump() == {
        "type": "MultiPolygon",
        "coordinates": (
            (tuple((x, y) for x, y in RING), tuple((x, y) for x, y in HOLE)),
            (tuple((x + 2, y) for x, y in RING),),
        ),
    }
    assert (town.id, town.name.zh, town.outline) == ("c/t", "镇", None)


def test_a_collections_version_is_its_own_or_follows_from_what_it_says() -> None:
    one, other = collection(feature("c", None)), collection(feature("d", None))
    assert areas_of(collection(feature("c", None), version="7")).version == "7"
    assert areas_of(one).version == areas_of(one).version != areas_of(other).version


def shifted(ring: list[list[float]], by: float) -> list[list[float]]:
    return [[x + by, y] for x, y in ring]


WRONG = {
    "crosses itself": (polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]), "its border crosses itself at 0.5, 0.5"),
    "swapped": (polygon([[30.6, 121.1], [30.7, 121.1], [30.7, 121.2], [30.6, 121.1]]), "are they swapped?"),
    "in metres": (polygon([[5e5, 3e6], [6e5, 3e6], [6e5, 4e6], [5e5, 3e6]]), "is it in degrees, WGS 84?"),
    "not closed": (polygon(RING[:-1]), "a ring is not closed: it begins at 0.0, 0.0 and ends at 0.0, 1.0"),
    "a line": (polygon([[0, 0], [1, 1], [0, 0]]), "a ring has fewer than three corners"),
    "no surface": (polygon([[0, 0], [0, 0], [0, 0], [0, 0]]), "fewer than three different corners"),
    "empty": (polygon(), "it has no corners"),
    "a hole outside": (polygon(RING, shifted(HOLE, 3)), "a hole lies outside of it"),
    "parts in each other": (
        {"type": "MultiPolygon", "coordinates": [[RING], [HOLE]]},
        "one of its parts lies in another",
    ),
    "around the earth": (polygon([[-179, 0], [179, 0], [179, 1], [-179, 1], [-179, 0]]), "at the antimeridian"),
    "too many corners": (polygon([[n / 10_000, n % 2] for n in range(10_001)] + [[0, 0]]), "more than 10000 corners"),
    "a point": ({"type": "Point", "coordinates": [0, 0]}, "must be a GeoJSON geometry, a Polygon or a MultiPolygon"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_a_wrong_shape_is_named_with_its_feature_and_the_reason(case: str) -> None:
    geometry, reason = WRONG[case]
    [error] = errors_of(collection(feature("c", None), feature("c/wrong", geometry)))
    assert error["pointer"] == "/features/1/geometry"
    assert "c/wrong" in error["detail"]
    assert reason in error["detail"]


@pytest.mark.parametrize("case", [name for name in WRONG if name != "too many corners"])
def test_a_wrong_shape_in_areas_yaml_is_named_with_its_line(case: str) -> None:
    geometry, reason = WRONG[case]
    lines = ['version: "1"', "areas:"]
    for area, shape in (("c", None), ("c/wrong", geometry)):
        given = f", shape: {json.dumps(shape)}" if shape else ""
        level = "town" if shape else "city"
        lines.append(f"  - {{id: {area}, level: {level}, name: {{zh: 某, en: Some}}{given}}}")
    [error] = errors_of("\n".join(lines))
    assert error["line"] == 4
    assert reason in error["detail"]


def test_a_child_reaches_no_farther_beyond_its_parent_than_a_border_may_be_off() -> None:
    def around(metres: float, *, hole: bool = False) -> str:
        east = 1 + metres / 111_320
        child = [[0.5, 0], [east, 0], [east, 1], [0.5, 1], [0.5, 0]]
        rings = [RING, [[0.6, 0.2], [0.8, 0.2], [0.8, 0.4], [0.6, 0.4], [0.6, 0.2]]] if hole else [RING]
        return collection(feature("c", polygon(*rings)), feature("c/t", None), feature("c/t/v", polygon(child)))

    assert len(areas_of(around(90)).areas) == 3
    [error] = errors_of(around(110))
    assert error["detail"] == "the shape of c/t/v reaches more than 100 m beyond c"
    assert errors_of(around(0, hole=True))


def test_a_child_whose_latitude_comes_first_is_told_so() -> None:
    parent = polygon([[8, 50], [9, 50], [9, 51], [8, 51], [8, 50]])
    child = polygon([[50.2, 8.2], [50.4, 8.2], [50.4, 8.4], [50.2, 8.2]])
    [error] = errors_of(collection(feature("c", parent), feature("c/t", child)))
    assert error["detail"].endswith("beyond c: longitude comes first, are they swapped?")


@pytest.mark.parametrize(
    ("text", "pointer", "detail"),
    [
        ('{"type": "FeatureCollection",\n "features": [}', "/", "not JSON"),
        (collection(feature("c", None, level="parish")), "/features/0/properties/level", "c: "),
        (collection(feature("C d", None)), "/features/0/properties/id", "C d: "),
        (collection(feature("c", None), feature("c", None)), "/features/1/properties/id", "a second time"),
        (collection("nothing"), "/features/0", ""),
        (collection({"type": "Feature"}), "/features/0/properties/id", ""),
        (json.dumps({"type": "FeatureCollection", "features": 7}), "/features", ""),
        (json.dumps({"type": "FeatureCollection"}), "/features", ""),
        (collection(crs={"properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}), "/crs", "export it in WGS 84"),
        (json.dumps({"type": "Feature", "about": "FeatureCollection"}), "/version", ""),
    ],
)
def test_what_is_wrong_with_a_collection_is_named_by_its_place(text: str, pointer: str, detail: str) -> None:
    errors = errors_of(text)
    assert pointer in {error["pointer"] for error in errors}
    assert any(detail in error["detail"] for error in errors)


def test_an_area_is_kept_as_the_release_before_could_read_it() -> None:
    plain = {"id": "c", "level": "city", "name": {"zh": "某", "en": "Some"}, "aliases": [], "polygon": RING[:-1]}
    assert Area.model_validate(plain).model_dump(mode="json") == plain
    more = plain | {"polygon": [], "shape": polygon(RING), "people": ["a"]}
    assert Area.model_validate(more).model_dump(mode="json") == more


def test_an_area_says_its_shape_once() -> None:
    both = {"id": "c", "level": "city", "name": {"zh": "某", "en": "Some"}, "polygon": RING, "shape": polygon(RING)}
    [error] = errors_of(json.dumps({"version": "1", "areas": [both]}))
    assert "has a polygon and a shape" in error["detail"]


async def put(story: Story, area: str, revision: int, **content: Any) -> Any:
    level = ("city", "town", "village")[area.count("/")]
    entry = {"id": area, "level": level, "name": {"zh": "新", "en": "New"}, **content}
    async with story.harness.client(OPERATOR) as client:
        return await client.put(f"/v1/areas/{area}", json={"revision": revision, "content": entry})


async def test_a_single_area_is_checked_against_all_others(story: Story) -> None:
    area = f"{TOWN}/new"
    for wrong, reason in (
        ({"polygon": RING}, "reaches more than 100 m beyond pinghu/dushangang"),
        ({"people": ["nobody"]}, "there is no liaison nobody among the people of area pinghu/dushangang/new"),
    ):
        refused = await put(story, area, 0, **wrong)
        assert (refused.status_code, refused.json()["type"].rsplit("/")[-1]) == (422, "invalid-file")
        assert reason in refused.json()["errors"][0]["detail"]
    right = polygon([[121.15, 30.65], [121.16, 30.65], [121.16, 30.66], [121.15, 30.65]])
    kept = await put(story, area, 0, shape=right, people=["town-office.day"])
    assert kept.status_code == 200, kept.text
    announced = (await story.harness.stated(d.AreaRecorded))[-1].fact
    assert json.loads(announced.shape.model_dump_json()) == right
    assert announced.people == ("town-office.day",)


async def test_a_collection_is_applied_and_what_it_leaves_out_is_emptied(story: Story) -> None:
    known = areas_of((SAMPLE / "areas.yaml").read_text(encoding="utf-8")).areas
    features = [
        {"type": "Feature", "geometry": json.loads(area.outline.model_dump_json()) if area.outline else None,
         "properties": area.model_dump(mode="json", exclude={"polygon", "shape"})}
        for area in known if not area.id.startswith(f"{HUXIAO}/07")
    ]  # fmt: skip
    sent = {"kind": "areas", "content": collection(*features, version="2")}
    async with story.harness.client(OPERATOR) as client:
        answer = await client.post("/v1/directory", json=sent)
    assert answer.status_code == 200, answer.text
    left = {e.subject: e.fact for e in await story.harness.stated(d.AreaRecorded)}[f"{HUXIAO}/07"]
    assert (left.aliases, left.polygon, left.shape, left.people) == ((), (), None, ())


# People


def test_people_who_are_not_in_the_directory_are_an_error() -> None:
    area = Area.model_validate({"id": "c", "level": "city", "name": {"zh": "某", "en": "C"}, "people": ["a.day", "b"]})
    assert disagreements([], [], [], [area], None) == [
        "there is no liaison a.day among the people of area c",
        "there is no liaison b among the people of area c",
    ]


def office(people: dict[str, list[str]], on_duty: list[str], posts: dict[str, str] | None = None) -> City:
    """An office with these people on duty; `people` by the area they are named for."""
    staff = {one for named in people.values() for one in named} | set(on_duty)
    entry = {"name": {"zh": "某", "en": "Some"}, "phone": "110"}
    organisations = [Organisation.model_validate({"id": o, "name": entry["name"]}) for o in ("office", "duty-office")]
    liaisons = [
        Liaison.model_validate({"id": p, "organisation": "office", "post": (posts or {}).get(p, "liaison"), **entry})
        for p in staff
    ]
    always = {"days": "daily", "from": "00:00", "to": "24:00"}
    shifts = [Shift.model_validate({"liaison": p, **always}) for p in on_duty]
    named: dict[str, list[str]] = {"c": [], "c/t": [], "c/t/v": []}
    areas = [
        Area.model_validate({"id": a, "level": "grid", "name": entry["name"], "people": who})
        for a, who in (named | people).items()
    ]
    return City("Asia/Shanghai", organisations, liaisons, shifts, areas)


@pytest.mark.parametrize(
    ("people", "on_duty", "area", "chosen"),
    [
        ({"c/t/v": ["z"]}, ["a", "z"], "c/t/v", "z"),
        ({"c/t/v": ["z"]}, ["a", "z"], "c/t/v/06/1", "z"),
        ({"c/t/v": ["z"]}, ["a", "z"], "c/t", "a"),
        ({"c/t/v": ["z"]}, ["a", "z"], "c/t/vv", "a"),
        ({"c/t/v": ["z"]}, ["a", "z"], None, "a"),
        ({"c/t/v": ["z"]}, ["a"], "c/t/v", "a"),  # who knows it is off duty
        ({"c/t/v": ["z"], "c/t": ["y"]}, ["a", "y"], "c/t/v", "y"),
        ({"c/t/v": ["z"], "c/t": ["y"]}, ["a", "y", "z"], "c/t/v", "z"),
        ({"c/t/v": ["z", "y"]}, ["a", "y", "z"], "c/t/v", "y"),
        ({"c/t/v": ["z"]}, ["a", "z"], "elsewhere/v", "a"),
    ],
)
def test_who_is_named_for_the_smallest_area_comes_first(
    people: dict[str, list[str]], on_duty: list[str], area: str | None, chosen: str
) -> None:
    duty = sample_duty(city=office(people, on_duty))
    found = duty.choose("office", area=area)
    assert found is not None
    assert found.liaison == chosen


def test_who_knows_the_place_has_it_though_he_has_more_to_do_but_not_again_after_he_let_it_lie() -> None:
    duty = sample_duty(city=office({"c/t/v": ["z"]}, ["a", "z"]))
    duty.loads["z"] = 5
    first, again = duty.choose("office", area="c/t/v"), duty.choose("office", tried=["z"], area="c/t/v")
    assert [one.liaison for one in (first, again) if one] == ["z", "a"]


def test_a_post_is_not_passed_over_for_who_knows_the_place() -> None:
    duty = sample_duty(city=office({"c/t/v": ["z"]}, ["a", "z"], {"z": "deputy"}))
    found = duty.choose("office", area="c/t/v")
    assert found is not None
    assert found.liaison == "a"


@pytest.mark.parametrize(
    ("area", "now", "liaison", "because"),
    [
        (f"{HUXIAO}/06/2", START, "huxiao-office.grid-06", f"the only one on duty named for {HUXIAO}/06: 0 open tasks"),
        (f"{HUXIAO}/01", START, "huxiao-office.day", f"the only one on duty named for {HUXIAO}: 0 open tasks"),
        (f"{HUXIAO}/06/2", NIGHT, "huxiao-office.night", f"the only one on duty named for {HUXIAO}: 0 open tasks"),
        ("pinghu/dushangang/jufu/01", START, "jufu-office.day", "the only one on duty: 0 open tasks"),
    ],
)
def test_the_sample_citys_people_have_what_comes_from_their_places(
    area: str, now: datetime, liaison: str, because: str
) -> None:
    found = explain(sample_duty(now), Category.OTHER, area, Colour.GREEN)
    assert (found.liaison, found.chosen_because) == (liaison, because)


async def test_the_grid_leader_has_his_grids_task_and_the_shift_after_him_who_knows_the_village(story: Story) -> None:
    request_id = await story.file(triaged(Colour.GREEN, Category.OTHER), GRID)
    [task] = await story.tasks(request_id=request_id)
    assert task["liaison"] == "huxiao-office.grid-06"
    await story.done(liaison("huxiao-office"), task, "accept")
    await story.harness.turn(hours=4, minutes=5)  # past eight in the evening
    [task] = await story.tasks(request_id=request_id)
    assert task["liaison"] == "huxiao-office.night"


# Where it is not sure, the town's office has it


@pytest.mark.parametrize(
    ("area", "confidence", "route"),
    [
        (GRID, 0.9, Route("huxiao-office", "village-other")),
        (GRID, 0.7, Route("huxiao-office", "village-other")),
        (GRID, 0.5, Route("town-office", "village-other")),
        (GRID, 0.45, Route("town-office", "village-other")),
        (HUXIAO, 0.5, Route("town-office", "village-other")),
        (TOWN, 0.5, Route("town-office", "village-other")),
        ("pinghu", 0.5, Route("duty-office", "other")),
        (None, 0.0, Route("duty-office", "other")),
        ("pinghu/gone/village", 0.5, Route("duty-office", "other")),
    ],
)
def test_a_place_that_is_not_sure_is_the_towns(area: str | None, confidence: float, route: Route) -> None:
    duty = sample_duty()
    assert duty.route(Category.OTHER, duty.place(area, confidence), Colour.GREEN) == route


def test_how_sure_is_sure_enough_is_the_citys_to_say() -> None:
    duty = sample_duty()
    strict = duty.routing.model_copy(update={"sure_from": 0.95})
    assert sample_duty(routing=strict).place(GRID, 0.9) == TOWN
    assert duty.place(GRID, 0.9) == GRID


async def test_the_town_has_it_from_the_first_task_to_the_last(story: Story) -> None:
    request_id = new_id()
    unsure = {"place_confidence": 0.5, "place_source": PlaceSource.ADDRESS}
    fact = received(GRID, story.harness.clock.now()).model_copy(update=unsure)
    await story.tell(request_id, fact, triaged(Colour.GREEN, Category.OTHER))
    [assigned] = await story.stated(request_id, r.TaskAssigned)
    assert (assigned.fact.organisation, assigned.fact.liaison) == ("town-office", "town-office.day")
    lead = await story.lead(request_id)
    await story.done(
        liaison("town-office"), lead, "return", reason="not_ours", belongs_to="huxiao-office", note="It is in Huxiao."
    )
    [_, named] = await story.stated(request_id, r.TaskAssigned)
    assert named.fact.organisation == "huxiao-office"


async def test_the_explanation_says_by_which_place(story: Story) -> None:
    asked: dict[str, str | float] = {"category": "other", "area": GRID, "confidence": 0.5}
    async with story.harness.client(OPERATOR) as client:
        found = (await client.get("/v1/routing", params=asked)).json()
    assert (found["place"], found["organisation"], found["given_to"]) == (TOWN, "town-office", "town-office")
    assert found["chosen_because"] == "the only one on duty: 0 open tasks"
