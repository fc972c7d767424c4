"""It is the language and not the list: what changes a colour and what does not, whatever the text is."""

import string
import time
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.vocabulary import Category, Colour
from tests.triage.builders import FILED_AT, read, the_rules
from triage.deadlines import find_deadline
from triage.phrases import fold

RED = [
    "外婆在卫生间摔倒了，怎么喊都没反应",
    "山洪冲进院子，我们爬到房顶上下不来",
    "我爸肺气肿，家里的制氧机坏了，嘴唇已经发紫",
    "怀孕三十四周，从早上起一直在流血",
    "安眠药攒够了，遗书也写好了",
    "爸妈都被拉去隔离了，家里只剩六岁的弟弟一个人",
    "My grandmother is not breathing properly and her lips are blue",
    "The roof came down and two of my cousins are under the rubble",
    "She swallowed a whole bottle of sleeping pills an hour ago",
]
YELLOW = [
    "降糖药明天就吃完了，药店都关着",
    "小区停水两天了，家里没有饮用水",
    "化疗推迟了三周，医院一直不收",
    "We have no food left and all the shops are closed",
]
GREEN = [
    "请问新生儿落户需要带什么材料",
    "投诉楼下烧烤店半夜还在营业",
    "Where can I apply for a new passport?",
]
PLEADING = ["十万火急！！！", "求求各位好心人了，", "救命啊，", "Please please, for God's sake! "]


@pytest.mark.parametrize("text", RED)
def test_danger_is_red_and_tells_whom_to_ring_or_asks_a_person(text: str) -> None:
    found = read(text)
    assert found.colour is Colour.RED, found.reasons
    assert found.emergency or found.reasons


@pytest.mark.parametrize("text", YELLOW)
def test_a_basic_need_is_yellow(text: str) -> None:
    assert read(text).colour is Colour.YELLOW


@pytest.mark.parametrize("text", GREEN)
def test_a_question_and_a_complaint_are_green(text: str) -> None:
    assert read(text).colour is Colour.GREEN


@pytest.mark.parametrize("text", [*RED, *YELLOW, *GREEN])
@pytest.mark.parametrize("pleading", PLEADING)
def test_pleading_words_change_no_colour(text: str, pleading: str) -> None:
    assert read(pleading + text).colour is read(text).colour
    assert read(f"{text}。{pleading}").colour is read(text).colour


@pytest.mark.parametrize("text", [*RED, *YELLOW])
@pytest.mark.parametrize("end", ["。已经解决了，谢谢大家！", "。问题已解决，感谢。", ". Already solved, thank you."])
def test_what_is_already_solved_is_green(text: str, end: str) -> None:
    found = read(text + end)
    assert found.colour is Colour.GREEN
    assert found.deadline is None


@pytest.mark.parametrize("end", ["。问题一直没有解决", "。希望尽快得到解决", "。什么时候能解决？"])
def test_what_is_not_yet_solved_stays_red(end: str) -> None:
    assert read(f"外婆昏迷不醒{end}").colour is Colour.RED


def test_what_comes_after_the_solved_part_counts() -> None:
    assert read("昨天说的送药已经解决了，谢谢。可是今天奶奶突然喘不上气").colour is Colour.RED


@pytest.mark.parametrize(
    "text",
    [
        "请问精神残疾证怎么办理？我姐姐有抑郁症，三年里自杀过好几次都没死成，全家都不敢出门上班。",
        "想咨询低保怎么申请，女儿常年吃药，多次割腕被救回来，家里实在没有收入。",
        "How do I apply for disability benefits? My brother has tried to kill himself twice this month.",
    ],
)
def test_a_hidden_red_is_found_in_a_question_on_benefits(text: str) -> None:
    found = read(text)
    assert (found.colour, found.category) == (Colour.RED, Category.MENTAL_HEALTH)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("没有发烧也没有呼吸困难，只想问要不要做核酸", Colour.GREEN),
        ("三年前得过脑梗，现在恢复得很好，请问能打疫苗吗", Colour.GREEN),
        ("如果老人突然昏迷，应该打什么电话？只是想先了解一下", Colour.GREEN),
        ("小區停電三十六個小時，爺爺的呼吸機快沒電了", Colour.RED),
        ("俺爹喘不上气咧，咋整啊", Colour.RED),
        ("help 我奶奶 can't breathe 了", Colour.RED),
        ("🆘🆘🆘👵喘不上气", Colour.RED),
        ("血氧８５，人迷糊了", Colour.RED),
    ],
)
def test_hard_language(text: str, colour: Colour) -> None:
    assert read(text).colour is colour


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
@example("\ud7ff\U0010ffff\x00")
@example("İ" * 50)
def test_any_unicode_is_read_without_an_exception(text: str) -> None:
    found = read(text)
    assert all(r.start is None or 0 <= r.start < (r.end or 0) <= len(text) for r in found.reasons)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*RED, *YELLOW, "没有", "已经", "三天", "。", "，", "如果", "1", "不", "a "]), max_size=60)
)
def test_any_mixture_of_meaningful_words_is_read(parts: list[str]) -> None:
    assert read("".join(parts)).colour in Colour


SLOW = [
    "没有",
    "孩子",
    "水",
    "三天",
    "3月",
    "透析",
    "明天",
    "for 3 days ",
    "呼吸",
    "1",
    "(",
    " ",
    "的",
    "no ",
    "要",
    "一",
]
LONGEST = 10_000
MOST_SECONDS = 0.2
"""The budget is 0.05, and the bench measures it; here there is room for a busy machine."""


@pytest.mark.parametrize("words", [*SLOW, *RED[:3], string.ascii_lowercase])
def test_no_text_can_be_made_to_be_slow(words: str) -> None:
    text = (words * LONGEST)[:LONGEST]
    read(text)
    best = min(_seconds(text) for _ in range(3))
    assert best <= MOST_SECONDS, f"{best * 1000:.0f} ms"


def _seconds(text: str) -> float:
    started = time.process_time()
    read(text)
    return time.process_time() - started


def test_the_work_grows_with_the_length_and_no_faster() -> None:
    text = "".join((*RED, *YELLOW, *GREEN)) * 40
    short, long = (min(_seconds(text[:n]) for _ in range(3)) for n in (1_000, 10_000))
    assert long <= 25 * short


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60))
def test_every_number_of_days_left_is_read(days: int) -> None:
    found = find_deadline(fold(f"药只够{days}天"), FILED_AT, the_rules().zone)
    assert found is not None
    assert found.at.date() == (FILED_AT + timedelta(days=days)).date()
