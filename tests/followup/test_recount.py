"""Figures kept incrementally equal a recount of the whole log, over random histories with every kind of disorder."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from followup import figures
from followup.figures import Cell, Counts
from followup.model import Case, fold
from followup.plan import Plan
from followup.recount import recount
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    AttemptOutcome,
    Category,
    Channel,
    Colour,
    Decider,
    DisputeReason,
    Medium,
    Outcome,
    RejectionReason,
    WithdrawalReason,
)
from shared.ids import new_id
from tests.followup.stories import Story, minutes
from tests.support.builders import START, Builder

COLOURS, CATEGORIES = st.sampled_from(Colour), st.sampled_from([Category.MEDICAL, Category.FOOD_SUPPLIES])
ORGANISATIONS = st.sampled_from(["central-hospital", "town-office"])
FAR = st.integers(-500, 6000)
OUTCOMES = st.sampled_from(AttemptOutcome)
MARKS = st.none() | st.integers(1, 5)

Tell = Callable[[Story], Story]


def rated(solved: bool, mark: int | None, counts: bool) -> r.RequestRated:
    return r.RequestRated(solved=solved, satisfaction=mark, counts=counts)


def rejected(reason: RejectionReason) -> r.RequestRejected:
    return r.RequestRejected(reason=reason, decided_by=Decider.PERSON)


def visited(solved: bool | None, mark: int | None, outcome: AttemptOutcome) -> r.ResidentVisited:
    return r.ResidentVisited(
        visit_id=new_id(), attempt=1, medium=Medium.PHONE, outcome=outcome, solved=solved, satisfaction=mark
    )


FACTS: st.SearchStrategy[Tell] = st.one_of(
    st.builds(
        lambda colour, category, deadline: lambda s: s.triaged(
            colour, category=category, deadline=s.began + minutes(deadline)
        ),
        COLOURS,
        CATEGORIES,
        FAR,
    ),
    st.builds(
        lambda o, contact, answer: lambda s: s.assigned(
            o, contact_by=s.now + minutes(contact) if contact > 0 else None, answer_by=s.now + minutes(answer)
        ),
        ORGANISATIONS,
        FAR,
        FAR,
    ),
    st.just(lambda s: s.assisted()),
    st.just(lambda s: s.accepted()),
    st.just(lambda s: s.contacted()),
    st.just(lambda s: s.recalled()),
    st.builds(lambda by: lambda s: s.answered(fulfil_by=s.now + minutes(by) if by > 0 else None), FAR),
    st.just(lambda s: s.fulfilled()),
    st.builds(lambda *word: lambda s: s.add(rated(*word)), st.booleans(), MARKS, st.booleans()),
    st.builds(lambda *word: lambda s: s.add(visited(*word)), st.none() | st.booleans(), MARKS, OUTCOMES),
    st.builds(lambda o: lambda s: s.add(r.RequestClosed(outcome=o)), st.sampled_from(Outcome)),
    st.builds(lambda why: lambda s: s.add(r.RequestDisputed(reason=why)), st.sampled_from(DisputeReason)),
    st.just(lambda s: s.add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))),
    st.just(lambda s: s.add(r.RequestMerged(into=new_id()))),
    st.builds(lambda reason: lambda s: s.add(rejected(reason)), st.sampled_from(RejectionReason)),
    st.just(lambda s: s.add(r.RequestArchived())),
)  # fmt: skip
USUAL: list[Tell] = [
    lambda s: s.triaged(Colour.YELLOW),
    lambda s: s.assigned(),
    lambda s: s.accepted(),
    lambda s: s.answered(),
]
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900), st.integers(-3, 3), FACTS), max_size=40)


class Kept:
    """Figures as the service keeps them: by differences, and by timers at the moments that `figures` names."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.cases = plan, dict[UUID, Case]()
        self.cells: dict[Cell, Counts] = {}

    def put(self, case: Case, now: datetime) -> None:
        for cell, change in figures.moved(self.cases.get(case.request_id), case, now).items():
            self.cells[cell] = self.cells.get(cell, figures.NOTHING).plus(change)
        self.cases[case.request_id] = replace(case, counted_at=now)

    def take(self, event: Event[Fact], now: datetime) -> None:
        self.put(fold(self.cases.get(UUID(event.subject)), event, self.plan.promises), now)

    def turn(self, until: datetime) -> None:
        """Fire what is due on the way."""
        for case in list(self.cases.values()):
            assert case.counted_at is not None
            at = case.counted_at
            while (due := min(figures.moments(case, at), default=None)) is not None and due <= until:
                self.put(case, at := due)


@given(steps=STEPS, usual=st.booleans(), later=st.integers(0, 9000))
@settings(deadline=None, max_examples=150)
def test_incremental_figures_equal_a_recount(
    plan: Plan, steps: list[tuple[int, int, int, Tell]], usual: bool, later: int
) -> None:
    builder, kept, now = Builder(), Kept(plan), START
    stories = [Story(builder, at=START + minutes(50 * n)) for n in range(3)]
    log: list[Event[Fact]] = []

    def tell(story: Story, step: Tell, skew: int = 0) -> None:
        story.now = now + minutes(skew)  # the stating service's clock is not ours
        step(story)
        log.append(story.events[-1])
        kept.take(story.events[-1], now)

    for story, channel in zip(stories, (Channel.APP, Channel.APP, Channel.HOTLINE), strict=True):
        story.received(channel=channel)
        log.append(story.events[-1])
        kept.take(story.events[-1], now)
        for step in USUAL if usual else []:
            tell(story, step)
    for which, gap, skew, step in steps:
        now += minutes(gap)
        kept.turn(now)
        tell(stories[which], step, skew)
        assert_equal(kept, log, now)
    now += minutes(later)
    kept.turn(now)
    assert_equal(kept, log, now)
    assert_groups_add_up(kept, now)


def assert_equal(kept: Kept, log: list[Event[Fact]], now: datetime) -> None:
    days = figures.total(n for cell, n in kept.cells.items() if (cell.dimension, cell.size) == ("total", "day"))
    assert figures.figures(days) == recount([*log, *log], now, kept.plan.promises)


def assert_groups_add_up(kept: Kept, now: datetime) -> None:
    """In every dimension and size, each value's cell holds exactly the contributions of its requests."""
    wanted: dict[Cell, Counts] = {}
    for case in kept.cases.values():
        for cell in figures.cells(case):
            wanted[cell] = wanted.get(cell, figures.NOTHING).plus(figures.contribution(case, now))
    assert {cell: n for cell, n in kept.cells.items() if n != figures.NOTHING} == wanted


def test_every_request_is_accounted_for(plan: Plan) -> None:
    builder = Builder()
    stories = [Story(builder).begun() for _ in range(4)]
    stories[1].answered(5).add(r.RequestClosed(outcome=Outcome.UNASKED))
    stories[2].add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))
    stories[3].add(r.RequestMerged(into=stories[0].id))
    totals = recount([e for s in stories for e in s.events], START + timedelta(days=1), plan.promises).totals
    assert totals.received == totals.open + totals.closed + totals.rejected + totals.merged + totals.withdrawn == 4
    assert Counter(open=1, closed=1, merged=1, withdrawn=1) == Counter(
        {name: getattr(totals, name) for name in ("open", "closed", "merged", "withdrawn")}
    )
