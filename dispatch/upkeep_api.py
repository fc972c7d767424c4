"""The HTTP door for keeping the directory right: export, entries confirmed, drills."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from dispatch import assurance, directory, drilling
from dispatch.answers import EntryKept
from dispatch.api import AtDesk
from dispatch.casework_api import PersonId
from dispatch.drills import DrillOver, DrillReport, DrillRunning, DrillShown
from dispatch.entries import LIAISON, ORGANISATION, SHIFTS
from dispatch.files import FileKind
from shared.problems import Forbidden, InvalidInput, NotFound
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, page, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["dispatch"])
YAML = "application/yaml"
CONFIRMING = responses(NotFound, Forbidden)
WEEK_MINUTES = 7 * 24 * 60


EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {YAML: {"schema": {"type": "object"}}}}
}


@router.get("/directory/{kind}", response_class=Response, responses=EXPORTED | responses(Forbidden))
async def export_file(kind: FileKind, caller: Caller, service: Here) -> Response:
    """The file in force, with all that was changed entry by entry: applied, it changes nothing (`heed export`)."""
    return Response(await service.query(directory.export_file, caller, kind), media_type=YAML)


# Assurance


class OrganisationAssuranceBody(Body):
    """The entry is right as it stands."""

    with_people: bool = Field(False, description="So are all entries of its people, and their shifts.")


@router.post("/organisations/{entry_id}/assurance", responses=CONFIRMING)
async def assure_organisation(
    entry_id: str, body: OrganisationAssuranceBody, caller: Caller, service: Here, desk: AtDesk
) -> EntryKept:
    """Confirm an organisation's entry; for its leader, and the desk. Its revision stays."""
    values = (desk, caller, ORGANISATION, entry_id)
    return await service.command(assurance.assure, *values, with_people=body.with_people)


@router.post("/liaisons/{entry_id}/assurance", responses=CONFIRMING)
async def assure_liaison(entry_id: str, caller: Caller, service: Here, desk: AtDesk) -> EntryKept:
    """Confirm a person's entry; for himself, his organisation's leader, and the desk. Its revision stays."""
    return await service.command(assurance.assure, desk, caller, LIAISON, entry_id)


@router.post("/shifts/{entry_id}/assurance", responses=CONFIRMING)
async def assure_shifts(entry_id: str, caller: Caller, service: Here, desk: AtDesk) -> EntryKept:
    """Confirm a person's shifts; for himself, his organisation's leader, and the desk. Their revision stays."""
    return await service.command(assurance.assure, desk, caller, SHIFTS, entry_id)


# Drills


class DrillBody(Body):
    """A drill that begins now."""

    answer_minutes: int | None = Field(
        None, ge=1, le=WEEK_MINUTES, strict=True, description="Else as the city's clocks say."
    )


@router.post("/drills", status_code=201, responses=responses(Forbidden, DrillRunning))
async def begin_drill(body: DrillBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey) -> DrillReport:
    """Ask everybody in the directory whether he can be reached; for operators and supervisors."""
    return await service.command(drilling.begin, desk, caller, body.answer_minutes, idempotency=key)


class AnswerBody(Body):
    """Here I am."""

    liaison: PersonId | None = Field(
        None, description="Whom the desk has reached; else yourself, or whoever has the post of your key now."
    )


@router.post("/drills/{drill_id}/answer", responses=responses(NotFound, Forbidden, InvalidInput, DrillOver))
async def answer_drill(
    drill_id: UUID, body: AnswerBody, caller: Caller, service: Here, desk: AtDesk, key: IdempotencyKey
) -> DrillReport:
    """Say that you can be reached, before `answer_by`; it confirms your entry. A second answer changes nothing."""
    return await service.command(drilling.answer, desk, caller, drill_id, body.liaison, idempotency=key)


@router.get("/drills/{drill_id}", responses=responses(NotFound, Forbidden))
async def read_drill(drill_id: UUID, caller: Caller, service: Here) -> DrillReport:
    """Who answered, in how long, and who did not; an organisation sees its own part."""
    return await service.query(drilling.load, caller, drill_id)


@router.get("/drills", responses=responses(Forbidden, InvalidInput))
async def list_drills(
    caller: Caller,
    service: Here,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items on a page.")] = 50,
) -> Page[DrillShown]:
    """Drills, the newest first; an organisation sees its own part."""
    after = read_cursor(cursor, datetime, UUID)
    drills = await service.query(drilling.list_for, caller, after=after, limit=limit + 1)
    return page(drills, limit, lambda drill: drill, lambda drill: (drill.asked_at, drill.id))
