"""Figures by hand-computed examples: what counts, when it is due, and how sure a rate is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup import figures
from followup.figures import Counts, Figures, contribution
from followup.plan import Plan
from followup.recount import recount
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    AttemptOutcome,
    Colour,
    Decider,
    DisputeReason,
    Language,
    Medium,
    Outcome,
    RejectionReason,
    WithdrawalReason,
)
from shared.ids import new_id
from shared.rates import Z, rate, wilson
from tests.followup.stories import Story, minutes

WITHDRAWN = r.RequestWithdrawn(reason=WithdrawalReason.SOLVED_OTHERWISE)
DISPUTED = r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)


def counted(plan: Plan, story: Story, after: float = 0) -> Counts:
    """The contribution `after` minutes from receipt; the recount must say the same."""
    now = story.began + minutes(after)
    counts = contribution(story.case(plan), now)
    assert recount(story.events, now, plan.promises) == figures.figures(counts)
    return counts


def shown(**counts: int) -> Figures:
    return figures.figures(Counts(**counts))


# Rates


def test_333_of_333_is_98_9_to_100_percent() -> None:
    found = rate(333, 333)
    assert (found.value, found.n, found.of, found.high) == (1.0, 333, 333, 1.0)
    assert found.low is not None
    assert round(found.low * 100, 1) == 98.9


OF_SCIPY = [
    (0, 1, 0.0, 0.7934506856227626),
    (1, 1, 0.20654931437723745, 1.0),
    (0, 20, 0.0, 0.16112515805281935),
    (1, 29, 0.006113214292762667, 0.17175521879320282),
    (15, 148, 0.06238639953073629, 0.16048724172330803),
    (81, 263, 0.2552885198782742, 0.36620957698280004),
    (333, 333, 0.9885956472396737, 1.0),
    (332, 333, 0.9831884364469465, 0.9994696993978942),
    (5000, 9999, 0.4902515579156228, 0.5098484136778605),
    (999_999, 1_000_000, 0.9999943350881957, 0.9999998234754233),
]
"""What scipy 1.17.1 says: `binomtest(n, of).proportion_ci(0.95, "wilson")`."""


@pytest.mark.parametrize(("n", "of", "low", "high"), OF_SCIPY)
def test_wilson_as_a_statistics_library_computes_it(n: int, of: int, low: float, high: float) -> None:
    assert wilson(n, of) == pytest.approx((low, high), rel=1e-12)


def beyond(limit: Fraction, n: int, of: int) -> bool:
    """Whether a true share of `limit` would be refused by the score test of n out of `of`, in exact fractions."""
    return (Fraction(n, of) - limit) ** 2 > Fraction(Z) ** 2 * limit * (1 - limit) / of


@given(st.integers(1, 100_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_ends_where_the_score_test_begins_to_refuse(pair: tuple[int, int]) -> None:
    n, of = pair
    low, high = wilson(n, of)
    aside = Fraction(1, 10**9)
    for limit, outwards in ((Fraction(low), -aside), (Fraction(high), aside)):
        if 0 < limit < 1:
            assert beyond(limit + outwards, n, of)
            assert not beyond(limit - outwards, n, of)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_its_rate(pair: tuple[int, int]) -> None:
    n, of = pair
    low, high = wilson(n, of)
    assert 0 <= low <= n / of <= high <= 1


def test_an_empty_denominator_is_null() -> None:
    empty = figures.figures(figures.NOTHING)
    for part in (empty.admitted, empty.effective_answer, empty.on_time, empty.response, empty.solved):
        assert (part.value, part.n, part.of, part.low, part.high) == (None, 0, 0, None, None)
    assert empty.satisfaction.value is empty.solved.gap is empty.solved.claimed.value is None
    assert empty.satisfaction.distribution == {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}


# What a request contributes


@pytest.mark.parametrize(
    ("reason", "valid"),
    [
        (RejectionReason.TEST, 0),
        (RejectionReason.ABUSE, 0),
        (RejectionReason.NOT_A_REQUEST, 0),
        (RejectionReason.OUT_OF_AREA, 1),
    ],
)
def test_a_rejected_request_is_not_admitted_and_valid_only_where_it_was_one(
    plan: Plan, reason: RejectionReason, valid: int
) -> None:
    story = Story().received().add(r.RequestRejected(reason=reason, decided_by=Decider.PERSON))
    assert counted(plan, story, 9999) == Counts(received=1, valid=valid, rejected=1)


@pytest.mark.parametrize(("colour", "limit"), [(Colour.RED, 120), (Colour.YELLOW, 1440), (Colour.GREEN, 4320)])
def test_an_unanswered_request_is_due_once_its_promise_ran_out(plan: Plan, colour: Colour, limit: int) -> None:
    for story in (Story().begun(colour), Story().received().triaged(colour)):  # promised, and by the table
        assert counted(plan, story, limit - 1).due == 0
        counts = counted(plan, story, limit)
        assert (counts.due, counts.effective, counts.on_time) == (1, 0, 0)


def test_a_missed_fulfilment_counts_as_unanswered_and_stays_due(plan: Plan) -> None:
    """Even before the time for the answer is up: else what was missed would drop out of the rates."""
    story = Story().begun(Colour.GREEN)
    story.answered(5, fulfil_by=story.now + minutes(30))
    story.add(r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED), 60)
    counts = counted(plan, story, 120)
    assert (counts.due, counts.answered, counts.effective, counts.missed) == (1, 0, 0, 1)
    found = figures.figures(counts)
    assert (found.disputed.n, found.disputed.of, found.missed.n, found.missed.of) == (1, 1, 1, 1)


def test_before_triage_it_is_due_as_red(plan: Plan) -> None:
    assert counted(plan, Story().received(), 119).due == 0
    assert counted(plan, Story().received(), 120).due == 1


@pytest.mark.parametrize(("deadline", "due_after"), [(600, 600), (-60, 4320), (9999, 4320)])
def test_a_deadline_ahead_makes_it_due_earlier_and_a_past_one_does_not(
    plan: Plan, deadline: int, due_after: int
) -> None:
    story = Story().received()
    story.triaged(Colour.GREEN, deadline=story.began + minutes(deadline))
    assert [counted(plan, story, due_after - 1).due, counted(plan, story, due_after).due] == [0, 1]


@pytest.mark.parametrize(("again", "due_after"), [(100, 100), (9999, 200)])
def test_the_earliest_promise_holds(plan: Plan, again: int, due_after: int) -> None:
    story = Story().received().triaged(Colour.GREEN)
    story.assigned(answer_by=story.began + minutes(200)).recalled(1)
    story.assigned("town-office", answer_by=story.began + minutes(again))
    assert [counted(plan, story, due_after - 1).due, counted(plan, story, due_after).due] == [0, 1]


@pytest.mark.parametrize(("answered_at", "on_time"), [(99, 1), (101, 0)])
def test_an_extension_never_flatters_the_on_time_rate(plan: Plan, answered_at: int, on_time: int) -> None:
    story = Story().received().triaged(Colour.GREEN)
    story.assigned(answer_by=story.began + minutes(100)).accepted().extended(900)
    counts = counted(plan, story.answered(answered_at), answered_at)
    assert (counts.due, counts.answered, counts.on_time) == (1, 1, on_time)
    assert counted(plan, story, 9999).on_time == on_time


@pytest.mark.parametrize(("after", "on_time"), [(120, 1), (121, 0)])
def test_an_answer_makes_it_due_at_once_and_is_on_time_or_not(plan: Plan, after: int, on_time: int) -> None:
    counts = counted(plan, Story().begun(Colour.RED).answered(after), after)
    assert (counts.due, counts.answered, counts.effective, counts.on_time) == (1, 1, 1, on_time)


def test_a_disputed_answer_is_not_effective_and_the_next_one_is_on_time_by_the_same_clock(plan: Plan) -> None:
    story = Story().begun(Colour.RED).answered(10).add(DISPUTED, 100)
    counts = counted(plan, story, 110)
    assert (counts.due, counts.answered, counts.effective, counts.on_time, counts.reopened) == (1, 1, 0, 0, 1)
    counts = counted(plan, story.assigned().accepted().answered(30), 140)
    assert (counts.effective, counts.on_time) == (1, 0)  # 140 minutes after receipt


@pytest.mark.parametrize(("after", "due"), [(119, 0), (121, 1)])
@pytest.mark.parametrize("ending", [WITHDRAWN, r.RequestMerged(into=new_id())])
def test_what_ended_before_it_was_due_never_is(plan: Plan, ending: r.RequestFact, after: int, due: int) -> None:
    story = Story().begun(Colour.RED).add(ending, after)
    counts = counted(plan, story, 9999)
    assert (counts.admitted, counts.open, counts.due, counts.effective) == (1, 0, due, 0)
    assert counts.withdrawn + counts.merged == 1


def test_a_withdrawal_after_the_answer_leaves_it_effective(plan: Plan) -> None:
    counts = counted(plan, Story().begun().answered(10).add(WITHDRAWN, 5), 20)
    assert (counts.due, counts.effective, counts.on_time, counts.withdrawn) == (1, 1, 1, 1)


@pytest.mark.parametrize(("after", "responded"), [(15, 1), (16, 0)])
def test_response_is_the_first_human_contact(plan: Plan, after: int, responded: int) -> None:
    story = Story().begun(Colour.RED)
    assert counted(plan, story, 14).contact_due == 0
    assert counted(plan, story, 15).contact_due == 1
    counts = counted(plan, story.contacted(after).contacted(1), 20)
    assert (counts.contact_due, counts.responded) == (1, responded)


def test_an_answer_over_any_channel_counts_as_contact(plan: Plan) -> None:
    counts = counted(plan, Story().begun(Colour.RED).answered(5).contacted(600), 700)
    assert (counts.contact_due, counts.responded) == (1, 1)


def test_not_assigned_owes_no_contact(plan: Plan) -> None:
    assert counted(plan, Story().received().triaged(Colour.RED), 9999).contact_due == 0


def test_the_last_word_counts_and_a_late_one_does_not(plan: Plan) -> None:
    story = Story().begun().answered(10).add(r.RequestRated(solved=False, satisfaction=1)).add(DISPUTED)
    assert counted(plan, story, 10)[-7:] == (1, 0, 1, 0, 0, 0, 0)
    story.assigned().accepted().answered(10)
    story.add(
        r.ResidentVisited(
            visit_id=new_id(),
            attempt=1,
            medium=Medium.PHONE,
            outcome=AttemptOutcome.REACHED,
            solved=True,
            satisfaction=4,
        )
    )
    story.add(r.RequestClosed(outcome=Outcome.CONFIRMED))
    story.add(r.RequestRated(solved=False, satisfaction=1, counts=False))
    assert counted(plan, story, 20)[-7:] == (1, 1, 0, 0, 0, 1, 0)


def test_unreached_is_never_satisfied(plan: Plan) -> None:
    counts = counted(plan, Story().begun().answered(10).add(r.RequestClosed(outcome=Outcome.UNREACHED)), 99)
    assert (counts.unreached, counts.reached, counts.solved, sum(counts[-5:])) == (1, 0, 0, 0)


def test_archiving_changes_no_figure(plan: Plan) -> None:
    story = (
        Story().begun().answered(10).add(r.RequestRated(solved=True)).add(r.RequestClosed(outcome=Outcome.CONFIRMED))
    )
    before = counted(plan, story, 9999)
    assert counted(plan, story.add(r.RequestArchived(), 9000), 99_999) == before
    assert before.confirmed == before.closed == 1


# Figures of many


def test_the_gap_between_the_handlers_claim_and_the_residents_word() -> None:
    found = shown(due=10, answered=9, reached=4, solved=3)
    assert (found.solved.claimed.value, found.solved.value) == (0.9, 0.75)
    assert found.solved.gap == pytest.approx(0.15)


def test_satisfied_is_four_or_five_of_those_who_gave_a_mark() -> None:
    found = shown(reached=9, mark_1=1, mark_3=1, mark_4=2, mark_5=4).satisfaction
    assert (found.n, found.of, found.value) == (6, 8, 0.75)
    assert found.distribution == {"1": 1, "2": 0, "3": 1, "4": 2, "5": 4}


# The sentence


def test_the_models_sentence() -> None:
    found = shown(received=333, valid=333, admitted=333, due=333, answered=333, effective=333)
    assert figures.sentence(found, Language.ZH) == "自开通以来，共接收求助333件，受理率100%，有效反馈率100%。"
    assert figures.sentence(found, Language.EN) == (
        "Since opening, received 333 requests, admitted 100 %, effectively answered 100 %."
    )


def test_a_hundred_percent_is_never_rounded_up_to() -> None:
    found = shown(received=9999, valid=9999, admitted=9998, due=200, effective=199)
    assert figures.sentence(found, Language.EN) == (
        "Since opening, received 9999 requests, admitted 99.9 %, effectively answered 99.5 %."
    )


def test_before_anything_is_due_the_sentence_says_so() -> None:
    found = shown(received=1, valid=1, admitted=1)
    assert figures.sentence(found, Language.EN).endswith(
        "received 1 request, admitted 100 %, effectively answered none due yet."
    )
    assert figures.sentence(found, Language.ZH).endswith("有效反馈率暂无。")
