"""What dispatch does: the verbs on tasks, what it takes from the bus, and what it does when timers are due.

Each loads the cases it needs in few queries, lets the model decide, and saves what changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from dispatch import returns, store
from dispatch.access import actor, check_acts, check_oversees, level_of, sees
from dispatch.answers import FirstRoutes, NudgeShown, TaskShown, show
from dispatch.directory import WAKE, Desk
from dispatch.explaining import Explained, explain
from dispatch.model import Case
from dispatch.playbooks import blocking
from dispatch.recall import RECALLS, recall
from dispatch.routing import Duty
from dispatch.store import Place, Wanted
from dispatch.surge import Backlog, backlog
from dispatch.tasks import Task, Together
from dispatch.texts import Text, masked_text, note_of, record_text
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, Medium, ReturnReason, TextKind
from shared.database import Transaction
from shared.identity import DESK, Kind, Principal, may_read
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden, NotFound
from shared.rates import Rate, rate

SERVICE = "dispatch"
LATER = timedelta(seconds=1)
NOTHING = (0, 0, 0, 0)


class RequestUnknown(Exception):
    """A fact about a request whose receipt was never read: it is parked until that was."""


# What others state


def on_request_received(cases: dict[UUID, Case], event: Event[r.RequestReceived], _: Duty) -> None:
    """A case begins; it has no task before triage."""
    cases.setdefault(UUID(event.subject), Case.begin(event))


def on_fact_of_others(cases: dict[UUID, Case], event: Event[Fact], duty: Duty) -> None:
    """The case reads on, and does what follows."""
    _case(cases, event).read(event, duty)


def on_own_fact(cases: dict[UUID, Case], event: Event[Fact], duty: Duty) -> None:
    """Our own fact has its place in the history now: others' facts are judged by that."""
    _case(cases, event).read(event, duty)


def _case(cases: Mapping[UUID, Case], event: Event[Fact]) -> Case:
    case = cases.get(UUID(event.subject))
    if case is None:
        raise RequestUnknown(event.type)
    return case


OWN = (
    r.TaskAssigned, r.TaskAccepted, r.TaskReturned, r.TaskRecalled, r.RequestAnswered, r.TaskFulfilled,
    r.ResidentContacted, w.ResidentQuestioned, w.QuestionLapsed,
)  # fmt: skip
HANDLES: dict[type[Fact], Callable[..., None]] = {
    r.RequestReceived: on_request_received,
    r.RequestTriaged: on_fact_of_others,
    r.RequestRejected: on_fact_of_others,
    r.RequestMerged: on_fact_of_others,
    r.RequestWithdrawn: on_fact_of_others,
    r.RequestDisputed: on_fact_of_others,
    r.RequestAmended: on_fact_of_others,
    r.RequestClosed: on_fact_of_others,
    r.RequestArchived: on_fact_of_others,
    **dict.fromkeys(OWN, on_own_fact),
}


async def take(desk: Desk, work: Work, events: Sequence[Event[Fact]]) -> None:
    """Take a batch of facts."""
    cases = await store.lock_cases(work.connection, (UUID(event.subject) for event in events))
    foretold = {event.id for event in events if str(event.id) in work.foretold}
    others = {UUID(event.subject) for event in events if event.id in foretold or not isinstance(event.fact, OWN)}
    routes = any(isinstance(event.fact, r.RequestTriaged | r.RequestDisputed) for event in events)
    duty = await desk.duty(work, with_loads=routes)
    for event in events:
        HANDLES.get(type(event.fact), on_own_fact)(cases, event, duty)
        if event.id in foretold and isinstance(event.fact, RECALLS):
            recall(_case(cases, event), event, duty)
    await store.save_cases(work.connection, [case for i, case in cases.items() if i not in others])
    await _save(work, duty, [case for i, case in cases.items() if i in others])


# What time does


async def fire(desk: Desk, work: Work, timers: Sequence[Timer]) -> None:
    """Wake the cases whose moment has come; one that is in other hands just now is woken a second later."""
    due = {UUID(timer.key): timer for timer in timers}
    cases = await store.lock_cases(work.connection, due, skip_locked=True)
    duty = await desk.duty(work, with_loads=True)
    for case in cases.values():
        wake(case, duty)
    await _save(work, duty, list(cases.values()))
    for request_id, timer in due.items():
        if request_id not in cases:
            work.set_timer(timer.kind, timer.key, work.now + LATER)


async def _save(work: Work, duty: Duty, cases: Sequence[Case]) -> None:
    """Keep the cases, state what follows, and set each one's timer."""
    for case in cases:
        case.waits_for = list(blocking(case))
    await store.save_cases(work.connection, cases)
    await store.save_tasks(work.connection, cases)
    for case in cases:
        request_id = case.life.request_id
        for fact in case.facts:
            work.state(fact, request_id)
        case.facts.clear()
        at = next_moment(case, duty)
        if at is None:
            work.cancel_timers(str(request_id), WAKE)
        else:
            work.set_timer(WAKE, str(request_id), at)


# What handlers do


@dataclass(frozen=True, slots=True)
class Held:
    """A task in the hands of somebody who may act on it."""

    case: Case
    task: Task
    duty: Duty


async def accept(work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int) -> TaskShown:
    """Sign for the task; it binds the person."""
    held = await hold(work, desk, caller, task_id)
    held.case.accept(held.task, actor(held.task, caller, held.duty), revision, held.duty)
    return await done(work, held)


async def give_back(
    work: Work,
    desk: Desk,
    caller: Principal,
    task_id: UUID,
    revision: int,
    reason: ReturnReason,
    belongs_to: str | None,
    words: str | None,
) -> TaskShown:
    """Return the task for the organisation."""
    held = await hold(work, desk, caller, task_id, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    returns.give_back(held.case, held.task, revision, reason, belongs_to, note.ref if note else None, held.duty)
    return await done(work, held, note)


async def contact(work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, medium: Medium) -> TaskShown:
    """Note that a human spoke with the resident."""
    held = await hold(work, desk, caller, task_id)
    held.case.contact(held.task, revision, medium, work.now)
    return await done(work, held)


async def progress(work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, words: str) -> TaskShown:
    """Tell the resident news from the work."""
    held = await hold(work, desk, caller, task_id)
    text = masked_text(desk, TextKind.NOTE, words)
    held.case.progress(held.task, revision, text.ref, work.now)
    return await done(work, held, text)


async def answer(
    work: Work,
    desk: Desk,
    caller: Principal,
    task_id: UUID,
    revision: int,
    words: str,
    fulfil_by: datetime | None,
) -> TaskShown:
    """Answer the resident."""
    held = await hold(work, desk, caller, task_id)
    text = masked_text(desk, TextKind.ANSWER, words)
    held.case.answer(held.task, revision, text.ref, fulfil_by, held.duty)
    return await done(work, held, text)


async def fulfil(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, words: str | None, quantity: int | None
) -> TaskShown:
    """Say that what was promised has happened, or that an assistant's part is done."""
    held = await hold(work, desk, caller, task_id, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    held.case.fulfil(held.task, revision, note.ref if note else None, held.duty, quantity)
    return await done(work, held, note)


async def hold(work: Work, desk: Desk, caller: Principal, task_id: UUID, *, with_loads: bool = False) -> Held:
    """The task with its case, locked, for somebody who may act on it; raises where he may not."""
    held = await find_held(work, desk, task_id, with_loads=with_loads)
    if held is None:
        raise NotFound
    check_acts(held.task, caller)
    return held


async def find_held(work: Work, desk: Desk, task_id: UUID, *, with_loads: bool = False) -> Held | None:
    """The task with its case, locked, whoever asks; the caller's right is still to be checked."""
    request_id = await store.find_request_of(work.connection, task_id)
    if request_id is None:
        return None
    case = (await store.lock_cases(work.connection, [request_id]))[request_id]
    task = next(task for task in case.tasks if task.id == task_id)
    return Held(case, task, await desk.duty(work, with_loads=with_loads))


async def done(work: Work, held: Held, text: "Text | None" = None) -> TaskShown:
    """Save and state; a text follows the fact that names it."""
    await _save(work, held.duty, [held.case])
    if text is not None:
        record_text(work, held.case, text)
    return show(held.case, held.task, work.now, held.duty)


# What the desk and the resident do


async def add_task(
    work: Work,
    desk: Desk,
    caller: Principal,
    request_id: UUID,
    organisation: str,
    words: str | None,
    required: bool,
    quantity: int | None,
    unit: str | None,
) -> TaskShown:
    """Let one more organisation help; for those who work the queue, and for whoever leads."""
    case = await lock_case(work, caller, request_id)
    leads = case.lead is not None and caller.is_handler and caller.organisation == case.lead.organisation
    if caller.kind not in DESK and not leads:
        raise Forbidden
    duty = await desk.duty(work, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    ref = note.ref if note else None
    task = case.add_assisting(organisation, ref, duty, required=required, quantity=quantity, unit=unit)
    return await done(work, Held(case, task, duty), note)


async def nudge(work: Work, desk: Desk, caller: Principal, request_id: UUID) -> NudgeShown:
    """Urge whoever leads; for those who work the queue, and for the resident himself."""
    case = await lock_case(work, caller, request_id)
    if caller.kind not in DESK and caller.kind is not Kind.RESIDENT:
        raise Forbidden
    task, stage = case.nudge()
    clock = task.clocks[stage]
    await _save(work, await desk.duty(work), [case])
    return NudgeShown(request_id=request_id, task_id=task.id, stage=stage, count=clock.nudges, due_at=clock.due_at)


async def lock_case(work: Work, caller: Principal, request_id: UUID) -> Case:
    """The case of a request that the caller may know of."""
    case = (await store.lock_cases(work.connection, [request_id])).get(request_id)
    if case is None or not may_read(caller, request_id, case.life.area, case.organisations):
        raise NotFound
    return case


# What is read


async def load_task(connection: Transaction, desk: Desk, caller: Principal, task_id: UUID, now: datetime) -> TaskShown:
    """One task, for whom it is or was, and for oversight."""
    case = await store.find_case(connection, task_id)
    if case is None or not sees(case.tasks[0], caller):
        raise NotFound
    shown = show(case, case.tasks[0], now, await desk.look(connection, now))
    others = {by: len(await store.find_together(connection, task_id, by)) for by in Together}
    return shown.model_copy(update={"open_together": others})


async def list_tasks(
    connection: Transaction,
    desk: Desk,
    caller: Principal,
    wanted: Wanted,
    now: datetime,
    after: Place | None,
    limit: int,
    *,
    mine: bool,
) -> tuple[list[TaskShown], Place | None]:
    """A page of tasks by urgency, and where the next one begins; an organisation sees its own."""
    check_oversees(caller)
    seen_at = after.now if after else now
    if caller.is_handler:
        if wanted.organisation not in {None, caller.organisation}:
            return [], None
        wanted = replace(wanted, organisation=caller.organisation)
    if mine:
        if not caller.is_handler:
            return [], None
        wanted = replace(wanted, mine_level=level_of(caller), holder=caller.id)
    rows = await store.list_tasks(connection, wanted, seen_at, after, limit + 1)
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    place = Place(seen_at, last[0], last[1], last[2].tasks[0].id) if last else None
    duty = await desk.look(connection, now)
    return [show(case, case.tasks[0], now, duty) for _, _, case in page], place


async def explain_route(
    connection: Transaction,
    desk: Desk,
    caller: Principal,
    now: datetime,
    category: Category,
    area: str | None,
    colour: Colour,
    needs: tuple[str, ...],
    deadline: datetime | None,
    confidence: float,
) -> Explained:
    """Where such a request goes now, and why; for oversight and handlers."""
    check_oversees(caller)
    duty = await desk.look(connection, now)
    duty.loads = await store.count_loads(connection)
    return explain(duty, category, area, colour, needs, deadline, confidence)


async def first_routes(connection: Transaction, caller: Principal, since: datetime) -> FirstRoutes:
    """How often the first organisation was the right one."""
    check_oversees(caller)
    found = await first_route_rate(connection, since)
    return FirstRoutes(since=since, share=found.value, n=found.n, of=found.of, low=found.low, high=found.high)


async def first_route_rate(connection: Transaction, since: datetime) -> Rate:
    """The same, whoever asks."""
    return rate(*await store.count_first_routes(connection, since))


async def list_backlog(
    connection: Transaction, desk: Desk, caller: Principal, now: datetime, over: timedelta
) -> list[Backlog]:
    """What each organisation has before it."""
    check_oversees(caller)
    return await forecast(connection, desk, now, over)


async def forecast(connection: Transaction, desk: Desk, now: datetime, over: timedelta) -> list[Backlog]:
    """The same, whoever asks: of every organisation, also where nothing is open."""
    city = (await desk.look(connection, now)).city
    counted = await store.count_backlog(connection, now - over)
    names = sorted(city.organisations.keys() | counted.keys())
    return [backlog(name, counted.get(name, NOTHING), len(city.on_duty(name, 0, now)), over) for name in names]
