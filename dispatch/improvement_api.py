"""The HTTP door for improvements: problems handed out to be put right."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from dispatch import improving
from dispatch.api import AtDesk, Moment, OrganisationId, Revision, Words
from dispatch.casework_api import PersonId
from dispatch.improvements import DueInThePast, Improvement
from dispatch.improving import ImprovementShown, show
from dispatch.oversight import UnknownLeader
from dispatch.tasks import UnknownOrganisation
from shared.contracts.vocabulary import ProblemKind, Stage
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, page, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["dispatch"])


class ImprovementBody(Body):
    """A problem to be put right, as a retrospective names it: `problem`, `stage`, `organisation`."""

    problem: ProblemKind
    stage: Stage | None = None
    organisation: OrganisationId = Field(description="Who is to put it right.")
    holder: PersonId | None = Field(None, description="Who answers for it; else the organisation's leader.")
    words: Words = Field(description="What is to be put right.")
    due_at: Moment
    since: Moment | None = Field(None, description="`from` of the retrospective.")
    until: Moment | None = Field(None, description="`to` of the retrospective.")

    @model_validator(mode="after")
    def _in_order(self) -> "ImprovementBody":
        if self.since and self.until and self.since >= self.until:
            raise ValueError("`since` must be before `until`")
        return self


@router.post(
    "/improvements",
    status_code=201,
    responses=responses(Forbidden, UnknownOrganisation, UnknownLeader, DueInThePast),
)
async def assign(
    body: ImprovementBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> ImprovementShown:
    """Hand out a problem, with a holder and a due time; for a supervisor of the city."""
    now = service.clock.now()
    values = body.model_dump(exclude={"holder"})
    wanted = Improvement(id=UUID(int=0), holder="", assigned_by="", assigned_at=now, **values)
    return await service.command(improving.assign, desk, caller, wanted, body.holder, idempotency=key)


class DoneBody(Body):
    """It is put right."""

    revision: Revision
    result: Words = Field(description="What was done.")


@router.post(
    "/improvements/{improvement_id}/done",
    responses=responses(NotFound, Forbidden, RevisionConflict, NotInThisState),
)
async def done(
    improvement_id: UUID, body: DoneBody, caller: Caller, service: Here, key: IdempotencyKey
) -> ImprovementShown:
    """Say that it is put right, and what was done; for the holder and his organisation."""
    return await service.command(improving.done, caller, improvement_id, body.revision, body.result, idempotency=key)


@router.get("/improvements/{improvement_id}", responses=responses(NotFound))
async def read_improvement(improvement_id: UUID, caller: Caller, service: Here) -> ImprovementShown:
    """One improvement, for oversight, the holder and his organisation."""
    return show(await service.query(improving.find, caller, improvement_id), service.clock.now())


@router.get("/improvements", responses=responses(Forbidden, InvalidInput))
async def list_improvements(
    caller: Caller,
    service: Here,
    open_: Annotated[bool, Query(alias="open", description="Only those that are not done.")] = False,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items on a page.")] = 50,
) -> Page[ImprovementShown]:
    """Improvements by when they are due: oversight sees all, an organisation its own."""
    after = read_cursor(cursor, datetime, UUID)
    rows = await service.query(improving.list_for, caller, only_open=open_, after=after, limit=limit + 1)
    now = service.clock.now()
    return page(rows, limit, lambda held: show(held, now), lambda held: (held.due_at, held.id))
