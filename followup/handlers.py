"""Everything followup can do: facts from the bus, what time decides, and the verbs of the API."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from followup import cells, draws, figure_store, figures, lookback, lookback_store, sampling, store, watchdog
from followup.lookback import Effect, Ruling, Visit, VisitState
from followup.model import Case, Stratum, fold
from followup.plan import Plan
from followup.quality import Cell, Tally, cell
from followup.retrospective import Improvement
from followup.sampling import Lot, Reason
from followup.tracing import Trace, traces
from shared.contracts import FACTS, Event, Fact
from shared.contracts import requests as r
from shared.contracts import reviews as v
from shared.contracts.directory import AreaRecorded, OrganisationRecorded, PolicyRecorded
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Language, Outcome, Status, TextKind
from shared.identity import Kind, Principal, may_read
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden, NotFound
from shared.sealing import keyed_hash, text_hash

SERVICE = "followup"
LOOK = "look"
"""The one timer of a case: it wakes at the earliest moment at which anything may be due."""
CATCH_UP = timedelta(minutes=1)
"""What the log shows overdue while it is read may be mended by its next fact: looked at again after this."""


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
        self._new_visits: list[Visit] = []
        self._voided: set[UUID] = set()
        self.assigned: list[Improvement] = []
        self.done: dict[UUID, datetime] = {}
        self.named: list[Fact] = []
        self._lots: dict[tuple[UUID, datetime], Lot] = {}
        self._drawn_later: dict[tuple[UUID, datetime], Reason] = {}
        self._tallies: dict[Cell, Tally] = {}
        self._traces: list[Trace] = []
        self._excluded: list[dict[str, Any]] = []

    @classmethod
    async def of(cls, work: Work, ids: set[UUID]) -> "Desk":
        """A desk with these cases, as far as they are known."""
        return cls(work, await store.load_policy(work.connection), await store.lock_cases(work.connection, ids))

    def hold(self, case: Case) -> None:
        """One more case that this transaction looks at; it is locked."""
        self.cases[case.request_id] = self._as_counted[case.request_id] = case

    def put(self, case: Case) -> None:
        """The case as it is now."""
        before = self.cases.get(case.request_id)
        if before and before.visit_due_at and not case.visit_due_at:
            self._voided.add(case.request_id)
            self._new_visits = [_voided(x) if x.request_id == case.request_id else x for x in self._new_visits]
        if case.stratum and case.heard and before and before.stratum == case.stratum and not before.heard:
            self.count(case, case.stratum, reached=1)
        self.cases[case.request_id] = case
        self._changed.add(case.request_id)

    def rule(self, ruling: Ruling) -> None:
        """Take a ruling: its case, and its facts."""
        self.put(ruling.case)
        for fact in ruling.facts:
            self.work.state(fact, ruling.case.request_id)

    def open(self, case: Case) -> None:
        """The answer came up for look-back: it gets its lot, and its call-back where it is drawn."""
        assert case.open_from  # noqa: S101 see above
        made = sampling.draw(case, case.open_from, self.plan.look_back, self.seed, self.work.now)
        self._lots[made.request_id, made.opened_at] = made
        certain = made.reason is not None and made.reason.is_certain
        stratum = Stratum(made.category or "", made.colour or "", made.organisation, certain)
        case = replace(case, stratum=stratum)
        self.count(case, stratum, opened=1)
        self.put(case)
        if made.reason:
            self.visit(case, made.reason, case.life.changed_at)

    def draw_after_all(self, case: Case, reason: Reason, at: datetime) -> None:
        """What was passed over is drawn: since it became certain, or its organisation is topped up."""
        assert case.stratum is not None  # noqa: S101 it came up before
        assert case.open_from is not None  # noqa: S101 it came up before
        key = case.request_id, case.open_from
        if key in self._lots:
            self._lots[key] = replace(self._lots[key], reason=reason)
        else:
            self._drawn_later[key] = reason
        if reason.is_certain:
            certain = case.stratum._replace(certain=True)
            self.count(case, case.stratum, opened=-1)
            self.count(case, certain, opened=1)
            case = replace(case, stratum=certain)
        self.visit(case, reason, at)

    def visit(self, case: Case, reason: Reason, at: datetime) -> None:
        """Plan a call-back; who rated the answer already is not rung only to fill a number."""
        ring = reason is not Reason.TOPPED_UP or not case.rated
        case, visit = lookback.begin_visit(case, new_id(), reason, at, self.plan.call_back, ring=ring)
        self.cases[case.request_id] = case
        self._changed.add(case.request_id)
        self._new_visits.append(visit)
        self.count(case, visit.stratum, sampled=1, reached=int(case.heard))

    def count(self, case: Case, stratum: Stratum, **steps: int) -> None:
        """Count steps of a look-back."""
        at = cell(case, stratum)
        self._tallies[at] = self._tallies.get(at, Tally()).plus(Tally(**steps))

    def trace(self, before: Case | None, event: Event[Fact], after: Case) -> None:
        """Keep what the fact leaves behind."""
        self._traces += traces(before, event, after)

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
        await store.add_visits(connection, self._new_visits)
        await lookback_store.save_lots(connection, self._lots.values())
        await lookback_store.set_drawn(connection, self._drawn_later)
        await lookback_store.add_to_strata(connection, self._tallies)
        await lookback_store.add_traces(connection, self._traces)
        await lookback_store.save_improvements(connection, self.assigned, self.done)
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


def _voided(visit: Visit) -> Visit:
    return replace(visit, state=VisitState.VOID) if visit.state is VisitState.OPEN else visit


# Facts from the bus


async def take(work: Work, events: Sequence[Event[Fact]]) -> None:
    """A batch of facts, in the order of the log."""
    desk = await Desk.of(work, {UUID(e.subject) for e in events if isinstance(e.fact, r.RequestFact)})
    for event in events:
        HANDLES[type(event.fact)](desk, event)
    await desk.leave(from_log=True)
    await store.names.take(work.connection, desk.named)
    await store.save_alarms(work.connection, desk.cleared, list(desk.raised.values()))


def on_request_fact(desk: Desk, event: Event[Fact]) -> None:
    """A request's history went on: fold it, and see whether its answer is now to be looked back at."""
    before = desk.cases.get(UUID(event.subject))
    case = fold(before, event, desk.plan.promises)
    desk.put(case)
    desk.trace(before, event, case)
    if isinstance(event.fact, r.RequestRejected) and before and before.rejected is not case.rejected:
        desk.exclude(case, event.fact)
    if before and isinstance(event.fact, r.RequestClosed) and event.fact.outcome is Outcome.UNREACHED and case.stratum:
        desk.count(case, case.stratum, unreached=1)
    if not lookback.may_look_back(case) or case.drawn is not None:
        return
    if before is None or before.open_from != case.open_from:
        desk.open(case)
    elif case.stratum and (reason := sampling.must(case, desk.plan.look_back)):
        desk.draw_after_all(case, reason, case.life.changed_at)


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


def on_improvement_assigned(desk: Desk, event: Event[Fact]) -> None:
    """Dispatch handed out a problem to be put right."""
    fact = event.fact
    assert isinstance(fact, v.ImprovementAssigned)  # noqa: S101 HANDLES says so
    values = fact.model_dump(exclude={"service", "improvement_id"})
    desk.assigned.append(Improvement(id=fact.improvement_id, assigned_at=event.time, **values))


def on_improvement_done(desk: Desk, event: Event[Fact]) -> None:
    """Its holder says that it is put right."""
    fact = event.fact
    assert isinstance(fact, v.ImprovementDone)  # noqa: S101 HANDLES says so
    desk.done[fact.improvement_id] = event.time


def on_named(desk: Desk, event: Event[Fact]) -> None:
    """The directory says how an organisation or an area is called."""
    desk.named.append(event.fact)


HANDLES: dict[type[Fact], Callable[[Desk, Event[Fact]], None]] = {
    **{fact: on_request_fact for fact in FACTS.values() if fact.TOPIC == r.TOPIC},
    AlarmRaised: on_alarm_raised,
    AlarmCleared: on_alarm_cleared,
    v.ImprovementAssigned: on_improvement_assigned,
    v.ImprovementDone: on_improvement_done,
    OrganisationRecorded: on_named,
    AreaRecorded: on_named,
}
"""What followup reacts to: facts about a request move its life; alarms and improvements make their lists."""


# What time decides


async def fire(work: Work, timers: Sequence[Timer]) -> None:
    """Cases at which something may be due: a promise missed, a reminder, a window over, a silence, a figure."""
    desk = await Desk.of(work, {UUID(timer.key) for timer in timers})
    for case in list(desk.cases.values()):
        desk.rule(lookback.expire(replace(case, wake_at=None), work.now, desk.plan))
    await desk.leave()


# Verbs of the API


class RatingKept(BaseModel):
    """What became of a rating: `counts` is false for a word that is kept and changes nothing."""

    request_id: UUID
    solved: bool
    satisfaction: int | None
    counts: bool
    effect: Effect


class Word(BaseModel):
    """What a resident says of the answer."""

    solved: bool
    satisfaction: int | None = None
    comment: str | None = None
    device: str | None = None


async def rate(work: Work, caller: Principal, request_id: UUID, word: Word, salt: bytes) -> RatingKept:
    """Keep the resident's word, and what follows from it."""
    desk = await Desk.of(work, {request_id})
    case = desk.cases.get(request_id)
    _check_may_rate(caller, request_id, case)
    if case is None:
        raise lookback.NotAnsweredYet(state=Status.RECEIVED)
    text = text_of(work, request_id, TextKind.COMMENT, word.comment)
    rated = r.RequestRated(
        solved=word.solved,
        satisfaction=word.satisfaction,
        text_id=text.text_id if text else None,
        text_hash=text_hash(salt, text.text_id, text.text) if text else None,
        device_hash=keyed_hash(salt, "device", word.device) if word.device else None,
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


def text_of(work: Work, request_id: UUID, kind: TextKind, words: str | None) -> TextRecorded | None:
    """What somebody wrote, masked; None where he wrote nothing."""
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


async def apply_plan(work: Work, plan: Plan, new_seed: bytes) -> None:
    """Put the plan into force where it differs from the one that is; the secret of the draws stays."""
    now_in_force = await store.find_policy(work.connection)
    seed = now_in_force.seed if now_in_force else new_seed
    if now_in_force is None or now_in_force.plan != plan:
        await store.add_policy(work.connection, store.Policy(plan, seed), work.now)
        work.state(PolicyRecorded(policy=SERVICE, version=plan.version), SERVICE)
    await draws.commit_to_seeds(work, plan.look_back, seed)
