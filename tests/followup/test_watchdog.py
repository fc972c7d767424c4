"""The watchdog's clocks, each for each colour: silent a moment before, an alarm at the moment, repeated and counted."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from followup import lookback, watchdog
from followup.model import Case
from followup.plan import Plan
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    AlarmKind,
    Colour,
    Decider,
    DisputeReason,
    NoticeOutcome,
    Outcome,
    RejectionReason,
    Stage,
    WithdrawalReason,
)
from shared.ids import new_id
from tests.followup.stories import Story, drawable, minutes

Tell = Callable[[Colour], Story]
SECOND = timedelta(seconds=1)
PROMISED = minutes(600)


def untold(colour: Colour) -> Story:
    return Story().received().triaged(colour)


def progressed(colour: Colour) -> Story:
    return Story().begun(colour).contacted(4).progressed(60)


def told(colour: Colour) -> Story:
    return Story().received().told_received().triaged(colour)


def answered(colour: Colour) -> Story:
    return Story().begun(colour).answered(5)


def owing(colour: Colour) -> Story:
    story = Story().begun(colour)
    return story.answered(5, fulfil_by=story.began + PROMISED)


def disputed(colour: Colour) -> Story:
    return answered(colour).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED), 7)


# What is silent, about which stage; then the minutes for red, yellow and green from the story's last fact.
CLOCKS: list[tuple[str, Tell, AlarmKind, Stage | None, tuple[int, int, int]]] = [
    ("acknowledged", untold, AlarmKind.NOT_ACKNOWLEDGED, Stage.ACKNOWLEDGED, (1, 3, 3)),
    ("assigned", told, AlarmKind.NOT_ASSIGNED, Stage.ASSIGNED, (10, 30, 120)),
    ("recalled", lambda c: told(c).assigned().recalled(5), AlarmKind.NOT_ASSIGNED, Stage.ASSIGNED, (10, 30, 120)),
    ("disputed", disputed, AlarmKind.NOT_ASSIGNED, Stage.ASSIGNED, (10, 30, 120)),
    ("accepted", lambda c: told(c).assigned(after=2), AlarmKind.SILENT, Stage.ACCEPTED, (6, 35, 130)),
    ("contacted", lambda c: told(c).assigned().accepted(3), AlarmKind.SILENT, Stage.CONTACTED, (15, 60, 240)),
    ("answered", lambda c: Story().begun(c).contacted(4), AlarmKind.SILENT, Stage.ANSWERED, (120, 1440, 4320)),
    ("progressed", progressed, AlarmKind.SILENT, Stage.ANSWERED, (120, 1440, 4320)),
    ("fulfilled", owing, AlarmKind.SILENT, Stage.FULFILLED, (600 - 5 + 45,) * 3),
    ("window", answered, AlarmKind.NOT_LOOKED_BACK, None, (14 * 1440 + 120, 14 * 1440 + 480, 15 * 1440)),
]  # fmt: skip


def raised(case: Case, plan: Plan, at: datetime) -> list[tuple[AlarmKind, Stage | None, int]]:
    looked = watchdog.look(case, plan, at, may_raise=True)
    return [(watch.kind, watch.stage, count) for watch, count in looked.raised]


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("clock", CLOCKS, ids=[name for name, *_ in CLOCKS])
def test_a_clock_rings_at_its_moment(
    plan: Plan, colour: Colour, clock: tuple[str, Tell, AlarmKind, Stage | None, tuple[int, int, int]]
) -> None:
    _, tell, kind, stage, limits = clock
    story = tell(colour)
    case = story.case(plan)
    due = story.now + minutes(dict(zip(("red", "yellow", "green"), limits, strict=True))[colour])
    assert raised(case, plan, due - SECOND) == []
    assert min(watchdog.moments(case, plan, due - SECOND)) == due
    assert raised(case, plan, due) == [(kind, stage, 1)]


def test_before_triage_three_minutes_to_acknowledge_and_two_to_triage(plan: Plan) -> None:
    story = Story().received()
    case = story.case(plan)
    assert raised(case, plan, story.now + minutes(2) - SECOND) == []
    assert raised(case, plan, story.now + minutes(2)) == [(AlarmKind.NOT_TRIAGED, None, 1)]
    kinds = {kind for kind, _, _ in raised(case, plan, story.now + minutes(3))}
    assert kinds == {AlarmKind.NOT_TRIAGED, AlarmKind.NOT_ACKNOWLEDGED}


def test_a_notice_that_failed_acknowledges_nothing(plan: Plan) -> None:
    story = Story().received().told_received(outcome=NoticeOutcome.FAILED).triaged(Colour.RED)
    assert [kind for kind, *_ in raised(story.case(plan), plan, story.now + minutes(1))] == [AlarmKind.NOT_ACKNOWLEDGED]


@pytest.mark.parametrize(("colour", "every"), [(Colour.RED, 10), (Colour.YELLOW, 60), (Colour.GREEN, 240)])
def test_an_alarm_repeats_and_counts_what_was_slept_through(plan: Plan, colour: Colour, every: int) -> None:
    story = told(colour)
    case = story.case(plan)
    (due,) = watchdog.moments(case, plan, story.now)
    looked = watchdog.look(case, plan, due, may_raise=True)
    assert looked.case.alarms == {AlarmKind.NOT_ASSIGNED: 1}
    assert watchdog.moments(looked.case, plan, due) == [due + minutes(every)]
    assert raised(looked.case, plan, due + minutes(every) - SECOND) == []
    assert raised(looked.case, plan, due + minutes(every)) == [(AlarmKind.NOT_ASSIGNED, Stage.ASSIGNED, 2)]
    late = due + minutes(5 * every + 1)
    assert raised(looked.case, plan, late) == [(AlarmKind.NOT_ASSIGNED, Stage.ASSIGNED, 6)]


def test_reading_the_log_raises_nothing_and_clears_what_is_mended(plan: Plan) -> None:
    story = told(Colour.RED)
    overdue = story.now + minutes(11)
    case = watchdog.look(story.case(plan), plan, overdue, may_raise=False).case
    assert case.alarms == {}
    case = watchdog.look(case, plan, overdue, may_raise=True).case
    story.assigned(after=11)
    mended = story.case(plan)
    looked = watchdog.look(mended_with(mended, case), plan, overdue, may_raise=False)
    assert looked.cleared == (AlarmKind.NOT_ASSIGNED,)
    assert looked.case.alarms == {}


def mended_with(now: Case, before: Case) -> Case:
    """The case as the log has it now, with the alarms that were open before."""
    now.alarms.update(before.alarms)
    return now


@pytest.mark.parametrize(
    "ending",
    [
        r.RequestMerged(into=new_id()),
        r.RequestWithdrawn(reason=WithdrawalReason.NO_LONGER_NEEDED),
        r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON),
    ],
)
def test_nothing_is_watched_once_it_ended(plan: Plan, ending: r.RequestFact) -> None:
    case = Story().received().add(ending).case(plan)
    assert list(watchdog.watches(case, plan)) == []


def test_a_call_back_that_nobody_makes_rings(plan: Plan) -> None:
    story = answered(Colour.RED)
    case, _ = lookback.begin_visit(drawable(story.case(plan)), new_id(), "colour", story.now, plan.call_back)
    assert raised(case, plan, story.now + minutes(120) - SECOND) == []
    assert raised(case, plan, story.now + minutes(120)) == [(AlarmKind.NOT_LOOKED_BACK, None, 1)]


def test_what_we_ended_ourselves_is_not_watched_while_the_log_is_behind(plan: Plan) -> None:
    story = answered(Colour.GREEN)
    word = r.RequestRated(solved=False)
    ruling = lookback.rate(story.case(plan), word, story.now, plan)
    assert list(watchdog.watches(ruling.case, plan)) == []
    closed = story.add(r.RequestClosed(outcome=Outcome.CONFIRMED)).case(plan)
    assert list(watchdog.watches(closed, plan)) == []
