import pytest

from intake.contacts import NotAPhone, building, household, normalise_phone


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("+86-138-0013-8000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("0573-85012345", "+8657385012345"),
        ("(0573) 8501 2345", "+8657385012345"),
        ("010 65012345", "+861065012345"),
        ("+44 20 7946 0958", "+442079460958"),
        ("4008208820", "+864008208820"),
    ],
)
def test_a_number_is_written_in_one_way(words: str, number: str) -> None:
    assert normalise_phone(words) == number


@pytest.mark.parametrize(
    "words", ["110", "119", "12345", "85012345", "1380013800", "138001380000", "abc", "+", "", "0573-85012345 ext 12"]
)
def test_what_nobody_can_ring_back_is_refused(words: str) -> None:
    with pytest.raises(NotAPhone):
        normalise_phone(words)


def test_the_refusal_does_not_repeat_the_number() -> None:
    with pytest.raises(NotAPhone) as refused:
        normalise_phone("85012345")
    assert "8501" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "金茂花苑3幢502室",
        "金茂花苑 3栋 502",
        "金茂花苑3-502",
        "金茂花苑３号楼５０２室",
        "独山港镇虎啸村金茂花苑3幢502室",
        "浙江省平湖市独山港镇虎啸村，金茂花苑3#502",
    ],
)
def test_one_household_has_one_spelling(address: str) -> None:
    assert household(address) == "金茂花苑3-502"
    assert building("金茂花苑3-502") == "金茂花苑3"


@pytest.mark.parametrize(
    ("address", "of_household", "of_building"),
    [
        ("金茂花苑3幢2单元502室", "金茂花苑3-2-502", "金茂花苑3"),
        ("聚福新村3幢", "聚福新村3", "聚福新村3"),
        ("新华路88号", "新华路88", "新华路88"),
        ("人民路12弄5号302室", "人民路12弄5-302", "人民路12弄5"),
        ("虎啸村", None, None),
        ("虎啸村老粮站旁边", None, None),
    ],
)
def test_doors_and_buildings_are_told_apart(address: str, of_household: str | None, of_building: str | None) -> None:
    assert household(address) == of_household
    assert building(of_household or "") == of_building
