"""The resident's word and the call-backs: what counts, what it leads to, and when time decides."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from followup import lookback
from followup.lookback import Attempt, Effect, VisitState
from followup.model import Case
from followup.plan import Plan
from shared.contracts import requests as r
from shared.contracts.lookback import RatingReminded
from shared.contracts.vocabulary import AttemptOutcome, Colour, DisputeReason, Medium, Outcome
from shared.ids import new_id
from shared.problems import InvalidInput
from tests.followup.stories import Story, drawable, minutes

WINDOW = timedelta(days=14)
SECOND = timedelta(seconds=1)
SOLVED, UNSOLVED = r.RequestRated(solved=True, satisfaction=5), r.RequestRated(solved=False)
FAILED = Attempt(outcome=AttemptOutcome.NO_ANSWER)
REACHED = Attempt(outcome=AttemptOutcome.REACHED, solved=True)


def kept(rated: r.RequestRated) -> r.RequestRated:
    """As it is stated where it changes nothing."""
    return rated.model_copy(update={"counts": False})


def visited(plan: Plan, story: Story) -> tuple[Case, lookback.Visit]:
    return lookback.begin_visit(drawable(story.case(plan)), new_id(), "colour", story.now, plan.call_back)


# Rating


def test_solved_closes_and_not_solved_disputes(plan: Plan) -> None:
    story = Story().begun().answered(5)
    ruling = lookback.rate(story.case(plan), SOLVED, story.now, plan)
    assert ruling.facts == (SOLVED, r.RequestClosed(outcome=Outcome.CONFIRMED))
    ruling = lookback.rate(story.case(plan), UNSOLVED, story.now, plan)
    assert ruling.facts == (UNSOLVED, r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))


def test_before_an_answer_there_is_nothing_to_rate(plan: Plan) -> None:
    story = Story().begun()
    with pytest.raises(lookback.NotAnsweredYet):
        lookback.rate(story.case(plan), SOLVED, story.now, plan)


def test_before_the_fulfilment_the_resident_is_told_when(plan: Plan) -> None:
    story = Story().begun()
    by = story.now + minutes(600)
    with pytest.raises(lookback.NotFulfilledYet) as refused:
        lookback.rate(story.answered(5, fulfil_by=by).case(plan), SOLVED, story.now, plan)
    assert refused.value.members["fulfil_by"] == by.isoformat()


def test_the_window_runs_from_the_fulfilment(plan: Plan) -> None:
    story = Story().begun()
    story.answered(5, fulfil_by=story.now + minutes(600)).fulfilled(500)
    assert lookback.window_ends(story.case(plan), plan) == story.now + WINDOW


@pytest.mark.parametrize(("late", "counts"), [(timedelta(0), True), (SECOND, False)])
def test_the_window_is_fourteen_days(plan: Plan, late: timedelta, counts: bool) -> None:
    story = Story().begun().answered(5)
    ruling = lookback.rate(story.case(plan), UNSOLVED, story.now + WINDOW + late, plan)
    assert (ruling.effect is Effect.DISPUTED) is counts
    assert ruling.facts[0] == (UNSOLVED if counts else kept(UNSOLVED))


def test_a_second_word_counts_in_place_of_the_first(plan: Plan) -> None:
    story = Story().begun().answered(5)
    first = lookback.rate(story.case(plan), SOLVED, story.now, plan)
    for case in (first.case, story.add(SOLVED).add(first.facts[1]).case(plan)):  # not read back yet, and read back
        again = lookback.rate(case, UNSOLVED, story.now, plan)
        assert again.facts == (UNSOLVED, r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
        better = r.RequestRated(solved=True, satisfaction=3)
        assert lookback.rate(case, better, story.now, plan).facts == (better,)


def test_once_disputed_a_second_word_is_kept_and_changes_nothing(plan: Plan) -> None:
    story = Story().begun().answered(5)
    first = lookback.rate(story.case(plan), UNSOLVED, story.now, plan)
    for case in (first.case, story.add(UNSOLVED).add(first.facts[1]).case(plan)):
        again = lookback.rate(case, SOLVED, story.now, plan)
        assert again.facts == (kept(SOLVED),)
        assert again.effect is Effect.NONE


def test_a_word_after_a_missed_fulfilment_is_kept(plan: Plan) -> None:
    story = Story().begun()
    story.answered(5, fulfil_by=story.now + minutes(600))
    story.add(r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED), 700)
    assert lookback.rate(story.case(plan), SOLVED, story.now, plan).facts == (kept(SOLVED),)


@pytest.mark.parametrize("outcome", [Outcome.UNREACHED, Outcome.CONFIRMED])
def test_a_request_closed_by_call_back_can_still_be_disputed_by_the_resident(plan: Plan, outcome: Outcome) -> None:
    story = Story().begun().answered(5).add(r.RequestClosed(outcome=outcome), 60)
    assert lookback.rate(story.case(plan), UNSOLVED, story.now, plan).effect is Effect.DISPUTED
    assert lookback.rate(story.case(plan), SOLVED, story.now, plan).facts == (SOLVED,)


def test_a_word_while_it_is_worked_on_again_is_kept(plan: Plan) -> None:
    story = Story().begun().answered(5).add(r.RequestDisputed(reason=DisputeReason.LOOK_BACK)).assigned()
    assert lookback.rate(story.case(plan), SOLVED, story.now, plan).facts == (kept(SOLVED),)


def test_after_a_dispute_the_new_answer_can_be_rated(plan: Plan) -> None:
    story = Story().begun().answered(5).add(UNSOLVED).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    story.assigned().accepted().answered(30)
    assert lookback.rate(story.case(plan), SOLVED, story.now, plan).effect is Effect.CLOSED


# Call-backs


def test_three_failed_tries_over_two_media_close_as_unreached(plan: Plan) -> None:
    story = Story().begun(Colour.RED).answered(5)
    case, visit = visited(plan, story)
    due: list[datetime] = []
    ruling = lookback.Ruling(case)
    for _ in range(3):
        due.append(visit.due_at)
        visit, ruling = lookback.attempt(ruling.case, visit, FAILED, visit.due_at, plan.call_back)
    assert [at - story.now for at in due] == [minutes(0), minutes(120), minutes(120 + 1440)]
    assert visit.media == (Medium.PHONE, Medium.PHONE, Medium.HOME)
    assert visit.state is VisitState.DONE
    assert ruling.facts[-1] == r.RequestClosed(outcome=Outcome.UNREACHED)


@pytest.mark.parametrize(
    ("outcome", "waits"),
    [
        (AttemptOutcome.NO_ANSWER, (120, 1440)),
        (AttemptOutcome.BUSY, (30, 1440)),
        (AttemptOutcome.SWITCHED_OFF, (240, 1440)),
        (AttemptOutcome.WRONG_NUMBER, (0, 1440)),
        (AttemptOutcome.REFUSED, (1440, 1440)),
        (AttemptOutcome.CALL_LATER, (120, 1440)),
    ],
)
def test_each_outcome_has_its_own_delay(plan: Plan, outcome: AttemptOutcome, waits: tuple[int, int]) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    for wait in waits:
        now = visit.due_at + minutes(3)
        visit, ruling = lookback.attempt(case, visit, Attempt(outcome=outcome), now, plan.call_back)
        assert visit.due_at == now + minutes(wait) == ruling.case.visit_due_at
        case = ruling.case


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_reached_ends_it_by_the_residents_word_at_any_try(plan: Plan, attempt: int) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    for _ in range(attempt - 1):
        visit, ruling = lookback.attempt(case, visit, FAILED, visit.due_at, plan.call_back)
        case = ruling.case
    early = visit.due_at - minutes(1)  # the resident rang back
    done, ruling = lookback.attempt(case, visit, REACHED, early, plan.call_back)
    assert (done.state, ruling.facts[-1]) == (VisitState.DONE, r.RequestClosed(outcome=Outcome.CONFIRMED))
    unsolved = Attempt(outcome=AttemptOutcome.REACHED, solved=False, satisfaction=1)
    _, ruling = lookback.attempt(case, visit, unsolved, early, plan.call_back)
    assert ruling.facts[-1] == r.RequestDisputed(reason=DisputeReason.LOOK_BACK)


def test_tries_cannot_be_used_up_at_once(plan: Plan) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    visit, ruling = lookback.attempt(case, visit, FAILED, visit.due_at, plan.call_back)
    with pytest.raises(lookback.NotDueYet):
        lookback.attempt(ruling.case, visit, FAILED, visit.due_at - SECOND, plan.call_back)


def test_nobody_is_unreached_over_one_medium_alone(plan: Plan) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    phoned = Attempt(outcome=AttemptOutcome.BUSY, medium=Medium.PHONE)
    for _ in range(2):
        visit, ruling = lookback.attempt(case, visit, phoned, visit.due_at, plan.call_back)
        case = ruling.case
    with pytest.raises(lookback.AnotherMediumNeeded):
        lookback.attempt(case, visit, phoned, visit.due_at, plan.call_back)


@pytest.mark.parametrize(
    "made",
    [
        Attempt(outcome=AttemptOutcome.REACHED),
        Attempt(outcome=AttemptOutcome.BUSY, solved=True),
        Attempt(outcome=AttemptOutcome.REFUSED, satisfaction=5),
    ],
)
def test_a_word_and_being_reached_go_together(plan: Plan, made: Attempt) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    with pytest.raises(InvalidInput):
        lookback.attempt(case, visit, made, visit.due_at, plan.call_back)


def test_a_call_back_is_over_once_the_request_went_on(plan: Plan) -> None:
    case, visit = visited(plan, Story().begun(Colour.RED).answered(5))
    rated = lookback.rate(case, SOLVED, visit.due_at, plan).case
    with pytest.raises(lookback.VisitOver):
        lookback.attempt(rated, visit, REACHED, visit.due_at, plan.call_back)


# What time decides


def test_a_promise_not_kept_is_disputed_after_the_grace(plan: Plan) -> None:
    story = Story().begun()
    by = story.now + minutes(600)
    case = story.answered(5, fulfil_by=by).case(plan)
    assert lookback.moments(case, plan) == [by + minutes(15)]
    assert lookback.expire(case, by + minutes(15) - SECOND, plan).facts == ()
    ruling = lookback.expire(case, by + minutes(15), plan)
    assert ruling.facts == (r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED),)
    assert lookback.expire(ruling.case, by + minutes(99), plan).facts == ()


def test_who_did_not_rate_is_reminded_once(plan: Plan) -> None:
    story = Story().begun().answered(5)
    case, at = story.case(plan), story.now + timedelta(days=3)
    assert lookback.moments(case, plan)[0] == at
    assert lookback.expire(case, at - SECOND, plan).facts == ()
    ruling = lookback.expire(case, at, plan)
    reminder = RatingReminded(until=story.now + WINDOW)
    assert ruling.facts == (reminder,)
    for once in (ruling.case, story.add(reminder).case(plan)):  # not read back yet, and read back
        assert lookback.expire(once, at + timedelta(days=1), plan).facts == ()
        assert lookback.moments(once, plan) == [ruling.case.open_from + WINDOW if ruling.case.open_from else None]


def test_who_rated_is_not_reminded(plan: Plan) -> None:
    story = Story().begun().answered(5)
    rated = lookback.rate(story.case(plan), SOLVED, story.now, plan).case
    assert lookback.expire(rated, story.now + timedelta(days=4), plan).facts == ()
    closed = story.add(SOLVED).add(r.RequestClosed(outcome=Outcome.CONFIRMED)).case(plan)
    assert lookback.expire(closed, story.now + timedelta(days=4), plan).facts == ()


def test_a_window_over_closes_as_unasked_unless_it_was_drawn(plan: Plan) -> None:
    story = Story().begun().answered(5)
    case, ends = story.case(plan), story.now + WINDOW
    assert lookback.expire(replace(case, reminded=True), ends - SECOND, plan).facts == ()
    assert lookback.expire(case, ends, plan).facts == (r.RequestClosed(outcome=Outcome.UNASKED),)
    drawn, _ = visited(plan, story)
    assert lookback.expire(drawn, ends, plan).facts == ()
