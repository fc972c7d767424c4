"""Reading the log a second time: what is missing, doubled or torn in it is said, and nothing is counted twice."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from services.verify.log import Log, read_log
from services.verify.seals import Seal
from services.verify.sources import Positions, Standing
from shared.bus import Partition, read_positions, write_positions
from shared.contracts import Event, Fact, encode
from shared.ids import new_id
from tests.followup.stories import Story
from tests.support.builders import Builder

REQUESTS, OPERATIONS = Partition("heed.requests", 0), Partition("heed.operations", 0)
PAGE = 3


class Kept:
    """A log in memory; some of it may be missing."""

    def __init__(self, records: Sequence[Standing], end: int | None = None) -> None:
        self.records, self.end = list(records), len(records) if end is None else end

    async def ends(self, topics: Sequence[str]) -> Positions:
        every = {REQUESTS: self.end, OPERATIONS: 0}
        return {at: end for at, end in every.items() if at.topic in topics}

    async def page(self, positions: Positions) -> list[Standing]:
        return [one for one in self.records if one.position >= positions[one.at]][:PAGE]


def standing(events: Sequence[Event[Fact]]) -> list[Standing]:
    records = [encode(event) for event in events]
    return [Standing(REQUESTS, n, one.key, one.headers, one.value) for n, one in enumerate(records)]


async def read(source: Kept, seals: Sequence[Seal] = (), *, may_be_cut: bool = False) -> Log:
    return await read_log(source, seals, may_be_cut=may_be_cut)


@pytest.fixture
def story() -> Story:
    return Story(Builder()).begun().answered(3)


async def test_a_whole_log_has_nothing_wrong(story: Story) -> None:
    log = await read(Kept(standing(story.events)))
    assert log.differences == []
    assert log.requests[str(story.id)].status == "answered"
    assert log.requests[str(story.id)].facts == len(story.events)


async def test_what_came_meanwhile_is_read_on(story: Story) -> None:
    whole = standing(story.events)
    source = Kept(whole[:2])
    log = await read(source)
    assert log.requests[str(story.id)].status == "received"
    source.records, source.end = whole, len(whole)
    await log.read_on()
    assert log.requests[str(story.id)].status == "answered"
    assert [event.id for event in log.events({REQUESTS: 3})] == [event.id for event in story.events[:3]]


async def test_what_stands_twice_counts_once(story: Story) -> None:
    log = await read(Kept(standing([*story.events[:4], *story.events[2:]])))
    assert log.differences == []
    assert log.requests[str(story.id)].facts == len(story.events)


def without_one(events: list[Event[Fact]]) -> list[Event[Fact]]:
    """Dispatch's second fact."""
    return [event for event in events if (event.source, event.sequence) != ("dispatch", 2)]


def with_another(events: list[Event[Fact]]) -> list[Event[Fact]]:
    return [*events, replace(events[3], id=new_id())]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_one, "of /heed/dispatch on {} is missing: number 2"),
        (with_another, "a second fact 1 of /heed/dispatch"),
    ],
)
async def test_numbers_show_what_no_seal_covers_yet(
    story: Story, change: Callable[[list[Event[Fact]]], list[Event[Fact]]], says: str
) -> None:
    log = await read(Kept(standing(change(story.events))))
    assert [says.format(story.id) in one.says for one in log.differences] == [True]


async def test_a_log_that_stops_before_its_end_is_seen(story: Story) -> None:
    log = await read(Kept(standing(story.events)[:-1], end=len(story.events)))
    assert "none can be read from position 5 on" in log.differences[0].says


async def test_what_is_no_event_is_counted_and_passed_over(story: Story) -> None:
    torn = Standing(REQUESTS, len(story.events), "x", {"ce_type": "heed.request.received"}, b"{")
    log = await read(Kept([*standing(story.events), torn]))
    assert (log.no_events, log.differences) == (1, [])


async def test_histories_that_lost_their_beginning_are_left_out_where_it_was_cut(story: Story) -> None:
    source = Kept(standing(story.events)[2:], end=len(story.events))
    log = await read(source, may_be_cut=True)
    assert (log.requests, log.headless) == ({}, {str(story.id)})


def test_positions_are_written_as_the_api_reads_them() -> None:
    positions = {Partition("heed.requests", 1): 40, Partition("heed.requests", 0): 12, OPERATIONS: 3}
    assert write_positions(positions) == "operations:3;requests:12,40"
    assert read_positions("operations:3;requests:12,40") == positions
