from datetime import datetime, timedelta

import pytest

from shared.contracts.vocabulary import Colour
from tests.triage.builders import FILED_AT, ZONE, the_rules
from triage.colours import ColourRule, Grave, Soon, findings, higher, soon_by, verdict
from triage.signs import Hit

TABLE = the_rules().table


def _found(**sentences: int) -> dict[str, list[Hit]]:
    return {name: [Hit(name, 0, 1, sentence)] for name, sentence in sentences.items()}


def _rule(**changes: object) -> ColourRule:
    values = {"id": "r", "grave": Grave.NEED, "soon": Soon.DAYS, "needs": ("a",)} | changes
    return ColourRule(**values)  # type: ignore[arg-type] # a test may say it short


def _colours(rule: ColourRule, soon: Soon = Soon.OPEN, **sentences: int) -> list[Colour]:
    return [each.colour for each in findings(_found(**sentences), [rule], TABLE, soon)]


def test_a_rule_fits_where_all_its_signs_are_and_none_that_it_excludes() -> None:
    rule = _rule(needs=("a", "b"), one_of=("c", "d"), unless=("e",))
    assert _colours(rule, a=0, b=0, d=1) == [Colour.YELLOW]
    assert _colours(rule, a=0, d=0) == []
    assert _colours(rule, a=0, b=0) == []
    assert _colours(rule, a=0, b=0, c=0, e=3) == []


def test_a_rule_for_one_sentence_needs_all_in_one() -> None:
    rule = _rule(needs=("a", "b"), one_of=("c",), same_sentence=True)
    assert _colours(rule, a=1, b=1, c=1) == [Colour.YELLOW]
    assert _colours(rule, a=1, b=1, c=2) == []
    assert _colours(rule, a=0, b=1, c=1) == []


def test_a_vulnerable_person_raises_how_grave_it_is() -> None:
    rule = _rule(soon=Soon.NOW, raised_by=("elder",))
    assert _colours(rule, a=0) == [Colour.YELLOW]
    assert _colours(rule, a=0, elder=0) == [Colour.RED]


def test_a_deadline_raises_how_soon_it_is() -> None:
    rule = _rule(grave=Grave.HARM, soon=Soon.OPEN)
    assert _colours(rule, Soon.OPEN, a=0) == [Colour.YELLOW]
    assert _colours(rule, Soon.NOW, a=0) == [Colour.RED]
    assert _colours(_rule(grave=Grave.HARM, soon=Soon.OPEN, follows_deadline=False), Soon.NOW, a=0) == [Colour.YELLOW]


@pytest.mark.parametrize(
    ("deadline", "soon"),
    [
        (None, Soon.OPEN),
        (FILED_AT + timedelta(hours=2), Soon.NOW),
        (datetime(2022, 10, 26, 23, 59, tzinfo=ZONE), Soon.NOW),
        (datetime(2022, 10, 27, 0, 1, tzinfo=ZONE), Soon.DAYS),
        (datetime(2022, 10, 28, 23, 59, tzinfo=ZONE), Soon.DAYS),
        (datetime(2022, 10, 29, 0, 1, tzinfo=ZONE), Soon.LATER),
    ],
)
def test_today_and_tomorrow_are_now(deadline: datetime | None, soon: Soon) -> None:
    assert soon_by(deadline, FILED_AT, ZONE) is soon


def test_the_most_urgent_colour_holds_and_is_unsure_only_where_all_its_rules_are() -> None:
    rules = [_rule(id="need"), _rule(id="life", grave=Grave.LIFE, needs=("b",), sure=False)]
    found = _found(a=0, b=0)
    fitting = findings(found, rules, TABLE, Soon.OPEN)
    unknown = the_rules().unknown
    assert [each.rule.id for each in fitting] == ["life", "need"]
    assert verdict(fitting, found, unknown, "other", set_aside=False) == (Colour.RED, "doubtful-rule")
    rules.append(_rule(id="sure", grave=Grave.LIFE))
    fitting = findings(found, rules, TABLE, Soon.OPEN)
    assert verdict(fitting, found, unknown, "other", set_aside=False) == (Colour.RED, "")


def test_a_danger_that_is_said_to_be_over_lets_a_person_look_at_a_green_one() -> None:
    rule = _rule(grave=Grave.NONE)
    fitting = findings(_found(a=0), [rule], TABLE, Soon.OPEN)
    given = verdict(fitting, _found(a=0), the_rules().unknown, "other", set_aside=True)
    assert given == (Colour.GREEN, "danger-set-aside")


UNKNOWN = {
    "danger": Colour.RED,
    "plea": Colour.RED,
    "need": Colour.YELLOW,
    "other": Colour.GREEN,
    "quiet": Colour.GREEN,
}


@pytest.mark.parametrize(
    ("signs", "words", "set_aside", "given"),
    [
        (("plea",), "other", False, (Colour.RED, "nothing-recognised")),
        ((), "need", False, (Colour.YELLOW, "nothing-recognised")),
        ((), "danger", False, (Colour.RED, "nothing-recognised")),
        (("mild",), "danger", False, (Colour.YELLOW, "nothing-recognised")),
        (("of_danger",), "other", False, (Colour.RED, "nothing-recognised")),
        ((), "other", False, (Colour.GREEN, "nothing-recognised")),
        (("question",), "need", False, (Colour.GREEN, "")),
        (("question", "plea"), "danger", False, (Colour.GREEN, "")),
        (("question",), "other", True, (Colour.GREEN, "nothing-recognised")),
    ],
)
def test_what_no_rule_knows_goes_to_a_person_unless_it_is_plainly_a_question(
    signs: tuple[str, ...], words: str, set_aside: bool, given: tuple[Colour, str]
) -> None:
    found = _found(**dict.fromkeys(signs, 0))
    assert verdict([], found, UNKNOWN, words, set_aside=set_aside) == given


def test_weak_signs_add_up() -> None:
    rule = _rule(several=("b", "c", "d"), at_least=2)
    assert _colours(rule, a=0, b=1) == []
    assert _colours(rule, a=0, b=1, d=2) == [Colour.YELLOW]


@pytest.mark.parametrize("one", Colour)
@pytest.mark.parametrize("other", Colour)
def test_the_higher_of_two(one: Colour, other: Colour) -> None:
    assert higher(one, other).rank == max(one.rank, other.rank)
