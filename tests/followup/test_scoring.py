"""The rubric: five criteria, 0 to 2 each; what passes, and what follows."""

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup import lookback, scoring
from followup.lookback import Effect, Visit
from followup.model import Case
from followup.plan import Criterion, Plan
from shared.contracts import requests as r
from shared.contracts.lookback import RequestInspected
from shared.contracts.vocabulary import DisputeReason, Finding, Outcome
from shared.ids import new_id
from tests.followup.stories import Story, drawable

points = st.fixed_dictionaries({criterion: st.integers(0, 2) for criterion in Criterion})


def scored(*given_points: int) -> dict[Criterion, int]:
    return dict(zip(Criterion, given_points, strict=True))


def visited(plan: Plan, story: Story) -> tuple[Case, Visit]:
    return lookback.begin_visit(drawable(story.case(plan)), new_id(), "sampled", story.now, plan.call_back)


@pytest.mark.parametrize(
    ("score", "finding"),
    [
        ((2, 2, 2, 2, 2), Finding.NONE),
        ((2, 2, 2, 1, 1), Finding.NONE),
        ((2, 2, 1, 1, 1), Finding.REDO),  # 7 of 10
        ((0, 2, 2, 2, 2), Finding.REDO),  # not what was asked
        ((2, 0, 2, 2, 2), Finding.REDO),  # nothing concrete
        ((2, 2, 2, 2, 0), Finding.SUPERVISION),  # passed, without proof
        ((1, 1, 2, 2, 2), Finding.NONE),
    ],
)
def test_the_finding_follows_by_rule(plan: Plan, score: tuple[int, ...], finding: Finding) -> None:
    assert scoring.finding(scored(*score), plan.look_back) is finding


@given(score=points)
def test_it_passes_with_eight_of_ten_and_no_zero_in_the_first_two(plan: Plan, score: Mapping[Criterion, int]) -> None:
    in_order = [score[criterion] for criterion in Criterion]
    assert scoring.passes(score, plan.look_back) == (sum(in_order) >= 8 and min(in_order[:2]) > 0)


def test_more_points_never_make_it_worse(plan: Plan) -> None:
    for low in product(range(3), repeat=5):
        for at in range(5):
            high = [*low]
            high[at] = 2
            assert scoring.passes(scored(*low), plan.look_back) <= scoring.passes(scored(*high), plan.look_back)


def test_a_failed_answer_is_disputed(plan: Plan) -> None:
    case, visit = visited(plan, Story().begun().answered(5))
    after, ruling = scoring.inspect(case, visit, scored(0, 0, 1, 1, 1), plan.look_back)
    inspected, disputed = ruling.facts
    assert isinstance(inspected, RequestInspected)
    assert (inspected.passed, inspected.finding, inspected.organisation) == (False, Finding.REDO, "central-hospital")
    assert disputed == r.RequestDisputed(reason=DisputeReason.LOOK_BACK)
    assert (after.score, after.revision, ruling.effect) == ((0, 0, 1, 1, 1), 2, Effect.DISPUTED)


@pytest.mark.parametrize("outcome", [Outcome.CONFIRMED, Outcome.UNREACHED])
def test_a_closed_request_is_reopened_by_a_failed_score(plan: Plan, outcome: Outcome) -> None:
    story = Story().begun().answered(5)
    _, visit = visited(plan, story)
    closed = story.add(r.RequestClosed(outcome=outcome), 60).case(plan)
    _, ruling = scoring.inspect(closed, visit, scored(0, 0, 0, 0, 0), plan.look_back)
    assert ruling.effect is Effect.DISPUTED


def test_an_answer_that_was_disputed_meanwhile_is_scored_and_nothing_more(plan: Plan) -> None:
    story = Story().begun().answered(5)
    _, visit = visited(plan, story)
    story.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)).assigned().accepted().answered(30)
    _, ruling = scoring.inspect(story.case(plan), visit, scored(0, 0, 0, 0, 0), plan.look_back)
    assert [type(fact) for fact in ruling.facts] == [RequestInspected]
    assert ruling.effect is Effect.NONE


def test_a_score_is_given_once(plan: Plan) -> None:
    case, visit = visited(plan, Story().begun().answered(5))
    visit, _ = scoring.inspect(case, visit, scored(2, 2, 2, 2, 2), plan.look_back)
    with pytest.raises(scoring.AlreadyScored):
        scoring.inspect(case, visit, scored(2, 2, 2, 2, 2), plan.look_back)
