"""The HTTP door of followup: ratings, statuses, alarms."""

import unicodedata
from datetime import datetime
from operator import itemgetter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, Field

from followup import handlers, store
from followup.handlers import RatingKept, Word
from followup.lookback import NotAnsweredYet, NotFulfilledYet
from shared.contracts.life import Life
from shared.contracts.vocabulary import AlarmKind, Colour, HolderKind, Outcome, Stage, Status
from shared.identity import DESK
from shared.problems import Forbidden, InvalidInput, NotFound
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, page, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["followup"])
COMMENT_CHARACTERS = 2000
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
Mark = Annotated[int | None, Field(ge=1, le=5, description="5 is best.")]


def _plain(words: str | None) -> str | None:
    """Words without control characters other than line ends and tabs, which no text may hold."""
    if words and any(unicodedata.category(sign) == "Cc" and sign not in "\n\r\t" for sign in words):
        raise ValueError("must not hold control characters other than line ends and tabs")
    return words


Words = Annotated[str | None, Field(max_length=COMMENT_CHARACTERS), AfterValidator(_plain)]


# Rating


class RatingBody(Body):
    """The resident's own word on the answer."""

    solved: bool = Field(strict=True)
    satisfaction: Mark = None
    comment: Words = None
    device: Annotated[str | None, Field(max_length=200)] = Field(
        None, description="What names the device or account; only its keyed hash is kept."
    )


@router.post(
    "/requests/{request_id}/rating",
    status_code=201,
    responses=responses(NotFound, Forbidden, NotAnsweredYet, NotFulfilledYet),
)
async def rate(
    request_id: UUID, body: RatingBody, caller: Caller, service: Here, idempotency: IdempotencyKey
) -> RatingKept:
    """Rate the answer, with the tracking token of the request, within the window after it.

    Solved closes the request as confirmed; not solved sends it back to somebody on duty, one level higher. A second
    rating within the window counts in place of the first, which stays on record; one after it, or while the request is
    handled again, is kept and changes nothing (`counts` is false).
    """
    word = Word(**body.model_dump())
    salt = service.settings.hash_bytes
    return await service.command(handlers.rate, caller, request_id, word, salt, idempotency=idempotency)


# Statuses


class StatusItem(BaseModel):
    """A request as the watchdog knows it."""

    id: UUID
    status: Status
    listed_as: Status = Field(description="The status by which it is found in lists; the same, if all is well.")
    colour: Colour | None
    category: str | None
    outcome: Outcome | None
    holder: HolderKind | None
    name: str | None = Field(description="The holder's: a service, or an organisation's id.")


@router.get("/statuses", responses=responses(Forbidden, InvalidInput))
async def list_statuses(
    caller: Caller,
    service: Here,
    response: Response,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most items on a page.")] = 1000,
) -> Page[StatusItem]:
    """Every request as the watchdog knows it, by id: to be compared with the log, which is read up to Heed-Read."""
    if caller.kind not in DESK:
        raise Forbidden
    (after,) = read_cursor(cursor, UUID) or (None,)
    rows, read = await service.query(store.list_lives, after, limit + 1)
    response.headers["Heed-Read"] = read
    return page(rows, limit, lambda row: _status(*row), lambda row: (row[0],))


def _status(request_id: UUID, listed_as: str, life: Life) -> StatusItem:
    return StatusItem(
        id=request_id,
        status=life.status,
        listed_as=Status(listed_as),
        colour=life.colour,
        category=life.category,
        outcome=life.outcome,
        holder=life.holder.kind if life.holder else None,
        name=life.holder.name if life.holder else None,
    )


# Alarms


class AlarmItem(BaseModel):
    """An open alarm: what went silent or wrong, how often it was raised, since when."""

    service: str
    subject: str
    kind: AlarmKind
    request_id: UUID | None
    stage: Stage | None
    count: int
    raised_at: datetime
    last_at: datetime


@router.get("/alarms", responses=responses(Forbidden, InvalidInput))
async def list_alarms(
    caller: Caller,
    service: Here,
    kind: AlarmKind | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AlarmItem]:
    """The open alarms of all services, the oldest first."""
    if caller.kind not in DESK:
        raise Forbidden
    after = read_cursor(cursor, datetime, str, str, str)
    rows = await service.query(store.list_alarms, kind=kind, after=after, limit=limit + 1)
    place = itemgetter("raised_at", "subject", "kind", "service")
    return page(rows, limit, lambda row: AlarmItem(**row), place)
