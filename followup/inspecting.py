"""What inspectors do: tries of a call-back, and the score of the answer; nobody who handled the request does either."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel

from followup import lookback, scoring, store
from followup.handlers import Desk, text_of
from followup.lookback import Attempt, Effect, Ruling, Visit, VisitState
from followup.model import Case
from shared.contracts.vocabulary import Finding, TextKind
from shared.database import Transaction
from shared.identity import Kind, Principal
from shared.messaging.work import Work
from shared.problems import Forbidden, NotFound
from shared.web import check_revision

CALLERS = frozenset({Kind.INSPECTOR, Kind.SUPERVISOR})
"""Who makes call-backs, and scores answers."""


class AttemptKept(BaseModel):
    """What became of a try: the call-back's state, when the next try is due, and the effect on the request."""

    visit_id: UUID
    request_id: UUID
    attempt: int
    state: VisitState
    effect: Effect
    next_due_at: datetime | None
    revision: int


class ScoreKept(BaseModel):
    """What became of a score."""

    visit_id: UUID
    request_id: UUID
    total: int
    passed: bool
    finding: Finding
    effect: Effect
    revision: int


class Held(NamedTuple):
    """A visit with its case, locked, in the hands of somebody who may look back at it."""

    desk: Desk
    case: Case
    visit: Visit


def check_may_call_back(caller: Principal) -> None:
    """Raise Forbidden for everybody but inspectors and supervisors: a handler must not even see who is drawn."""
    if caller.kind not in CALLERS:
        raise Forbidden("Call-backs are made by inspectors and supervisors.")


def check_did_not_handle(caller: Principal, case: Case) -> None:
    """Raise Forbidden where the caller's own organisation has or had a task on the request."""
    if caller.organisation in case.organisations:
        raise Forbidden("Your organisation handled this request: somebody else calls back.")


async def _hold(work: Work, caller: Principal, visit_id: UUID, revision: int) -> Held:
    check_may_call_back(caller)
    found = await store.find_visit(work.connection, visit_id)
    if found is None:
        raise NotFound
    desk = await Desk.of(work, {found.request_id})
    case, visit = desk.cases[found.request_id], await store.find_visit(work.connection, visit_id, lock=True)
    if visit is None:
        raise NotFound
    check_did_not_handle(caller, case)
    check_revision(revision, visit.revision)
    return Held(desk, case, visit)


async def _leave(held: Held, looked: Visit, ruling: Ruling, note: str | None) -> None:
    """Keep what was found, what follows from it, and the note."""
    work = held.desk.work
    await store.save_visit(work.connection, looked)
    held.desk.rule(ruling)
    if text := text_of(work, held.case.request_id, TextKind.NOTE, note):
        work.state(text, held.case.request_id, key=text.text_id)
    await held.desk.leave()


async def attempt(
    work: Work, caller: Principal, visit_id: UUID, revision: int, made: Attempt, note: str | None
) -> AttemptKept:
    """Keep a try of a call-back, and what follows from it."""
    held = desk, case, visit = await _hold(work, caller, visit_id, revision)
    tried, ruling = lookback.attempt(case, visit, made, work.now, desk.plan.call_back)
    await _leave(held, tried, ruling, note)
    return AttemptKept(
        visit_id=visit.id,
        request_id=case.request_id,
        attempt=visit.attempt,
        state=tried.state,
        effect=ruling.effect,
        next_due_at=tried.due_at if tried.state is VisitState.OPEN else None,
        revision=tried.revision,
    )


async def score(
    work: Work, caller: Principal, visit_id: UUID, revision: int, given: scoring.Score, note: str | None
) -> ScoreKept:
    """Keep the score of the answer, and what follows from it."""
    held = desk, case, visit = await _hold(work, caller, visit_id, revision)
    plan = desk.plan.look_back
    scored, ruling = scoring.inspect(case, visit, given, plan)
    passed = scoring.passes(given, plan)
    desk.count(case, visit.stratum, scored=1, passed=int(passed))
    await _leave(held, scored, ruling, note)
    return ScoreKept(
        visit_id=visit.id,
        request_id=case.request_id,
        total=sum(given.values()),
        passed=passed,
        finding=scoring.finding(given, plan),
        effect=ruling.effect,
        revision=scored.revision,
    )


async def find(connection: Transaction, caller: Principal, visit_id: UUID) -> tuple[Visit, Case]:
    """A visit with its case, for who may look back at it."""
    check_may_call_back(caller)
    visit = await store.find_visit(connection, visit_id)
    case = await store.find_case(connection, visit.request_id) if visit else None
    if visit is None or case is None:
        raise NotFound
    check_did_not_handle(caller, case)
    return visit, case
