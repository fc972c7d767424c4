"""The tree of categories: what is said more closely, and what to ask."""

import pytest

from services.gateway.words import CATEGORIES
from shared.contracts.vocabulary import Category, Colour, Language, Vulnerability
from shared.ids import new_id
from tests.support.harness import Harness
from tests.triage.builders import FILED_AT, OPERATOR, get, read, resident, the_rules
from triage.model import Assessment, assess_all
from triage.reading import Text
from triage.tree import below


@pytest.mark.parametrize(
    ("text", "category", "closer"),
    [
        ("我爸每周三次透析，上次的没做成", Category.MEDICAL, "dialysis"),
        ("化疗推迟了三周，医院一直不收", Category.MEDICAL, "oncology"),
        ("奶奶突然喘不上气", Category.MEDICAL, "emergency"),
        ("my son needs his second rabies shot tomorrow", Category.MEDICAL, "vaccination"),
        ("六岁的妹妹一个人在家，没人管", Category.ELDERLY_CHILD_CARE, "child_alone"),
        ("奶粉快没了，超市都关门", Category.FOOD_SUPPLIES, "infant"),
        ("今晚我就从桥上跳下去", Category.MENTAL_HEALTH, "danger_to_self"),
        ("我爬到房顶了，洪水还在涨", Category.RESCUE, "water"),
    ],
)
def test_a_text_says_what_it_is_about_more_closely(text: str, category: Category, closer: str) -> None:
    found = read(text)
    assert (found.category, below(found.reasons)) == (category, closer), found.reasons


def test_a_text_that_says_no_more_has_only_its_category() -> None:
    assert below(read("我要投诉楼下烧烤店半夜营业").reasons) is None


@pytest.mark.parametrize("category", Category)
def test_each_category_and_each_below_it_is_named_and_asks_in_both_languages(category: Category) -> None:
    branch = the_rules().tree[category]
    for node in (branch, *branch.below.values()):
        assert all(node.named().values())
        assert all(node.asked()[language] for language in Language)
    closer = next(iter(branch.below), None)
    assert branch.questions(closer, Language.ZH)[-len(branch.ask.zh) :] == list(branch.ask.zh)


@pytest.mark.parametrize("category", Category)
def test_the_tree_and_the_list_of_categories_use_the_same_words(category: Category) -> None:
    name, ask = CATEGORIES[category]
    branch = the_rules().tree[category]
    assert (branch.name.zh, branch.name.en) == (name.zh, name.en)
    assert (" ".join(branch.ask.zh), " ".join(branch.ask.en)) == (ask.zh, ask.en)


async def test_the_tree_is_shown_to_everybody(harness: Harness) -> None:
    for caller in (OPERATOR, resident(new_id())):
        shown = (await get(harness, "/v1/categories/medical", caller)).json()
        assert shown["name"]["zh"] == "就医"
        dialysis = next(node for node in shown["below"] if node["id"] == "dialysis")
        assert dialysis["ask"]["zh"]
    assert (await get(harness, "/v1/categories/nonsense")).status_code == 422


def _ticked(text: str, *words: Vulnerability) -> Assessment:
    said = Text(text=text, language=Language.ZH, filed_at=FILED_AT, received_at=FILED_AT, vulnerability=words)
    return assess_all([said], the_rules())


def test_what_the_form_says_raises_the_colour_and_is_named_without_words() -> None:
    text = "没有吃的，也没有水"
    assert _ticked(text).colour is Colour.YELLOW
    raised = _ticked(text, Vulnerability.ELDERLY)
    assert (raised.colour, raised.vulnerable) == (Colour.RED, True)
    assert [reason for reason in raised.reasons if reason.gives == "red" and reason.start is None]


@pytest.mark.parametrize("word", [w for w in Vulnerability if w not in {Vulnerability.ALONE, Vulnerability.CHILD}])
def test_every_word_of_the_form_makes_vulnerable(word: Vulnerability) -> None:
    assert _ticked("请帮忙", word).vulnerable


@pytest.mark.parametrize("word", Vulnerability)
def test_the_form_alone_makes_no_danger(word: Vulnerability) -> None:
    assert _ticked("请问医保报销需要哪些材料", word).colour is Colour.GREEN
