"""The retrospective (复盘) of a period: what went wrong, grouped, with the requests, and what was done. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from followup.tracing import Trace, TraceKind
from shared.contracts.vocabulary import ImprovementState, ProblemKind, Stage

PROBLEMS = {
    TraceKind.LATE: ProblemKind.LATE,
    TraceKind.RETURNED: ProblemKind.RETURNED,
    TraceKind.DISPUTED: ProblemKind.DISPUTED,
    TraceKind.MISSED: ProblemKind.MISSED,
    TraceKind.RAISED: ProblemKind.UNDER_TRIAGED,
}
"""Which traces are problems. Under-triaged is nobody's but triage's: it has no organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """A problem that was handed out to be put right, as dispatch says on heed.operations."""

    id: UUID
    problem: ProblemKind
    stage: Stage | None
    organisation: str
    holder: str
    due_at: datetime
    since: datetime | None
    until: datetime | None
    request_id: UUID | None
    assigned_at: datetime
    done_at: datetime | None = None

    def state(self, now: datetime) -> ImprovementState:
        """Where it is at `now`."""
        return ImprovementState.of(self.due_at, self.done_at, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong, where, how often, and in which requests; `improvements` are about just this."""

    kind: ProblemKind
    stage: Stage | None
    organisation: str | None
    count: int
    requests: tuple[UUID, ...]
    improvements: tuple[UUID, ...]


def problems(traces: Iterable[Trace], improvements: Iterable[Improvement]) -> list[Problem]:
    """The problems in these traces, the most frequent first."""
    groups: dict[tuple[ProblemKind, Stage | None, str], list[Trace]] = defaultdict(list)
    for trace in traces:
        if kind := PROBLEMS.get(trace.kind):
            owner = "" if kind is ProblemKind.UNDER_TRIAGED else trace.organisation
            groups[kind, trace.stage, owner].append(trace)
    about: dict[tuple[ProblemKind, Stage | None, str], list[UUID]] = defaultdict(list)
    for one in improvements:
        owner = "" if one.problem is ProblemKind.UNDER_TRIAGED else one.organisation
        about[one.problem, one.stage, owner].append(one.id)
    found = [
        Problem(
            kind=kind,
            stage=stage,
            organisation=owner or None,
            count=len(group),
            requests=tuple(dict.fromkeys(trace.request_id for trace in sorted(group, key=lambda t: t.at))),
            improvements=tuple(about.get((kind, stage, owner), ())),
        )
        for (kind, stage, owner), group in groups.items()
    ]
    return sorted(found, key=lambda p: (-p.count, p.kind, p.stage or "", p.organisation or ""))
