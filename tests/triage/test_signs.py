import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.phrases import Phrase, Ready, fold, variants
from triage.signs import Phrasebook, Standing

PHRASES = [
    Phrase("breathing", "(呼吸|喘气)困难"),
    Phrase("breathing", "(can't|cannot) breathe"),
    Phrase("breathing", "血氧..#", at_most=93),
    Phrase("fever", "发烧"),
    Phrase("fever", "fever"),
    Phrase("fire", "火灾"),
    Phrase("!fire", "火灾险"),
    Phrase("elder", "#岁", at_least=70),
    Phrase("pain", "severe .. pain"),
    Phrase("cat", "cat"),
    Phrase("self_harm", "割腕"),
    Phrase("insulin_out", "没有胰岛素"),
    *(Phrase("cue.denied", word) for word in ("没有", "不", "排除", "no", "not")),
    *(Phrase("cue.past", word) for word in ("去年", "曾经")),
    Phrase("cue.now", "现在"),
    *(Phrase("cue.over", word) for word in ("已经好了", "好转")),
    *(Phrase("cue.supposed", word) for word in ("如果", "万一", "if")),
]
BOOK = Phrasebook(map(Ready, PHRASES), {"self_harm": frozenset({"past", "supposed"})})


def _found(text: str) -> dict[str, Standing]:
    return {hit.name: hit.standing for hit in BOOK.read(text).hits if not hit.name.startswith("cue.")}


@pytest.mark.parametrize(
    "text",
    ["爷爷呼吸困难", "喘气困难", "他 CAN'T BREATHE", "she cannot breathe", "她血氧只有85", "血氧：９０"],
)
def test_a_sign_is_found_in_each_of_its_wordings(text: str) -> None:
    assert _found(text) == {"breathing": Standing.STANDS}


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("没有发烧", Standing.DENIED),
        ("没有咳嗽、乏力和发烧", Standing.DENIED),
        ("no cough or fever", Standing.DENIED),
        ("没有人管，发烧", Standing.STANDS),
        ("去年发烧", Standing.OVER),
        ("去年住过院，现在发烧", Standing.STANDS),
        ("去年住过院。发烧", Standing.STANDS),
        ("发烧已经好了", Standing.OVER),
        ("发烧没有好转", Standing.STANDS),
        ("如果发烧怎么办", Standing.SUPPOSED),
        ("如果可以就好了，发烧", Standing.STANDS),
        ("#发烧怎么办#", Standing.SUPPOSED),
        ("没有胰岛素，发烧", Standing.STANDS),
    ],
)
def test_cues_say_whether_it_is_so(text: str, standing: Standing) -> None:
    assert _found(text)["fever"] is standing


def test_some_signs_hold_whatever_the_cues_say() -> None:
    assert _found("去年割腕") == {"self_harm": Standing.STANDS}
    assert _found("没有割腕") == {"self_harm": Standing.DENIED}


def test_a_longer_word_that_means_something_else_takes_the_sign_away() -> None:
    assert _found("买了火灾险") == {}
    assert _found("买了火灾险，还是火灾") == {"fire": Standing.STANDS}


@pytest.mark.parametrize(("text", "is_elder"), [("83岁", True), ("八十三岁", True), ("８３ 岁", True), ("38岁", False)])
def test_a_measure_bounds_the_number(text: str, is_elder: bool) -> None:
    assert ("elder" in _found(text)) is is_elder


def test_a_latin_word_is_found_whole() -> None:
    assert "cat" in _found("my cat")
    assert "cat" not in _found("my category")
    assert "pain" in _found("severe chest and back pain")


def test_variants_open_nested_choices() -> None:
    assert sorted(variants("(a|b(c|))d")) == ["ad", "bcd", "bd"]


@pytest.mark.parametrize("words", ["", "..发烧", "#..天", "(a|b", "(" + "(a|b|c|d|e)" * 8 + ")", "a..b..c..d..e"])
def test_a_phrase_that_cannot_be_looked_for_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"must begin|must have words|not closed|variants|gaps"):
        Ready(Phrase("x", words))


@given(st.text(max_size=80))
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text(alphabet="呼吸困难没有不发烧已经好了如果血氧8岁去年，。、 catnofever#", max_size=80))
def test_every_hit_lies_in_the_text_and_in_order(text: str) -> None:
    hits = BOOK.read(text).hits
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    assert [hit.start for hit in hits] == sorted(hit.start for hit in hits)
