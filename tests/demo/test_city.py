"""The sample city's files hold together: every name that is used exists, and somebody is always on duty."""

from collections import Counter
from typing import Any, cast

import phonenumbers
import pytest
import shapely
import yaml

from dispatch.files import AreasFile, FileKind, parse
from shared.contracts.vocabulary import Category, Colour, Stage
from shared.settings import ROOT

SAMPLE = ROOT / "deploy" / "sample"
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK_MINUTES = 7 * 24 * 60


def read(name: str) -> Any:
    return yaml.safe_load((SAMPLE / name).read_text(encoding="utf-8"))


DIRECTORY = read("directory.yaml")
AREAS = {area["id"]: area for area in read("areas.yaml")["areas"]}
ROUTING = read("routing.yaml")
SURFACES = {
    area.id: shapely.geometry.shape(area.outline.model_dump())
    for area in cast("AreasFile", parse(FileKind.AREAS, (SAMPLE / "areas.yaml").read_text(encoding="utf-8"))).areas
    if area.outline is not None
}
ORGANISATIONS = {entry["id"]: entry for entry in DIRECTORY["organisations"]}


def grids(village: str) -> list[str]:
    prefix = f"pinghu/dushangang/{village}/"
    return [name for name, area in AREAS.items() if area["level"] == "grid" and name.startswith(prefix)]


def minutes_of_week(shift: dict[str, Any]) -> set[int]:
    begin, end = (int(at[:2]) * 60 + int(at[3:]) for at in (shift["from"], shift["to"]))
    length = (end - begin) % (24 * 60) or 24 * 60
    days = WEEK if shift["days"] == "daily" else shift["days"]
    starts = [WEEK.index(day) * 24 * 60 + begin for day in days]
    return {(start + minute) % WEEK_MINUTES for start in starts for minute in range(length)}


@pytest.mark.parametrize("entries", ["organisations", "liaisons"])
def test_ids_of_the_directory_are_unique(entries: str) -> None:
    counts = Counter(entry["id"] for entry in DIRECTORY[entries])
    assert [name for name, count in counts.items() if count > 1] == []


def test_ids_of_areas_are_unique_and_each_has_its_parent() -> None:
    assert len(AREAS) == len(read("areas.yaml")["areas"])
    assert [name for name in AREAS if "/" in name and name.rpartition("/")[0] not in AREAS] == []


@pytest.mark.parametrize("organisation", sorted(ORGANISATIONS))
def test_an_organisation_has_somebody_on_duty_at_every_minute(organisation: str) -> None:
    posts = {p["id"]: p["post"] for p in DIRECTORY["liaisons"] if p["organisation"] == organisation}
    assert sorted(set(posts.values())) == ["deputy", "liaison", "supervisor"]
    assert list(posts.values()).count("liaison") >= 2
    assert posts[ORGANISATIONS[organisation]["supervisor"]] == "supervisor"
    on_duty = [minutes_of_week(shift) for shift in DIRECTORY["shifts"] if shift["liaison"] in posts]
    assert set().union(*on_duty) == set(range(WEEK_MINUTES))


def test_phones_are_valid_and_of_the_pattern_that_everybody_sees_through() -> None:
    phones = [person["phone"] for person in DIRECTORY["liaisons"]]
    assert len(set(phones)) == len(phones)
    for phone in phones:
        assert phone.startswith("+861990000")
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))


def test_huxiao_has_25_grids_and_the_other_two_villages_30() -> None:
    assert len(grids("huxiao")) == 25
    assert len(grids("jufu")) + len(grids("longyin")) == 30


def test_the_estate_of_the_story_lies_in_huxiao() -> None:
    assert "金茂花苑" in AREAS["pinghu/dushangang/huxiao/06"]["aliases"]


def test_no_name_stands_for_two_places() -> None:
    names = Counter(name for area in AREAS.values() for name in {area["name"]["zh"], *area["aliases"]})
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(
    "parent", [name for name, area in AREAS.items() if area["level"] in {"town", "village", "grid"}]
)
def test_the_parts_of_a_place_fill_its_shape_exactly(parent: str) -> None:
    parts = [surface for name, surface in SURFACES.items() if name.rpartition("/")[0] == parent]
    assert shapely.union_all(parts).symmetric_difference(SURFACES[parent]).area < 1e-3 * SURFACES[parent].area
    assert sum(surface.area for surface in parts) == pytest.approx(SURFACES[parent].area, rel=1e-3)


def test_some_shape_has_a_hole_and_some_has_two_parts() -> None:
    kinds = {area["shape"]["type"] for area in AREAS.values() if "shape" in area}
    assert kinds == {"Polygon", "MultiPolygon"}


def test_routing_names_only_what_exists() -> None:
    named = [rule["organisation"] for rule in ROUTING["rules"]]
    direct = {name for name in named if isinstance(name, str)} | {ROUTING["backstop"]}
    assert direct | {need["organisation"] for need in ROUTING["needs"].values()} <= set(ORGANISATIONS)
    served = {service for entry in ORGANISATIONS.values() for service in entry["services"]}
    assert {name["serves"] for name in named if isinstance(name, dict)} <= served
    areas = {area for rule in ROUTING["rules"] if rule["areas"] != "any" for area in rule["areas"]}
    assert areas | {area for entry in ORGANISATIONS.values() for area in entry["areas"]} <= set(AREAS)
    assert len({rule["id"] for rule in ROUTING["rules"]}) == len(ROUTING["rules"])


@pytest.mark.parametrize("category", list(Category))
def test_each_category_is_routed_wherever_it_comes_from_and_served_by_somebody(category: Category) -> None:
    rules = [rule for rule in ROUTING["rules"] if category in rule["category"]]
    assert any(rule["areas"] == "any" and "colour" not in rule for rule in rules)
    assert any(category in entry["services"] for entry in ORGANISATIONS.values())


@pytest.mark.parametrize("kind", list(FileKind))
def test_dispatch_takes_the_file(kind: FileKind) -> None:
    content = parse(kind, (SAMPLE / f"{kind}.yaml").read_text(encoding="utf-8"))
    assert content.version


def test_clocks_are_those_of_the_domain() -> None:
    clocks = read("clocks.yaml")
    table = {
        Stage.ASSIGNED: (10, 30, 120),
        Stage.ACCEPTED: (5, 30, 120),
        Stage.CONTACTED: (15, 60, 240),
        Stage.ANSWERED: (120, 1440, 4320),
    }
    for stage, minutes in table.items():
        assert clocks["minutes"][stage] == dict(zip(Colour, minutes, strict=True))
    assert clocks["reminders_percent"] == [50, 80]
    assert clocks["nudge_every_minutes"] == {"red": 10, "yellow": 60, "green": 240}
    assert clocks["escalate_percent"] == {"red": 100, "yellow": 150, "green": 150}
    assert clocks["returns"] == {"per_organisation": 1, "in_all": 2}
