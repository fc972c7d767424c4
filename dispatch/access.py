"""Who may see a task, and who may act on it. Pure.

A liaison's token acts for whoever of the organisation is on duty; a task that went to the deputy is the deputy's.
"""

from datetime import datetime

from dispatch.city import City, OnDuty, Post
from dispatch.routing import Duty
from dispatch.tasks import Task, TaskHeldByAnother
from shared.identity import HANDLERS, OVERSIGHT, STAFF, Kind, Principal
from shared.problems import Forbidden, NotFound

LEVELS = {Kind.LIAISON: Post.LIAISON.level, Kind.PARTNER: Post.LIAISON.level, Kind.DEPUTY: Post.DEPUTY.level}
DIRECTORY_WRITERS = frozenset({Kind.OPERATOR, Kind.SUPERVISOR})
DIRECTORY_READERS = STAFF | HANDLERS | {Kind.SERVICE}


def sees(task: Task, caller: Principal) -> bool:
    """Oversight sees every task, an organisation those that it has or had."""
    if caller.kind in OVERSIGHT or caller.kind is Kind.SERVICE:
        return True
    if task.supervision is not None and caller.id == task.supervision.leader:
        return True
    return caller.is_handler and caller.organisation in task.organisations


def check_acts(task: Task, caller: Principal) -> None:
    """Raise where the caller may not act on the task: not seen, not a handler, or somebody else's now."""
    if not sees(task, caller):
        raise NotFound
    holds = caller.id == task.liaison and caller.organisation == task.organisation
    if not (holds or caller.is_handler):
        raise Forbidden
    if not holds and (caller.organisation != task.organisation or level_of(caller) < task.level):
        raise TaskHeldByAnother(organisation=task.organisation, liaison=task.liaison)


def check_answers_order(task: Task, caller: Principal, duty: Duty) -> None:
    """Raise where the caller is not the leader whom a supervision order names, nor a supervisor of the city.

    A deputy's token answers for the leader of its own organisation.
    """
    if not sees(task, caller):
        raise NotFound
    order = task.supervision
    leader = duty.city.liaisons.get(order.leader) if order else None
    if caller.kind is Kind.SUPERVISOR or (order and caller.id == order.leader):
        return
    if caller.kind is not Kind.DEPUTY or leader is None or leader.organisation != caller.organisation:
        raise Forbidden


def level_of(caller: Principal) -> int:
    """The highest level whose tasks are the caller's."""
    return LEVELS.get(caller.kind, -1)


def actor(task: Task, caller: Principal, duty: Duty) -> OnDuty:
    """The person whom the caller stands for: himself, if the directory knows him, else who has that post now."""
    person = duty.city.liaisons.get(caller.id)
    if person is not None and person.organisation == task.organisation:
        return OnDuty(task.organisation, person.id, person.post.level)
    level = max(level_of(caller), 0)
    there = duty.city.on_duty(task.organisation, level, duty.now)
    if task.liaison is not None and task.level == level and (task.liaison in there or not there):
        return OnDuty(task.organisation, task.liaison, level)
    return OnDuty(task.organisation, there[0] if there else caller.id, level)


def check_oversees(caller: Principal) -> None:
    """Raise where the caller may not read lists of tasks."""
    if not (caller.kind in OVERSIGHT or caller.is_handler or caller.kind is Kind.SERVICE):
        raise Forbidden


def check_reads_directory(caller: Principal) -> None:
    """Raise where the directory, with people's numbers, is not for the caller."""
    if caller.kind not in DIRECTORY_READERS:
        raise Forbidden


def check_writes_directory(caller: Principal) -> None:
    """Raise where the caller may not change the directory."""
    if caller.kind not in DIRECTORY_WRITERS:
        raise Forbidden


def speaks_for(caller: Principal, city: City, now: datetime) -> list[str]:
    """Whom a handler's key stands for: himself, if the directory knows him, else whoever has that post now."""
    if not caller.is_handler or caller.organisation is None:
        return []
    person = city.liaisons.get(caller.id)
    if person is not None and person.organisation == caller.organisation:
        return [person.id]
    return city.on_duty(caller.organisation, level_of(caller), now)


def check_assures(caller: Principal, organisation: str, person: str | None, city: City, now: datetime) -> None:
    """Raise where the caller may not confirm an entry of this organisation, or of this person of it.

    A deputy's key confirms for the leader of its own organisation.
    """
    if caller.kind in DIRECTORY_WRITERS or (person is not None and person in speaks_for(caller, city, now)):
        return
    is_leader = caller.kind is Kind.DEPUTY or caller.id == city.organisations[organisation].supervisor
    if not (caller.is_handler and caller.organisation == organisation and is_leader):
        raise Forbidden


def check_reads_drills(caller: Principal) -> str | None:
    """The organisation whose part of a drill the caller may read, None for all; raises where he may read none."""
    if caller.kind in OVERSIGHT or caller.kind is Kind.SERVICE:
        return None
    if not caller.is_handler or caller.organisation is None:
        raise Forbidden
    return caller.organisation
