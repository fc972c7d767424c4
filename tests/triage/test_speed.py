"""No pattern backtracks: twice the text takes about twice the time. Ratios, so that no machine is too slow."""

import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.triage.builders import the_rules
from triage import clauses, days, days_en, numerals, occasions, reading, signs, spans

FILLERS = [
    *("没有", "水", "三天", "3月", "明天", "1", "(", " ", "一", "，", "周三", "还够", "每隔三天", "第一针"),
    *("for 3 days ", "no ", "a", "in the "),
]
SHORTEST, SHORT, LONGEST = 125, 4_000, 32_000
LINEAR = 2.0
TOO_STEEP = 3.3
"""Twice the text in so many times the time: 2 is linear, 4 quadratic; the room is for a busy machine."""
TOO_SHORT_TO_TELL = 0.004
"""Seconds: below it the clock says nothing of how the time grows."""
ROUNDS = 3


def patterns() -> Iterator[re.Pattern[str]]:
    """Every pattern that triage runs over a whole text or a clause."""
    for module in (clauses, days, days_en, numerals, occasions, reading, signs, spans):
        yield from (each for each in vars(module).values() if isinstance(each, re.Pattern))


def best(run: Callable[[], object]) -> float:
    def once() -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    return min(once() for _ in range(ROUNDS))


def seconds(pattern: re.Pattern[str], filler: str, size: int) -> float:
    text = (filler * size)[:size]
    return best(lambda: sum(1 for _ in pattern.finditer(text)))


def steepness(pattern: re.Pattern[str], filler: str) -> float:
    """How many times as long twice the text takes; 0 where both are too quick to tell."""
    size = SHORTEST
    while (longer := seconds(pattern, filler, 2 * size)) < TOO_SHORT_TO_TELL:
        size *= 2
        if size > LONGEST:
            return 0.0
    return longer / seconds(pattern, filler, size)


@pytest.mark.parametrize("pattern", list(patterns()), ids=lambda pattern: pattern.pattern[:40])
def test_a_pattern_takes_twice_as_long_for_twice_the_text(pattern: re.Pattern[str]) -> None:
    steep = {filler: found for filler in FILLERS if (found := steepness(pattern, filler)) > TOO_STEEP}
    confirmed = {filler: again for filler in steep if (again := steepness(pattern, filler)) > TOO_STEEP}
    assert confirmed == {}


@pytest.mark.parametrize("bad", ["1*1*x", r"(?:没有)*(?:没有)*x"])
def test_a_pattern_that_backtracks_is_found(bad: str) -> None:
    assert max(steepness(re.compile(bad), filler) for filler in ("1", "没有")) > TOO_STEEP


def test_what_follows_a_beginning_takes_no_longer_in_a_longer_text() -> None:
    """A gap is short, so a phrase is done with a place in a time that does not depend on the text."""
    openings = the_rules().phrasebook.openings()
    assert len(openings) > 100
    for filler in FILLERS:
        shorter, longer = (_tried(openings, (filler * n)[:n]) for n in (SHORT, 4 * SHORT))
        assert longer <= LINEAR * shorter + TOO_SHORT_TO_TELL


def _tried(openings: list[re.Pattern[str]], text: str) -> float:
    return best(lambda: [each.match(text, 0) for each in openings])
