import pytest

from intake.places import NOWHERE, SURE_AMBIGUOUS, SURE_TEXT, Area, Areas, Place, UnknownArea
from shared.contracts.vocabulary import PlaceSource as Source

TOWN, HUXIAO, JUFU = "pinghu/dushangang", "pinghu/dushangang/huxiao", "pinghu/dushangang/jufu"


def square(west: float, south: float, size: float) -> tuple[tuple[float, float], ...]:
    return ((west, south), (west + size, south), (west + size, south + size), (west, south + size))


AREAS = Areas(
    [
        Area(id="pinghu", names=("平湖市", "Pinghu"), polygon=square(121.0, 30.5, 0.3)),
        Area(id=TOWN, names=("独山港镇", "Dushangang"), polygon=square(121.1, 30.6, 0.1)),
        Area(id=HUXIAO, names=("虎啸村", "Huxiao Village", "虎啸"), polygon=square(121.13, 30.6, 0.04)),
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
    assert AREAS.find(address="中心小学") == Place(TOWN, Source.ADDRESS, SURE_AMBIGUOUS)
    assert AREAS.find(address="从虎啸村到聚福村") == Place(TOWN, Source.ADDRESS, SURE_AMBIGUOUS)


def test_a_name_that_contradicts_makes_less_sure() -> None:
    assert AREAS.find(address="聚福村金茂花苑") == Place(f"{HUXIAO}/06", Source.ADDRESS, SURE_AMBIGUOUS)


def test_no_place_is_found_where_none_is_named() -> None:
    assert AREAS.find(address="杭州市文三路") == NOWHERE
    assert AREAS.find() == NOWHERE


def test_the_smallest_shape_around_the_coordinates_wins() -> None:
    assert AREAS.find(coordinates=(121.15, 30.62)).area == HUXIAO
    assert AREAS.find(coordinates=(121.11, 30.65)).area == TOWN
    assert AREAS.find(coordinates=(121.01, 30.51)).area == "pinghu"
    assert AREAS.find(coordinates=(0.0, 0.0)) == NOWHERE


def test_a_concave_shape_does_not_hold_its_bay() -> None:
    bay = Areas([Area(id="u", names=(), polygon=((0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)))])
    assert bay.find(coordinates=(2.0, 3.0)).area is None
    assert bay.find(coordinates=(0.5, 3.0)).area == "u"
    assert bay.find(coordinates=(3.5, 3.0)).area == "u"


def test_what_was_stated_comes_first_and_is_made_narrower_by_the_rest() -> None:
    assert AREAS.find(area=TOWN).source is Source.AREA
    assert AREAS.find(area=TOWN, address="金茂花苑").area == f"{HUXIAO}/06"
    assert AREAS.find(area=JUFU, address="金茂花苑") == Place(JUFU, Source.AREA, 1.0)
    assert AREAS.find(coordinates=(121.15, 30.62), address="金茂花苑").area == f"{HUXIAO}/06"
    assert AREAS.find(coordinates=(121.15, 30.62), address="聚福村").source is Source.COORDINATES


def test_an_area_that_is_not_ours_is_refused() -> None:
    with pytest.raises(UnknownArea):
        AREAS.find(area="pinghu/nowhere", address="金茂花苑")


def test_a_place_only_mentioned_in_the_text_is_believed_less() -> None:
    found = AREAS.find(text="我住在金茂花苑，没有药了")
    assert found.area == f"{HUXIAO}/06"
    assert found.confidence < SURE_TEXT
    assert AREAS.find(address="聚福村", text="我住在金茂花苑").area == JUFU
