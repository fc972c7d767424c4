"""Everything followup can do: facts from the bus, what time decides, and the verbs of the API."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from followup import cells, figure_store, figures, lookback, sampling, store, watchdog
from followup.lookback import Attempt, Effect, Ruling, Visit, VisitState
from followup.model import Case, fold
from followup.plan import Plan
from shared.contracts import FACTS, Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import PolicyRecorded
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Language, Status, TextKind
from shared.identity import Kind, Principal, may_read
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden, NotFound
from shared.sealing import text_hash
from shared.web import check_revision

SERVICE = "followup"
LOOK = "look"
"""The one timer of a case: it wakes at the earliest moment at which anything may be due."""
CATCH_UP = timedelta(minutes=1)
"""What the log shows overdue while it is read may be mended by its next fact: looked at again after this."""
CALLERS = frozenset({Kind.INSPECTOR, Kind.SUPERVISOR})
"""Who makes call-backs."""


class Desk:
    """The cases that one transaction looks at, and what follows for them."""

    def __init__(self, work: Work, policy: store.Policy, cases: dict[UUID, Case]) -> None:
        """`cases` are locked."""
        self.work, self.plan, self.seed = work, policy.plan, policy.seed
        self.cases = dict(cases)
        self.raised: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.cleared: set[tuple[str, str, str]] = set()
        self._as_counted = dict(cases)
        self._changed: set[UUID] = set()
        self._new_visits: dict[UUID, Visit] = {}
        self._voided: set[UUID] = set()
        self._drawn: Counter[tuple[str, str]] = Counter()
        self._excluded: list[dict[str, Any]] = []

    @classmethod
    async def of(cls, work: Work, ids: set[UUID]) -> "Desk":
        """A desk with these cases, as far as they are known."""
        return cls(work, await store.load_policy(work.connection), await store.lock_cases(work.connection, ids))

    def put(self, case: Case) -> None:
        """The case as it is now."""
        before = self.cases.get(case.request_id)
        if before and before.visit_due_at and not case.visit_due_at:
            self._voided.add(case.request_id)
            self._new_visits.pop(case.request_id, None)
        self.cases[case.request_id] = case
        self._changed.add(case.request_id)

    def rule(self, ruling: Ruling) -> None:
        """Take a ruling: its case, and its facts."""
        self.put(ruling.case)
        for fact in ruling.facts:
            self.work.state(fact, ruling.case.request_id)

    def visit(self, case: Case, reason: str, at: datetime) -> None:
        """Plan a call-back."""
        case, visit = lookback.begin_visit(case, new_id(), reason, at, self.plan.call_back)
        self.put(case)
        self._new_visits[case.request_id] = visit
        self._drawn[sampling.month(case), case.organisation or ""] += 1

    def exclude(self, case: Case, fact: r.RequestRejected) -> None:
        """The request was rejected: list why, and on whose word."""
        self._excluded.append(
            {
                "request_id": case.request_id,
                "received_at": case.life.received_at,
                "rejected_at": case.life.changed_at,
                "reason": fact.reason.value,
                "decided_by": fact.decided_by.value,
                "approved_by": fact.approved_by,
            }
        )

    async def leave(self, *, from_log: bool = False) -> None:
        """Let the watchdog look at what changed, move the figures, set timers, and write everything."""
        moves: dict[cells.Profile, cells.Sum] = {}
        for request_id in sorted(self._changed):
            case = self._watch(self.cases[request_id], may_raise=not from_log)
            cells.move(moves, self._as_counted.get(request_id), case, self.work.now)
            wake_at = self._set_timer(case, past=from_log)
            self.cases[request_id] = replace(case, counted_at=self.work.now, wake_at=wake_at)
        connection = self.work.connection
        await store.save_cases(connection, [self.cases[request_id] for request_id in self._changed])
        await store.void_visits(connection, self._voided)
        await store.add_visits(connection, list(self._new_visits.values()))
        await store.add_drawn(connection, self._drawn)
        await figure_store.add_moves(connection, moves)
        await figure_store.add_exclusions(connection, self._excluded)

    def _watch(self, case: Case, *, may_raise: bool) -> Case:
        looked = watchdog.look(case, self.plan, self.work.now, may_raise=may_raise)
        about = case.request_id
        for watch, count in looked.raised:
            alarm = AlarmRaised(service=SERVICE, kind=watch.kind, request_id=about, stage=watch.stage, count=count)
            self.work.state(alarm, about)
        for kind in looked.cleared:
            self.work.state(AlarmCleared(service=SERVICE, kind=kind, request_id=about), about)
        return looked.case

    def _set_timer(self, case: Case, *, past: bool) -> datetime | None:
        """Set the timer where it would wake too late, and say when it does; one that wakes early does no harm."""
        now = self.work.now
        watched = watchdog.moments(case, self.plan, now)
        moments = [at if at > now else now + CATCH_UP for at in watched]
        moments += [at for at in lookback.moments(case, self.plan) if past or at > now]
        moments += figures.moments(case, now)
        if not moments or (case.wake_at is not None and case.wake_at <= min(moments)):
            return case.wake_at
        self.work.set_timer(LOOK, str(case.request_id), min(moments))
        return min(moments)


# Facts from the bus


async def take(work: Work, events: Sequence[Event[Fact]]) -> None:
    """A batch of facts, in the order of the log."""
    desk = await Desk.of(work, {UUID(e.subject) for e in events if isinstance(e.fact, r.RequestFact)})
    for event in events:
        HANDLES[type(event.fact)](desk, event)
    await desk.leave(from_log=True)
    await store.save_alarms(work.connection, desk.cleared, list(desk.raised.values()))


def on_request_fact(desk: Desk, event: Event[Fact]) -> None:
    """A request's history went on: fold it, and see whether its answer is now to be looked back at."""
    before = desk.cases.get(UUID(event.subject))
    case = fold(before, event, desk.plan.promises)
    desk.put(case)
    if isinstance(event.fact, r.RequestRejected) and before and before.rejected is not case.rejected:
        desk.exclude(case, event.fact)
    if not lookback.is_open(case) or case.drawn is not None:
        return
    opened = before is None or before.open_from != case.open_from
    draw = sampling.draw(case, desk.plan.look_back, desk.seed) if opened else sampling.must(case, desk.plan.look_back)
    if draw:
        desk.visit(case, draw, case.life.changed_at)


def on_alarm_raised(desk: Desk, event: Event[Fact]) -> None:
    """Some service, perhaps this one, raised an alarm: it is on the list."""
    fact = event.fact
    assert isinstance(fact, AlarmRaised)  # noqa: S101 HANDLES says so
    key = (fact.service, event.subject, fact.kind.value)
    first = desk.raised.get(key, {}).get("raised_at", event.time)
    desk.raised[key] = {
        "service": fact.service,
        "subject": event.subject,
        "kind": fact.kind.value,
        "request_id": fact.request_id,
        "stage": fact.stage,
        "count": fact.count,
        "raised_at": first,
        "last_at": event.time,
    }


def on_alarm_cleared(desk: Desk, event: Event[Fact]) -> None:
    """What an alarm was about is mended: it leaves the list."""
    fact = event.fact
    assert isinstance(fact, AlarmCleared)  # noqa: S101 HANDLES says so
    key = (fact.service, event.subject, fact.kind.value)
    desk.raised.pop(key, None)
    desk.cleared.add(key)


HANDLES: dict[type[Fact], Callable[[Desk, Event[Fact]], None]] = {
    **{fact: on_request_fact for fact in FACTS.values() if fact.TOPIC == r.TOPIC},
    AlarmRaised: on_alarm_raised,
    AlarmCleared: on_alarm_cleared,
}
"""What followup reacts to: every fact about a request moves its life, and alarms make the list of alarms."""


# What time decides


async def fire(work: Work, timers: Sequence[Timer]) -> None:
    """Cases at which something may be due: a promise missed, a window over, too few drawn, a silence, a figure."""
    desk = await Desk.of(work, {UUID(timer.key) for timer in timers})
    passed_over = []
    for case in list(desk.cases.values()):
        ruling = lookback.expire(replace(case, wake_at=None), work.now, desk.plan)
        desk.rule(ruling)
        if ruling.effect is Effect.NONE and _may_be_topped_up(ruling.case, desk.plan, work.now):
            passed_over.append(ruling.case)
    await _top_up(desk, passed_over)
    await desk.leave()


def _may_be_topped_up(case: Case, plan: Plan, now: datetime) -> bool:
    if not lookback.is_open(case) or case.drawn is not None or case.open_from is None:
        return False
    return now >= case.open_from + plan.look_back.top_up_after


async def _top_up(desk: Desk, passed_over: Sequence[Case]) -> None:
    """Draw of those passed over as many as their organisation still needs."""
    strata = {(sampling.month(case), case.organisation or "") for case in passed_over}
    drawn = await store.count_drawn(desk.work.connection, strata)
    for case in passed_over:
        stratum = sampling.month(case), case.organisation or ""
        if reason := sampling.top_up(drawn.get(stratum, 0), desk.plan.look_back):
            drawn[stratum] = drawn.get(stratum, 0) + 1
            desk.visit(case, reason, desk.work.now)


# Verbs of the API


class RatingKept(BaseModel):
    """What became of a rating: `counts` is false for a word that is kept and changes nothing."""

    request_id: UUID
    solved: bool
    satisfaction: int | None
    counts: bool
    effect: Effect


class AttemptKept(BaseModel):
    """What became of a try: the call-back's state, when the next try is due, and the effect on the request."""

    visit_id: UUID
    request_id: UUID
    attempt: int
    state: VisitState
    effect: Effect
    next_due_at: datetime | None
    revision: int


class Word(BaseModel):
    """What a resident says of the answer."""

    solved: bool
    satisfaction: int | None = None
    comment: str | None = None


async def rate(work: Work, caller: Principal, request_id: UUID, word: Word, salt: bytes) -> RatingKept:
    """Keep the resident's word, and what follows from it."""
    desk = await Desk.of(work, {request_id})
    case = desk.cases.get(request_id)
    _check_may_rate(caller, request_id, case)
    if case is None:
        raise lookback.NotAnsweredYet(state=Status.RECEIVED)
    text = _text(work, request_id, TextKind.COMMENT, word.comment)
    rated = r.RequestRated(
        solved=word.solved,
        satisfaction=word.satisfaction,
        text_id=text.text_id if text else None,
        text_hash=text_hash(salt, text.text_id, text.text) if text else None,
    )
    ruling = lookback.rate(case, rated, work.now, desk.plan)
    kept, *following = ruling.facts
    work.state(kept, request_id)
    if text:
        work.state(text, request_id, key=text.text_id)
    desk.rule(replace(ruling, facts=tuple(following)))
    await desk.leave()
    return RatingKept(
        request_id=request_id,
        solved=word.solved,
        satisfaction=word.satisfaction,
        counts=isinstance(kept, r.RequestRated) and kept.counts,
        effect=ruling.effect,
    )


def _check_may_rate(caller: Principal, request_id: UUID, case: Case | None) -> None:
    """Nobody rates for the resident: whoever may read the request is told so, everybody else sees nothing."""
    if caller.kind is Kind.RESIDENT and caller.request_id == request_id:
        return
    organisations = frozenset(case.organisations if case else ())
    if case is not None and may_read(caller, request_id, case.life.area, organisations):
        raise Forbidden("Only the resident rates, with the tracking token of this request.")
    raise NotFound


def _text(work: Work, request_id: UUID, kind: TextKind, words: str | None) -> TextRecorded | None:
    if not words:
        return None
    masked = mask(words)
    return TextRecorded(
        text_id=new_id(),
        request_id=request_id,
        kind=kind,
        text=masked,
        language=Language.of(masked),
        filed_at=work.now,
        received_at=work.now,
    )


def check_may_call_back(caller: Principal) -> None:
    """Raise Forbidden for everybody but inspectors and supervisors: a handler must not even see who is drawn."""
    if caller.kind not in CALLERS:
        raise Forbidden("Call-backs are made by inspectors and supervisors.")


async def attempt(
    work: Work, caller: Principal, visit_id: UUID, revision: int, made: Attempt, note: str | None
) -> AttemptKept:
    """Keep a try of a call-back, and what follows from it."""
    check_may_call_back(caller)
    found = await store.find_visit(work.connection, visit_id)
    if found is None:
        raise NotFound
    desk = await Desk.of(work, {found.request_id})
    case, visit = desk.cases[found.request_id], await store.find_visit(work.connection, visit_id, lock=True)
    if visit is None:
        raise NotFound
    if caller.organisation in case.organisations:
        raise Forbidden("Your organisation handled this request: somebody else calls back.")
    check_revision(revision, visit.revision)
    tried, ruling = lookback.attempt(case, visit, made, work.now, desk.plan.call_back)
    await store.save_visit(work.connection, tried)
    desk.rule(ruling)
    if text := _text(work, case.request_id, TextKind.NOTE, note):
        work.state(text, case.request_id, key=text.text_id)
    await desk.leave()
    return AttemptKept(
        visit_id=visit.id,
        request_id=case.request_id,
        attempt=visit.attempt,
        state=tried.state,
        effect=ruling.effect,
        next_due_at=tried.due_at if tried.state is VisitState.OPEN else None,
        revision=tried.revision,
    )


async def apply_plan(work: Work, plan: Plan, new_seed: bytes) -> None:
    """Put the plan into force where it differs from the one that is; the seed of the draws stays."""
    now_in_force = await store.find_policy(work.connection)
    if now_in_force and now_in_force.plan == plan:
        return
    seed = now_in_force.seed if now_in_force else new_seed
    await store.add_policy(work.connection, store.Policy(plan, seed), work.now)
    work.state(PolicyRecorded(policy=SERVICE, version=plan.version), SERVICE)
