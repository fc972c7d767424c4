"""The figures once more, from the whole log in one simple pass: what anybody can do to check ours. Pure.

It keeps nothing between requests, uses none of the incremental parts, and looks at each history as a list. Its result
must equal the figures kept incrementally, to the last digit.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from followup.figures import INVALID, Counts, Figures, figures, total
from followup.plan import Promises
from followup.stages import bucket_of
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, advance, applies, begin
from shared.contracts.vocabulary import (
    Addressee,
    AttemptOutcome,
    Decider,
    DisputeReason,
    NoticeOutcome,
    Outcome,
    Role,
    Status,
)

GRID_LEVEL, VILLAGE_LEVEL = 4, 3
"""Areas are counted down to the grid, in pairs down to the village."""


@dataclass(frozen=True, slots=True)
class Step:
    """A fact in its history: when it counts, and whether it changed the status."""

    at: datetime
    fact: Fact
    applied: bool
    before: Life
    after: Life


@dataclass(frozen=True, slots=True)
class Row:
    """One request: its value in each dimension, what it contributes, and how long its stages took."""

    received_at: datetime
    values: dict[str, str]
    counts: Counts
    took: dict[str, timedelta]


def recount(events: Iterable[Event[Fact]], now: datetime, promises: Promises | None = None) -> Figures:
    """The figures at `now` of all requests in the log; an event that stands in it twice counts once."""
    return figures(total(row.counts for row in rows(events, now, promises)))


def rows(events: Iterable[Event[Fact]], now: datetime, promises: Promises | None = None) -> list[Row]:
    """Every request in the log as it counts at `now`, by id."""
    histories: dict[str, dict[UUID, Event[Fact]]] = defaultdict(dict)
    for event in events:
        if isinstance(event.fact, r.RequestFact):
            histories[event.subject].setdefault(event.id, event)
    return [_row(list(history.values()), now, promises or Promises()) for _, history in sorted(histories.items())]


def grouped(found: Iterable[Row], *by: str) -> dict[tuple[str, ...], Counts]:
    """The sums by one dimension or two; areas of a pair are villages."""
    sums: dict[tuple[str, ...], list[Counts]] = defaultdict(list)
    for row in found:
        level = GRID_LEVEL if len(by) == 1 else VILLAGE_LEVEL
        values = row.values | {"area": "/".join(row.values["area"].split("/")[:level])}
        sums[tuple(values[dimension] for dimension in by)].append(row.counts)
    return {values: total(counts) for values, counts in sums.items()}


def sketches(found: Iterable[Row]) -> dict[tuple[str, str], dict[int, int]]:
    """How many requests of each colour and stage stand in each bucket."""
    sums: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for row in found:
        for stage, duration in row.took.items():
            sums[row.values["colour"], stage][bucket_of(duration)] += 1
    return {key: dict(buckets) for key, buckets in sums.items()}


def _row(history: list[Event[Fact]], now: datetime, promises: Promises) -> Row:
    steps = _steps(history)
    first, last = steps[0].fact, steps[-1].after
    assert isinstance(first, r.RequestReceived)  # noqa: S101 a history begins with it
    leads = [fact.organisation for _, fact in _leads(steps)]
    values = {
        "colour": last.colour or "",
        "category": last.category or "",
        "organisation": leads[-1] if leads else "",
        "area": last.area or "",
        "channel": first.channel.value,
        "hour_of_day": f"{last.received_at:%H}",
        "hour": last.received_at.replace(minute=0, second=0, microsecond=0).isoformat(),
    }
    counts = _count(steps, now, promises)
    return Row(last.received_at, values, counts, dict(_took(first, steps)) if counts.admitted else {})


def _steps(history: list[Event[Fact]]) -> list[Step]:
    first, *rest = history
    life = begin(first)  # type: ignore[arg-type] # a history begins with `received`
    steps = [Step(first.time, first.fact, True, life, life)]
    for event in rest:
        before, life = life, advance(life, event.fact, event.time)
        steps.append(Step(life.changed_at, event.fact, applies(before, event.fact), before, life))
    return steps


def _leads(steps: list[Step]) -> list[tuple[datetime, r.TaskAssigned]]:
    """The assignments of the lead, in their order."""
    return [(s.at, s.fact) for s in steps if isinstance(s.fact, r.TaskAssigned) and s.applied]


def _count(steps: list[Step], now: datetime, promises: Promises) -> Counts:
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
    if ending is None:
        counts = counts._replace(**{f"at_{steps[-1].after.status}": 1})
    if rejections:
        return counts
    until = now if ended_at is None else min(now, ended_at)
    counts = _add_contact(_add_answer(counts, steps, until, promises), steps, until, promises)
    return _add_word(_add_routes(_add_silence(counts, steps, until, ended_at, promises), steps), steps)


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
        due=bool(verdicts) or due <= until,
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
    contacts = _contacts(steps)
    due = min(promised)
    return counts._replace(contact_due=bool(contacts) or due <= until, responded=bool(contacts) and contacts[0] <= due)


def _contacts(steps: list[Step]) -> list[datetime]:
    return [
        s.at
        for s in steps
        if isinstance(s.fact, r.ResidentContacted) or (isinstance(s.fact, r.RequestAnswered) and s.applied)
    ]


def _add_silence(
    counts: Counts, steps: list[Step], until: datetime, ended_at: datetime | None, promises: Promises
) -> Counts:
    """Missed: a fulfilment was, or nobody had spoken with the resident when the answer was due."""
    late = [
        s
        for s in steps
        if isinstance(s.fact, r.RequestDisputed) and s.applied and s.fact.reason is DisputeReason.FULFILMENT_MISSED
    ]
    due, contacts = _answer_due(steps, promises), _contacts(steps)
    owed = counts.due and (ended_at is None or due <= ended_at)
    silent = contacts[0] > due if contacts else due <= until
    return counts._replace(missed=bool(late) or bool(owed and silent))


def _add_routes(counts: Counts, steps: list[Step]) -> Counts:
    """From hand to hand; and the first decisions against the outcome."""
    facts = [s.fact for s in steps]
    leads = [fact.organisation for _, fact in _leads(steps)]
    returns = sum(isinstance(fact, r.TaskReturned) for fact in facts)
    orders = sum(isinstance(fact, w.TaskSupervised) for fact in facts)
    counts = counts._replace(
        assigned=bool(leads),
        returned=bool(leads and returns),
        supervised=bool(leads and orders),
        disputed=counts.reopened > 0,
        nudges=sum(1 + fact.missed for fact in facts if isinstance(fact, r.TaskNudged)),
        supervisions=orders,
        returns=returns,
        recalls=sum(isinstance(fact, r.TaskRecalled) for fact in facts),
        hops=sum(one != two for one, two in pairwise(leads)),
    )
    answers = [n for n, s in enumerate(steps) if isinstance(s.fact, r.RequestAnswered) and s.applied]
    if not answers:
        return counts
    answered_by = _leads(steps[: answers[-1]])[-1][1].organisation
    triaged = [s.fact.colour for s in steps if isinstance(s.fact, r.RequestTriaged)]
    right = steps[answers[0]].after.colour or triaged[0]
    return counts._replace(
        routed=1,
        routed_right=answered_by == leads[0],
        judged=1,
        under_triaged=right.rank > triaged[0].rank,
        over_triaged=right.rank < triaged[0].rank,
    )


def _took(first: r.RequestReceived, steps: list[Step]) -> Iterator[tuple[str, timedelta]]:
    """The stages that were reached, each with how long it took."""
    received_at = first.received_at
    if first.filed_at < received_at:
        yield "offline", received_at - first.filed_at
    standing, leads = _standing(steps), [at for at, _ in _leads(steps)]
    owed = (s for s in standing if s.before.fulfil_by is not None and s.after.fulfil_by is None)
    ending, ended_at = _ending(steps)
    marks = {
        "acknowledged": (received_at, [s.at for s in steps if _tells_received(s.fact)]),
        "triaged": (received_at, [s.at for s in steps if isinstance(s.fact, r.RequestTriaged)]),
        "triage_confirmed": (received_at, _confirmations(steps)),
        "assigned": (received_at, leads),
        "contacted": (leads[0] if leads else received_at, _contacts(steps) if leads else []),
        "answered": (received_at, [s.at for s in standing]),
        "fulfilled": (received_at, [s.at for s in owed if isinstance(s.fact, r.TaskFulfilled)][-1:]),
        "closed": (received_at, [ended_at] if ended_at and ending is Status.CLOSED else []),
    }
    for stage, (since, times) in marks.items():
        if times:
            yield stage, max(times[0] - since, timedelta())
    accepted = [n for n, s in enumerate(steps) if isinstance(s.fact, r.TaskAccepted) and s.applied]
    if accepted:
        yield "accepted", steps[accepted[0]].at - _leads(steps[: accepted[0]])[-1][0]


def _tells_received(fact: Fact) -> bool:
    if not isinstance(fact, r.PersonNotified) or fact.about != r.RequestReceived.TYPE:
        return False
    return fact.addressee is Addressee.RESIDENT and fact.outcome is NoticeOutcome.DELIVERED


def _confirmations(steps: list[Step]) -> list[datetime]:
    """When a person decided after the machine had been unsure."""
    triaged = [(s.at, s.fact) for s in steps if isinstance(s.fact, r.RequestTriaged)]
    unsure = [n for n, (_, fact) in enumerate(triaged) if fact.unsure and fact.decided_by is Decider.MACHINE]
    return [at for at, fact in triaged[unsure[0] :] if fact.decided_by is Decider.PERSON] if unsure else []


def _standing(steps: list[Step]) -> list[Step]:
    """The steps from the answer that stands; none where none does."""
    verdicts = [
        n for n, s in enumerate(steps) if s.applied and isinstance(s.fact, r.RequestAnswered | r.RequestDisputed)
    ]
    stands = verdicts and isinstance(steps[verdicts[-1]].fact, r.RequestAnswered)
    return steps[verdicts[-1] :] if stands else []


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
