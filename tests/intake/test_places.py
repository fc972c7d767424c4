"""Where a request is, by all that its filer said of it."""

import time
from typing import Any

import pytest

from intake.places import (
    NOWHERE,
    SURE_ADDRESS,
    SURE_AMBIGUOUS,
    SURE_COORDINATES,
    SURE_NEAR,
    SURE_TEXT,
    Area,
    Areas,
    Place,
    UnknownArea,
)
from shared.contracts.shapes import Geometry, shape_of
from shared.contracts.vocabulary import PlaceDoubt as Doubt
from shared.contracts.vocabulary import PlaceSource as Source

TOWN, HUXIAO, JUFU = "pinghu/dushangang", "pinghu/dushangang/huxiao", "pinghu/dushangang/jufu"


def square(west: float, south: float, size: float) -> Geometry | None:
    corners = ((west, south), (west + size, south), (west + size, south + size), (west, south + size))
    return shape_of(corners, None)


AREAS = Areas(
    [
        Area(id="pinghu", names=("平湖市", "Pinghu"), shape=square(121.0, 30.5, 0.3)),
        Area(id=TOWN, names=("独山港镇", "Dushangang"), shape=square(121.1, 30.6, 0.1)),
        Area(id=HUXIAO, names=("虎啸村", "Huxiao Village", "虎啸"), shape=square(121.13, 30.6, 0.04)),
        Area(id=f"{HUXIAO}/06", names=("虎啸村第06网格", "Huxiao grid 06", "金茂花苑", "Jinmao Garden", "中心小学")),
        Area(id=f"{HUXIAO}/06/1", names=("金茂花苑1至6幢",)),
        Area(id=f"{HUXIAO}/06/2", names=("金茂花苑7至12幢",)),
        Area(id=f"{HUXIAO}/16", names=("虎啸村第16网格",)),
        Area(id=JUFU, names=("聚福村", "Jufu Village")),
        Area(id=f"{JUFU}/01", names=("聚福村第01网格", "中心小学")),
        Area(id="pinghu/elsewhere", names=("金茂",)),
    ]
)


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("金茂花苑", f"{HUXIAO}/06"),
        ("独山港镇虎啸村金茂花苑3幢502室", f"{HUXIAO}/06/1"),
        ("金茂花苑 8号楼", f"{HUXIAO}/06/2"),
        ("金茂花苑8-502", f"{HUXIAO}/06/2"),
        ("金茂花苑15幢", f"{HUXIAO}/06"),
        ("独山港镇", TOWN),
        ("独山港镇虎啸村老街", HUXIAO),
        ("虎啸村6网格", f"{HUXIAO}/06"),
        ("虎啸村第06网格", f"{HUXIAO}/06"),
        ("虎啸村16网格", f"{HUXIAO}/16"),
        ("Jinmao Garden, Huxiao Village", f"{HUXIAO}/06"),
        ("HUXIAO GRID 6", f"{HUXIAO}/06"),
        ("聚福村中心小学", f"{JUFU}/01"),
        ("虎啸村中心小学", f"{HUXIAO}/06"),
    ],
)
def test_the_smallest_area_is_found_in_an_address(address: str, area: str) -> None:
    found = AREAS.find(address=address)
    assert (found.area, found.source) == (area, Source.ADDRESS)
    assert found.confidence > SURE_AMBIGUOUS


def test_where_names_point_to_several_places_their_common_area_is_taken() -> None:
    unsure = Place(TOWN, Source.ADDRESS, SURE_AMBIGUOUS, Doubt.NAMES)
    assert AREAS.find(address="中心小学") == unsure
    assert AREAS.find(address="从虎啸村到聚福村") == unsure


def test_names_that_contradict_leave_the_area_around_both_however_long_each_is() -> None:
    assert AREAS.find(address="聚福村金茂花苑") == Place(TOWN, Source.ADDRESS, SURE_AMBIGUOUS, Doubt.NAMES)


def test_what_the_coordinates_say_decides_between_places_of_one_name() -> None:
    found = AREAS.find(coordinates=(121.15, 30.62), address="中心小学3楼")
    assert found == Place(f"{HUXIAO}/06", Source.ADDRESS, SURE_ADDRESS)
    assert AREAS.find(area=JUFU, address="中心小学").area == f"{JUFU}/01"


def test_no_place_is_found_where_none_is_named() -> None:
    assert AREAS.find(address="杭州市文三路") == NOWHERE
    assert AREAS.find() == NOWHERE


def test_the_smallest_shape_around_the_coordinates_wins() -> None:
    assert AREAS.find(coordinates=(121.15, 30.62)).area == HUXIAO
    assert AREAS.find(coordinates=(121.11, 30.65)).area == TOWN
    assert AREAS.find(coordinates=(121.01, 30.51)).area == "pinghu"
    assert AREAS.find(coordinates=(0.0, 0.0)) == NOWHERE


def test_what_was_stated_comes_first_and_is_made_narrower_by_the_rest() -> None:
    assert AREAS.find(area=TOWN).source is Source.AREA
    assert AREAS.find(area=TOWN, address="金茂花苑").area == f"{HUXIAO}/06"
    assert AREAS.find(area=JUFU, address="金茂花苑") == Place(JUFU, Source.AREA, 1.0)
    assert AREAS.find(coordinates=(121.15, 30.62), address="金茂花苑").area == f"{HUXIAO}/06"


def test_an_area_that_is_not_ours_is_refused() -> None:
    with pytest.raises(UnknownArea):
        AREAS.find(area="pinghu/nowhere", address="金茂花苑")


def test_a_place_only_mentioned_in_the_text_is_believed_less() -> None:
    found = AREAS.find(text="我住在金茂花苑，没有药了")
    assert found.area == f"{HUXIAO}/06"
    assert found.confidence < SURE_TEXT
    assert found.doubt is Doubt.TEXT
    assert AREAS.find(address="聚福村", text="我住在金茂花苑").area == JUFU


def test_coordinates_and_an_address_in_different_places_leave_the_area_around_both_and_not_surely() -> None:
    found = AREAS.find(coordinates=(121.15, 30.62), address="聚福村")
    assert found == Place(TOWN, Source.COORDINATES, SURE_AMBIGUOUS, Doubt.CONFLICT)
    other_town = AREAS.find(coordinates=(121.15, 30.62), address="金茂")
    assert (other_town.area, other_town.doubt) == ("pinghu", Doubt.CONFLICT)


def test_coordinates_and_an_address_in_different_cities_leave_no_place() -> None:
    two = Areas([Area(id="a", names=("甲市",), shape=square(0, 0, 1)), Area(id="b", names=("乙市",))])
    assert two.find(coordinates=(0.5, 0.5), address="乙市") == Place(None, Source.NONE, 0.0, Doubt.CONFLICT)


def test_what_contradicts_a_stated_area_does_not_move_it() -> None:
    assert AREAS.find(area=JUFU, coordinates=(121.15, 30.62), address="金茂花苑") == Place(JUFU, Source.AREA, 1.0)
    found = AREAS.find(area=HUXIAO, coordinates=(121.15, 30.62), address="聚福村")
    assert found.area == HUXIAO


def test_where_both_say_the_same_the_surer_one_counts() -> None:
    just_outside = (121.0, 30.5 - 0.0005)
    near = AREAS.find(coordinates=just_outside)
    assert near == Place("pinghu", Source.COORDINATES, SURE_NEAR, Doubt.NEAR)
    assert AREAS.find(coordinates=just_outside, address="平湖市") == Place("pinghu", Source.ADDRESS, SURE_ADDRESS)


def test_coordinates_that_are_not_exact_give_the_area_around_all_that_they_may_mean() -> None:
    inside = (121.15, 30.62)
    assert AREAS.find(coordinates=inside, accuracy_m=50) == Place(HUXIAO, Source.COORDINATES, SURE_COORDINATES)
    assert AREAS.find(coordinates=inside, accuracy_m=5000).area == "pinghu"
    assert AREAS.find(coordinates=inside, accuracy_m=50, address="金茂花苑").area == f"{HUXIAO}/06"


def test_coordinates_far_from_the_city_leave_the_word_to_the_address() -> None:
    assert AREAS.find(coordinates=(116.4, 39.9), address="金茂花苑").area == f"{HUXIAO}/06"


def seconds(areas: Areas, **hint: Any) -> float:
    """The least of several rounds, so that a busy machine does not count."""

    def once() -> float:
        started = time.process_time()
        for _ in range(200):
            areas.find(**hint)
        return time.process_time() - started

    return min(once() for _ in range(7))


@pytest.mark.parametrize("hint", [{"coordinates": (3.05, 3.05)}, {"address": "城市第3区第3村8幢"}])
def test_a_hundred_times_the_areas_do_not_cost_ten_times_the_time(hint: dict[str, Any]) -> None:
    def city(side: int) -> Areas:
        return Areas(
            Area(id=f"c/{x}/{y}", names=(f"第{x}区第{y}村", f"Village {x} {y}"), shape=square(x, y, 1))
            for x in range(side)
            for y in range(side)
        )

    few, many = city(7), city(70)
    assert few.find(**hint) == many.find(**hint)
    assert seconds(many, **hint) < 10 * seconds(few, **hint)
