"""Patterns by which figures are made to look better than the work was. Pure; the limits stand in the plan.

A suspicion is a list of cases for a person to look at. It accuses nobody and corrects nothing: each of them has honest
explanations, which docs/look-back.md names.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from followup.plan import Suspicions
from followup.tracing import Trace, TraceKind

HOUR = timedelta(hours=1)


class SuspicionKind(StrEnum):
    """The patterns that are looked for."""

    RUSH = "rush"
    SAME_ANSWERS = "same_answers"
    LOOP = "loop"
    LOWERED = "lowered"
    ONE_SOURCE = "one_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A pattern that was found, with its cases in the order in which they happened."""

    kind: SuspicionKind
    organisation: str
    first_at: datetime
    last_at: datetime
    requests: tuple[UUID, ...]


Rule = Callable[[Sequence[Trace], Suspicions], Iterator[Suspicion]]


def find(traces: Iterable[Trace], limits: Suspicions) -> list[Suspicion]:
    """Every suspicion in the traces, the latest first."""
    in_order = sorted(traces, key=lambda trace: (trace.at, trace.event_id))
    found = [suspicion for rule in RULES for suspicion in rule(in_order, limits)]
    return sorted(found, key=lambda s: (s.last_at, s.kind, s.organisation), reverse=True)


def rush(traces: Sequence[Trace], limits: Suspicions) -> Iterator[Suspicion]:
    """Many answers of one organisation within an hour, nearly all of them just before they were due."""
    just, by_hour = timedelta(minutes=limits.rush_minutes), _answers_by_hour(traces)
    for (organisation, hour), given in by_hour.items():
        rushed = [t for t in given if t.due_at and timedelta(0) <= t.due_at - t.at <= just]
        all_given = len(given) + len(by_hour.get((organisation, hour - HOUR), ()))
        if len(_requests(rushed)) >= limits.rush_answers and len(rushed) >= limits.rush_share * all_given:
            yield _suspicion(SuspicionKind.RUSH, rushed)


def _answers_by_hour(traces: Sequence[Trace]) -> dict[tuple[str, datetime], list[Trace]]:
    by_hour: dict[tuple[str, datetime], list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.kind is TraceKind.ANSWERED:
            by_hour[trace.organisation, trace.at.replace(minute=0, second=0, microsecond=0)].append(trace)
    return dict(by_hour)


def same_answers(traces: Sequence[Trace], limits: Suspicions) -> Iterator[Suspicion]:
    """The same words of one organisation to many requests; not where they are meant to be the same."""
    groups: dict[tuple[str, str], list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.kind is TraceKind.ANSWERED and trace.category not in limits.same_answers_except:
            for hashed in trace.hashes:
                groups[trace.organisation, hashed].append(trace)
    for group in groups.values():
        if len(_requests(group)) >= limits.same_answers:
            yield _suspicion(SuspicionKind.SAME_ANSWERS, group)


def loops(traces: Sequence[Trace], limits: Suspicions) -> Iterator[Suspicion]:
    """A request that was answered and disputed again and again."""
    groups: dict[UUID, list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.kind in {TraceKind.DISPUTED, TraceKind.MISSED}:
            groups[trace.request_id].append(trace)
    for group in groups.values():
        if len(group) >= limits.loops:
            yield _suspicion(SuspicionKind.LOOP, group)


def lowered(traces: Sequence[Trace], limits: Suspicions) -> Iterator[Suspicion]:
    """A colour lowered just before the answer was due, or after."""
    shortly = timedelta(minutes=limits.lowered_minutes)
    for trace in traces:
        if trace.kind is TraceKind.LOWERED and trace.due_at and trace.due_at - trace.at <= shortly:
            yield _suspicion(SuspicionKind.LOWERED, [trace])


def one_source(traces: Sequence[Trace], limits: Suspicions) -> Iterator[Suspicion]:
    """Ratings "solved" of many requests of one organisation from one device or one number within a short time."""
    span, groups = timedelta(hours=limits.one_source_hours), defaultdict[tuple[str, str], list[Trace]](list)
    for trace in traces:
        if trace.kind is TraceKind.RATED:
            for source in trace.hashes:
                groups[trace.organisation, source].append(trace)
    for group in groups.values():
        densest = max((_within(group, first, span) for first in group), key=lambda near: len(_requests(near)))
        if len(_requests(densest)) >= limits.one_source:
            yield _suspicion(SuspicionKind.ONE_SOURCE, densest)


def _within(group: Sequence[Trace], first: Trace, span: timedelta) -> list[Trace]:
    return [trace for trace in group if first.at <= trace.at <= first.at + span]


def _requests(traces: Iterable[Trace]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(trace.request_id for trace in traces))


def _suspicion(kind: SuspicionKind, cases: Sequence[Trace]) -> Suspicion:
    return Suspicion(
        kind=kind,
        organisation=cases[-1].organisation,
        first_at=cases[0].at,
        last_at=cases[-1].at,
        requests=_requests(cases),
    )


RULES: tuple[Rule, ...] = (rush, same_answers, loops, lowered, one_source)
