from hypothesis import given
from hypothesis import strategies as st

from intake import receipts

NUMBERS = st.integers(min_value=0, max_value=receipts.COUNT - 1)


@given(NUMBERS)
def test_a_receipt_is_short_grouped_and_free_of_lookalikes(number: int) -> None:
    receipt = receipts.make(number)
    assert [len(part) for part in receipt.split("-")] == [4, 4, 1]
    assert not set("01ILOU") & set(receipt)


@given(NUMBERS, st.sampled_from(["", " ", "-", ".", "—"]))
def test_a_receipt_is_read_in_any_spelling(number: int, between: str) -> None:
    receipt = receipts.make(number)
    assert receipts.read(between.join(receipt.replace("-", "").lower())) == receipt


@given(NUMBERS)
def test_every_single_wrong_character_is_noticed(number: int) -> None:
    spelled = receipts.make(number).replace("-", "")
    for at, right in enumerate(spelled):
        for wrong in set(receipts.ALPHABET) - {right}:
            assert receipts.read(spelled[:at] + wrong + spelled[at + 1 :]) is None


@given(NUMBERS)
def test_every_swap_of_neighbours_is_noticed(number: int) -> None:
    spelled = receipts.make(number).replace("-", "")
    for at in range(len(spelled) - 1):
        swapped = spelled[:at] + spelled[at + 1] + spelled[at] + spelled[at + 2 :]
        assert swapped == spelled or receipts.read(swapped) is None


def test_what_is_no_receipt_is_not_read() -> None:
    assert [receipts.read(words) for words in ("", "H7K3", "O000-0000-0", "H7K3-92QF-XX", "你好")] == [None] * 5


def test_numbers_give_different_receipts_but_for_the_few_passed_over() -> None:
    made = {receipts.make(number) for number in range(10_000)}
    assert len(made) > 9_500
