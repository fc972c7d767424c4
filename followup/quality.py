"""Quality and coverage of look-back, by stratum and over all. Pure.

The sample is not even: every red answer is drawn, of green ones a fifth. So over all strata quality is the mean of the
strata's rates, each weighted by how many answers came up in it; an unweighted rate would lie. Its interval is Wilson's,
at the number of answers that an even sample of the same accuracy would have had (Kish's effective size).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import NamedTuple

from followup.model import Case, Stratum
from shared.rates import Rate, rate, wilson


class Tally(NamedTuple):
    """What the look-backs of a set of answers came to."""

    opened: int = 0
    """Answers that came up for look-back: the size of the stratum."""
    sampled: int = 0
    reached: int = 0
    """Of the sampled, those whose resident was heard."""
    unreached: int = 0
    """Three tries over two media, and nobody heard: never satisfied, and counted apart."""
    scored: int = 0
    passed: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """The sum."""
        return Tally._make(map(add, self, other))


class Cell(NamedTuple):
    """One sum: a day of receipt (UTC) and a stratum."""

    day: date
    category: str
    colour: str
    organisation: str
    certain: bool


def cell(case: Case, stratum: Stratum) -> Cell:
    """Where the look-back of a case's answer counts."""
    return Cell(case.life.received_at.date(), *stratum)


@dataclass(frozen=True, slots=True)
class Weighted(Rate):
    """A mean of strata, weighted by their size; `effective` is the even sample's size of the same accuracy."""

    effective: float | None
    unseen: int
    """Answers in strata of which none was scored: they stand for nothing in the mean."""


@dataclass(frozen=True, slots=True)
class StratumFigures:
    """The look-back of one stratum."""

    category: str | None
    colour: str | None
    organisation: str | None
    certain: bool
    tally: dict[str, int]
    coverage: Rate
    quality: Rate


@dataclass(frozen=True, slots=True)
class LookBackFigures:
    """The look-back of all answers, and of each stratum."""

    tally: dict[str, int]
    """Counts, as Tally describes them."""
    coverage: Rate
    quality: Weighted
    strata: tuple[StratumFigures, ...]


def weighted(tallies: Iterable[Tally]) -> Weighted:
    """Passed ÷ scored over all strata, each weighted by its size."""
    rows = [t for t in tallies if t.opened]
    seen = [t for t in rows if t.scored]
    unseen = sum(t.opened for t in rows if not t.scored)
    n, of = sum(t.passed for t in seen), sum(t.scored for t in seen)
    if not seen:
        return Weighted(None, n, of, None, None, None, unseen)
    size = sum(t.opened for t in seen)
    value = sum(t.opened / size * t.passed / t.scored for t in seen)
    effective = 1 / sum((t.opened / size) ** 2 / t.scored for t in seen)
    hits = effective if n == of else value * effective
    return Weighted(value, n, of, *wilson(hits, effective), effective, unseen)


def figures(strata: Mapping[Stratum, Tally]) -> LookBackFigures:
    """The figures of these strata."""
    total = Tally()
    for tally in strata.values():
        total = total.plus(tally)
    return LookBackFigures(
        tally=total._asdict(),
        coverage=rate(total.reached, total.sampled),
        quality=weighted(strata.values()),
        strata=tuple(
            StratumFigures(
                category=stratum.category or None,
                colour=stratum.colour or None,
                organisation=stratum.organisation or None,
                certain=stratum.certain,
                tally=tally._asdict(),
                coverage=rate(tally.reached, tally.sampled),
                quality=rate(tally.passed, tally.scored),
            )
            for stratum, tally in sorted(strata.items())
        ),
    )
