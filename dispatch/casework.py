"""What is done on a case beside the plain verbs: arrange, hand on, ask for time, oversee."""

from datetime import datetime
from uuid import UUID

from dispatch import concessions, oversight, playbooks, questions
from dispatch.access import check_acts, check_answers_order, sees
from dispatch.answers import TaskShown
from dispatch.directory import Desk
from dispatch.handlers import Held, done, find_held, hold, lock_case
from dispatch.model import Case
from dispatch.texts import masked_text, note_of
from shared.contracts.vocabulary import TextKind
from shared.identity import DESK, Kind, Principal
from shared.messaging.work import Work
from shared.problems import Forbidden, NotFound


async def confirm(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, at: datetime | None, words: str | None
) -> TaskShown:
    """Say that one's part is arranged."""
    held = await hold(work, desk, caller, task_id, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    playbooks.confirm(held.case, held.task, revision, at, note.ref if note else None, held.duty)
    return await done(work, held, note)


async def waive(work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int) -> TaskShown:
    """Go without an assistant's help; for those who work the queue."""
    held = await find_held(work, desk, task_id, with_loads=True)
    if held is None or not sees(held.task, caller):
        raise NotFound
    if caller.kind not in DESK:
        raise Forbidden
    playbooks.waive(held.case, held.task, revision, held.duty)
    return await done(work, held)


async def transfer(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, liaison: str, words: str | None
) -> TaskShown:
    """Hand the task to a colleague who is on duty."""
    held = await hold(work, desk, caller, task_id, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    concessions.transfer(held.case, held.task, revision, liaison, note.ref if note else None, held.duty)
    return await done(work, held, note)


async def interim_answer(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, words: str
) -> TaskShown:
    """Tell the resident how far a hard case is."""
    held = await hold(work, desk, caller, task_id)
    text = masked_text(desk, TextKind.ANSWER, words)
    concessions.interim_answer(held.case, held.task, revision, text.ref, held.duty)
    return await done(work, held, text)


async def ask(work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, words: str) -> TaskShown:
    """Ask the resident what the lead cannot go on without."""
    held = await hold(work, desk, caller, task_id)
    text = masked_text(desk, TextKind.NOTE, words)
    questions.ask(held.case, held.task, revision, text.ref, held.duty)
    return await done(work, held, text)


async def extend(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, until: datetime, words: str
) -> TaskShown:
    """Promise the answer for later: the holder by the policy, a supervisor of the city for a hard case."""
    hard = caller.kind is Kind.SUPERVISOR
    held = await find_held(work, desk, task_id)
    if held is None:
        raise NotFound
    if not hard:
        check_acts(held.task, caller)
    text = masked_text(desk, TextKind.NOTE, words)
    concessions.extend(held.case, held.task, revision, until, text.ref, held.duty, hard=hard)
    return await done(work, held, text)


async def answer_order(
    work: Work, desk: Desk, caller: Principal, task_id: UUID, revision: int, words: str
) -> TaskShown:
    """Answer a supervision order; for the leader whom it names, and for a supervisor of the city."""
    held = await find_held(work, desk, task_id)
    if held is None:
        raise NotFound
    check_answers_order(held.task, caller, held.duty)
    text = masked_text(desk, TextKind.NOTE, words)
    oversight.answer_order(held.case, held.task, revision, text.ref, held.duty)
    return await done(work, held, text)


async def supervise(
    work: Work, desk: Desk, caller: Principal, request_id: UUID, leader: str | None, words: str | None
) -> TaskShown:
    """Order by hand that a leader answers for the request; for a supervisor of the city."""
    case = await _overseen(work, caller, request_id, frozenset({Kind.SUPERVISOR}))
    duty = await desk.duty(work)
    note = note_of(desk, TextKind.NOTE, words)
    if leader is not None and leader not in duty.city.liaisons:
        raise oversight.UnknownLeader
    task = oversight.order_by_hand(case, leader, note.ref if note else None, duty)
    return await done(work, Held(case, task, duty), note)


async def arbitrate(
    work: Work, desk: Desk, caller: Principal, request_id: UUID, organisation: str, words: str | None
) -> TaskShown:
    """Decide whose the request is; for those who work the queue."""
    case = await _overseen(work, caller, request_id, DESK)
    duty = await desk.duty(work, with_loads=True)
    note = note_of(desk, TextKind.NOTE, words)
    task = oversight.arbitrate(case, organisation, note.ref if note else None, duty)
    return await done(work, Held(case, task, duty), note)


async def _overseen(work: Work, caller: Principal, request_id: UUID, kinds: frozenset[Kind]) -> Case:
    case = await lock_case(work, caller, request_id)
    if caller.kind not in kinds:
        raise Forbidden
    return case
