"""The HTTP door of followup: ratings, call-backs, alarms."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from followup import handlers, store
from followup.handlers import AttemptKept, RatingKept, Word
from followup.lookback import (
    AnotherMediumNeeded,
    Attempt,
    NotAnsweredYet,
    NotDueYet,
    NotFulfilledYet,
    VisitOver,
)
from shared.contracts.vocabulary import AlarmKind, AttemptOutcome, Category, Colour, Medium, Stage
from shared.identity import DESK
from shared.problems import Forbidden, InvalidInput, NotFound, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, decode_cursor, encode_cursor, responses

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


@router.post(
    "/requests/{request_id}/rating",
    status_code=201,
    responses=responses(NotFound, Forbidden, NotAnsweredYet, NotFulfilledYet),
)
async def rate(
    request_id: UUID, body: RatingBody, caller: Caller, service: Here, idempotency: IdempotencyKey
) -> RatingKept:
    """Rate the answer, with the tracking token of the request, within the window after it.

    Solved closes the request as confirmed; not solved sends it back to somebody on duty. A second rating, or one
    after the window, is kept and changes nothing (`counts` is false).
    """
    word = Word(**body.model_dump())
    salt = service.settings.hash_bytes
    return await service.command(handlers.rate, caller, request_id, word, salt, idempotency=idempotency)


# Call-backs


class VisitItem(BaseModel):
    """A call-back on the work list; send `revision` with the try."""

    id: UUID
    request_id: UUID
    attempt: int
    due_at: datetime
    medium: Medium
    revision: int
    reason: str
    colour: Colour | None
    category: Category | None


class AttemptBody(Body):
    """What became of a try; `solved` exactly where the resident was reached."""

    revision: int = Field(ge=1)
    outcome: AttemptOutcome
    medium: Medium | None = Field(None, description="Where it was another than planned.")
    solved: Annotated[bool | None, Field(strict=True)] = None
    satisfaction: Mark = None
    note: Words = None


@router.get("/visits", responses=responses(Forbidden, InvalidInput))
async def list_visits(
    caller: Caller,
    service: Here,
    due: Annotated[Literal["", "true", "false"] | None, Query(description="Only those due by now.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[VisitItem]:
    """The work list of call-backs, by when they are due; for inspectors and supervisors alone."""
    handlers.check_may_call_back(caller)
    rows = await service.query(
        store.list_visits,
        due_by=service.clock.now() if due in {"", "true"} else None,
        not_of=caller.organisation,
        after=after_cursor(cursor, datetime, UUID),
        limit=limit + 1,
    )
    items = [
        VisitItem(
            id=visit.id,
            request_id=visit.request_id,
            attempt=visit.attempt,
            due_at=visit.due_at,
            medium=visit.medium,
            revision=visit.revision,
            reason=visit.reason,
            colour=case.life.colour,
            category=Category(case.life.category) if case.life.category else None,
        )
        for visit, case in rows[:limit]
    ]
    more = len(rows) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].due_at, items[-1].id) if more else None)


@router.post(
    "/visits/{visit_id}/attempts",
    status_code=201,
    responses=responses(NotFound, Forbidden, RevisionConflict, VisitOver, NotDueYet, AnotherMediumNeeded, InvalidInput),
)
async def attempt(
    visit_id: UUID, body: AttemptBody, caller: Caller, service: Here, idempotency: IdempotencyKey
) -> AttemptKept:
    """Keep a try: reached and solved closes the request, reached and not solved reopens it, a third failure closes it
    as unreached."""
    made = Attempt(outcome=body.outcome, medium=body.medium, solved=body.solved, satisfaction=body.satisfaction)
    return await service.command(
        handlers.attempt, caller, visit_id, body.revision, made, body.note, idempotency=idempotency
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
    after = after_cursor(cursor, datetime, str, str, str)
    rows = await service.query(store.list_alarms, kind=kind, after=after, limit=limit + 1)
    items = [AlarmItem(**row) for row in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    following = encode_cursor(last.raised_at, last.subject, last.kind, last.service) if last else None
    return Page(items=items, next_cursor=following)


def after_cursor(cursor: str | None, *kinds: type) -> list[object] | None:
    """The sort values in a cursor, each as its kind; raises InvalidInput where it is none of this list's."""
    if cursor is None:
        return None
    try:
        return [_read(kind, value) for kind, value in zip(kinds, decode_cursor(cursor, len(kinds)), strict=True)]
    except (ValueError, TypeError, AttributeError) as broken:
        raise InvalidInput("The cursor belongs to another list. Begin again without it.") from broken


def _read(kind: type, value: str) -> object:
    return datetime.fromisoformat(value) if kind is datetime else kind(value)
