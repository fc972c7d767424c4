from datetime import timedelta

from intake.duplicates import MOST_NAMED, Candidate, bigrams, likeness, rank
from shared.contracts.vocabulary import Status
from shared.ids import new_id
from tests.support.builders import START


def candidate(words: str, minutes_ago: int = 10) -> Candidate:
    return Candidate(
        request_id=new_id(),
        receipt="",
        status=Status.RECEIVED,
        received_at=START - timedelta(minutes=minutes_ago),
        contact_hash="",
        words=words,
    )


def test_the_most_alike_comes_first() -> None:
    same, near, far = (candidate(w) for w in ("老人发烧没有药", "我家老人发烧，没有药了", "小区停水两天"))
    ranked = rank("老人发烧，没有药！", [far, near, same])
    assert [c for _, c in ranked] == [same, near, far]
    assert ranked[0][0] == 1.0
    assert ranked[2][0] == 0.0


def test_of_equally_alike_ones_the_newest_comes_first() -> None:
    old, new = candidate("停水", 90), candidate("停水", 5)
    assert [c for _, c in rank("停水", [old, new])] == [new, old]


def test_no_more_are_named_than_somebody_can_look_at() -> None:
    assert len(rank("停水", [candidate("停水") for _ in range(MOST_NAMED + 3)])) == MOST_NAMED


def test_blanks_punctuation_width_and_case_make_no_difference() -> None:
    assert likeness(bigrams("No Water, 3 days"), bigrams("ｎｏ water 3 DAYS!")) == 1.0


def test_texts_too_short_for_pairs_are_compared_all_the_same() -> None:
    assert likeness(bigrams("水"), bigrams("水")) == 1.0
    assert likeness(bigrams("？"), bigrams("！")) == 0.0
