"""Dispatch's HTTP door: tasks and the directory."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from dispatch import directory, handlers, store
from dispatch.directory import Applied
from dispatch.files import FileKind
from dispatch.handlers import Dispatch, Shown
from dispatch.holding import OwnerNotNamed, PromiseInThePast, ReturnRefused, TaskHeldByAnother
from dispatch.model import TaskStatus
from shared.contracts.vocabulary import Category, Colour, Medium, ReturnReason, Role, Stage
from shared.identity import HANDLERS, OVERSIGHT, STAFF, Principal
from shared.problems import Forbidden, NotFound, NotInThisState, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, decode_cursor, encode_cursor, responses

router = APIRouter()
MOST_ON_A_PAGE = 200
TEXT_CHARACTERS = 10_000


async def dispatch_of(request: Request) -> Dispatch:
    """The verbs of the app that was called."""
    verbs: Dispatch = request.app.state.dispatch
    return verbs


Verbs = Annotated[Dispatch, Depends(dispatch_of)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS)]
Limit = Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)]


class NextDue(BaseModel):
    """What is due next, when, and what happens if it isn't done."""

    stage: Stage
    at: datetime
    then: str


class TaskView(BaseModel):
    """One organisation's part in a case."""

    id: UUID
    request_id: UUID
    role: Role
    need: str | None
    status: TaskStatus
    revision: int
    organisation: str
    liaison: str
    level: int
    attempt: int
    rule: str
    arbitration: bool
    category: Category
    colour: Colour
    deadline: datetime | None
    area: str | None
    receipt: str
    received_at: datetime
    assigned_at: datetime
    accept_by: datetime | None
    contact_by: datetime | None
    answer_by: datetime | None
    fulfil_by: datetime | None
    next_due: NextDue | None
    overdue: bool
    nudges: int


def _view(shown: Shown) -> TaskView:
    case, task, life = shown.case, shown.task, shown.case.known.ahead
    due = task.next_due() if task.is_open else None
    by = {stage: clock.due_at for stage, clock in task.clocks.items()}
    return TaskView(
        id=task.id,
        request_id=case.request_id,
        role=task.role,
        need=task.need,
        status=task.status,
        revision=task.revision,
        organisation=task.organisation,
        liaison=task.liaison,
        level=task.level,
        attempt=task.attempt,
        rule=task.rule,
        arbitration=task.arbitration,
        category=case.category,
        colour=case.colour,
        deadline=life.deadline,
        area=life.area,
        receipt=life.receipt,
        received_at=life.received_at,
        assigned_at=task.assigned_at,
        accept_by=by.get(Stage.ACCEPTED),
        contact_by=by.get(Stage.CONTACTED),
        answer_by=by.get(Stage.ANSWERED),
        fulfil_by=task.fulfil_by,
        next_due=NextDue(stage=due[0], at=due[1], then="recalled" if due[0] is Stage.ACCEPTED else "nudged")
        if due
        else None,
        overdue=due is not None and due[1] <= shown.at,
        nudges=sum(clock.nudges for clock in task.clocks.values()),
    )


class TaskQuery(BaseModel):
    """Which tasks are wanted."""

    mine: bool = False
    status: TaskStatus | None = None
    organisation: str | None = None
    request_id: UUID | None = None
    overdue: bool = False


@router.get("/v1/tasks", responses=responses(Forbidden))
async def list_tasks(
    caller: Caller,
    service: Here,
    query: Annotated[TaskQuery, Depends()],
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[TaskView]:
    """Tasks by urgency: red first, then what is due first. Open ones, unless a status or request is named."""
    now = service.clock.now()
    wanted = store.Filter(
        organisation=_organisation(caller, query),
        status=query.status.value if query.status else None,
        request_id=query.request_id,
        overdue_at=now if query.overdue else None,
    )
    shown, after = await service.query(handlers.list_tasks, wanted, _after(cursor), limit, now)
    return Page(items=[_view(one) for one in shown], next_cursor=encode_cursor(*after) if after else None)


def _organisation(caller: Principal, query: TaskQuery) -> str | None:
    """Whose tasks: handlers see their own organisation's, oversight everybody's."""
    if caller.kind in HANDLERS:
        if query.organisation not in {None, caller.organisation}:
            raise Forbidden
        return caller.organisation
    if caller.kind not in OVERSIGHT:
        raise Forbidden
    return query.organisation


def _after(cursor: str | None) -> store.After | None:
    if cursor is None:
        return None
    rank, due_at, task_id = decode_cursor(cursor, 3)
    return int(rank), datetime.fromisoformat(due_at), UUID(task_id)


@router.get("/v1/tasks/{task_id}", responses=responses(NotFound))
async def get_task(caller: Caller, service: Here, task_id: UUID) -> TaskView:
    """One task."""
    return _view(await service.query(handlers.load_task, caller, task_id, service.clock.now()))


class Acceptance(Body):
    """The revision that was decided on."""

    revision: int


class Return(Acceptance):
    """Why the task is given back, and whose it is."""

    reason: ReturnReason
    belongs_to: str | None = None
    note: Text | None = None


class Contact(Acceptance):
    """How the resident was reached."""

    medium: Medium = Medium.PHONE


class Progress(Acceptance):
    """News for the resident."""

    text: Text


class Answer(Acceptance):
    """What was done or, with `fulfil_by`, what will have been done by then."""

    text: Text
    fulfil_by: AwareDatetime | None = None


ACTS = responses(NotFound, Forbidden, TaskHeldByAnother, RevisionConflict, NotInThisState)


@router.post("/v1/tasks/{task_id}/accept", responses=ACTS)
async def accept(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Acceptance) -> TaskView:
    """Sign for a task: 签收."""
    return _view(await service.command(verbs.accept, caller, task_id, body.revision))


@router.post("/v1/tasks/{task_id}/return", responses=ACTS | responses(ReturnRefused, OwnerNotNamed))
async def give_back(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Return) -> TaskView:
    """Give a task back: 退单."""
    given = (task_id, body.revision, body.reason, body.belongs_to, body.note)
    return _view(await service.command(verbs.give_back, caller, *given))


@router.post("/v1/tasks/{task_id}/contact", responses=ACTS)
async def contact(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Contact) -> TaskView:
    """Say that somebody spoke with the resident."""
    return _view(await service.command(verbs.contact, caller, task_id, body.revision, body.medium))


@router.post("/v1/tasks/{task_id}/progress", responses=ACTS)
async def progress(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Progress) -> TaskView:
    """Tell the resident how it goes."""
    return _view(await service.command(verbs.progress, caller, task_id, body.revision, body.text))


@router.post("/v1/tasks/{task_id}/answer", responses=ACTS | responses(PromiseInThePast))
async def answer(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Answer) -> TaskView:
    """Answer the resident; only the lead does."""
    given = (task_id, body.revision, body.text, body.fulfil_by)
    return _view(await service.command(verbs.answer, caller, *given))


@router.post("/v1/tasks/{task_id}/fulfil", responses=ACTS)
async def fulfil(caller: Caller, service: Here, verbs: Verbs, task_id: UUID, body: Acceptance) -> TaskView:
    """Say that what was promised has happened; or that an assisting task is done."""
    return _view(await service.command(verbs.fulfil, caller, task_id, body.revision))


class NewTask(Body):
    """Who shall assist."""

    organisation: str


@router.post("/v1/requests/{request_id}/tasks", status_code=201, responses=responses(NotFound, Forbidden))
async def add_task(
    caller: Caller, service: Here, verbs: Verbs, request_id: UUID, body: NewTask, key: IdempotencyKey
) -> TaskView:
    """Let another organisation assist."""

    async def add(work: Any) -> TaskView:
        return _view(await verbs.add_task(work, caller, request_id, body.organisation))

    return await service.command(add, idempotency=key)


class Nudged(BaseModel):
    """How many nudges the stage has had."""

    count: int


@router.post("/v1/requests/{request_id}/nudges", status_code=201, responses=responses(NotFound, NotInThisState))
async def nudge(caller: Caller, service: Here, verbs: Verbs, request_id: UUID, key: IdempotencyKey) -> Nudged:
    """Urge whoever holds the request: 催办."""

    async def urge(work: Any) -> Nudged:
        return Nudged(count=await verbs.nudge(work, caller, request_id))

    return await service.command(urge, idempotency=key)


# The directory


class Entries(BaseModel):
    """Entries of a list, with the revision to give when changing one."""

    items: list[dict[str, Any]]
    revision: int
    next_cursor: str | None = None


class Change(Body):
    """Entries to stand in the place of those with the id in the address."""

    revision: int
    entries: list[dict[str, Any]] = Field(min_length=1, max_length=100)


class File(Body):
    """A file to bring into force, as text."""

    kind: FileKind
    content: str = Field(max_length=2_000_000)
    dry_run: bool = False


async def _may_read(caller: Caller) -> None:
    if caller.kind not in STAFF | HANDLERS:
        raise Forbidden


@router.get("/v1/directory", dependencies=[Depends(_may_read)])
async def list_versions(service: Here) -> Page[dict[str, Any]]:
    """The files that were brought into force, newest first."""
    return Page(items=await service.query(store.list_versions))


@router.post("/v1/directory", responses=responses(Forbidden))
async def apply_file(caller: Caller, service: Here, body: File) -> Applied:
    """Check a file of the city, show what it changes and, unless `dry_run`, bring it into force."""
    return await service.command(directory.apply_file, caller, body.kind, body.content, body.dry_run)


def _add_lists() -> None:
    """Routes to read and change each list of entries; they differ in name only."""
    for name in directory.ENTRIES:
        _add_list(name)


def _add_list(name: str) -> None:
    entry = f"/v1/{name}/{{entry_id:path}}"

    async def get_all(service: Here) -> Entries:
        revision, items = await service.query(directory.list_entries, name)
        return Entries(items=items, revision=revision)

    async def get_one(service: Here, entry_id: str) -> Entries:
        revision, items = await service.query(directory.find_entries, name, entry_id)
        return Entries(items=items, revision=revision)

    async def put_one(caller: Caller, service: Here, entry_id: str, body: Change) -> Applied:
        return await service.command(directory.put_entries, caller, name, entry_id, body.revision, body.entries)

    reads = [Depends(_may_read)]
    router.add_api_route(f"/v1/{name}", get_all, name=f"list_{name}", summary=f"All {name}", dependencies=reads)
    router.add_api_route(entry, get_one, name=f"get_{name}", summary=f"One of the {name}", dependencies=reads)
    router.add_api_route(
        entry, put_one, methods=["PUT"], name=f"put_{name}", summary=f"Change or add one of the {name}"
    )


_add_lists()
