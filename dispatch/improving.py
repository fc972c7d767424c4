"""Improvements handed out, finished, and watched: what supervisors, holders, look-back and timers do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from dispatch import handlers, improvement_store
from dispatch.directory import Desk
from dispatch.improvements import (
    SERVICE,
    Improvement,
    check_finishes,
    check_hands_out,
    check_sees,
    finish,
    hand_out,
    of_look_back,
)
from dispatch.routing import Duty
from shared.contracts import Event, Fact
from shared.contracts.lookback import RequestInspected
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.vocabulary import AlarmKind, Finding, ImprovementState, ProblemKind, Stage
from shared.database import Transaction
from shared.identity import HANDLERS, OVERSIGHT, Principal
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden, NotFound

DUE = "improvement_due"
OVERDUE = AlarmKind.IMPROVEMENT_OVERDUE


class ImprovementShown(BaseModel):
    """A problem in somebody's hands; send `revision` when it is done."""

    id: UUID
    problem: ProblemKind
    stage: Stage | None
    organisation: str
    holder: str
    words: str | None
    due_at: datetime
    state: ImprovementState
    since: datetime | None
    until: datetime | None
    request_id: UUID | None
    assigned_by: str
    assigned_at: datetime
    done_at: datetime | None
    result: str | None
    revision: int


def show(held: Improvement, now: datetime) -> ImprovementShown:
    """The improvement as it is shown at `now`."""
    fields = {name: getattr(held, name) for name in ImprovementShown.model_fields if name != "state"}
    return ImprovementShown.model_validate(fields | {"state": held.state(now)})


async def take(desk: Desk, work: Work, events: Sequence[Event[Fact]]) -> None:
    """A batch of facts: those of cases, and the findings that ask an organisation to put something right."""
    if of_cases := [event for event in events if not isinstance(event.fact, RequestInspected)]:
        await handlers.take(desk, work, of_cases)
    for event in events:
        fact = event.fact
        if isinstance(fact, RequestInspected) and fact.finding is Finding.SUPERVISION:
            duty = await desk.duty(work)
            if fact.organisation in duty.city.organisations:
                await _give(work, of_look_back(fact, UUID(event.subject), new_id(), duty), None, duty)


async def fire(desk: Desk, work: Work, timers: Sequence[Timer]) -> None:
    """Due timers: those of cases, and of improvements that nobody has finished."""
    due = [timer for timer in timers if timer.kind == DUE]
    if of_cases := [timer for timer in timers if timer.kind != DUE]:
        await handlers.fire(desk, work, of_cases)
    for key in sorted(timer.key for timer in due):
        held = await improvement_store.find(work.connection, UUID(key), lock=True)
        if held is not None and held.done_at is None:
            await improvement_store.save(work.connection, replace(held, is_alarmed=True))
            work.state(AlarmRaised(service=SERVICE, kind=OVERDUE, request_id=held.request_id), held.id)


async def _give(work: Work, wanted: Improvement, holder: str | None, duty: Duty) -> Improvement:
    held, fact = hand_out(wanted, holder, duty)
    await improvement_store.save(work.connection, held)
    work.state(fact, held.id)
    work.set_timer(DUE, str(held.id), held.due_at)
    return held


async def assign(
    work: Work, desk: Desk, caller: Principal, wanted: Improvement, holder: str | None
) -> ImprovementShown:
    """Hand out a problem; for a supervisor of the city."""
    check_hands_out(caller)
    words = mask(wanted.words) if wanted.words else None
    made = replace(wanted, id=new_id(), words=words, assigned_by=caller.id, assigned_at=work.now)
    return show(await _give(work, made, holder, await desk.duty(work)), work.now)


async def done(work: Work, caller: Principal, improvement_id: UUID, revision: int, result: str) -> ImprovementShown:
    """Say that it is put right."""
    held = await improvement_store.find(work.connection, improvement_id, lock=True)
    if held is None:
        raise NotFound
    check_finishes(caller, held)
    finished, fact = finish(held, revision, mask(result), work.now)
    await improvement_store.save(work.connection, finished)
    work.state(fact, held.id)
    work.cancel_timers(str(held.id), DUE)
    if held.is_alarmed:
        work.state(AlarmCleared(service=SERVICE, kind=OVERDUE, request_id=held.request_id), held.id)
    return show(finished, work.now)


async def find(connection: Transaction, caller: Principal, improvement_id: UUID) -> Improvement:
    """One improvement, for oversight and those whose it is."""
    held = await improvement_store.find(connection, improvement_id)
    if held is None:
        raise NotFound
    check_sees(caller, held)
    return held


async def list_for(
    connection: Transaction, caller: Principal, *, only_open: bool, after: Sequence[object] | None, limit: int
) -> list[Improvement]:
    """Improvements by when they are due: oversight sees all, others those of their organisation or their own."""
    if caller.kind not in OVERSIGHT | HANDLERS:
        raise Forbidden
    of = None if caller.kind in OVERSIGHT else (caller.organisation, caller.id)
    return await improvement_store.list_some(connection, of=of, only_open=only_open, after=after, limit=limit)
