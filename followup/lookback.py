"""What follows an answer: the resident's rating, call-backs, and how it ends: closed, or disputed. Pure.

Each rule takes what is known and the time, and gives a ruling: the case as followup now takes it, and the facts that
follow, in their order. The life itself moves only when the facts come back from the log.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from followup.model import Case, Stratum
from followup.plan import TRIES, CallBack, Plan
from shared.contracts import lookback as b
from shared.contracts import requests as r
from shared.contracts.vocabulary import AttemptOutcome, DisputeReason, Medium, Outcome, Status
from shared.problems import InvalidInput, NotInThisState, Problem


class NotAnsweredYet(NotInThisState):
    """There is no answer to rate yet. Rate once the request is answered."""

    title = "Not answered yet"


class NotFulfilledYet(NotInThisState):
    """The answer promises something that has not happened yet; rate after `fulfil_by`, or once it has happened."""

    title = "Not fulfilled yet"


class NotDueYet(NotInThisState):
    """A failed try counts only from `due_at` on, so that tries are not used up at once. Try again then."""

    title = "Not due yet"


class VisitOver(NotInThisState):
    """This call-back is done, or void since the request went on otherwise. Take another from the list."""

    title = "Visit over"


class AnotherMediumNeeded(Problem):
    """All tries so far went over one medium. Make the last one over another, for example at the door."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Another medium needed"


class VisitState(StrEnum):
    """Where a call-back is."""

    OPEN = "open"
    DONE = "done"
    VOID = "void"


class Effect(StrEnum):
    """What a resident's word, or a try, did to the request."""

    CLOSED = "closed"
    DISPUTED = "disputed"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A call-back: up to three tries to hear from the resident whether the answer helped."""

    id: UUID
    request_id: UUID
    reason: str
    """Why it was drawn."""
    state: VisitState = VisitState.OPEN
    attempt: int = 1
    """The number of the next try."""
    due_at: datetime
    medium: Medium
    media: tuple[Medium, ...] = ()
    """Over which the tries so far went."""
    opened_at: datetime
    """When the answer came up for look-back."""
    stratum: Stratum
    answer_text: UUID | None = None
    """Its answer's words."""
    answered_at: datetime | None = None
    score: tuple[int, ...] | None = None
    """Of its answer, by plan.Criterion; None before."""
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody reports of a try."""

    outcome: AttemptOutcome
    medium: Medium | None = None
    solved: bool | None = None
    satisfaction: int | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided."""

    case: Case
    facts: tuple[r.RequestFact, ...] = ()
    effect: Effect = Effect.NONE


# The resident's rating


def window_ends(case: Case, plan: Plan) -> datetime | None:
    """Until when the present answer may be rated; None where it may not be rated yet."""
    return case.open_from + plan.rating_window if case.open_from else None


def check_rateable(case: Case) -> None:
    """Raise NotAnsweredYet or NotFulfilledYet where there is nothing to rate."""
    if case.life.fulfil_by is not None and case.status is Status.ANSWERED:
        raise NotFulfilledYet(state=case.status, fulfil_by=case.life.fulfil_by.isoformat())
    if (case.answered_at is None and not case.life.reopened) or case.status is Status.ARCHIVED:
        raise NotAnsweredYet(state=case.status)


def rate(case: Case, rated: r.RequestRated, now: datetime, plan: Plan) -> Ruling:
    """The ruling on a resident's word.

    Within the window the last word on the present answer counts, also over an earlier one of his and where a
    call-back closed the request before: it may still dispute it. Once it is disputed, or the window is over, a word is
    kept and changes nothing.
    """
    check_rateable(case)
    ends = window_ends(case, plan)
    standing = case.status in {Status.ANSWERED, Status.CLOSED}
    if not standing or ends is None or now > ends:
        return Ruling(case, (rated.model_copy(update={"counts": False}),))
    heard = replace(case, rated=True)
    if not rated.solved:
        return dispute(heard, DisputeReason.NOT_SOLVED, rated)
    if case.status is Status.CLOSED:
        return Ruling(heard, (rated,))
    complained = rated.satisfaction is not None and rated.satisfaction <= plan.look_back.complained_at_most
    ruling = _close(heard, Outcome.CONFIRMED, rated)
    return replace(ruling, case=replace(ruling.case, visit_due_at=case.visit_due_at)) if complained else ruling


def _close(case: Case, outcome: Outcome, *before: r.RequestFact) -> Ruling:
    """Closed where it is not closed already; whatever call-back there is, is over."""
    if case.status is Status.CLOSED:
        return Ruling(replace(case, visit_due_at=None), before)
    case = replace(case, settled=Status.CLOSED, visit_due_at=None)
    return Ruling(case, (*before, r.RequestClosed(outcome=outcome)), Effect.CLOSED)


def dispute(case: Case, reason: DisputeReason, *before: r.RequestFact) -> Ruling:
    """The answer does not stand: `before` and the dispute are stated, and whatever call-back there is, is over."""
    case = replace(case, settled=Status.DISPUTED, visit_due_at=None)
    return Ruling(case, (*before, r.RequestDisputed(reason=reason)), Effect.DISPUTED)


# Call-backs


def may_look_back(case: Case) -> bool:
    """Whether the present answer can be looked back at: it stands, and what it promised has happened."""
    return case.status in {Status.ANSWERED, Status.CLOSED} and case.open_from is not None


def begin_visit(
    case: Case, visit_id: UUID, reason: str, at: datetime, plan: CallBack, *, ring: bool = True
) -> tuple[Case, Visit]:
    """A call-back whose first try is due at `at`; without `ring` there is only the answer to be scored.

    `case` has come up for look-back: it has its stratum.
    """
    assert case.stratum is not None  # noqa: S101 see above
    assert case.open_from is not None  # noqa: S101 see above
    visit = Visit(
        id=visit_id,
        request_id=case.request_id,
        reason=reason,
        state=VisitState.OPEN if ring else VisitState.DONE,
        due_at=at,
        medium=plan.media[0],
        opened_at=case.open_from,
        stratum=case.stratum,
        answer_text=case.answer_text,
        answered_at=case.answered_at,
    )
    return replace(case, drawn=reason, heard=case.rated, visit_due_at=at if ring else None), visit


def attempt(case: Case, visit: Visit, made: Attempt, now: datetime, plan: CallBack) -> tuple[Visit, Ruling]:
    """The ruling on a try: reached ends it by the resident's word, a third failure closes as unreached.

    Raises VisitOver, NotDueYet, AnotherMediumNeeded, or InvalidInput where outcome and word do not fit.
    """
    if visit.state is not VisitState.OPEN or case.visit_due_at is None or not may_look_back(case):
        raise VisitOver(state=visit.state if visit.state is not VisitState.OPEN else VisitState.VOID)
    _check_word(made)
    medium = made.medium or visit.medium
    fact = r.ResidentVisited(
        visit_id=visit.id,
        attempt=visit.attempt,
        medium=medium,
        outcome=made.outcome,
        solved=made.solved,
        satisfaction=made.satisfaction,
    )
    tried = replace(visit, media=(*visit.media, medium), revision=visit.revision + 1)
    if made.outcome is AttemptOutcome.REACHED:
        return replace(tried, state=VisitState.DONE), _heard(case, fact)
    if now < visit.due_at:
        raise NotDueYet(state=visit.state, due_at=visit.due_at.isoformat())
    if visit.attempt >= TRIES:
        if len(set(tried.media)) < 2:
            raise AnotherMediumNeeded
        return replace(tried, state=VisitState.DONE), _close(case, Outcome.UNREACHED, fact)
    return _again(case, tried, fact, now, plan)


def _check_word(made: Attempt) -> None:
    reached = made.outcome is AttemptOutcome.REACHED
    if reached and made.solved is None:
        raise InvalidInput("Say whether it is solved, in the resident's word: `solved`.")
    if not reached and (made.solved is not None or made.satisfaction is not None):
        raise InvalidInput("Only somebody who was reached has a word: leave out `solved` and `satisfaction`.")


def _heard(case: Case, fact: r.ResidentVisited) -> Ruling:
    if fact.solved:
        return _close(case, Outcome.CONFIRMED, fact)
    return dispute(case, DisputeReason.LOOK_BACK, fact)


def _again(case: Case, tried: Visit, fact: r.ResidentVisited, now: datetime, plan: CallBack) -> tuple[Visit, Ruling]:
    """The next try: later by the outcome's own delay, over the plan's medium for it."""
    wait = timedelta(minutes=plan.retry_minutes[fact.outcome][tried.attempt - 1])
    visit = replace(tried, attempt=tried.attempt + 1, due_at=now + wait, medium=plan.media[tried.attempt])
    return visit, Ruling(replace(case, visit_due_at=visit.due_at), (fact,))


# What time decides


def expire(case: Case, now: datetime, plan: Plan) -> Ruling:
    """The ruling of time alone: a promise not kept is disputed; a window over, nobody drawn, closes unasked."""
    if case.status is not Status.ANSWERED:
        return Ruling(case)
    if case.life.fulfil_by is not None:
        missed = now >= case.life.fulfil_by + plan.fulfilment_grace
        return dispute(case, DisputeReason.FULFILMENT_MISSED) if missed else Ruling(case)
    ends = window_ends(case, plan)
    if ends is None:
        return Ruling(case)
    if now >= ends:
        return _close(case, Outcome.UNASKED) if case.drawn is None else Ruling(case)
    if case.open_from and now >= case.open_from + plan.rating_reminder and not (case.rated or case.reminded):
        return Ruling(replace(case, reminded=True), (b.RatingReminded(until=ends),))
    return Ruling(case)


def moments(case: Case, plan: Plan) -> list[datetime]:
    """When time alone may decide something about the case."""
    if case.status is not Status.ANSWERED:
        return []
    if case.life.fulfil_by is not None:
        return [case.life.fulfil_by + plan.fulfilment_grace]
    if case.open_from is None:
        return []
    reminder = [] if case.rated or case.reminded else [case.open_from + plan.rating_reminder]
    return reminder if case.drawn is not None else [*reminder, case.open_from + plan.rating_window]
