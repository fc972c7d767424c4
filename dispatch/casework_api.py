"""The HTTP door for what is done on a case beside the plain verbs."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from dispatch import casework, directory, handlers
from dispatch.answers import FirstRoutes, TaskShown
from dispatch.api import ACTING, AtDesk, Moment, OrganisationId, Revision, Words
from dispatch.explaining import Explained
from dispatch.oversight import UnknownLeader
from dispatch.questions import QuestionRefused, RedIsAskedByPhone
from dispatch.surge import Backlog, NoSuchLevel, SurgeShown
from dispatch.tasks import (
    ExtensionRefused,
    HappensInThePast,
    InterimAnswerMissing,
    NoOrder,
    NotOnDuty,
    NotTheLead,
    RedNeverExtends,
    TransfersExhausted,
    UnknownOrganisation,
)
from shared.contracts.vocabulary import Category, Colour
from shared.problems import Forbidden, NotFound, NotInThisState, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, responses

router = APIRouter(prefix="/v1", tags=["dispatch"])
PersonId = Annotated[str, Field(min_length=1, max_length=64)]


class ConfirmBody(Body):
    """One's part is arranged; `happens_at` is when it will happen."""

    revision: Revision
    happens_at: Moment | None = None
    note: Words | None = None


@router.post("/tasks/{task_id}/confirm", responses=responses(*ACTING, HappensInThePast))
async def confirm(
    task_id: UUID, body: ConfirmBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Say that your part is arranged, and for when: what comes after it in the playbook begins."""
    values = (body.revision, body.happens_at, body.note)
    return await service.command(casework.confirm, desk, caller, task_id, *values, idempotency=key)


class WaiveBody(Body):
    """Going without an assistant's help."""

    revision: Revision


@router.post("/tasks/{task_id}/waive", responses=responses(NotFound, Forbidden, RevisionConflict, NotInThisState))
async def waive(
    task_id: UUID, body: WaiveBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Cancel an assisting task, so that the answer waits for it no more; for those who work the queue."""
    return await service.command(casework.waive, desk, caller, task_id, body.revision, idempotency=key)


class TransferBody(Body):
    """Handing a task to a colleague of the same organisation."""

    revision: Revision
    liaison: PersonId
    note: Words | None = None


@router.post("/tasks/{task_id}/transfer", responses=responses(*ACTING, NotOnDuty, TransfersExhausted))
async def transfer(
    task_id: UUID, body: TransferBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Hand the task to a colleague who is on duty; he has to accept it, and no other clock moves."""
    values = (body.revision, body.liaison, body.note)
    return await service.command(casework.transfer, desk, caller, task_id, *values, idempotency=key)


class InterimBody(Body):
    """How far a hard case is."""

    revision: Revision
    text: Words


@router.post("/tasks/{task_id}/interim-answer", responses=responses(*ACTING, NotTheLead))
async def interim_answer(
    task_id: UUID, body: InterimBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Tell the resident how far it is; the clock of the answer runs on."""
    return await service.command(
        casework.interim_answer, desk, caller, task_id, body.revision, body.text, idempotency=key
    )


class QuestionBody(Body):
    """What the resident has to say before the lead can go on."""

    revision: Revision
    text: Words


@router.post("/tasks/{task_id}/question", responses=responses(*ACTING, NotTheLead, RedIsAskedByPhone, QuestionRefused))
async def ask(
    task_id: UUID, body: QuestionBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Ask the resident; he holds the request until he adds something, is spoken with, or his time is over.

    No clock stops for it. So many times, one at a time, before the answer is due, and never about what is red.
    """
    return await service.command(casework.ask, desk, caller, task_id, body.revision, body.text, idempotency=key)


class ExtendBody(Body):
    """Asking for more time; the resident reads why."""

    revision: Revision
    until: Moment
    text: Words


@router.post(
    "/tasks/{task_id}/extend",
    responses=responses(*ACTING, NotTheLead, RedNeverExtends, ExtensionRefused, InterimAnswerMissing),
)
async def extend(
    task_id: UUID, body: ExtendBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Promise the answer for later: once, before it is due, never for red.

    A supervisor of the city gives a hard case more, after an interim answer.
    """
    values = (body.revision, body.until, body.text)
    return await service.command(casework.extend, desk, caller, task_id, *values, idempotency=key)


class OrderAnswerBody(Body):
    """What the leader did about it."""

    revision: Revision
    text: Words


@router.post(
    "/tasks/{task_id}/supervision-answer",
    responses=responses(NotFound, Forbidden, RevisionConflict, NoOrder),
)
async def answer_order(
    task_id: UUID, body: OrderAnswerBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Answer a supervision order, as the leader whom it names."""
    return await service.command(
        casework.answer_order, desk, caller, task_id, body.revision, body.text, idempotency=key
    )


class SupervisionBody(Body):
    """An order by hand; without `leader` it is the supervisor of the organisation that leads."""

    leader: PersonId | None = None
    note: Words | None = None


@router.post(
    "/requests/{request_id}/supervision",
    status_code=201,
    responses=responses(NotFound, Forbidden, NotInThisState, UnknownLeader),
)
async def supervise(
    request_id: UUID, body: SupervisionBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Order that a named leader answers for the request (督办); for a supervisor of the city."""
    values = (body.leader, body.note)
    return await service.command(casework.supervise, desk, caller, request_id, *values, idempotency=key)


class ArbitrationBody(Body):
    """Whose the request is."""

    organisation: OrganisationId
    note: Words | None = None


@router.post(
    "/requests/{request_id}/arbitration",
    status_code=201,
    responses=responses(NotFound, Forbidden, NotInThisState, UnknownOrganisation),
)
async def arbitrate(
    request_id: UUID, body: ArbitrationBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> TaskShown:
    """Decide whose the request is; that organisation may not return it. For those who work the queue."""
    values = (body.organisation, body.note)
    return await service.command(casework.arbitrate, desk, caller, request_id, *values, idempotency=key)


# Routing


@router.get("/routing", responses=responses(Forbidden))
async def explain_route(
    caller: Caller,
    service: Here,
    desk: AtDesk,
    category: Annotated[Category, Query()],
    colour: Annotated[Colour, Query()] = Colour.YELLOW,
    area: Annotated[str | None, Query(max_length=200)] = None,
    need: Annotated[
        list[str] | None, Query(description="What it needs beside its lead; may stand several times.")
    ] = None,
    deadline: Annotated[AwareDatetime | None, Query(description="By when help is needed.")] = None,
    confidence: Annotated[float, Query(ge=0, le=1, description="How sure it is that it is in this area.")] = 1,
) -> Explained:
    """Where such a request would go now, to whom there, and why: every rule that was looked at."""
    values = (service.clock.now(), category, area, colour, tuple(need or ()), deadline, confidence)
    return await service.query(handlers.explain_route, desk, caller, *values)


@router.get("/routing/accuracy", responses=responses(Forbidden))
async def first_routes(
    caller: Caller,
    service: Here,
    days: Annotated[int, Query(ge=1, le=90, description="Leads answered in the last so many days.")] = 7,
) -> FirstRoutes:
    """How often the first organisation was the right one."""
    since = service.clock.now() - timedelta(days=days)
    return await service.query(handlers.first_routes, caller, since)


# A surge


class SurgeBody(Body):
    """The emergency level to be in force; 0 is the everyday."""

    level: Annotated[int, Field(ge=0, le=9, strict=True)]


@router.get("/surge", responses=responses(Forbidden))
async def load_surge(caller: Caller, service: Here) -> SurgeShown:
    """The emergency level in force."""
    return await service.query(directory.load_surge, caller)


@router.put("/surge", responses=responses(Forbidden, NoSuchLevel))
async def declare(body: SurgeBody, caller: Caller, service: Here) -> SurgeShown:
    """Declare an emergency level: new promises are made by its clocks, those that were given stand."""
    return await service.command(directory.declare, caller, body.level)


@router.get("/backlog", responses=responses(Forbidden))
async def list_backlog(
    caller: Caller,
    service: Here,
    desk: AtDesk,
    hours: Annotated[int, Query(ge=1, le=72, description="The time over which the speed is measured.")] = 6,
) -> Page[Backlog]:
    """What each organisation has before it: how fast it goes down, and how long somebody who files now waits."""
    values = (desk, caller, service.clock.now(), timedelta(hours=hours))
    return Page(items=await service.query(handlers.list_backlog, *values))
