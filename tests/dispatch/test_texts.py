"""Equal answers are found by a hash, whatever a copy changed at their edges; and nothing can be read from it."""

import pytest

from dispatch.directory import Desk
from dispatch.texts import masked_text
from shared.contracts.vocabulary import TextKind

DESK = Desk(b"the city's secret")
WORDS = "已安排车辆，明早9点出发。"


def hash_of(words: str, kind: TextKind = TextKind.ANSWER) -> str | None:
    return masked_text(DESK, kind, words).ref.words_hash


@pytest.mark.parametrize("copy", [WORDS, "已安排车辆,明早 9 点出发", "  已安排车辆，明早９点出发！\n"])
def test_a_copy_has_the_same_hash(copy: str) -> None:
    assert hash_of(copy) == hash_of(WORDS)


def test_another_answer_has_another_and_another_city_too() -> None:
    assert hash_of("已安排车辆，明早8点出发。") != hash_of(WORDS)
    elsewhere = masked_text(Desk(b"another secret"), TextKind.ANSWER, WORDS).ref.words_hash
    assert elsewhere != hash_of(WORDS)


def test_a_phone_does_not_make_it_another() -> None:
    assert hash_of(f"{WORDS}电话13812345678") == hash_of(f"{WORDS}电话13987654321")


def test_the_salted_hash_of_the_text_differs_each_time_and_notes_have_no_hash_of_words() -> None:
    first, second = (masked_text(DESK, TextKind.ANSWER, WORDS).ref for _ in range(2))
    assert first.text_hash != second.text_hash
    assert hash_of(WORDS, TextKind.NOTE) is None
