"""Everything dispatch can do about requests: facts from the bus, timers, verbs from the API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dispatch import assignment, holding, store
from dispatch.assignment import Load
from dispatch.directory import Cities
from dispatch.model import Case, Task
from dispatch.routing import City
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.life import Known, begin
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Language, Medium, ReturnReason, Status, TextKind
from shared.database import Transaction
from shared.identity import DESK, HANDLERS, OVERSIGHT, Kind, Principal
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden, NotFound
from shared.sealing import text_hash

SOURCE = "dispatch"
CLOCKS = "clocks"
"""The one timer of a case: when the next of its clocks wants to be looked at."""


class HistoryWithoutBeginning(LookupError):
    """A fact about a request of which no receipt is known; it waits, parked, until that is there."""


@dataclass(slots=True)
class Desk:
    """One batch: the city, how loaded its people are, and the cases that are open on the desk."""

    work: Work
    city: City
    load: Load
    cases: dict[UUID, Case]

    def state(self, case: Case, facts: Sequence[r.TaskFact]) -> None:
        """State what follows; the case knows it ahead of the log."""
        for fact in facts:
            self.work.state(fact, case.request_id)
            case.known = case.known.say(fact, self.work.now)

    async def put_away(self) -> None:
        """Save all cases, and set the timer of each by its clocks."""
        for case in self.cases.values():
            moment = case.next_moment(self.city)
            if moment is None:
                self.work.cancel_timers(str(case.request_id), CLOCKS)
            else:
                self.work.set_timer(CLOCKS, str(case.request_id), moment)
        await store.save_cases(self.work.connection, self.cases.values())


# Facts from the bus


def on_triaged(desk: Desk, case: Case, fact: Fact) -> None:
    """First time: find who does it. Again: clocks may come forward; nobody is routed anew."""
    assert isinstance(fact, r.RequestTriaged)  # noqa: S101 called by HANDLES for this fact alone
    life = case.known.ahead
    if fact.deadline is not None and case.deadline_known_at is None:
        case.deadline_known_at = life.received_at
    if case.tasks:
        assignment.retriage(case, desk.city, desk.work.now)
    elif life.status is Status.TRIAGED:
        case.needs = fact.needs
        desk.state(case, assignment.assign_first(case, desk.city, desk.work.now, desk.load, new_id))


def on_ended(desk: Desk, case: Case, _: Fact) -> None:
    """Nothing is owed any more, where the request really ended."""
    if case.known.ahead.status.is_ending:
        desk.state(case, assignment.cancel(case, desk.work.now))


def on_disputed(desk: Desk, case: Case, _: Fact) -> None:
    """The answer does not stand: to who is on duty now."""
    if case.known.ahead.status is Status.DISPUTED:
        desk.state(case, assignment.reopen(case, desk.city, desk.work.now, desk.load))


HANDLES: Mapping[type[Fact], Callable[[Desk, Case, Fact], None]] = {
    r.RequestTriaged: on_triaged,
    r.RequestWithdrawn: on_ended,
    r.RequestRejected: on_ended,
    r.RequestMerged: on_ended,
    r.RequestClosed: on_ended,
    r.RequestDisputed: on_disputed,
}
"""What dispatch reacts to; all other facts about a request it only folds."""


class Dispatch:
    """The service's verbs."""

    def __init__(self, cities: Cities, hash_secret: bytes) -> None:
        """`hash_secret` salts the hashes of texts."""
        self._cities, self._hash_secret = cities, hash_secret

    async def _open(self, work: Work, request_ids: Sequence[UUID]) -> Desk:
        city = await self._cities.current(work.connection)
        cases = await store.lock_cases(work.connection, request_ids)
        return Desk(work, city, await store.load_by_liaison(work.connection), cases)

    async def take(self, work: Work, events: Sequence[Event[Fact]]) -> None:
        """A batch of facts about requests."""
        events = [event for event in events if isinstance(event.fact, r.RequestFact)]
        if not events:
            return
        desk = await self._open(work, [UUID(event.subject) for event in events])
        for event in events:
            self._take_one(desk, event)
        await desk.put_away()

    def _take_one(self, desk: Desk, event: Event[Fact]) -> None:
        request_id = UUID(event.subject)
        if isinstance(event.fact, r.RequestReceived):
            life = begin(event)  # type: ignore[arg-type] # the line above says what it is
            desk.cases.setdefault(request_id, Case(known=Known(life, life)))
            return
        case = desk.cases.get(request_id)
        if case is None:
            raise HistoryWithoutBeginning(event.type)
        case.known = case.known.hear(event, own=event.source == SOURCE)
        handle = HANDLES.get(type(event.fact))
        if handle is not None:
            handle(desk, case, event.fact)

    async def fire(self, work: Work, timers: Sequence[Timer]) -> None:
        """Clocks want to be looked at."""
        desk = await self._open(work, [UUID(timer.key) for timer in timers])
        for case in desk.cases.values():
            desk.state(case, assignment.ring(case, desk.city, work.now, desk.load))
        await desk.put_away()

    # Verbs on tasks

    async def accept(self, work: Work, caller: Principal, task_id: UUID, revision: int) -> "Shown":
        """Sign for a task."""
        desk, case, task = await self._hold(work, caller, task_id)
        desk.state(case, [holding.accept(task, caller, revision, work.now)])
        return await self._done(desk, case, task)

    async def give_back(
        self,
        work: Work,
        caller: Principal,
        task_id: UUID,
        revision: int,
        reason: ReturnReason,
        belongs_to: str | None,
        note: str | None,
    ) -> "Shown":
        """Return a task, with a reason."""
        desk, case, task = await self._hold(work, caller, task_id)
        returned, assigned = holding.give_back(
            case, task, caller, revision, reason, belongs_to, desk.city, work.now, desk.load
        )
        text_id = new_id() if note else None
        if note and text_id:
            returned = returned.model_copy(update={"text_id": text_id, "text_hash": self._hash(text_id, note)})
        desk.state(case, [returned, assigned])
        if note and text_id:
            self._record(work, case, text_id, TextKind.NOTE, note)
        return await self._done(desk, case, task)

    async def contact(self, work: Work, caller: Principal, task_id: UUID, revision: int, medium: Medium) -> "Shown":
        """Say that somebody spoke with the resident."""
        desk, case, task = await self._hold(work, caller, task_id)
        desk.state(case, [holding.contact(task, caller, revision, medium, work.now)])
        return await self._done(desk, case, task)

    async def progress(self, work: Work, caller: Principal, task_id: UUID, revision: int, text: str) -> "Shown":
        """Tell the resident how it goes."""
        desk, case, task = await self._hold(work, caller, task_id)
        text_id = new_id()
        desk.state(case, [holding.progress(task, caller, revision, text_id, self._hash(text_id, text))])
        self._record(work, case, text_id, TextKind.NOTE, text)
        return await self._done(desk, case, task)

    async def answer(
        self, work: Work, caller: Principal, task_id: UUID, revision: int, text: str, fulfil_by: datetime | None
    ) -> "Shown":
        """Answer the resident."""
        desk, case, task = await self._hold(work, caller, task_id)
        text_id = new_id()
        hashed = self._hash(text_id, text)
        desk.state(case, [holding.answer(case, task, caller, revision, text_id, hashed, fulfil_by, work.now)])
        self._record(work, case, text_id, TextKind.ANSWER, text)
        return await self._done(desk, case, task)

    async def fulfil(self, work: Work, caller: Principal, task_id: UUID, revision: int) -> "Shown":
        """Say that what was promised has happened."""
        desk, case, task = await self._hold(work, caller, task_id)
        desk.state(case, [holding.fulfil(task, caller, revision, work.now)])
        return await self._done(desk, case, task)

    async def add_task(self, work: Work, caller: Principal, request_id: UUID, organisation: str) -> "Shown":
        """Let another organisation assist."""
        if caller.kind not in DESK:
            raise Forbidden
        desk = await self._open(work, [request_id])
        case = desk.cases.get(request_id)
        if case is None or organisation not in desk.city.organisations:
            raise NotFound("There is no such request, or no such organisation in the directory.")
        holding.must_be_in_work(case)
        desk.state(case, [assignment.assist(case, desk.city, organisation, None, work.now, desk.load, new_id)])
        return await self._done(desk, case, case.tasks[-1])

    async def nudge(self, work: Work, caller: Principal, request_id: UUID) -> int:
        """Urge the holder of the lead; how many nudges the stage has had."""
        if not (caller.kind in DESK or (caller.kind is Kind.RESIDENT and caller.request_id == request_id)):
            raise Forbidden if caller.kind in OVERSIGHT else NotFound
        desk = await self._open(work, [request_id])
        case = desk.cases.get(request_id)
        if case is None:
            raise NotFound
        nudged = assignment.nudge_by_hand(case)
        desk.state(case, [nudged])
        await desk.put_away()
        return nudged.count

    async def _hold(self, work: Work, caller: Principal, task_id: UUID) -> tuple[Desk, Case, Task]:
        """The task, its case locked, for a caller whose organisation has or had it."""
        request_id = await store.find_request_of(work.connection, task_id)
        if request_id is None:
            raise NotFound
        desk = await self._open(work, [request_id])
        case = desk.cases[request_id]
        task = case.task(task_id)
        if caller.kind not in HANDLERS:
            raise Forbidden if caller.kind in OVERSIGHT else NotFound
        if caller.organisation not in task.organisations:
            raise NotFound
        return desk, case, task

    async def _done(self, desk: Desk, case: Case, task: Task) -> "Shown":
        await desk.put_away()
        return Shown(case, task, desk.work.now)

    def _hash(self, text_id: UUID, text: str) -> str:
        return text_hash(self._hash_secret, text_id, mask(text))

    def _record(self, work: Work, case: Case, text_id: UUID, kind: TextKind, text: str) -> None:
        """Let the masked text follow the fact that names it."""
        recorded = TextRecorded(
            text_id=text_id,
            request_id=case.request_id,
            kind=kind,
            text=mask(text),
            language=Language.of(text),
            filed_at=work.now,
            received_at=work.now,
        )
        work.state(recorded, case.request_id, text_id)


@dataclass(frozen=True, slots=True)
class Shown:
    """A task with its case, as of a moment."""

    case: Case
    task: Task
    at: datetime


async def list_tasks(
    connection: Transaction, wanted: store.Filter, after: store.After | None, limit: int, now: datetime
) -> tuple[list[Shown], store.After | None]:
    """A page of tasks, and where the next one begins."""
    rows = await store.list_tasks(connection, wanted, after, limit + 1)
    page = rows[:limit]
    cases = await store.load_cases(connection, [row.request_id for row in page])
    shown = [Shown(cases[row.request_id], cases[row.request_id].task(row.id), now) for row in page]
    last = page[-1] if len(rows) > limit else None
    return shown, (last.colour_rank, last.due_at, last.id) if last else None


async def load_task(connection: Transaction, caller: Principal, task_id: UUID, now: datetime) -> Shown:
    """One task; raises NotFound where the caller may not see it."""
    request_id = await store.find_request_of(connection, task_id)
    if request_id is None:
        raise NotFound
    case = (await store.load_cases(connection, [request_id]))[request_id]
    task = case.task(task_id)
    if caller.kind not in OVERSIGHT and caller.organisation not in task.organisations:
        raise NotFound
    return Shown(case, task, now)
