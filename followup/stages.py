"""How long the stages of requests took, as sketches that add up and can be taken apart again. Pure.

A sketch counts durations in buckets whose bounds grow by a constant factor, as HdrHistogram and DDSketch do. A value
read from it is within 2 % of the true one (`ERROR`); what lasted a second or less counts as a second. Two sketches are
added by adding their buckets, and a request is taken out of one by subtracting its own: no other state is needed.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log
from typing import NamedTuple

from followup.model import Case
from shared.contracts.vocabulary import Status

ERROR = 0.02
"""The greatest relative error of a quantile and of the maximum."""
GROWTH = (1 + ERROR) / (1 - ERROR)


class Spent(NamedTuple):
    """A stage, and the bucket of how long it took."""

    stage: str
    bucket: int


def bucket_of(duration: timedelta) -> int:
    """The bucket of a duration: the smallest whose upper bound, GROWTH ** bucket seconds, is not below it."""
    seconds = duration.total_seconds()
    return 0 if seconds <= 1 else ceil(log(seconds) / log(GROWTH))


def seconds_of(bucket: int) -> float:
    """The duration that stands for a bucket, in seconds, to the millisecond."""
    return 1.0 if bucket == 0 else round(2 * GROWTH**bucket / (GROWTH + 1), 3)


def _since(begin: datetime | None, end: datetime | None) -> timedelta | None:
    return None if begin is None or end is None else max(end - begin, timedelta())


STAGES: dict[str, Callable[[Case], timedelta | None]] = {
    "offline": lambda c: _since(c.course.filed_at, c.life.received_at),
    "acknowledged": lambda c: _since(c.life.received_at, c.course.acknowledged_at),
    "triaged": lambda c: _since(c.life.received_at, c.course.triaged_at),
    "triage_confirmed": lambda c: _since(c.life.received_at, c.course.confirmed_at),
    "assigned": lambda c: _since(c.life.received_at, c.course.assigned_at),
    "accepted": lambda c: c.course.accepted_after,
    "contacted": lambda c: _since(c.course.assigned_at, c.contacted_at),
    "answered": lambda c: _since(c.life.received_at, c.answered_at) if c.stands else None,
    "fulfilled": lambda c: _since(c.life.received_at, c.course.fulfilled_at) if c.stands else None,
    "closed": lambda c: _since(c.life.received_at, c.ended_at) if c.ended_as is Status.CLOSED else None,
}
"""What each stage is measured between; None while it has not been reached."""


def spent(case: Case) -> frozenset[Spent]:
    """The stages that the request went through; none for a rejected one."""
    if case.rejected is not None:
        return frozenset()
    took = ((stage, measure(case)) for stage, measure in STAGES.items())
    return frozenset(Spent(stage, bucket_of(duration)) for stage, duration in took if duration is not None)


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long a stage took, in seconds, each within 2 %: n of them, half, nine of ten, 99 of 100, all within."""

    n: int
    p50_seconds: float | None
    p90_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


def times(buckets: Mapping[int, int]) -> StageTimes:
    """What a sketch says; nulls for an empty one. A quantile is the smallest value that so many do not exceed."""
    n = sum(buckets.values())
    if n == 0:
        return StageTimes(0, None, None, None, None)
    p50, p90, p99, most = (_quantile(buckets, -(-n * part // 100)) for part in (50, 90, 99, 100))
    return StageTimes(n, p50, p90, p99, most)


ALL, UNTRIAGED = "all", "untriaged"


def by_stage(sketches: Mapping[tuple[str, str], Mapping[int, int]]) -> dict[str, dict[str, StageTimes]]:
    """The times of each stage, over all requests and by colour, of sketches by colour and stage."""
    found: dict[str, dict[str, StageTimes]] = {}
    for stage in STAGES:
        of_stage = {colour: sketch for (colour, name), sketch in sketches.items() if name == stage}
        whole: Counter[int] = Counter()
        for sketch in of_stage.values():
            whole.update(sketch)
        colours = {colour or UNTRIAGED: times(sketch) for colour, sketch in sorted(of_stage.items())}
        found[stage] = {ALL: times(whole)} | colours
    return found


def _quantile(buckets: Mapping[int, int], rank: int) -> float:
    """The value of the given rank, from 1."""
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return seconds_of(bucket)
    raise AssertionError("a rank is at most the sum of the buckets")
