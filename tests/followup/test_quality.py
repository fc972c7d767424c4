"""Quality and coverage: by stratum with Wilson's interval; over all weighted by size, since the sample is uneven."""

import random
from collections import Counter
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup import quality
from followup.model import Stratum
from followup.quality import Tally
from shared.rates import wilson

RED = Stratum("medical", "red", "central-hospital", certain=True)
GREEN = Stratum("other", "green", "central-hospital", certain=False)


def test_the_mean_is_weighted_by_size_and_an_unweighted_one_would_lie() -> None:
    strata = {
        RED: Tally(opened=100, sampled=100, reached=90, scored=100, passed=50),
        GREEN: Tally(opened=900, sampled=100, reached=80, scored=100, passed=90),
    }
    shown = quality.figures(strata)
    assert shown.quality.value == pytest.approx(0.1 * 0.5 + 0.9 * 0.9)  # and not 140 of 200
    assert shown.quality.low is not None
    assert shown.quality.high is not None
    assert shown.quality.low < 0.86 < shown.quality.high
    assert shown.quality.effective == pytest.approx(1 / (0.01 / 100 + 0.81 / 100))
    assert (shown.coverage.n, shown.coverage.of) == (170, 200)


def test_each_stratum_has_its_wilson_interval() -> None:
    (only,) = quality.figures({RED: Tally(opened=40, sampled=40, reached=39, scored=37, passed=30)}).strata
    assert (only.quality.low, only.quality.high) == wilson(30, 37)
    assert (only.coverage.low, only.coverage.high) == wilson(39, 40)
    assert (only.category, only.colour, only.organisation, only.certain) == RED


def test_one_stratum_alone_is_its_own_mean() -> None:
    shown = quality.figures({RED: Tally(opened=40, sampled=40, scored=37, passed=30)})
    assert shown.quality.value == shown.strata[0].quality.value
    assert shown.quality.low == pytest.approx(shown.strata[0].quality.low)


def test_nothing_scored_is_null_and_what_nobody_scored_is_said() -> None:
    nothing = quality.figures({})
    assert (nothing.quality.value, nothing.coverage.value, nothing.strata) == (None, None, ())
    partly = quality.figures({RED: Tally(opened=5, scored=5, passed=5), GREEN: Tally(opened=70, sampled=9)})
    assert (partly.quality.value, partly.quality.unseen, partly.strata[1].quality.value) == (1, 70, None)
    assert partly.quality.high == 1


def test_unreached_is_counted_apart_and_never_reached() -> None:
    shown = quality.figures({RED: Tally(opened=10, sampled=10, reached=6, unreached=4)})
    assert (shown.coverage.value, shown.tally["unreached"]) == (0.6, 4)


tallies = st.integers(1, 500).flatmap(
    lambda opened: st.integers(0, opened).flatmap(
        lambda scored: st.integers(0, scored).map(
            lambda passed: Tally(opened=opened, sampled=scored, scored=scored, passed=passed)
        )
    )
)


@given(st.lists(tallies, max_size=6))
def test_the_mean_lies_between_its_strata_and_in_its_interval(rows: list[Tally]) -> None:
    shown = quality.weighted(rows)
    rates = [t.passed / t.scored for t in rows if t.scored]
    if not rates:
        assert shown.value is None
        return
    assert shown.value is not None
    assert shown.low is not None
    assert shown.high is not None
    assert min(rates) - 1e-9 <= shown.value <= max(rates) + 1e-9
    assert -1e-9 <= shown.low <= shown.value + 1e-9
    assert shown.value - 1e-9 <= shown.high <= 1 + 1e-9


def test_over_many_draws_the_mean_is_the_truth_and_the_interval_holds_it() -> None:
    chance = random.Random(20260302)
    sizes, shares, truths = (60, 900, 300), (1.0, 0.2, 0.5), (0.5, 0.92, 0.75)
    truth = sum(n * p for n, p in zip(sizes, truths, strict=True)) / sum(sizes)
    values, held = [], Counter[bool]()
    for _ in range(600):
        rows = []
        for size, share, p in zip(sizes, shares, truths, strict=True):
            scored = round(size * share)
            rows.append(Tally(opened=size, scored=scored, passed=sum(chance.random() < p for _ in range(scored))))
        shown = quality.weighted(rows)
        assert shown.value is not None
        assert shown.low is not None
        assert shown.high is not None
        values.append(shown.value)
        held[shown.low <= truth <= shown.high] += 1
    assert mean(values) == pytest.approx(truth, abs=0.003)
    assert held[True] / 600 > 0.92  # of 95 %, less 3 standard deviations of this trial
