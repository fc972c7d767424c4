"""The figures once more, from the whole log in one simple pass: what anybody can do to check ours. Pure.

It keeps nothing between requests, uses none of the incremental parts, and looks at each history as a list. Its result
must equal the figures kept incrementally, to the last digit.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from followup.figures import INVALID, Counts, Figures, figures, total
from followup.plan import Promises
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, advance, applies, begin
from shared.contracts.vocabulary import AttemptOutcome, DisputeReason, Outcome, Role, Status


@dataclass(frozen=True, slots=True)
class Step:
    """A fact in its history: when it counts, and whether it changed the status."""

    at: datetime
    fact: Fact
    applied: bool
    after: Life


def recount(events: Iterable[Event[Fact]], now: datetime, promises: Promises | None = None) -> Figures:
    """The figures at `now` of all requests in the log; an event that stands in it twice counts once."""
    histories: dict[str, dict[UUID, Event[Fact]]] = defaultdict(dict)
    for event in events:
        if isinstance(event.fact, r.RequestFact):
            histories[event.subject].setdefault(event.id, event)
    rows = (_count(list(history.values()), now, promises or Promises()) for history in histories.values())
    return figures(total(rows))


def _steps(history: list[Event[Fact]]) -> list[Step]:
    first, *rest = history
    life = begin(first)  # type: ignore[arg-type] # a history begins with `received`
    steps = [Step(first.time, first.fact, True, life)]
    for event in rest:
        applied = applies(life, event.fact)
        life = advance(life, event.fact, event.time)
        steps.append(Step(life.changed_at, event.fact, applied, life))
    return steps


def _count(history: list[Event[Fact]], now: datetime, promises: Promises) -> Counts:
    steps = _steps(history)
    rejections = [s.fact.reason for s in steps if isinstance(s.fact, r.RequestRejected) and s.applied]
    ending, ended_at = _ending(steps)
    outcome = steps[-1].after.outcome
    counts = Counts(
        received=1,
        valid=0 if INVALID & set(rejections) else 1,
        admitted=0 if rejections else 1,
        rejected=ending is Status.REJECTED,
        merged=ending is Status.MERGED,
        withdrawn=ending is Status.WITHDRAWN,
        open=ending is None,
        closed=ending is Status.CLOSED,
        confirmed=outcome is Outcome.CONFIRMED,
        unreached=outcome is Outcome.UNREACHED,
        unasked=outcome is Outcome.UNASKED,
        reopened=sum(1 for s in steps if isinstance(s.fact, r.RequestDisputed) and s.applied),
    )
    if rejections:
        return counts
    until = now if ended_at is None else min(now, ended_at)
    return _add_word(_add_contact(_add_answer(counts, steps, until, promises), steps, until, promises), steps)


def _ending(steps: list[Step]) -> tuple[Status | None, datetime | None]:
    """How and when it ended, looking through archiving; None, None while it is open."""
    if not steps[-1].after.status.is_ending:
        return None, None
    changes = [s for s in steps if s.applied and not isinstance(s.fact, r.RequestArchived)]
    return changes[-1].after.status, changes[-1].at


def _add_answer(counts: Counts, steps: list[Step], until: datetime, promises: Promises) -> Counts:
    verdicts = [s for s in steps if s.applied and isinstance(s.fact, r.RequestAnswered | r.RequestDisputed)]
    answers = [s for s in verdicts[_after_missed(verdicts) :] if isinstance(s.fact, r.RequestAnswered)]
    due = _answer_due(steps, promises)
    stands = bool(answers) and verdicts[-1] is answers[-1]
    return counts._replace(
        due=bool(answers) or due <= until,
        answered=bool(answers),
        effective=stands,
        on_time=stands and answers[-1].at <= due,
    )


def _after_missed(verdicts: list[Step]) -> int:
    """Behind the last fulfilment that was missed: an answer that was not kept counts as unanswered."""
    missed = r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED)
    return max((n for n, step in enumerate(verdicts, 1) if step.fact == missed), default=0)


def _answer_due(steps: list[Step], promises: Promises) -> datetime:
    promised = [
        s.fact.answer_by for s in steps if isinstance(s.fact, r.TaskAssigned) and s.applied and s.fact.answer_by
    ]
    if promised:
        return min(promised)
    triaged = [s.fact for s in steps if isinstance(s.fact, r.RequestTriaged)]
    received_at = steps[0].after.received_at
    if not triaged:
        return received_at + promises.answered.of(None)
    due = received_at + promises.answered.of(triaged[-1].colour)
    deadline = triaged[-1].deadline
    return min(due, deadline) if deadline and deadline > received_at else due


def _add_contact(counts: Counts, steps: list[Step], until: datetime, promises: Promises) -> Counts:
    promised = [
        s.fact.contact_by or s.at + promises.contacted.of(s.after.colour)
        for s in steps
        if isinstance(s.fact, r.TaskAssigned) and s.applied and s.fact.role is Role.LEAD
    ]
    if not promised:
        return counts
    contacts = [
        s.at
        for s in steps
        if isinstance(s.fact, r.ResidentContacted) or (isinstance(s.fact, r.RequestAnswered) and s.applied)
    ]
    due = min(promised)
    return counts._replace(contact_due=bool(contacts) or due <= until, responded=bool(contacts) and contacts[0] <= due)


def _add_word(counts: Counts, steps: list[Step]) -> Counts:
    words = [
        s.fact
        for s in steps
        if (isinstance(s.fact, r.RequestRated) and s.fact.counts)
        or (isinstance(s.fact, r.ResidentVisited) and s.fact.outcome is AttemptOutcome.REACHED)
    ]
    words = [word for word in words if word.solved is not None]
    if not words:
        return counts
    marks = [word.satisfaction for word in words if word.satisfaction]
    counts = counts._replace(reached=1, solved=bool(words[-1].solved))
    return counts._replace(**{f"mark_{marks[-1]}": 1}) if marks else counts
