"""Figures kept incrementally equal a recount of the whole log, over random histories with every kind of disorder."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from followup import cells, figures
from followup.cells import DIMENSIONS, Bucket, Cell, Profile, Sum
from followup.figures import Counts
from followup.model import Case, fold
from followup.plan import Plan
from followup.recount import Row, grouped, recount, rows, sketches
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
    NoticeOutcome,
    Outcome,
    RejectionReason,
    Role,
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
        lambda colour, category, deadline, decider, unsure: lambda s: s.triaged(
            colour, category=category, deadline=s.began + minutes(deadline), decided_by=decider, unsure=unsure
        ),
        COLOURS,
        CATEGORIES,
        FAR,
        st.sampled_from(Decider),
        st.booleans(),
    ),
    st.builds(lambda outcome: lambda s: s.told_received(outcome=outcome), st.sampled_from(NoticeOutcome)),
    st.builds(lambda missed: lambda s: s.nudged(missed), st.integers(0, 3)),
    st.just(lambda s: s.supervised()),
    st.builds(lambda role: lambda s: s.returned(role=role), st.sampled_from(Role)),
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
    st.just(lambda s: s.questioned()),
    st.just(lambda s: s.question_lapsed()),
    st.builds(lambda by: lambda s: s.extended(by), st.integers(1, 900)),
    st.just(lambda s: s.add(AMENDED)),
    st.just(lambda s: s.recalled()),
    st.builds(lambda by: lambda s: s.answered(fulfil_by=s.now + minutes(by) if by > 0 else None), FAR),
    st.just(lambda s: s.fulfilled()),
    st.builds(lambda *word: lambda s: s.add(rated(*word)), st.booleans(), MARKS, st.booleans()),
    st.builds(lambda *word: lambda s: s.add(visited(*word)), st.none() | st.booleans(), MARKS, OUTCOMES),
    st.builds(lambda o: lambda s: s.add(r.RequestClosed(outcome=o)), st.sampled_from(Outcome)),
    st.builds(lambda reason: lambda s: s.add(r.RequestDisputed(reason=reason)), st.sampled_from(DisputeReason)),
    st.just(lambda s: s.add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED))),
    st.just(lambda s: s.add(r.RequestMerged(into=new_id()))),
    st.builds(lambda reason: lambda s: s.add(rejected(reason)), st.sampled_from(RejectionReason)),
    st.just(lambda s: s.add(r.RequestArchived())),
)  # fmt: skip
AMENDED: Fact = r.RequestAmended(text_id=new_id(), text_hash="h")
USUAL: list[Tell] = [
    lambda s: s.triaged(Colour.YELLOW),
    lambda s: s.assigned(),
    lambda s: s.accepted(),
    lambda s: s.questioned(),
    lambda s: s.add(AMENDED),
    lambda s: s.answered(fulfil_by=s.now + minutes(60)),
    lambda s: s.fulfilled(),
    lambda s: s.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)),
    lambda s: s.triaged(Colour.RED),
    lambda s: s.assigned("town-office"),
    lambda s: s.accepted(),
    lambda s: s.answered(),
]
"""A request that takes the whole way, twice; histories begin with as much of it as chance says."""
LIKELY: st.SearchStrategy[Tell] = st.sampled_from([*USUAL, lambda s: s.assigned("town-office"), lambda s: s.returned()])
"""Facts by which a request goes on, more often than by pure chance."""
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900), st.integers(-3, 3), FACTS | LIKELY), max_size=40)


class Kept:
    """Figures as the service keeps them: by differences, folded later in whatever lots, and by timers at the moments
    that `figures` names."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.cases = plan, dict[UUID, Case]()
        self.cells: dict[Cell, Counts] = {}
        self.sketches: Counter[Bucket] = Counter()
        self.moves: list[tuple[Profile, Sum]] = []

    def put(self, case: Case, now: datetime) -> None:
        sums: dict[Profile, Sum] = {}
        cells.move(sums, self.cases.get(case.request_id), case, now)
        self.moves += sums.items()
        self.cases[case.request_id] = replace(case, counted_at=now)

    def fold(self) -> None:
        """Fold what there is, the last half first."""
        half = len(self.moves) // 2
        for lot in (self.moves[half:], self.moves[:half]):
            changed, buckets = cells.spread(lot)
            for cell, counts in changed.items():
                self.cells[cell] = self.cells.get(cell, figures.NOTHING).plus(counts)
            self.sketches.update(buckets)
        self.moves.clear()

    def sums(self, dimension: str, size: str) -> dict[tuple[str, ...], Counts]:
        """The sums by value of a dimension or a pair, over all times."""
        found: dict[tuple[str, ...], Counts] = {}
        for cell, counts in self.cells.items():
            if (cell.dimension, cell.size) == (dimension, size) and counts != figures.NOTHING:
                key = (cell.value, cell.second) if "," in dimension else (cell.value,)
                found[key] = found.get(key, figures.NOTHING).plus(counts)
        return found

    def take(self, event: Event[Fact], now: datetime) -> None:
        self.put(fold(self.cases.get(UUID(event.subject)), event, self.plan.promises), now)

    def turn(self, until: datetime) -> None:
        """Fire what is due on the way."""
        for case in list(self.cases.values()):
            assert case.counted_at is not None
            at = case.counted_at
            while (due := min(figures.moments(case, at), default=None)) is not None and due <= until:
                self.put(case, at := due)


@given(steps=STEPS, usual=st.integers(0, len(USUAL)), later=st.integers(0, 9000), offline=st.integers(0, 2))
@settings(deadline=None, max_examples=400)
def test_incremental_figures_equal_a_recount(
    plan: Plan, steps: list[tuple[int, int, int, Tell]], usual: int, later: int, offline: int
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
        story.received(channel=channel, filed_at=story.now - minutes(offline))
        log.append(story.events[-1])
        kept.take(story.events[-1], now)
        for step in USUAL[:usual]:
            tell(story, step)
    for which, gap, skew, step in steps:
        now += minutes(gap)
        kept.turn(now)
        tell(stories[which], step, skew)
        assert_equal(kept, log, now)
    now += minutes(later)
    kept.turn(now)
    assert_equal(kept, log, now)
    assert_reconciled(kept)


def assert_equal(kept: Kept, log: list[Event[Fact]], now: datetime) -> None:
    """In every dimension and pair, by hours as by days and months, the sums are those of a recount."""
    kept.fold()
    found: list[Row] = rows([*log, *log], now, kept.plan.promises)
    for size in cells.SIZES:
        assert kept.sums(cells.TOTAL, size)[("",)] == figures.total(row.counts for row in found)
    for one in DIMENSIONS:
        assert kept.sums(one, "day") == grouped(found, one)
    for one, two in combinations(DIMENSIONS, 2):
        assert kept.sums(f"{one},{two}", "month") == grouped(found, one, two)
    held: Counter[tuple[str, str, int]] = Counter()
    for b, n in kept.sketches.items():
        held[b.colour, b.stage, b.bucket] += n if b.size == "hour" else 0
    assert {key: n for key, n in held.items() if n} == {
        (*key, bucket): n for key, s in sketches(found).items() for bucket, n in s.items()
    }


def assert_reconciled(kept: Kept) -> None:
    """In every cell, all that was received is somewhere, and no share exceeds its whole."""
    for counts in kept.cells.values():
        standing = sum(getattr(counts, name) for name in counts._fields if name.startswith("at_"))
        assert standing == counts.open
        assert counts.received == standing + counts.closed + counts.rejected + counts.merged + counts.withdrawn
        assert counts.closed == counts.confirmed + counts.unreached + counts.unasked
        shown = figures.figures(counts)
        for rate in (getattr(shown, name) for name in figures.RATES):
            assert 0 <= rate.n <= rate.of


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
