"""What the demo's residents ask for: as many and as varied as the README of the sample promises."""

from collections import Counter
from typing import Any

import phonenumbers
import pytest

from services.demo.script import Filing, read_filings
from shared.contracts.vocabulary import Category, Channel
from shared.settings import ROOT

FILINGS = read_filings(ROOT / "deploy" / "sample" / "requests.jsonl")
VALID = [filing for filing in FILINGS if not filing.malformed]
MALFORMED = [filing for filing in FILINGS if filing.malformed]


def body(filing: Filing) -> dict[str, Any]:
    assert filing.request is not None
    return filing.request


def test_there_are_333_and_some_that_must_be_refused() -> None:
    assert len(VALID) == 333
    assert len(MALFORMED) >= 15
    assert len({filing.name for filing in FILINGS}) == len(FILINGS)


def test_no_sentence_comes_twice() -> None:
    counts = Counter(body(filing)["text"] for filing in VALID)
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("category", list(Category))
def test_each_category_is_asked_for(category: Category) -> None:
    assert sum(filing.about is category for filing in VALID) >= 5


@pytest.mark.parametrize("channel", list(Channel))
def test_each_channel_is_used(channel: Channel) -> None:
    assert sum(body(filing)["channel"] == channel for filing in VALID) >= 5


def test_most_is_chinese_and_some_english() -> None:
    english = [filing for filing in VALID if body(filing)["text"].isascii()]
    assert 20 <= len(english) <= 60


def test_the_story_is_there_with_its_time_and_place() -> None:
    (story,) = (filing for filing in VALID if filing.name == "the-second-dose")
    assert story.at_minutes == 31 * 60
    assert "金茂花苑" in body(story)["place"]["address"]
    assert story.about is Category.MEDICAL


def test_contacts_are_valid_and_made_up() -> None:
    for filing in VALID:
        phone = phonenumbers.parse(body(filing)["contact"]["phone"], "CN")
        assert phonenumbers.is_valid_number(phone), filing.name
        assert str(phone.national_number).startswith("1990000"), filing.name


def test_places_are_named_in_three_ways() -> None:
    ways = Counter(way for filing in VALID for way in body(filing).get("place", {"none": ""}))
    assert min(ways[way] for way in ("address", "area", "latitude", "none")) >= 2


def test_more_comes_by_day_than_by_night_and_all_within_two_and_a_half_days() -> None:
    assert all(0 <= filing.at_minutes <= 60 * 60 for filing in FILINGS)
    by_day = [filing for filing in VALID if 0 <= filing.at_minutes % (24 * 60) < 12 * 60]
    assert len(by_day) > 2 * (len(VALID) - len(by_day))


@pytest.mark.parametrize("deed", ["amend", "withdraw", "rate", "reject", "merge", "replay"])
def test_what_may_happen_afterwards_happens_to_some(deed: str) -> None:
    assert sum(step.do == deed for filing in VALID for step in filing.then) >= 2


def test_what_is_merged_comes_after_what_it_is_merged_into() -> None:
    names = {filing.name: filing for filing in VALID}
    merges = [(filing, names[step.into]) for filing in VALID for step in filing.then if step.into]
    for later, earlier in merges:
        assert later.at_minutes > earlier.at_minutes
        assert body(later)["contact"] == body(earlier)["contact"]
