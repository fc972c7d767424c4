"""Each rule finds the history that was gamed, and leaves an honest one alone."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from followup import suspicions
from followup.model import Case, fold
from followup.plan import Plan
from followup.suspicions import Suspicion, SuspicionKind
from followup.tracing import Trace, traces
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, Decider, DisputeReason, Role
from tests.followup.stories import Story, minutes
from tests.support.builders import START

HOSPITAL = "central-hospital"
DUE = minutes(4320)
"""After receipt, for green."""


def trace_all(plan: Plan, *stories: Story) -> list[Trace]:
    """What the histories leave behind."""
    left: list[Trace] = []
    for story in stories:
        case: Case | None = None
        for event in story.events:
            before, case = case, fold(case, event, plan.promises)
            left += traces(before, event, case)
    return left


def found(plan: Plan, *stories: Story) -> list[Suspicion]:
    return suspicions.find(trace_all(plan, *stories), plan.suspicions)


def answered(at: datetime, began: datetime = START, words: str | None = None, **fields: object) -> Story:
    """A green request of the hospital's, answered at a moment."""
    story = Story(at=began).received(**fields).told_received().triaged(category=Category.OTHER).assigned().accepted()
    story.now = at
    fact = r.RequestAnswered(
        task_id=story.task,
        role=Role.LEAD,
        organisation=HOSPITAL,
        text_id=story.id,
        text_hash="t",
        words_hash=words,
    )
    return story.add(fact)


def rated(story: Story, after: float, *, solved: bool = True, device: str | None = None) -> Story:
    return story.add(r.RequestRated(solved=solved, satisfaction=5, device_hash=device), after)


# A rush before the limit


def test_a_rush_just_before_the_limit_is_found_with_its_cases(plan: Plan) -> None:
    rushed = [answered(START + DUE - minutes(n)) for n in (2, 4, 6, 8, 10, 12)]
    (suspicion,) = found(plan, *rushed)
    assert (suspicion.kind, suspicion.organisation) == (SuspicionKind.RUSH, HOSPITAL)
    assert set(suspicion.requests) == {story.id for story in rushed}


def test_answers_spread_over_the_time_are_no_rush(plan: Plan) -> None:
    assert found(plan, *(answered(START + minutes(n * 300)) for n in range(1, 14))) == []


def test_a_few_late_ones_in_a_busy_hour_are_no_rush(plan: Plan) -> None:
    at = START + DUE
    late = [answered(at - minutes(n)) for n in (2, 4, 6, 8, 10)]
    in_good_time = [answered(at - minutes(n), began=START + minutes(1000)) for n in range(1, 11)]
    assert found(plan, *late, *in_good_time) == []


def test_what_is_late_already_is_no_rush(plan: Plan) -> None:
    assert found(plan, *(answered(START + DUE + minutes(n)) for n in range(1, 9))) == []


# The same answer


def test_the_same_answer_pasted_many_times_is_found(plan: Plan) -> None:
    pasted = [answered(START + minutes(100 * n), words="same") for n in range(1, 6)]
    (suspicion,) = found(plan, *pasted, answered(START + minutes(50), words="another"))
    assert (suspicion.kind, len(suspicion.requests)) == (SuspicionKind.SAME_ANSWERS, 5)


def test_different_answers_and_a_few_alike_are_left_alone(plan: Plan) -> None:
    alike = [answered(START + minutes(100 * n), words="same") for n in range(1, 5)]
    assert found(plan, *alike, *(answered(START + minutes(9 * n), words=str(n)) for n in range(1, 9))) == []


def test_a_standard_answer_to_a_question_of_policy_is_left_alone(plan: Plan) -> None:
    stories = []
    for n in range(1, 9):
        story = Story().received().triaged(category=Category.QUARANTINE_POLICY).assigned().accepted(100 * n)
        fact = r.RequestAnswered(
            task_id=story.task,
            role=Role.LEAD,
            organisation=HOSPITAL,
            text_id=story.id,
            text_hash="t",
            words_hash="standard",
        )
        stories.append(story.add(fact))
    assert found(plan, *stories) == []


# Closing and reopening


def reopened(times: int) -> Story:
    story = answered(START + minutes(100))
    for _ in range(times):
        story.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED), 10).assigned().accepted().answered(20)
    return story


def test_a_loop_of_answers_and_disputes_is_found(plan: Plan) -> None:
    story = reopened(2)
    (suspicion,) = found(plan, story)
    assert (suspicion.kind, suspicion.requests) == (SuspicionKind.LOOP, (story.id,))


def test_one_dispute_is_no_loop(plan: Plan) -> None:
    assert found(plan, reopened(1)) == []


# Colours


def recoloured(colour: Colour, after: float, by: Decider = Decider.PERSON) -> Story:
    story = Story().begun(Colour.YELLOW)
    return story.triaged(colour, after=after, revision=2, decided_by=by)


def test_a_colour_lowered_just_before_the_breach_is_found(plan: Plan) -> None:
    for after in (1440 - 60, 1440 - 1, 1440 + 90):
        (suspicion,) = found(plan, recoloured(Colour.GREEN, after))
        assert suspicion.kind is SuspicionKind.LOWERED


@pytest.mark.parametrize(("colour", "after"), [(Colour.GREEN, 300), (Colour.RED, 1430)])
def test_a_colour_lowered_early_or_raised_is_left_alone(plan: Plan, colour: Colour, after: float) -> None:
    assert found(plan, recoloured(colour, after)) == []


# One source


def of_number(number: str, n: int, device: str | None = None, every: float = 60) -> Story:
    return rated(answered(START + minutes(30 + n), contact_hash=number), every * n, device=device)


@pytest.mark.parametrize("same", ["device", "number"])
def test_ratings_from_one_device_or_number_are_found(plan: Plan, same: str) -> None:
    stories = [
        of_number("one" if same == "number" else f"n{n}", n, device="one" if same == "device" else f"d{n}")
        for n in range(1, 6)
    ]
    (suspicion,) = found(plan, *stories)
    assert (suspicion.kind, len(suspicion.requests)) == (SuspicionKind.ONE_SOURCE, 5)


def test_many_residents_each_with_a_phone_are_left_alone(plan: Plan) -> None:
    assert found(plan, *(of_number(f"n{n}", n, device=f"d{n}") for n in range(1, 30))) == []


def test_a_household_over_weeks_is_left_alone(plan: Plan) -> None:
    assert found(plan, *(of_number("one", n, device="one", every=600) for n in range(1, 8))) == []


def test_one_who_rates_one_request_again_and_again_is_left_alone(plan: Plan) -> None:
    story = of_number("one", 1, device="one")
    for _ in range(9):
        rated(story, 1, device="one")
    assert found(plan, story) == []


def test_unhappy_words_from_one_number_are_left_alone(plan: Plan) -> None:
    stories = [rated(answered(START + minutes(30 + n), contact_hash="one"), n, solved=False) for n in range(1, 9)]
    assert found(plan, *stories) == []


def test_the_latest_comes_first(plan: Plan) -> None:
    early, late = recoloured(Colour.GREEN, 1400), reopened(2)
    for story in (late,):
        story.now += timedelta(days=3)
    times = [suspicion.last_at for suspicion in found(plan, early, late)]
    assert len(times) == 2
    assert all(first >= second for first, second in pairwise(times))
