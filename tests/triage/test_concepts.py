from hypothesis import given
from hypothesis import strategies as st

from tests.triage.builders import the_rules
from triage.concepts import MOST_ANCHORS, Together
from triage.phrases import Phrase, Ready
from triage.signs import Hit, Phrasebook, Standing

NAMED = {
    "chest": ("胸口", "chest"),
    "hurts": ("疼", "压", "hurt*", "tight*"),
    "stove": ("炭盆",),
    "dizzy": ("头晕",),
    "room": ("屋里",),
}
BOOK = Phrasebook(
    [
        *(Ready(Phrase(f"concept.{name}", words)) for name, all_words in NAMED.items() for words in all_words),
        Ready(Phrase("!concept.hurts", "疼爱")),
        *(Ready(Phrase("cue.denied", words)) for words in ("没有", "不", "no", "not")),
        Ready(Phrase("cue.past", "去年")),
        Ready(Phrase("cue.supposed", "如果")),
    ],
    {"lasting": frozenset({"past"})},
    [
        Together(gives="heart", of=("chest", "hurts"), within=4),
        Together(gives="lasting", of=("chest", "hurts"), within=4),
        Together(gives="gas", of=("stove", "dizzy", "room"), within=12),
    ],
)


def _found(text: str, name: str = "heart") -> list[Hit]:
    return [hit for hit in BOOK.read(text).hits if hit.name == name]


def test_concepts_give_a_sign_in_any_order_and_with_their_whole_place() -> None:
    for text in ("我胸口很疼", "疼，在胸口", "my chest feels so tight", "it hurts, my chest"):
        (hit,) = _found(text)
        assert hit.standing is Standing.STANDS
    (hit,) = _found("我胸口很疼")
    assert (hit.start, hit.end) == (1, 5)


def test_far_apart_or_alone_they_say_nothing() -> None:
    assert _found("胸口的扣子掉了，后来手有点疼") == []
    assert _found("疼") == []
    assert _found("chest of drawers was sold and the rest of the furniture is tight") == []


def test_three_of_them_must_all_be_near() -> None:
    assert _found("屋里烧炭盆，我头晕", "gas")
    assert _found("烧炭盆，我头晕", "gas") == []


def test_a_combination_stands_as_its_part_that_stands_worst() -> None:
    assert _found("胸口没有疼")[0].standing is Standing.DENIED
    assert _found("no chest pain, not tight")[0].standing is Standing.DENIED
    assert _found("去年胸口疼")[0].standing is Standing.OVER
    assert _found("如果胸口疼")[0].standing is Standing.SUPPOSED
    assert _found("去年胸口疼", "lasting")[0].standing is Standing.STANDS


def test_a_longer_word_takes_a_concept_away() -> None:
    assert _found("胸口揣着疼爱") == []


def test_a_stem_is_found_in_each_of_its_words_and_not_within_another() -> None:
    assert _found("his chest hurting")
    assert _found("his chest unhurt") == []


def test_a_word_may_lack_its_apostrophe() -> None:
    book = Phrasebook([Ready(Phrase("x", "can't breathe"))], {})
    assert book.read("i cant breathe").hits
    assert book.read("i can't breathe").hits


@given(st.text(alphabet="胸口疼压没有去年炭盆头晕屋里，。 chesthurtno", max_size=400))
def test_every_combination_lies_in_the_text_and_they_are_bounded(text: str) -> None:
    hits = BOOK.read(text).hits
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    assert len([hit for hit in hits if hit.name == "heart"]) <= MOST_ANCHORS


def test_words_of_a_dialect_are_read_as_the_standard_ones() -> None:
    dialect, standard = the_rules().phrasebook.read("佢透唔到气"), the_rules().phrasebook.read("他透不到气")
    assert dialect.hits == standard.hits
    assert dialect.text == standard.text
