"""The HTTP door of dispatch: tasks, nudges, the directory."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from dispatch import directory, entries, handlers
from dispatch.answers import Applied, EntryHistory, EntryKept, NudgeShown, TaskShown
from dispatch.city import Area, Entry, Liaison, Organisation, Shift
from dispatch.directory import Desk
from dispatch.entries import ShiftsOfOne
from dispatch.files import LONGEST_CHARACTERS, FileKind, InvalidFile
from dispatch.store import OVER, Place, Wanted
from dispatch.tasks import (
    AlreadyHasTask,
    EvidenceMissing,
    FulfilmentInThePast,
    NothingOwed,
    NotTheLead,
    OwnerNotNamed,
    QuantityRefused,
    RequiredTasksOpen,
    ReturnsExhausted,
    TaskHeldByAnother,
    TaskStatus,
    Together,
    UnknownOrganisation,
)
from dispatch.together import act_together
from shared.contracts.vocabulary import Medium, ReturnReason
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, encode_cursor, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["dispatch"])
LONGEST_TEXT = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _clean(words: str) -> str:
    words = unicodedata.normalize("NFC", words.replace("\r\n", "\n"))
    if _CONTROL.search(words):
        raise ValueError("must not hold control characters other than line ends and tabs")
    if not any(unicodedata.category(c)[0] not in "CZ" for c in words):
        raise ValueError("must not be empty")
    if len(words) > LONGEST_TEXT:
        raise ValueError(f"must have at most {LONGEST_TEXT} characters")
    return words


def _rfc_3339(moment: Any) -> Any:
    if not (isinstance(moment, str) and _RFC_3339.fullmatch(moment)):
        raise ValueError("must be a time with its offset, as in 2026-03-02T16:00:00+08:00")
    return moment


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
Words = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_clean)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339)]
Revision = Annotated[int, Field(ge=1, strict=True, description="As you last read it.")]
Quantity = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
OrganisationId = Annotated[str, Field(min_length=1, max_length=64)]
ACTING = (NotFound, Forbidden, TaskHeldByAnother, RevisionConflict, NotInThisState)


# Tasks


def _read_place(cursor: str | None) -> Place | None:
    values = read_cursor(cursor, datetime, int, datetime, UUID)
    if values is None:
        return None
    place = Place(*values)
    if not 0 <= place.group <= OVER:
        raise InvalidInput("The cursor is none that this list gave. Begin again without it.")
    return place


@router.get("/tasks", responses=responses(Forbidden, InvalidInput))
async def list_tasks(
    caller: Caller,
    service: Here,
    desk: AtDesk,
    mine: Annotated[bool, Query(description="Only those that I may act on.")] = False,
    status: Annotated[
        TaskStatus | None, Query(description="Only these; without it, all on which work is owed.")
    ] = None,
    request_id: Annotated[UUID | None, Query(description="Only this request's, also those that are over.")] = None,
    organisation: Annotated[str | None, Query(max_length=64, description="Only this organisation's.")] = None,
    overdue: Annotated[bool | None, Query(description="Only those with a clock that ran out, or only others.")] = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items on a page.")] = 50,
) -> Page[TaskShown]:
    """Tasks by urgency: overdue first, red before yellow before green, then what is due first.

    Oversight sees all, an organisation its own.
    """
    asked = status.value if status else None
    wanted = Wanted(request_id=request_id, organisation=organisation, status=asked, overdue=overdue)
    now, after = service.clock.now(), _read_place(cursor)
    items, place = await service.query(handlers.list_tasks, desk, caller, wanted, now, after, limit, mine=mine)
    following = encode_cursor(place.now, place.group, place.at, place.task_id) if place else None
    return Page(items=items, next_cursor=following)


@router.get("/tasks/{task_id}", responses=responses(NotFound))
async def load_task(task_id: UUID, caller: Caller, service: Here, desk: AtDesk) -> TaskShown:
    """One task, for the organisation that has or had it, and for oversight."""
    return await service.query(handlers.load_task, desk, caller, task_id, service.clock.now())


Others = Annotated[
    Together | None,
    Field(description="Do it for your other open requests of the same household or building at once."),
]


class AcceptBody(Body):
    """Signing for a task."""

    revision: Revision
    together: Others = None


@router.post("/tasks/{task_id}/accept", responses=responses(*ACTING))
async def accept(
    task_id: UUID, body: AcceptBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Sign for the task (签收). Refused with who holds it where it went to somebody else meanwhile."""
    values = (handlers.accept, body.together, task_id, body.revision)
    return await service.command(act_together, desk, caller, *values, idempotency=key)


class ReturnBody(Body):
    """Giving a task back, with the reason and, in `note`, the evidence; `not_ours` says whose it is."""

    revision: Revision
    reason: ReturnReason
    belongs_to: OrganisationId | None = None
    note: Words | None = None


@router.post(
    "/tasks/{task_id}/return",
    responses=responses(*ACTING, ReturnsExhausted, OwnerNotNamed, EvidenceMissing, UnknownOrganisation),
)
async def give_back(
    task_id: UUID, body: ReturnBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Return the task (退单). It goes to whom it belongs at once; the clocks of the request run on."""
    values = (body.revision, body.reason, body.belongs_to, body.note)
    return await service.command(handlers.give_back, desk, caller, task_id, *values, idempotency=key)


class ContactBody(Body):
    """A word with the resident, and how."""

    revision: Revision
    medium: Medium = Medium.PHONE
    together: Others = None


@router.post("/tasks/{task_id}/contact", responses=responses(*ACTING))
async def contact(
    task_id: UUID, body: ContactBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Note that a human of the organisation spoke with the resident."""
    values = (handlers.contact, body.together, task_id, body.revision, body.medium)
    return await service.command(act_together, desk, caller, *values, idempotency=key)


class ProgressBody(Body):
    """News from the work, for the resident to read."""

    revision: Revision
    text: Words
    together: Others = None


@router.post("/tasks/{task_id}/progress", responses=responses(*ACTING))
async def progress(
    task_id: UUID, body: ProgressBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Tell the resident how it goes."""
    values = (handlers.progress, body.together, task_id, body.revision, body.text)
    return await service.command(act_together, desk, caller, *values, idempotency=key)


class AnswerBody(Body):
    """What was done; with `fulfil_by`, what will have been done by then."""

    revision: Revision
    text: Words
    fulfil_by: Moment | None = None
    together: Others = None


@router.post(
    "/tasks/{task_id}/answer", responses=responses(*ACTING, NotTheLead, FulfilmentInThePast, RequiredTasksOpen)
)
async def answer(
    task_id: UUID, body: AnswerBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Answer the resident, for the whole case; only the lead does. With `fulfil_by` you owe a `fulfil`."""
    values = (handlers.answer, body.together, task_id, body.revision, body.text, body.fulfil_by)
    return await service.command(act_together, desk, caller, *values, idempotency=key)


class FulfilBody(Body):
    """What was promised has happened, or an assistant's part is done: all, or `quantity` of what was asked for."""

    revision: Revision
    note: Words | None = None
    quantity: Quantity | None = None


@router.post("/tasks/{task_id}/fulfil", responses=responses(*ACTING, NothingOwed, QuantityRefused))
async def fulfil(
    task_id: UUID, body: FulfilBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Say that it has happened."""
    values = (body.revision, body.note, body.quantity)
    return await service.command(handlers.fulfil, desk, caller, task_id, *values, idempotency=key)


# Requests


class TaskBody(Body):
    """One more organisation that helps; with `required` the answer waits for it."""

    organisation: OrganisationId
    role: Annotated[str, Field(pattern="^assisting$")] = "assisting"
    note: Words | None = None
    required: bool = False
    quantity: Quantity | None = None
    unit: Annotated[str, Field(pattern="^[a-z_]{1,32}$")] = "piece"


@router.post(
    "/requests/{request_id}/tasks",
    status_code=201,
    responses=responses(NotFound, Forbidden, NotInThisState, AlreadyHasTask, UnknownOrganisation),
)
async def add_task(
    request_id: UUID, body: TaskBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Let one more organisation assist; for those who work the queue, and for whoever leads."""
    unit = body.unit if body.quantity else None
    values = (body.organisation, body.note, body.required, body.quantity, unit)
    return await service.command(handlers.add_task, desk, caller, request_id, *values, idempotency=key)


@router.post("/requests/{request_id}/nudges", status_code=201, responses=responses(NotFound, Forbidden, NotInThisState))
async def nudge(request_id: UUID, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey) -> NudgeShown:
    """Urge whoever holds the request (催办); counted. For those who work the queue, and for the resident."""
    return await service.command(handlers.nudge, desk, caller, request_id, idempotency=key)


# The directory


class FileBody(Body):
    """One of the city's files, as it stands on the disk."""

    kind: FileKind
    content: Annotated[str, Field(min_length=1, max_length=LONGEST_CHARACTERS)]
    dry_run: bool = False


@router.post("/directory", responses=responses(Forbidden, InvalidFile))
async def apply_file(body: FileBody, caller: Caller, service: Here) -> Applied:
    """Check a file and put it into force (`heed apply`); with `dry_run`, only say what it would change."""
    return await service.command(directory.apply_file, caller, body.kind, body.content, body.dry_run)


@router.get("/directory", responses=responses(Forbidden))
async def list_policies(caller: Caller, service: Here) -> Page[EntryKept]:
    """The files in force: versions, routing rules, clocks."""
    return Page(items=await service.query(directory.list_entries, caller, entries.POLICY))


C = TypeVar("C", bound=Entry)
Offered = tuple[str, str, str]
ORGANISATIONS: Offered = ("organisations", "{entry_id}", entries.ORGANISATION)
LIAISONS: Offered = ("liaisons", "{entry_id}", entries.LIAISON)
SHIFTS: Offered = ("shifts", "{entry_id}", entries.SHIFTS)
AREAS: Offered = ("areas", "{entry_id:path}", entries.AREA)
"""An area's id holds slashes."""
AssuredBefore = Annotated[
    AwareDatetime | None, Query(description="Only those that nobody has confirmed to be right since then.")
]
CHANGING = responses(Forbidden, RevisionConflict, InvalidFile, InvalidInput)


class EntryBody(Body, Generic[C]):
    """The whole entry as it shall be; `revision` as you last read it, 0 for a new one."""

    revision: int = Field(0, ge=0, strict=True)
    content: C


def _plain(entry_id: str, entry: Entry) -> dict[str, Any]:
    """The entry as it is kept; raises InvalidInput where it is another's than the address says."""
    parts = entry.shifts if isinstance(entry, ShiftsOfOne) else (entry,)
    if {part.liaison if isinstance(part, Shift) else getattr(part, "id", None) for part in parts} - {entry_id}:
        raise InvalidInput("The entry's id is not the one in the address.")
    if any(getattr(part, "assured_at", None) for part in parts):
        raise InvalidInput("A change confirms the entry now. Leave `assured_at` out.")
    return entries.plain(entry)


@router.put("/organisations/{entry_id}", responses=CHANGING)
async def put_organisation(entry_id: str, body: EntryBody[Organisation], caller: Caller, service: Here) -> EntryKept:
    """Add or change an organisation."""
    plain = _plain(entry_id, body.content)
    return await service.command(directory.put_entry, caller, entries.ORGANISATION, entry_id, body.revision, plain)


@router.put("/liaisons/{entry_id}", responses=CHANGING)
async def put_liaison(entry_id: str, body: EntryBody[Liaison], caller: Caller, service: Here) -> EntryKept:
    """Add or change a person of an organisation."""
    plain = _plain(entry_id, body.content)
    return await service.command(directory.put_entry, caller, entries.LIAISON, entry_id, body.revision, plain)


@router.put("/shifts/{entry_id}", responses=CHANGING)
async def put_shifts(entry_id: str, body: EntryBody[ShiftsOfOne], caller: Caller, service: Here) -> EntryKept:
    """Say when a person is on duty; all his shifts at once."""
    plain = _plain(entry_id, body.content)
    return await service.command(directory.put_entry, caller, entries.SHIFTS, entry_id, body.revision, plain)


@router.put("/areas/{entry_id:path}", responses=CHANGING)
async def put_area(entry_id: str, body: EntryBody[Area], caller: Caller, service: Here) -> EntryKept:
    """Add or change a place."""
    plain = _plain(entry_id, body.content)
    return await service.command(directory.put_entry, caller, entries.AREA, entry_id, body.revision, plain)


def _offer(path: str, one: str, kind: str) -> None:
    """The two readings of a kind of entry."""

    async def list_all(caller: Caller, service: Here, assured_before: AssuredBefore = None) -> Page[EntryKept]:
        return Page(items=await service.query(directory.list_entries, caller, kind, assured_before))

    async def load(entry_id: str, caller: Caller, service: Here) -> EntryHistory:
        return await service.query(directory.load_entry, caller, kind, entry_id)

    router.get(f"/{path}", name=f"list_{path}", responses=responses(Forbidden), summary=f"All {path} in force")(
        list_all
    )
    router.get(
        f"/{path}/{one}", name=f"load_{kind}", responses=responses(Forbidden, NotFound), summary="One, with its history"
    )(load)


for _offered in (ORGANISATIONS, LIAISONS, SHIFTS, AREAS):
    _offer(*_offered)
