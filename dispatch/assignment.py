"""Giving tasks out: first, again, one level higher, back; and what their clocks do. Each says what follows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dispatch.clocks import Clock, Escalation, Nudge, Reminder
from dispatch.model import Case, Task, TaskStatus
from dispatch.routing import TOP, City, Seat, next_seat, route, seat
from shared.contracts import requests as r
from shared.contracts.vocabulary import Role, Stage
from shared.problems import NotInThisState

Load = Mapping[str, int]
"""How many open tasks each liaison has."""
NewId = Callable[[], UUID]


def assign_first(case: Case, city: City, now: datetime, load: Load, new_id: NewId) -> list[r.TaskFact]:
    """Give the lead to whom the routing says, and each need to who meets it."""
    life = case.known.ahead
    chosen = route(city, case.category, life.area, case.colour)
    case.first_assigned_at = now
    lead = _new_task(case, city, Role.LEAD, None, chosen.organisation, chosen.rule, now, load, new_id)
    facts: list[r.TaskFact] = [assigned_fact(city, lead)]
    for need in case.needs:
        giver = city.routing.needs.get(need)
        if giver is not None and giver.organisation != lead.organisation:
            facts.append(assist(case, city, giver.organisation, need, now, load, new_id))
    return facts


def assist(
    case: Case, city: City, organisation: str, need: str | None, now: datetime, load: Load, new_id: NewId
) -> r.TaskAssigned:
    """Add an assisting task."""
    rule = f"needs-{need}" if need else "by-hand"
    return assigned_fact(city, _new_task(case, city, Role.ASSISTING, need, organisation, rule, now, load, new_id))


def _new_task(
    case: Case,
    city: City,
    role: Role,
    need: str | None,
    organisation: str,
    rule: str,
    now: datetime,
    load: Load,
    new_id: NewId,
) -> Task:
    held = seat(city, organisation, 0, now, load)
    task = Task(
        id=new_id(),
        role=role,
        need=need,
        organisation=held.organisation,
        liaison=held.liaison,
        level=held.level,
        rule=rule,
        assigned_at=now,
        organisations=[held.organisation],
    )
    case.tasks.append(task)
    _start_clocks(case, city, task, now)
    return task


def new_clock(started_at: datetime, due_at: datetime, now: datetime) -> Clock:
    return Clock(started_at=started_at, due_at=due_at, watched_from=now)


def _start_clocks(case: Case, city: City, task: Task, now: datetime) -> None:
    """The accepting clock anew with each assignment; the others run on from the first one."""
    pace, received_at = case.pace(city), case.known.ahead.received_at
    task.clocks[Stage.ACCEPTED] = new_clock(now, now + pace.accepted, now)
    answer_by = received_at + pace.answered
    if task.role is Role.ASSISTING:
        task.clocks.setdefault(Stage.FULFILLED, new_clock(now, max(answer_by, now + pace.accepted), now))
        return
    first = case.first_assigned_at or now
    task.clocks.setdefault(Stage.CONTACTED, new_clock(first, first + pace.contacted, now))
    task.clocks.setdefault(Stage.ANSWERED, new_clock(received_at, answer_by, now))


def assigned_fact(city: City, task: Task) -> r.TaskAssigned:
    is_lead = task.role is Role.LEAD
    return r.TaskAssigned(
        task_id=task.id,
        role=task.role,
        organisation=task.organisation,
        liaison=task.liaison,
        rule=task.rule,
        attempt=task.attempt,
        accept_by=task.clocks[Stage.ACCEPTED].due_at,
        contact_by=task.clocks[Stage.CONTACTED].due_at if is_lead else None,
        answer_by=task.clocks[Stage.ANSWERED].due_at if is_lead else None,
        policy_version=city.version,
    )


def hand_to(case: Case, city: City, task: Task, held: Seat, rule: str, now: datetime) -> r.TaskAssigned:
    """Give a task to another person, who has it for acceptance."""
    task.organisation, task.liaison, task.level, task.rule = held.organisation, held.liaison, held.level, rule
    task.status, task.assigned_at = TaskStatus.ASSIGNED, now
    task.attempt += 1
    task.revision += 1
    if held.organisation not in task.organisations:
        task.organisations.append(held.organisation)
    _start_clocks(case, city, task, now)
    return assigned_fact(city, task)


def retriage(case: Case, city: City, now: datetime) -> None:
    """Colour or deadline changed: clocks may come forward, never go back; nobody is routed anew."""
    pace, received_at = case.pace(city), case.known.ahead.received_at
    for task in case.open_tasks:
        due = {
            Stage.ACCEPTED: task.assigned_at + pace.accepted,
            Stage.CONTACTED: (case.first_assigned_at or now) + pace.contacted,
            Stage.ANSWERED: received_at + pace.answered,
        }
        for stage, clock in task.running():
            if stage in due and due[stage] < clock.due_at:
                clock.move(due[stage], now)


def reopen(case: Case, city: City, now: datetime, load: Load) -> list[r.TaskFact]:
    """The answer does not stand: to whoever is on duty now, one level higher; the clock for the answer runs on."""
    task = case.lead
    if task is None:
        return []
    task.fulfil_by = None
    task.stop(now, Stage.FULFILLED)
    answering = task.clocks[Stage.ANSWERED]
    answering.stopped_at = None
    answering.move(answering.due_at, now)
    held = seat(city, task.organisation, min(task.level + 1, TOP), now, load)
    escalated = r.TaskEscalated(**task.about(), stage=Stage.ANSWERED, level=held.level)
    return [escalated, hand_to(case, city, task, held, "reopened", now)]


def cancel(case: Case, now: datetime) -> list[r.TaskFact]:
    """The request ended: nothing is owed any more."""
    facts: list[r.TaskFact] = []
    for task in case.open_tasks:
        task.status, task.fulfil_by = TaskStatus.CANCELLED, None
        task.revision += 1
        task.stop(now)
        facts.append(r.TaskCancelled(**task.about()))
    return facts


def ring(case: Case, city: City, now: datetime, load: Load) -> list[r.TaskFact]:
    """All that is due now: reminders, nudges, a level higher; a task that nobody accepted goes on to the next."""
    facts: list[r.TaskFact] = []
    for task in case.open_tasks:
        facts += _recall_late(case, city, task, now, load)
        for stage, clock in task.running():
            for rung in clock.ring(city.clocks, case.colour, now):
                facts.append(_said(task, stage, clock, rung))
    return facts


def _recall_late(case: Case, city: City, task: Task, now: datetime, load: Load) -> Sequence[r.TaskFact]:
    accepting = task.clocks[Stage.ACCEPTED]
    if task.status is not TaskStatus.ASSIGNED or not accepting.is_overdue(now):
        return ()
    held = next_seat(city, task.seat, now, load)
    if held is None:
        return ()
    recalled = r.TaskRecalled(**task.about(), liaison=task.liaison)
    return recalled, hand_to(case, city, task, held, "recalled", now)


def _said(task: Task, stage: Stage, clock: Clock, rung: Reminder | Nudge | Escalation) -> r.TaskFact:
    about = task.about()
    match rung:
        case Reminder(percent):
            return r.TaskReminded(**about, stage=stage, percent=percent, due_at=clock.due_at)
        case Nudge(count, missed):
            return r.TaskNudged(**about, stage=stage, count=count, missed=missed, due_at=clock.due_at)
        case Escalation():
            return r.TaskEscalated(**about, stage=stage, level=1)


def nudge_by_hand(case: Case) -> r.TaskNudged:
    """A person urges the holder of the lead; counted with the others. Raises NotInThisState where nobody holds it."""
    task = case.lead
    due = task.next_due() if task and task.is_open else None
    if task is None or due is None:
        raise NotInThisState("Nobody holds this request now, so nobody can be urged.", state=case.known.ahead.status)
    clock = task.clocks[due[0]]
    nudge = clock.nudge_by_hand()
    return r.TaskNudged(**task.about(), stage=due[0], count=nudge.count, missed=nudge.missed, due_at=clock.due_at)
