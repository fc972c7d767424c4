import time
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.vocabulary import Category, Colour, Decider, Language
from tests.triage.builders import CALM, DOUBTFUL, FILED_AT, STORY, SUPPOSED, UNKNOWN, ZONE, read, the_rules
from triage.model import MOST_COST, Override, amended, assess_all, overridden
from triage.phrases import fold
from triage.reading import Text

PIECES = [
    "爷爷喘不上气", "没有发烧", "孕妇羊水破了", "药只够两天", "明天要透析", "请问医保怎么报销", "小区停水三天了",
    "被困在二楼，水还在涨", "#暴雨互助#", "如果着火怎么办", "去年住过院", "现在好了", "8岁女儿一个人在家", "求助",
    "39度", "10月26日", "my father cannot breathe", "no food for two days", "by Friday", "a ride", "。", "，", "\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=12).map("".join)


def _text(words: str, minutes: float = 0, **changes: object) -> Text:
    at = FILED_AT + timedelta(minutes=minutes)
    values = {"text": words, "language": Language.ZH, "filed_at": at, "received_at": at} | changes
    return Text(**values)  # type: ignore[arg-type] # a test may say it short


def test_the_story_comes_out_as_it_must() -> None:
    assessment = read(STORY)
    assert assessment.category is Category.MEDICAL
    assert assessment.colour is Colour.RED
    assert assessment.deadline == datetime(2022, 10, 26, 23, 59, tzinfo=ZONE)
    assert assessment.needs == ("transport",)
    assert not assessment.unsure
    words = {
        reason.gives: STORY[reason.start : reason.end] for reason in assessment.reasons if reason.start is not None
    }
    assert words["deadline"] == "10月26日"
    assert words["medical"] in {"狂犬", "疫苗", "接种", "狂犬疫苗"}
    assert words["transport"] in {"被隔离在家", "隔离在家", "出不了门", "出不了"}


@pytest.mark.parametrize(
    ("text", "category", "colour"),
    [
        ("爷爷突然呼吸困难，嘴唇发紫", Category.MEDICAL, Colour.RED),
        ("我妈透析已经停了三天，没有医院肯收", Category.MEDICAL, Colour.RED),
        ("孕38周，羊水破了，叫不到车", Category.MATERNITY, Colour.RED),
        ("水已经淹到二楼，我们被困在屋顶", Category.RESCUE, Colour.RED),
        ("他说已经买好安眠药，不想活了", Category.MENTAL_HEALTH, Colour.RED),
        ("父母都被隔离，家里只剩6岁的儿子一个人", Category.ELDERLY_CHILD_CARE, Colour.RED),
        ("There is a fire in our building and smoke everywhere", Category.RESCUE, Colour.RED),
        ("My husband has chest pain and cannot breathe", Category.MEDICAL, Colour.RED),
        ("高血压的药快吃完了，药店都关门，求帮忙配药", Category.MEDICINE, Colour.YELLOW),
        ("家里没有菜了，奶粉也快没了，买不到", Category.FOOD_SUPPLIES, Colour.YELLOW),
        ("从昨天到现在一直停水，家里没有水喝", Category.UTILITIES_PROPERTY, Colour.YELLOW),
        ("We are out of food and the shops are closed", Category.FOOD_SUPPLIES, Colour.YELLOW),
        ("请问从外省回来需要隔离几天？", Category.QUARANTINE_POLICY, Colour.GREEN),
        ("公司拖欠工资三个月，投诉无门", Category.WORK_TRAVEL, Colour.GREEN),
        ("Where can I get a new birth certificate?", Category.OTHER, Colour.GREEN),
        ("投诉物业乱收费，态度恶劣", Category.COMPLAINT, Colour.GREEN),
    ],
)
def test_what_a_request_is_about_and_how_urgent(text: str, category: Category, colour: Colour) -> None:
    assessment = read(text)
    assert (assessment.category, assessment.colour) == (category, colour)


@pytest.mark.parametrize(
    "text",
    ["孩子没有发烧也没有呼吸困难，请问要做核酸吗", "以前有过胸痛，请问能打疫苗吗", "如果发生火灾，请问逃生通道在哪里"],
)
def test_a_danger_denied_over_or_supposed_is_not_red(text: str) -> None:
    assert read(text).colour is not Colour.RED


def test_calm_words_do_not_lower_and_loud_words_do_not_raise() -> None:
    assert read("您好，老人家有点喘不上气，麻烦您方便的时候看一下，谢谢").colour is Colour.RED
    assert read("急急急！！！请问快递什么时候能送！！！").colour is Colour.GREEN


def test_in_doubt_a_person_looks_in_time() -> None:
    for text, colour, minutes in (
        (DOUBTFUL, Colour.RED, 5),
        (UNKNOWN, Colour.YELLOW, 15),
        (SUPPOSED, Colour.GREEN, 60),
    ):
        assessment = read(text)
        assert (assessment.colour, assessment.unsure) == (colour, True)
        assert assessment.review_due_at == FILED_AT + timedelta(minutes=minutes)
        assert assessment.reasons[0].gives == "unsure"
    assert read(CALM).review_due_at is None


def test_a_deadline_already_past_at_receipt_raises_the_colour() -> None:
    text = _text("明天要开健康证明，请问怎么办理")
    late = replace(text, received_at=FILED_AT + timedelta(days=3))
    assert assess_all([text], the_rules()).colour is Colour.GREEN
    assessment = assess_all([late], the_rules())
    assert assessment.colour is Colour.YELLOW
    assert assessment.deadline is not None
    assert "deadline-missed" in {reason.rule for reason in assessment.reasons}


def test_what_the_filer_chose_weighs_where_the_words_say_little() -> None:
    assert read("麻烦帮一下", stated=Category.MEDICINE).category is Category.MEDICINE
    assert read("爷爷突然呼吸困难，需要住院", stated=Category.COMPLAINT).category is Category.MEDICAL


def test_a_vehicle_is_needed_where_the_person_cannot_get_to_treatment() -> None:
    assert read("家里老人要去医院复查，小区封控出不去").needs == ("transport",)
    assert (
        read("老人要去医院，没有车，能不能派车接送").category is Category.TRANSPORT
        or "transport" in read("老人要去医院，没有车，能不能派车接送").needs
    )
    assert read("打不到车，能派车接送吗", stated=Category.TRANSPORT).needs == ()
    assert read("小区停电两天了").needs == ()


# Amendments


def test_an_amendment_raises() -> None:
    rules = the_rules()
    texts = [_text("退烧药快吃完了，求帮忙配药")]
    before = assess_all(texts, rules)
    texts.append(_text("现在孩子抽搐了，昏迷叫不醒", 10))
    after = amended(before, texts, rules, person_decided=False)
    assert (before.colour, after.colour) == (Colour.YELLOW, Colour.RED)
    assert after.emergency
    assert after.category is Category.MEDICAL


def test_an_amendment_is_read_with_what_was_said_before() -> None:
    rules = the_rules()
    texts = [_text("家里老人八十二岁，腿脚不便"), _text("家里什么吃的都没有了，水也没有", 5)]
    together = amended(assess_all(texts[:1], rules), texts, rules, person_decided=False)
    assert together.colour is Colour.RED
    assert assess_all(texts[1:], rules).colour is Colour.YELLOW


def test_a_reason_names_the_text_in_which_its_words_stand() -> None:
    one, other = _text("求助", id=None), _text("爷爷喘不上气", 1)
    assessment = assess_all([one, other], the_rules())
    words = [other.text[r.start : r.end] for r in assessment.reasons if r.gives == "red" and r.start is not None]
    assert "喘不上气" in words


@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_amendments_never_lower_and_never_put_off(texts: list[str]) -> None:
    rules = the_rules()
    said = [_text(words, minutes) for minutes, words in enumerate(texts)]
    held = [assess_all(said[:1], rules)]
    for n in range(2, len(said) + 1):
        held.append(amended(held[-1], said[:n], rules, person_decided=False))
    ranks = [each.colour.rank for each in held]
    assert ranks == list(accumulate(ranks, max))
    deadlines = [each.deadline for each in held if each.deadline]
    assert deadlines == sorted(deadlines, reverse=True)
    assert all(set(a.needs) <= set(b.needs) for a, b in pairwise(held))
    assert all(b.unsure for a, b in pairwise(held) if a.unsure)


@given(first=TEXTS, then=TEXTS, colour=st.sampled_from(Colour), category=st.sampled_from(Category))
@settings(max_examples=60, deadline=None)
def test_a_persons_word_stands_unless_there_is_danger(
    first: str, then: str, colour: Colour, category: Category
) -> None:
    rules = the_rules()
    texts = [_text(first), _text(then, 5)]
    word = Override(sets=frozenset({"colour", "category"}), colour=colour, category=category)
    person = overridden(assess_all(texts[:1], rules), word)
    assert (person.colour, person.category, person.unsure) == (colour, category, False)
    after = amended(person, texts, rules, person_decided=True)
    assert after.category is category
    if after != person:
        assert (after.colour, after.unsure, after.decided_by) == (Colour.RED, True, Decider.MACHINE)
        assert colour is not Colour.RED


def test_a_person_may_lower_and_take_the_deadline_away() -> None:
    before = read(STORY)
    after = overridden(before, Override(sets=frozenset({"colour", "deadline"}), colour=Colour.GREEN))
    assert (after.colour, after.deadline, after.category) == (Colour.GREEN, None, before.category)
    assert overridden(before, Override(sets=frozenset())).deadline == before.deadline


# Any text


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_text_is_assessed_and_its_spans_lie_within(text: str) -> None:
    assessment = read(text)
    for reason in assessment.reasons:
        if reason.start is not None and reason.end is not None:
            assert 0 <= reason.start < reason.end <= len(text)
    assert 0 <= assessment.cost <= MOST_COST
    assert assessment.unsure is (assessment.review_due_at is not None)
    assert assessment == read(text)


@pytest.mark.parametrize(
    "piece",
    [
        "没有",
        "药",
        "no ",
        "need ",
        "没有呼吸困难",
        "1",
        "a",
        "需要一辆",
        "10月",
        "够",
        "如果",
        "#",
        "。",
        "(",
        "🆘",
        "8岁",
        "、",
    ],
)
def test_a_text_made_to_be_slow_costs_no_more_than_others(piece: str) -> None:
    text = (piece * 10_000)[:10_000]
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 5


def test_an_ordinary_text_costs_little() -> None:
    read(STORY)
    began = time.process_time()
    for _ in range(50):
        read(STORY)
    assert (time.process_time() - began) / 50 < 0.005


def test_folded_and_plain_text_are_read_alike() -> None:
    assert read("ｍｙ　ＦＡＴＨＥＲ　ｃａｎｎｏｔ　ｂｒｅａｔｈｅ").colour is Colour.RED
    assert fold("ＡＢ") == "ab"
