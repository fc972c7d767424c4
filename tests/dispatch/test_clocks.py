"""Clocks by themselves: what a deadline does, and what happens as a clock runs."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.clocks import Clock, ClockPolicy, Escalation, Nudge, Pace, Reminder, Ring, pace
from dispatch.files import FileKind
from shared.contracts.vocabulary import Colour, Stage
from tests.dispatch.stories import sample
from tests.support.builders import START

POLICY: ClockPolicy = sample(FileKind.CLOCKS)
HOUR = timedelta(hours=1)
NOTHING = timedelta(0)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def clock(due_minutes: int, watched_from: datetime = START) -> Clock:
    return Clock(started_at=START, due_at=START + minutes(due_minutes), watched_from=watched_from)


def walk(one: Clock, colour: Colour, until: datetime) -> list[tuple[float, Ring]]:
    """Wake it at each of its moments, as the timers do: minutes from the start, and what rang."""
    rung: list[tuple[float, Ring]] = []
    while (at := one.next_moment(POLICY, colour)) is not None and at <= until:
        rung += [((at - START) / minutes(1), ring) for ring in one.ring(POLICY, colour, at)]
    return rung


@pytest.mark.parametrize(
    ("colour", "table"),
    [(Colour.RED, (10, 5, 15, 120)), (Colour.YELLOW, (30, 30, 60, 1440)), (Colour.GREEN, (120, 120, 240, 4320))],
)
def test_without_a_deadline_the_table_holds(colour: Colour, table: tuple[int, int, int, int]) -> None:
    expected = Pace(**dict(zip(("assigned", "accepted", "contacted", "answered"), map(minutes, table), strict=True)))
    assert pace(POLICY, colour, START, None, NOTHING, START) == expected


def test_a_deadline_pulls_all_stages_forward_in_proportion() -> None:
    shorter = pace(POLICY, Colour.GREEN, START, START + minutes(2280), minutes(120), START)
    assert shorter == Pace(assigned=minutes(60), accepted=minutes(60), contacted=minutes(120), answered=minutes(2160))


def test_a_deadline_beyond_the_table_changes_nothing() -> None:
    late = pace(POLICY, Colour.RED, START, START + timedelta(days=2), minutes(120), START)
    assert late == pace(POLICY, Colour.RED, START, None, NOTHING, START)


def test_where_the_lead_is_gone_the_deadline_itself_counts() -> None:
    short = pace(POLICY, Colour.GREEN, START, START + HOUR, 2 * HOUR, START)
    assert short.answered == HOUR


@given(
    colour=st.sampled_from(list(Colour)),
    deadline=st.integers(-10_000, 10_000),
    lead=st.integers(0, 1000),
    known=st.integers(0, 5000),
)
def test_a_deadline_never_moves_a_clock_into_the_past_nor_back(
    colour: Colour, deadline: int, lead: int, known: int
) -> None:
    now = START + minutes(known)
    table = pace(POLICY, colour, START, None, NOTHING, now)
    pulled = pace(POLICY, colour, START, START + minutes(deadline), minutes(lead), now)
    assert pulled.answered <= table.answered
    assert pulled.accepted <= table.accepted
    assert pulled.contacted <= table.contacted
    if deadline <= known:
        assert pulled == table
    if pulled.answered < table.answered:
        assert START + pulled.answered > now
        assert START + pulled.answered <= START + minutes(deadline)


def test_a_red_clock_reminds_at_50_and_80_nudges_at_100_and_every_ten_minutes() -> None:
    assert walk(clock(120), Colour.RED, START + minutes(145)) == [
        (60, Reminder(50)),
        (96, Reminder(80)),
        (120, Nudge(1, 0)),
        (120, Escalation()),
        (130, Nudge(2, 0)),
        (140, Nudge(3, 0)),
    ]


@pytest.mark.parametrize(("colour", "every"), [(Colour.YELLOW, 60), (Colour.GREEN, 240)])
def test_the_others_escalate_at_150_and_nudge_at_their_own_pace(colour: Colour, every: int) -> None:
    rung = walk(clock(1000), colour, START + minutes(1501))
    nudges = [at for at, ring in rung if isinstance(ring, Nudge)]
    assert nudges == list(range(1000, 1502, every))
    assert [at for at, ring in rung if isinstance(ring, Escalation)] == [1500]


def test_a_late_wake_rings_once_and_says_how_many_it_missed() -> None:
    one = clock(120)
    assert one.ring(POLICY, Colour.RED, START + minutes(155)) == [Nudge(4, 3), Escalation()]
    assert one.ring(POLICY, Colour.RED, START + minutes(155)) == []
    assert one.next_moment(POLICY, Colour.RED) == START + minutes(160)


def test_a_late_wake_between_reminders_tells_of_the_later_alone() -> None:
    one = clock(100)
    assert one.ring(POLICY, Colour.RED, START + minutes(90)) == [Reminder(80)]
    assert one.next_moment(POLICY, Colour.RED) == START + minutes(100)


def test_nobody_missed_what_passed_before_the_clock_was_watched() -> None:
    one = clock(120, watched_from=START + minutes(500))
    assert walk(one, Colour.RED, START + minutes(505)) == [(500, Nudge(1, 0)), (500, Escalation())]


def test_at_another_pace_the_next_nudge_comes_one_span_after_the_last() -> None:
    """Of another colour, or at a level of emergency; none is swallowed because many came at the quicker pace."""
    one = clock(10)
    walk(one, Colour.RED, START + minutes(60))
    assert one.nudges == 6
    at = next(at for at, ring in one.upcoming(POLICY, Colour.YELLOW) if isinstance(ring, Nudge))
    assert at == START + minutes(60 + 60)
    assert one.ring(POLICY, Colour.YELLOW, at)[0] == Nudge(7, 0)


def test_a_nudge_by_hand_counts_and_moves_no_other() -> None:
    one = clock(120)
    one.nudge_by_hand()
    rung = walk(one, Colour.RED, START + minutes(131))
    assert [(at, ring.count) for at, ring in rung if isinstance(ring, Nudge)] == [(120, 2), (130, 3)]


def test_a_stopped_clock_is_silent() -> None:
    one = clock(120)
    one.stop(START)
    assert one.next_moment(POLICY, Colour.RED) is None
    assert one.ring(POLICY, Colour.RED, START + HOUR * 9) == []


@given(
    wakes=st.lists(st.integers(1, 400), max_size=30),
    due=st.integers(1, 300),
    colour=st.sampled_from(list(Colour)),
)
def test_however_it_is_woken_no_nudge_is_swallowed(wakes: list[int], due: int, colour: Colour) -> None:
    one, now, counted = clock(due), START, 0
    for step in wakes:
        now += minutes(step)
        for ring in one.ring(POLICY, colour, now):
            if isinstance(ring, Nudge):
                counted += ring.missed + 1
                assert ring.count == counted
    every = minutes(POLICY.nudge_every_minutes[colour])
    past = now - one.due_at
    assert counted == (past // every + 1 if past >= NOTHING else 0)


@pytest.mark.parametrize("stage", [Stage.ASSIGNED, Stage.ACCEPTED, Stage.CONTACTED, Stage.ANSWERED])
def test_a_policy_without_a_stage_is_refused(stage: Stage) -> None:
    plain = POLICY.model_dump(mode="json")
    del plain["minutes"][stage.value]
    with pytest.raises(ValueError, match="stages"):
        ClockPolicy.model_validate(plain)
