"""Sketches of durations: within their error of the truth, however they are put together and taken apart."""

from collections import Counter
from datetime import timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.plan import Plan
from followup.stages import ERROR, bucket_of, by_stage, seconds_of, spent, times
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, Decider, DisputeReason, RejectionReason
from tests.followup.stories import Story, minutes

SECONDS = st.lists(st.floats(1, 90 * 24 * 3600), min_size=1, max_size=200)


def sketch(seconds: list[float]) -> Counter[int]:
    return Counter(bucket_of(timedelta(seconds=one)) for one in seconds)


def exact(seconds: list[float], percent: int) -> float:
    """The smallest value that so many per cent do not exceed."""
    return sorted(seconds)[ceil(percent * len(seconds) / 100) - 1]


@given(SECONDS)
def test_a_quantile_is_within_the_stated_error(seconds: list[float]) -> None:
    found = times(sketch(seconds))
    assert found.n == len(seconds)
    for percent, shown in ((50, found.p50_seconds), (90, found.p90_seconds), (99, found.p99_seconds)):
        assert shown == pytest.approx(exact(seconds, percent), rel=ERROR + 1e-3)
    assert found.max_seconds == pytest.approx(max(seconds), rel=ERROR + 1e-3)


@given(SECONDS, SECONDS)
def test_sketches_add_up_and_come_apart_again(one: list[float], two: list[float]) -> None:
    whole = sketch([*one, *two])
    assert times(sketch(one) + sketch(two)) == times(whole)
    assert times(whole - sketch(two)) == times(sketch(one))


@pytest.mark.parametrize("seconds", [0, 0.2, 1])
def test_up_to_a_second_is_a_second(seconds: float) -> None:
    assert seconds_of(bucket_of(timedelta(seconds=seconds))) == 1


def test_an_empty_sketch_is_null() -> None:
    assert times({}).p50_seconds is times({}).max_seconds is None


def test_before_triage_it_is_untriaged_and_all_is_the_sum() -> None:
    found = by_stage({("", "acknowledged"): {0: 1}, ("red", "acknowledged"): {0: 2}})["acknowledged"]
    assert {name: shown.n for name, shown in found.items()} == {"all": 3, "untriaged": 1, "red": 2}


# What is measured between


def took(plan: Plan, story: Story) -> dict[str, int]:
    """The minutes of each stage, from its bucket."""
    return {one.stage: round(seconds_of(one.bucket) / 60) for one in spent(story.case(plan))}


def test_each_stage_by_hand(plan: Plan) -> None:
    story = Story()
    story.received(filed_at=story.now - minutes(30)).told_received(1).triaged(Colour.RED, 1, unsure=True)
    story.triaged(Colour.RED, 3, decided_by=Decider.PERSON).assigned(after=5).recalled(10).assigned("town-office", 5)
    story.accepted(2).contacted(3).answered(10, fulfil_by=story.now + minutes(90)).fulfilled(20)
    assert took(plan, story) == {
        "offline": 30, "acknowledged": 1, "triaged": 2, "triage_confirmed": 5, "assigned": 10, "accepted": 2,
        "contacted": 20, "answered": 40, "fulfilled": 60,
    }  # fmt: skip


def test_a_disputed_answer_takes_no_time(plan: Plan) -> None:
    story = Story().begun().answered(10).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED), 5)
    assert "answered" not in took(plan, story)
    assert took(plan, story.assigned().accepted().answered(5))["answered"] == 20


def test_what_was_rejected_is_measured_nowhere(plan: Plan) -> None:
    rejected = r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON)
    assert took(plan, Story().received().triaged(Colour.RED, 5).add(rejected)) == {}
