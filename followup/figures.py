"""The first figures: what each request contributes, rates with their intervals, and the sentence. Pure.

A request belongs to the hour in which it was received, whatever happens to it later. What it contributes at a moment
(`contribution`) is a row of counts; the figures are sums of rows. A request that changes is moved by the difference,
so keeping figures costs nothing more as history grows.

Definitions, after DOMAIN, with what it leaves open:
- *valid*: received, and not rejected as no request at all (not_a_request, test, abuse). One that is a request but
  rejected as out of our area is valid and not admitted.
- *admitted* = valid and not rejected ÷ valid. Withdrawn and merged requests were admitted.
- *due*: admitted, and its answer was given or the time for it is up, whichever came first. What was withdrawn or
  merged before either is not due: nothing was owed. What was withdrawn or merged after that stays due: it was owed.
- The time for an answer is the earliest that dispatch ever promised: a later promise may bring it forward and never
  puts it off. Until there is a promise it is what the plan says for the colour, red's before triage (in doubt the
  higher), or the deadline where that is earlier and was still ahead at receipt.
- *answered*: an answer was given, and what it promised was not missed; one whose fulfilment was missed counts as
  unanswered until the next. It stays due.
- *effective answer* = the last answer stands ÷ due. It stands until it is disputed (by the resident, by a call-back, or
  because a fulfilment was missed); a new answer after a dispute stands again. A withdrawal after the answer leaves it.
- *on time* = the answer that stands was given in time ÷ due. So an answer that was disputed does not stop the clock.
- *response* = first human contact in time ÷ assigned and due: contacted, or the time for it is up, with the rule for
  withdrawn and merged requests as above. An answer counts as contact, whatever the channel.
- *solved* = the resident says solved ÷ reached, by his last word that counts, rating or call-back. `claimed` is the
  handler's word: answered ÷ due; `gap` = claimed less solved.
- *satisfaction* = 4 or 5 of 5 ÷ rated with a mark, by the last mark; with the distribution of marks.
- Rejected requests contribute nothing but that they were received and rejected. Archiving changes no figure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import add, sub
from typing import NamedTuple

from followup.model import Case
from shared.contracts.vocabulary import Language, Outcome, RejectionReason, Status
from shared.rates import Rate, rate

INVALID = frozenset({RejectionReason.NOT_A_REQUEST, RejectionReason.TEST, RejectionReason.ABUSE})
SATISFIED_FROM = 4


class Counts(NamedTuple):
    """What one request, or the sum of many, contributes."""

    received: int = 0
    valid: int = 0
    admitted: int = 0
    rejected: int = 0
    merged: int = 0
    withdrawn: int = 0
    open: int = 0
    at_received: int = 0
    at_triaged: int = 0
    at_assigned: int = 0
    at_accepted: int = 0
    at_answered: int = 0
    at_disputed: int = 0
    closed: int = 0
    confirmed: int = 0
    unreached: int = 0
    unasked: int = 0
    reopened: int = 0
    due: int = 0
    answered: int = 0
    effective: int = 0
    on_time: int = 0
    contact_due: int = 0
    responded: int = 0
    missed: int = 0
    assigned: int = 0
    returned: int = 0
    supervised: int = 0
    disputed: int = 0
    routed: int = 0
    routed_right: int = 0
    judged: int = 0
    under_triaged: int = 0
    over_triaged: int = 0
    nudges: int = 0
    supervisions: int = 0
    returns: int = 0
    recalls: int = 0
    hops: int = 0
    reached: int = 0
    solved: int = 0
    mark_1: int = 0
    mark_2: int = 0
    mark_3: int = 0
    mark_4: int = 0
    mark_5: int = 0

    def plus(self, other: "Counts", sign: int = 1) -> "Counts":
        """The sum; the difference with `sign` -1."""
        return Counts._make(map(add if sign > 0 else sub, self, other))


NOTHING = Counts()


def contribution(case: Case, now: datetime) -> Counts:
    """What the case contributes at `now`."""
    life = case.life
    counts = Counts(
        received=1,
        valid=case.rejected not in INVALID,
        admitted=case.rejected is None,
        rejected=case.ended_as is Status.REJECTED,
        merged=case.ended_as is Status.MERGED,
        withdrawn=case.ended_as is Status.WITHDRAWN,
        open=case.ended_as is None,
        closed=case.ended_as is Status.CLOSED,
        confirmed=life.outcome is Outcome.CONFIRMED,
        unreached=life.outcome is Outcome.UNREACHED,
        unasked=life.outcome is Outcome.UNASKED,
        reopened=life.reopened,
    )
    if case.ended_as is None:
        counts = counts._replace(**{f"at_{life.status}": 1})
    if case.rejected is not None:
        return counts
    until = min(now, case.ended_at) if case.ended_at else now
    return _heard(_handled(_worked(counts, case, until), case, until), case)


def _worked(counts: Counts, case: Case, until: datetime) -> Counts:
    """With what the handlers did, as far as it was owed by `until`."""
    answered = case.answered_at is not None
    was_answered = answered or case.life.reopened > 0
    in_time = case.stands and case.answered_at is not None and case.answered_at <= case.answer_due
    counts = counts._replace(
        due=was_answered or case.answer_due <= until, answered=answered, effective=case.stands, on_time=in_time
    )
    if case.contact_due is None:
        return counts
    contacted = case.contacted_at is not None
    responded = case.contacted_at is not None and case.contacted_at <= case.contact_due
    return counts._replace(contact_due=contacted or case.contact_due <= until, responded=responded)


def _handled(counts: Counts, case: Case, until: datetime) -> Counts:
    """With how it went from hand to hand, and whether the first decisions were right."""
    course = case.course
    in_hand = course.assigned_at is not None
    colours = course.first_colour, course.colour_at_answer
    raised = colours[1].rank - colours[0].rank if colours[0] and colours[1] else 0
    return counts._replace(
        missed=course.missed_fulfilments > 0 or (bool(counts.due) and _was_silent(case, until)),
        assigned=in_hand,
        returned=in_hand and course.returns > 0,
        supervised=in_hand and course.supervisions > 0,
        disputed=course.answered_by is not None and case.life.reopened > 0,
        routed=course.answered_by is not None,
        routed_right=course.answered_by is not None and course.answered_by == course.first_organisation,
        judged=course.colour_at_answer is not None,
        under_triaged=raised > 0,
        over_triaged=raised < 0,
        nudges=course.nudges,
        supervisions=course.supervisions,
        returns=course.returns,
        recalls=course.recalls,
        hops=course.hops,
    )


def _was_silent(case: Case, until: datetime) -> bool:
    """Whether the answer's time ran out before any human contact."""
    if case.ended_at is not None and case.answer_due > case.ended_at:
        return False
    return case.answer_due <= until if case.contacted_at is None else case.contacted_at > case.answer_due


def _heard(counts: Counts, case: Case) -> Counts:
    """With what the resident said."""
    if case.solved is None:
        return counts
    counts = counts._replace(reached=1, solved=case.solved)
    return counts._replace(**{f"mark_{case.satisfaction}": 1}) if case.satisfaction else counts


def moments(case: Case, now: datetime) -> list[datetime]:
    """When time alone will change what the case contributes."""
    due = (case.answer_due if case.answered_at is None else None, case.contact_due if not case.contacted_at else None)
    return [at for at in due if at and at > now and (case.ended_at is None or at <= case.ended_at)]


# Figures


@dataclass(frozen=True, slots=True)
class Solved(Rate):
    """The residents' word, beside the handlers' claim, and the gap between the two."""

    claimed: Rate
    gap: float | None


@dataclass(frozen=True, slots=True)
class Satisfaction(Rate):
    """Satisfied of those who gave a mark, with how many gave each."""

    distribution: dict[str, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """Plain counts. received = open + closed + rejected + merged + withdrawn. From `reopened` on, every time counts:
    a request that was nudged twice counts two nudges."""

    received: int
    valid: int
    open: int
    closed: int
    rejected: int
    merged: int
    withdrawn: int
    confirmed: int
    unreached: int
    unasked: int
    answered: int
    due: int
    missed: int
    reopened: int
    nudges: int
    supervisions: int
    returns: int
    recalls: int
    hops: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a set of requests."""

    totals: Totals
    admitted: Rate
    effective_answer: Rate
    on_time: Rate
    response: Rate
    missed: Rate
    solved: Solved
    satisfaction: Satisfaction
    disputed: Rate
    returned: Rate
    supervised: Rate
    first_route: Rate
    under_triage: Rate
    over_triage: Rate


RATES = tuple(name for name in Figures.__slots__ if name != "totals")
"""The names of the rates."""


def figures(counts: Counts) -> Figures:
    """The figures of a sum of contributions."""
    marks = (counts.mark_1, counts.mark_2, counts.mark_3, counts.mark_4, counts.mark_5)
    solved, claimed = rate(counts.solved, counts.reached), rate(counts.answered, counts.due)
    both = solved.value is not None and claimed.value is not None
    gap = claimed.value - solved.value if both else None  # type: ignore[operator] # both are checked
    satisfied = rate(sum(marks[SATISFIED_FROM - 1 :]), sum(marks))
    return Figures(
        totals=Totals(**{name: getattr(counts, name) for name in Totals.__slots__}),
        admitted=rate(counts.admitted, counts.valid),
        effective_answer=rate(counts.effective, counts.due),
        on_time=rate(counts.on_time, counts.due),
        response=rate(counts.responded, counts.contact_due),
        missed=rate(counts.missed, counts.due),
        solved=Solved(solved.value, solved.n, solved.of, solved.low, solved.high, claimed, gap),
        satisfaction=Satisfaction(
            satisfied.value,
            satisfied.n,
            satisfied.of,
            satisfied.low,
            satisfied.high,
            {str(mark): n for mark, n in enumerate(marks, 1)},
        ),
        disputed=rate(counts.disputed, counts.routed),
        returned=rate(counts.returned, counts.assigned),
        supervised=rate(counts.supervised, counts.assigned),
        first_route=rate(counts.routed_right, counts.routed),
        under_triage=rate(counts.under_triaged, counts.judged),
        over_triage=rate(counts.over_triaged, counts.judged),
    )


def total(rows: Iterable[Counts]) -> Counts:
    """The sum of contributions."""
    result = NOTHING
    for row in rows:
        result = result.plus(row)
    return result


# The sentence


def sentence(shown: Figures, lang: Language) -> str:
    """The model's sentence on all requests since opening, in Chinese or English."""
    received = shown.totals.received
    admitted, effective = percent(shown.admitted, lang), percent(shown.effective_answer, lang)
    if lang is Language.ZH:
        return f"自开通以来，共接收求助{received}件，受理率{admitted}，有效反馈率{effective}。"
    noun = "request" if received == 1 else "requests"
    return f"Since opening, received {received} {noun}, admitted {admitted}, effectively answered {effective}."


def percent(shown: Rate, lang: Language) -> str:
    """A rate for people, cut (never rounded up) to a tenth: 100 % says that none is missing."""
    if shown.value is None:
        return "暂无" if lang is Language.ZH else "none due yet"
    tenths = shown.n * 1000 // shown.of
    number = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10:.1f}"
    return f"{number}%" if lang is Language.ZH else f"{number} %"
