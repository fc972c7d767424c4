"""Names and nicknames in addresses as people write them, and what only looks like one."""

import pytest

from intake.naming import Names, plain
from intake.places import SURE_ADDRESS, SURE_AMBIGUOUS, Area, Areas
from shared.contracts.vocabulary import PlaceDoubt

HARBOUR, HILL = "haibin/harbour", "haibin/hill"
JINMAO = f"{HARBOUR}/jinmao"
CITY = Areas(
    [
        Area(id="haibin", names=("海滨市", "Haibin", "海滨")),
        Area(id=HARBOUR, names=("港口镇", "Harbour", "老码头", "Old Pier", "港口")),
        Area(id=HILL, names=("山前镇", "Hill", "半山小区", "东山")),
        Area(id=f"{HARBOUR}/new", names=("新港村", "New Harbour Village", "新港")),
        Area(id=f"{HARBOUR}/min", names=("新民村", "Xinmin Village")),
        Area(id=f"{HILL}/min", names=("新民村", "Xinmin Village")),
        Area(id=f"{HILL}/dragon", names=("龙湾村", "Dragon Bay")),
        Area(id=f"{HILL}/road", names=("滨海路社区", "Guanchao Road")),
        Area(id=JINMAO, names=("金茂花苑", "Jinmao Garden")),
        Area(id=f"{JINMAO}/1", names=("金茂花苑1至6幢", "Jinmao Garden Buildings 1-6")),
        Area(id=f"{JINMAO}/2", names=("金茂花苑7—12幢", "Jinmao Garden Blocks 7 to 12")),
        Area(id=f"{JINMAO}/12", names=("第012网格", "Grid 012")),
    ]
)

SURE = [
    # overlapping, and within each other
    ("新港口镇", HARBOUR),  # not 新港: the longer one
    ("新港村3组", f"{HARBOUR}/new"),
    ("New Harbour Village 3", f"{HARBOUR}/new"),
    ("东山前镇", HILL),
    # one name in two towns, and the town is said
    ("港口镇新民村", f"{HARBOUR}/min"),
    ("山前镇新民村5号", f"{HILL}/min"),
    ("Xinmin Village, Hill", f"{HILL}/min"),
    ("海滨市山前镇新民村", f"{HILL}/min"),
    # scripts and widths
    ("山前鎮龍灣村", f"{HILL}/dragon"),
    ("海濱市港口鎮老碼頭", HARBOUR),
    ("金茂花苑３幢５０２室", f"{JINMAO}/1"),
    ("Ｊｉｎｍａｏ　Ｇａｒｄｅｎ", JINMAO),
    # buildings
    ("金茂花苑8号楼", f"{JINMAO}/2"),
    ("金茂花苑08號樓", f"{JINMAO}/2"),
    ("金茂花苑八幢", f"{JINMAO}/2"),
    ("金茂花苑十二栋", f"{JINMAO}/2"),
    ("金茂花苑第十一幢", f"{JINMAO}/2"),
    ("金茂花苑二十幢", JINMAO),
    ("金茂花苑 8 502", f"{JINMAO}/2"),
    ("金茂花苑8#502", f"{JINMAO}/2"),
    ("金茂花苑502室", JINMAO),
    ("金茂花苑北区8幢", JINMAO),  # whose 8 that is, is not said
    ("Jinmao Garden, Building 8", f"{JINMAO}/2"),
    ("Building 3, Jinmao Garden, Harbour", f"{JINMAO}/1"),
    ("Room 1203, Block 12, Jinmao Garden", f"{JINMAO}/2"),
    ("jinmao garden 8-502", f"{JINMAO}/2"),
    ("Jin Mao Garden no. 8", f"{JINMAO}/2"),
    ("Grid 12, 502", f"{JINMAO}/12"),
    ("第12网格502室", f"{JINMAO}/12"),
    # the order of English
    ("Old Pier, Harbour", HARBOUR),
    ("12 Old Pier, Harbour, Haibin", HARBOUR),
    ("OLD PIER", HARBOUR),
    # roads that are themselves known, and roads in a place
    ("滨海路社区3号", f"{HILL}/road"),
    ("5 Guanchao Road", f"{HILL}/road"),
    ("港口镇中心路3号", HARBOUR),
    ("山前镇老街", HILL),
    ("Harbour, Old Street 3", HARBOUR),
    ("老码头，南路3号", HARBOUR),
]


@pytest.mark.parametrize(("address", "area"), SURE)
def test_the_place_is_found_and_surely(address: str, area: str) -> None:
    found = CITY.find(address=address)
    assert (found.area, found.confidence, found.doubt) == (area, SURE_ADDRESS, None)


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("新民村", "haibin"),
        ("海滨市新民村3号", "haibin"),
        ("Xinmin Village 3", "haibin"),
        ("港口镇龙湾村", "haibin"),
        ("Old Pier, Hill", "haibin"),
    ],
)
def test_names_of_several_places_leave_the_smallest_around_them(address: str, area: str) -> None:
    found = CITY.find(address=address)
    assert (found.area, found.confidence, found.doubt) == (area, SURE_AMBIGUOUS, PlaceDoubt.NAMES)


@pytest.mark.parametrize(
    "address",
    [
        "海滨大道12号",
        "港口路3号",
        "老码头东路3号",
        "东山南大街8号",
        "杭州市新港路",
        "Harbour Road 3",
        "3 Harbour St",
        "Hillary Lane 8",
        "Chill Court",
        "Bold Piers",
        "Old Pier East Road",
        "16网格",
        "112网格",
        "Grid 120",
    ],
)
def test_what_only_looks_like_a_name_is_none(address: str) -> None:
    assert CITY.find(address=address).area is None


def test_a_road_called_after_another_place_does_not_move_the_address() -> None:
    assert CITY.find(address="山前镇港口路3号") == CITY.find(address="山前镇")
    assert CITY.find(address="Harbour Road 3, Hill") == CITY.find(address="Hill")


def test_a_subdistrict_is_no_street() -> None:
    city = Areas([Area(id="c/lake", names=("当湖",))])
    assert city.find(address="当湖街道3号").area == "c/lake"
    assert city.find(address="当湖街3号").area is None


def test_many_places_of_one_name_are_weighed_in_little_time() -> None:
    many = Areas([Area(id=f"c/{n}", names=("新民村", f"第{n}村")) for n in range(20_000)])
    assert many.find(address="新民村，第77村").area == "c/77"


def test_a_name_that_is_said_again_and_again_counts_once() -> None:
    assert CITY.find(address="港口镇港口镇港口镇，山前镇") == CITY.find(address="港口镇，山前镇")


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("第012网格", "12网格"),
        ("HUXIAO  Grid 06", "huxiaogrid6"),
        ("三十二幢", "32幢"),
        ("十号楼", "10号楼"),
        ("二三幢", "二三幢"),
        ("三月幢", "三月幢"),
        ("8 502", "8-502"),
        ("7—12幢", "7-12幢"),
        ("𠮷野家", "𠮷野家"),
    ],
)
def test_words_have_one_spelling(words: str, same: str) -> None:
    assert plain(words).text == same


def test_without_names_nothing_is_mentioned() -> None:
    assert Names([]).mentions("港口镇") == []
    assert Names([("a", ("", "x"))]).mentions("x") == []
