import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.masking import DOOR, ID, MAIL, NAME, PHONE, mask

PHONES = [
    "13800138000",
    "138-0013-8000",
    "138 0013 8000",
    "138.0013.8000",
    "138—0013—8000",
    "１３８００１３８０００",
    "+86 138 0013 8000",
    "0086-13800138000",
    "8613800138000",
    "1 3 8 0 0 1 3 8 0 0 0",
    "13\u200b800138000",
    "一三八零零一三八零零零",
    "幺三八〇〇幺三八〇〇〇",
    "一三八 零零一三 八零零零",
    "（0573）85012345",
    "0573-85012345转802",
    "0573 8501 2345",
    "057385012345",
    "010-65012345",
    "85012345",
    "8501234",
    "400-820-8820",
    "+44 20 7946 0958",
    "+1 (415) 555-2671",
    "(415) 555-2671",
    "415-555-2671",
    "07700 900123",
    "0044 20 7946 0958",
    "one three eight zero zero one three eight zero zero zero",
]
IDS = [
    "330482199001011236",
    "33048219900101123X",
    "33048219900101123x",
    "330482 19900101 1236",
    "330482900101123",
    "６２２８４８００１２３４５６７８９１２",
    "E12345678",
]
DOORS = [
    "3幢502室",
    "3幢2单元502",
    "12号楼2单元",
    "12号楼2单元1203室",
    "502室",
    "五〇二室",
    "三幢二单元五〇二",
    "３幢５０２室",
    "3栋502",
    "A幢1203室",
    "3-2-502",
    "3#502室",
    "12弄5号302室",
    "Room 502",
    "room502",
    "room no. 502",
    "unit 3",
    "Flat 2B",
    "Apt. 12",
    "Building 3",
]
KEPT = [
    "请打110或119、120、12345",
    "第二针10月26日到期",
    "2022-10-26 15:00 前",
    "20221026",
    "2022年10月26日下午3点",
    "二〇二二年十月二十六日",
    "二〇二二一〇二六",
    "26号打第二针",
    "体温38.5度，昨天39.1，38.5 39.1 39.4",
    "血压 180/110，血氧 92 93 94",
    "每天3次，每次2片，500mg",
    "退烧药20片，5000元，一共3000000元",
    "1500-1600元，2022-2023年，3至5天",
    "国药准字H20123456",
    "3楼没电梯，3室2厅",
    "一栋楼都停水",
    "铁路26号恢复，G7512次，MU5137",
    "12座的车",
    "金茂花苑，虎啸村，独山港镇",
    "38 people, 5 days, 10-26-2022",
    "our house 5 days ago, 2 units of insulin, 100 ml",
    "2022-10-25T15:00:00+08:00",
    "1,000,000 yuan",
]


@pytest.mark.parametrize("words", ["{}", "我的号码是{}，请快", "please call {} now", "（{}）", "急\n{}\n急"])
@pytest.mark.parametrize("number", PHONES)
def test_a_phone_number_is_masked_wherever_it_stands(number: str, words: str) -> None:
    assert mask(words.format(number)) == words.format(PHONE)


@pytest.mark.parametrize("number", IDS)
def test_an_id_number_and_what_looks_like_one_is_masked(number: str) -> None:
    assert mask(f"身份证{number}，急") == f"身份证{ID}，急"


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_masked_and_the_place_around_it_stays(door: str) -> None:
    assert mask(f"金茂花苑 {door}，老人一个人") == f"金茂花苑 {DOOR}，老人一个人"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("新华路88号", f"新华路{DOOR}"),
        ("虎啸村12组5号", f"虎啸村{DOOR}"),
        ("虎啸村88号", f"虎啸村{DOOR}"),
        ("金茂花苑3-502", f"金茂花苑{DOOR}"),
        ("88 Huxiao Road", f"{DOOR} Huxiao Road"),
        ("周三一三八零零一三八零零零", f"周三{PHONE}"),
        ("写信到 zhang.san@example.com", f"写信到 {MAIL}"),
        ("微信号 zhang_san88", f"微信号 {ID}"),
        ("打电话 8501-2345 找我", f"打电话 {PHONE} 找我"),
        ("13800138000 13900139000", f"{PHONE} {PHONE}"),
    ],
)
def test_what_needs_its_surroundings_to_be_seen(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_triage_needs_is_kept(text: str) -> None:
    assert mask(text) == text


def test_named_words_are_masked_however_they_are_spaced_or_cased() -> None:
    text = "我叫王 小明，住金茂花苑3幢502室；WANG Xiaoming here, 王-小明"
    masked = mask(text, also=["王小明", "wang xiaoming"], places=["金茂花苑3幢502室"])
    assert masked == f"我叫{NAME}，住{DOOR}；{NAME} here, {NAME}"


def test_a_latin_name_is_not_found_inside_other_words() -> None:
    assert mask("Alan is also ill, says Al.", also=["Al"]) == f"Alan is also ill, says {NAME}."


def test_a_name_of_one_character_would_blot_out_too_much() -> None:
    assert mask("王家的老人", also=["王", " ", ""]) == "王家的老人"


def test_overlapping_finds_become_one_mark() -> None:
    assert mask("住3幢502室", places=["住3幢502"]) == DOOR


@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.sampled_from(["", " ", "-", "－", "\u200b", "  "]),
    st.text(alphabet="老人药吃了，。 abc\n", max_size=20),
)
def test_no_mobile_number_survives_in_any_grouping(number: str, between: str, around: str) -> None:
    written = between.join((number[:3], number[3:7], number[7:]))
    assert mask(f"{around}，{written}，{around}") == f"{around}，{PHONE}，{around}"


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(alphabet="1 一幢路弄号-电话a@.+(one三", max_size=10_000))
def test_a_masked_text_stays_small_enough_for_an_event(text: str) -> None:
    assert len(mask(text).encode()) <= 40_000
