"""Where requests count: the hours, days and months of a span, and the cells of a request."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from followup import cells
from followup.cells import DIMENSIONS, Sum, cells_of, profile_of, spans, spread
from followup.figures import NOTHING, Counts
from followup.plan import Plan
from followup.stages import Spent
from shared.contracts.vocabulary import Colour
from tests.followup.stories import Story
from tests.support.builders import START

HOURS = st.integers(0, 24 * 200).map(lambda n: START.replace(hour=0) + timedelta(hours=n))
LONGEST_IN_HOURS, LONGEST_IN_DAYS = timedelta(hours=46), timedelta(days=60)


@given(HOURS, HOURS)
def test_spans_cover_every_hour_once_and_whole_days_and_months_where_they_fit(a: datetime, b: datetime) -> None:
    begin, end = min(a, b), max(a, b)
    parts = [part for part in spans(begin, end) if part[1] < part[2]]
    edges = [begin, *(last for _, _, last in parts)]
    assert [first for _, first, _ in parts] == edges[:-1]
    assert edges[-1] == end
    lasted = {size: timedelta() for size in cells.SIZES}
    for size, first, last in parts:
        assert first == cells.SIZES[size](first)
        assert last == cells.SIZES[size](last)
        lasted[size] += last - first
    assert lasted["hour"] <= LONGEST_IN_HOURS
    assert lasted["day"] <= LONGEST_IN_DAYS


def test_a_micro_grid_counts_within_its_grid_and_in_pairs_within_its_village(plan: Plan) -> None:
    found = cells_of(profile_of(Story().received(area="pinghu/dushangang/huxiao/06/2").case(plan)))
    assert {cell.value for cell in found if cell.dimension == "area"} == {"pinghu/dushangang/huxiao/06"}
    assert {cell.second for cell in found if cell.dimension == "colour,area"} == {"pinghu/dushangang/huxiao"}


def test_a_request_counts_once_in_each_dimension_pair_and_size(plan: Plan) -> None:
    received = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    found = cells_of(profile_of(Story(at=received).received().case(plan)))
    names = [(cell.dimension, cell.size) for cell in found]
    assert len(names) == len(set(names))
    pairs = len(DIMENSIONS) * (len(DIMENSIONS) - 1) // 2
    assert len(names) == 3 * (1 + len(DIMENSIONS)) + 2 * pairs
    begins = {"hour": received.replace(minute=0), "day": received.replace(hour=0, minute=0)}
    assert {cell.at for cell in found} == {*begins.values(), datetime(2026, 3, 1, tzinfo=UTC)}
    assert {cell.value for cell in found if cell.dimension == "hour_of_day"} == {"23"}


def test_what_comes_and_goes_leaves_nothing(plan: Plan) -> None:
    profile = profile_of(Story().received().triaged(Colour.RED).case(plan))
    change = Sum()
    change.add(Counts(received=1, nudges=2), [Spent("triaged", 7)])
    there, buckets = spread([(profile, change)])
    assert set(there.values()) == {Counts(received=1, nudges=2)}
    assert sorted(bucket.size for bucket in buckets) == ["day", "hour", "month"]
    change.add(Counts(received=1, nudges=2), [Spent("triaged", 7)], -1)
    assert change.is_nothing
    assert spread([(profile, change)]) == ({}, {})
    assert change.counts == NOTHING


@given(HOURS)
def test_since_opening_takes_months_alone(now: datetime) -> None:
    parts = [size for size, first, last in spans(cells.OPENING, cells.horizon(now)) if first < last]
    assert parts == ["month"]
    assert cells.horizon(now) >= now + timedelta(days=1)
