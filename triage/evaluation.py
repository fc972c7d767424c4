"""How well triage does on texts whose right answers are known: what it got right, and where it was wrong and why. Pure.

A line is `{id, lang, text, category, category_alt[], urgency, urgency_alt[], deadline, filed_at?}`. Lenient, an answer
among the alternatives counts as the right one; strict, only the first does. What a line does not state (no `urgency`,
no `category`) is left out of the figures on it. Days are those of the city's time zone.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.contracts.vocabulary import Category, Colour, Language
from triage.model import Assessment, assess
from triage.rules import Rules

DAYS_NEAR = 1
"""A deadline so many days off counts as right within a day."""


class LinesInvalid(ValueError):
    """A file of lines is not as described; the message names each line."""


class Line(BaseModel):
    """A text and what is right of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    text: str
    lang: Language | None = None
    category: Category | None = None
    category_alt: tuple[Category, ...] = ()
    urgency: Colour | None = None
    urgency_alt: tuple[Colour, ...] = ()
    deadline: date | None = None
    filed_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What triage made of a line."""

    line: Line
    assessment: Assessment
    day: date | None
    """Of the deadline, in the city's time zone."""

    def colours(self, *, lenient: bool) -> tuple[Colour, Colour] | None:
        """Right and given; None where none is stated. Lenient, what was given is right if it is an alternative."""
        right = self.line.urgency
        if right is None:
            return None
        given = self.assessment.colour
        return (given if lenient and given in self.line.urgency_alt else right), given

    def categories(self, *, lenient: bool) -> tuple[Category, Category] | None:
        """Right and given, as for colours."""
        right = self.line.category
        if right is None:
            return None
        given = self.assessment.category
        return (given if lenient and given in self.line.category_alt else right), given

    def days_off(self) -> int | None:
        """By how many days the deadline is wrong; None where none is right or none was found."""
        if self.day is None or self.line.deadline is None:
            return None
        return abs((self.day - self.line.deadline).days)

    @property
    def cost(self) -> int:
        """How dear the mistake is: a red called green 8, called yellow 4, a false red 2, and so on; 0 for none."""
        colours = self.colours(lenient=True)
        ranks = (colours[0].rank - colours[1].rank) if colours else 0
        cost = 4 * ranks if ranks > 0 else -2 * ranks
        categories = self.categories(lenient=True)
        if categories and categories[0] is not categories[1]:
            cost += 1
        wrong_day = (self.day is None) != (self.line.deadline is None) or (self.days_off() or 0) > DAYS_NEAR
        return cost + wrong_day


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFigures:
    """How well one category is told from the others."""

    n: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured; None where there was nothing to measure it on."""

    n_urgency: int
    red_recall: float | None
    red_precision: float | None
    red_called_green: int
    under_triage: float | None
    """Of those that are red, the share that was called less."""
    over_triage: float | None
    """Of those called red, the share that is less."""
    colour_accuracy: float | None
    confusion: Mapping[str, Mapping[str, int]]
    """By right colour, then by the colour given."""
    n_category: int
    category_accuracy: float | None
    category_macro_f1: float | None
    """The mean F1 of every category that is right or was given somewhere."""
    categories: Mapping[str, CategoryFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineFigures:
    """How well deadlines are read; the alternatives have no part in it."""

    n_deadline: int
    n_no_deadline: int
    deadline_exact_accuracy: float | None
    deadline_day_accuracy: float | None
    false_deadline_rate: float | None


def read_lines(content: str) -> list[Line]:
    """The lines of a file of JSON lines; raises LinesInvalid."""
    lines, wrong = [], []
    for number, raw in enumerate(content.splitlines(), 1):
        if not raw.strip():
            continue
        try:
            lines.append(Line.model_validate_json(raw))
        except ValidationError as refused:
            first = refused.errors()[0]
            wrong.append(f"line {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
    if wrong:
        raise LinesInvalid("\n".join(wrong))
    return lines


def answer(lines: Iterable[Line], rules: Rules, now: datetime) -> list[Answer]:
    """What triage makes of each line; one that does not say when it was filed is read as filed `now`."""
    return [_answer(line, rules, line.filed_at or now) for line in lines]


def _answer(line: Line, rules: Rules, said: datetime) -> Answer:
    given = assess(line.text, line.lang or Language.of(line.text), said, said, None, rules)
    return Answer(line, given, given.deadline.astimezone(rules.zone).date() if given.deadline else None)


def measure(answers: Sequence[Answer], *, lenient: bool) -> Figures:
    """The figures on colours and categories."""
    colours = [right_and_given for each in answers if (right_and_given := each.colours(lenient=lenient))]
    categories = [pair for each in answers if (pair := each.categories(lenient=lenient))]
    counted: Counter[tuple[Colour, Colour]] = Counter(colours)
    red = sum(right is Colour.RED for right, _ in colours)
    called = sum(given is Colour.RED for _, given in colours)
    both = counted[Colour.RED, Colour.RED]
    by_category = {each.value: figures for each in Category if (figures := _of_category(each, categories))}
    scores = [each.f1 for each in by_category.values()]
    return Figures(
        n_urgency=len(colours),
        red_recall=_share(both, red),
        red_precision=_share(both, called),
        red_called_green=counted[Colour.RED, Colour.GREEN],
        under_triage=_share(red - both, red),
        over_triage=_share(called - both, called),
        colour_accuracy=_share(sum(right is given for right, given in colours), len(colours)),
        confusion={right.value: {given.value: counted[right, given] for given in Colour} for right in Colour},
        n_category=len(categories),
        category_accuracy=_share(sum(right is given for right, given in categories), len(categories)),
        category_macro_f1=_share(sum(scores), len(scores)),
        categories=by_category,
    )


def _of_category(category: Category, pairs: Sequence[tuple[Category, Category]]) -> CategoryFigures | None:
    right = sum(each is category for each, _ in pairs)
    given = sum(each is category for _, each in pairs)
    both = sum(one is category and other is category for one, other in pairs)
    if not right and not given:
        return None
    return CategoryFigures(
        n=right, precision=_share(both, given), recall=_share(both, right), f1=2 * both / (right + given)
    )


def measure_deadlines(answers: Sequence[Answer]) -> DeadlineFigures:
    """The figures on deadlines."""
    expected = [each for each in answers if each.line.deadline]
    others = [each for each in answers if not each.line.deadline]
    return DeadlineFigures(
        n_deadline=len(expected),
        n_no_deadline=len(others),
        deadline_exact_accuracy=_share(sum(each.days_off() == 0 for each in expected), len(expected)),
        deadline_day_accuracy=_share(
            sum(off is not None and off <= DAYS_NEAR for each in expected for off in [each.days_off()]), len(expected)
        ),
        false_deadline_rate=_share(sum(each.day is not None for each in others), len(others)),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def worst(answers: Iterable[Answer], most: int) -> list[Answer]:
    """The dearest mistakes, the dearest first."""
    wrong = [each for each in answers if each.cost]
    return sorted(wrong, key=lambda each: -each.cost)[:most]


def mistake(wrong: Answer) -> dict[str, object]:
    """A mistake as data: what was right, what was given, and the rules that gave it with the words they found."""
    line, given = wrong.line, wrong.assessment
    return {
        "id": line.id,
        "cost": wrong.cost,
        "text": line.text,
        "urgency": line.urgency and [line.urgency.value, *(each.value for each in line.urgency_alt)],
        "colour": given.colour.value,
        "category": line.category and [line.category.value, *(each.value for each in line.category_alt)],
        "category_given": given.category.value,
        "deadline": line.deadline and line.deadline.isoformat(),
        "deadline_given": wrong.day and wrong.day.isoformat(),
        "reasons": list(spoken_reasons(given, line.text)),
    }


def spoken_reasons(assessment: Assessment, text: str) -> Iterator[dict[str, object]]:
    """Each reason with its words."""
    for reason in assessment.reasons:
        words = None if reason.start is None else text[reason.start : reason.end]
        yield {"rule": reason.rule, "gives": reason.gives, "start": reason.start, "end": reason.end, "words": words}


def summary(answers: Sequence[Answer], rules: Rules, most_errors: int) -> dict[str, object]:
    """Everything measured, as data: the lenient figures first, the strict ones under `strict`."""
    figures: dict[str, object] = {
        "n": len(answers),
        "policy_version": rules.version,
        **asdict(measure(answers, lenient=True)),
        **asdict(measure_deadlines(answers)),
        "strict": asdict(measure(answers, lenient=False)),
        "worst": [mistake(each) for each in worst(answers, most_errors)],
    }
    return json.loads(json.dumps(figures))  # type: ignore[no-any-return]
