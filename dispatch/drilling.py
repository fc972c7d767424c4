"""Drills begun, answered and closed: what operators, liaisons and timers do to learn who can be reached."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from dispatch import directory, drill_store, entry_store, improving
from dispatch.access import check_reads_drills, check_writes_directory
from dispatch.directory import Desk
from dispatch.drills import (
    BEGINS,
    ENDS,
    SERVICE,
    Drill,
    DrillReport,
    DrillRunning,
    DrillShown,
    answering,
    ask,
    asked_facts,
    closed_facts,
    report,
    show,
)
from dispatch.entries import LIAISON
from shared.contracts.drills import DrillClosed
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.vocabulary import AlarmKind
from shared.database import Transaction
from shared.identity import Principal
from shared.ids import new_id
from shared.messaging.work import Timer, Work
from shared.problems import NotFound

NOT_REACHED = AlarmKind.NOT_REACHED


async def fire(desk: Desk, work: Work, timers: Sequence[Timer]) -> None:
    """Due timers: those of drills, and all others of dispatch."""
    if others := [timer for timer in timers if timer.kind not in {BEGINS, ENDS}]:
        await improving.fire(desk, work, others)
    for timer in sorted(timers, key=lambda t: (t.kind == BEGINS, t.key)):
        if timer.kind == ENDS:
            await _close(work, UUID(timer.key))
        elif timer.kind == BEGINS:
            await _begin_in_time(work, desk)


async def _begin_in_time(work: Work, desk: Desk) -> None:
    """Begin the drill that is due; where one runs still, another time is set."""
    running = await _running(work)
    clocks = (await desk.duty(work)).clocks
    if running is None and clocks.drill.every_hours:
        await _begin(work, desk, None, clocks.drill.answer_minutes)
    else:
        await directory.schedule_drill(work, clocks)


async def _running(work: Work) -> Drill | None:
    """The drill that runs, if one does; nobody begins another before this transaction ends."""
    await entry_store.city_revision(work.connection, lock=True)
    last = await drill_store.last_drill(work.connection)
    return last if last is not None and last.closed_at is None else None


async def _begin(work: Work, desk: Desk, by: str | None, minutes: int) -> DrillReport:
    duty = await desk.duty(work)
    drill = Drill(
        id=new_id(),
        asked_at=work.now,
        asked_by=by,
        answer_by=work.now + timedelta(minutes=minutes),
        policy_version=duty.clocks.version,
    )
    people = ask(duty.city, drill)
    await drill_store.add(work.connection, drill, people)
    for fact in asked_facts(drill, people):
        work.state(fact, drill.id)
    work.set_timer(ENDS, str(drill.id), drill.answer_by)
    await directory.schedule_drill(work, duty.clocks)
    return report(drill, people)


async def _close(work: Work, drill_id: UUID) -> None:
    """Close a drill, say what came of it, and raise an alarm for each organisation with somebody who was not reached.

    What routing knows of who was reached is read anew by every process.
    """
    await entry_store.city_revision(work.connection, lock=True)
    drill = await drill_store.find(work.connection, drill_id, lock=True)
    if drill is None or drill.closed_at is not None:
        return
    await drill_store.close(work.connection, drill_id, work.now)
    await entry_store.raise_revision(work.connection)
    facts = closed_facts(drill, await drill_store.list_people(work.connection, drill_id))
    for fact in facts:
        work.state(fact, drill_id)
    await _state_alarms(work, facts, await drill_store.list_missing(work.connection, drill.asked_at))


async def _state_alarms(work: Work, facts: Sequence[DrillClosed], earlier: Sequence[set[str]]) -> None:
    """`earlier`: for each drill before, the newest first, the organisations whose alarm it left open."""
    missing = {fact.organisation for fact in facts if fact.unreached}
    for organisation in sorted(missing):
        streak = next((n for n, names in enumerate(earlier) if organisation not in names), len(earlier))
        work.state(AlarmRaised(service=SERVICE, kind=NOT_REACHED, count=streak + 1), organisation)
    for organisation in sorted((earlier[0] if earlier else set()) - missing):
        work.state(AlarmCleared(service=SERVICE, kind=NOT_REACHED), organisation)


# What people do


async def begin(work: Work, desk: Desk, caller: Principal, minutes: int | None) -> DrillReport:
    """Ask everybody now; for those who keep the directory. `minutes`: to answer, else as the clocks say."""
    check_writes_directory(caller)
    running = await _running(work)
    if running is not None:
        raise DrillRunning(drill_id=str(running.id))
    policy = (await desk.duty(work)).clocks.drill
    return await _begin(work, desk, caller.id, minutes or policy.answer_minutes)


async def answer(work: Work, desk: Desk, caller: Principal, drill_id: UUID, liaison: str | None) -> DrillReport:
    """Say that somebody can be reached, which also confirms his entry; the drill as his organisation sees it."""
    drill = await drill_store.find(work.connection, drill_id, hold_open=True)
    if drill is None:
        raise NotFound
    city = (await desk.duty(work)).city
    people = await drill_store.list_people(work.connection, drill_id)
    found = answering(caller, liaison, people, city, work.now)
    drill.check_open(work.now)
    ids = [one.liaison for one in found]
    await drill_store.save_answers(work.connection, drill_id, ids, work.now, caller.id)
    await entry_store.assure(work.connection, {(LIAISON, i): work.now for i in ids}, caller.id)
    own = await drill_store.list_people(work.connection, drill_id, found[0].organisation)
    return report(drill, own)


# What is read


async def load(connection: Transaction, caller: Principal, drill_id: UUID) -> DrillReport:
    """A drill with everybody who was asked; for oversight, and for an organisation its own part."""
    of = check_reads_drills(caller)
    drill = await drill_store.find(connection, drill_id)
    if drill is None:
        raise NotFound
    return report(drill, await drill_store.list_people(connection, drill_id, of))


async def list_for(
    connection: Transaction, caller: Principal, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[DrillShown]:
    """Drills, the newest first; for oversight, and for an organisation its own part."""
    of = check_reads_drills(caller)
    rows = await drill_store.list_some(connection, organisation=of, after=after, limit=limit)
    return [show(*row) for row in rows]
