"""The HTTP door of look-back: call-backs, scores, draws, its figures, suspicions, the retrospective."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from followup import inspecting, lookback_store, quality, reviewing, store
from followup.api import Cursor, Limit, Mark, Words
from followup.inspecting import AttemptKept, ScoreKept
from followup.lookback import AnotherMediumNeeded, Attempt, NotDueYet, Visit, VisitOver, VisitState
from followup.model import Case
from followup.plan import Criterion
from followup.reviewing import DrawShown, NotRevealedYet, RetrospectiveShown, SpanTooLong
from followup.sampling import Reason
from followup.scoring import AlreadyScored
from followup.suspicions import SuspicionKind
from shared.contracts.vocabulary import AttemptOutcome, Category, Colour, Medium, Status
from shared.identity import OVERSIGHT
from shared.problems import Forbidden, InvalidInput, NotFound, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, page, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["followup"])
From = Annotated[AwareDatetime, Query(alias="from", description="From here on.")]
To = Annotated[AwareDatetime, Query(description="Before this.")]
Points = Annotated[int, Field(ge=0, le=2, strict=True)]


# Call-backs


class VisitItem(BaseModel):
    """A call-back on the work list; send `revision` with the try or the score.

    Whom to ring, and where, says `POST /v1/requests/{request_id}/contact-views`, which is logged.
    """

    id: UUID
    request_id: UUID
    state: VisitState
    attempt: int
    due_at: datetime
    medium: Medium
    revision: int
    reason: Reason
    colour: Colour | None
    category: Category | None
    organisation: str = Field(description="Whose answer it is.")
    scored: bool


class Said(BaseModel):
    """Something that was said of the request; its words stand in the timeline of the request, under `text_id`."""

    type: str
    at: datetime
    organisation: str
    text_id: UUID | None


class VisitShown(VisitItem):
    """A call-back with what is to be scored: the answer, and what proves it."""

    status: Status
    answer: Said | None
    proofs: list[Said]
    solved: bool | None = Field(description="The resident's last word that counts.")
    satisfaction: int | None
    score: dict[Criterion, int] | None


def _item(visit: Visit, case: Case) -> dict[str, object]:
    return {
        "id": visit.id,
        "request_id": visit.request_id,
        "state": visit.state,
        "attempt": visit.attempt,
        "due_at": visit.due_at,
        "medium": visit.medium,
        "revision": visit.revision,
        "reason": visit.reason,
        "colour": case.life.colour,
        "category": case.life.category,
        "organisation": visit.stratum.organisation,
        "scored": visit.score is not None,
    }


@router.get("/visits", responses=responses(Forbidden, InvalidInput))
async def list_visits(
    caller: Caller,
    service: Here,
    due: Annotated[Literal["", "true", "false"] | None, Query(description="Only those due by now.")] = None,
    to_score: Annotated[bool, Query(description="Those whose answer has no score yet, rung or not.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[VisitItem]:
    """The work list of call-backs, by when they are due; for inspectors and supervisors alone."""
    inspecting.check_may_call_back(caller)
    rows = await service.query(
        store.list_visits,
        to_score=to_score,
        due_by=service.clock.now() if due in {"", "true"} else None,
        not_of=caller.organisation,
        after=read_cursor(cursor, datetime, UUID),
        limit=limit + 1,
    )
    return page(rows, limit, lambda row: VisitItem.model_validate(_item(*row)), lambda row: (row[0].due_at, row[0].id))


@router.get("/visits/{visit_id}", responses=responses(NotFound, Forbidden))
async def read_visit(visit_id: UUID, caller: Caller, service: Here) -> VisitShown:
    """One call-back, with the answer and its proof."""
    visit, case = await service.query(inspecting.find, caller, visit_id)
    answer = None
    if visit.answered_at:
        owner, text = visit.stratum.organisation, visit.answer_text
        answer = Said(type="heed.request.answered", at=visit.answered_at, organisation=owner, text_id=text)
    return VisitShown.model_validate(
        {
            **_item(visit, case),
            "status": case.status,
            "answer": answer,
            "proofs": [Said(**proof._asdict()) for proof in case.proofs],
            "solved": case.solved,
            "satisfaction": case.satisfaction,
            "score": dict(zip(Criterion, visit.score, strict=True)) if visit.score else None,
        }
    )


class AttemptBody(Body):
    """What became of a try; `solved` exactly where the resident was reached."""

    revision: int = Field(ge=1)
    outcome: AttemptOutcome
    medium: Medium | None = Field(None, description="Where it was another than planned, such as `home`: at the door.")
    solved: Annotated[bool | None, Field(strict=True)] = None
    satisfaction: Mark = None
    note: Words = None


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
        inspecting.attempt, caller, visit_id, body.revision, made, body.note, idempotency=idempotency
    )


class ScoreBody(Body):
    """The score of the answer, with the answer and its proof before you: 0 no, 1 partly, 2 yes."""

    revision: int = Field(ge=1)
    answers_what_was_asked: Points
    concrete_action_and_time: Points
    right_owner_and_contact: Points
    plain_and_polite: Points
    proof_attached: Points
    note: Words = None


@router.post(
    "/visits/{visit_id}/score",
    status_code=201,
    responses=responses(NotFound, Forbidden, RevisionConflict, AlreadyScored),
)
async def score(
    visit_id: UUID, body: ScoreBody, caller: Caller, service: Here, idempotency: IdempotencyKey
) -> ScoreKept:
    """Score the answer; one that fails is reopened, one level higher. For inspectors and supervisors alone."""
    given = {criterion: int(getattr(body, criterion)) for criterion in Criterion}
    return await service.command(
        inspecting.score, caller, visit_id, body.revision, given, body.note, idempotency=idempotency
    )


# Figures


class LookBackReport(BaseModel):
    """Quality and coverage of requests received on the days of [from, to), UTC."""

    from_: date | None = Field(serialization_alias="from")
    to: date | None
    figures: quality.LookBackFigures


@router.get("/figures/look-back", responses=responses(Forbidden, InvalidInput))
async def read_look_back(
    caller: Caller,
    service: Here,
    from_: Annotated[date | None, Query(alias="from", description="Received on this day or later.")] = None,
    to: Annotated[date | None, Query(description="Received before this day.")] = None,
) -> LookBackReport:
    """Coverage (reached of sampled) and quality (passed of scored) by stratum; overall, weighted by stratum size."""
    if not caller.is_staff:
        raise Forbidden
    if from_ and to and from_ >= to:
        raise InvalidInput("`from` must be before `to`.")
    sums = await service.query(lookback_store.sum_strata, from_ or date.min, to or date.max)
    return LookBackReport(from_=from_, to=to, figures=quality.figures(sums))


# Draws


class LotItem(BaseModel):
    """An answer that came up for look-back, and whether it was drawn: `reason` is null where not."""

    request_id: UUID
    opened_at: datetime
    category: str | None
    colour: Colour | None
    organisation: str
    number: float
    reason: Reason | None
    noted_at: datetime
    gone: bool


@router.get("/draws", responses=responses(Forbidden))
async def list_draws(caller: Caller, service: Here, limit: Limit = 20) -> Page[DrawShown]:
    """The latest periods of the draw: the commitment to each seed and, once its call-backs are over, the seed."""
    if caller.kind not in OVERSIGHT:
        raise Forbidden
    return Page(items=await service.query(reviewing.list_draws, limit))


@router.get("/draws/{period}/lots", responses=responses(NotFound, Forbidden, NotRevealedYet, InvalidInput))
async def list_lots(
    period: date, caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 200
) -> Page[LotItem]:
    """Every answer that came up in the period, once its seed is published: `heed draw check` draws again from these."""
    if caller.kind not in OVERSIGHT:
        raise Forbidden
    after = read_cursor(cursor, UUID, datetime)
    rows = await service.query(reviewing.list_lots, period, after, limit + 1)
    show = partial(LotItem.model_validate, from_attributes=True)
    return page(rows, limit, show, lambda lot: (lot.request_id, lot.opened_at))


# Reviews


class SuspicionItem(BaseModel):
    """A pattern that was found, with its cases; `organisation` is whose they are."""

    kind: SuspicionKind
    organisation: str
    first_at: datetime
    last_at: datetime
    requests: list[UUID]


class SuspicionsShown(BaseModel):
    """What looks gamed in [from, to)."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    items: list[SuspicionItem]


@router.get("/suspicions", responses=responses(Forbidden, InvalidInput, SpanTooLong))
async def list_suspicions(
    caller: Caller,
    service: Here,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="Else a week back.")] = None,
    to: Annotated[AwareDatetime | None, Query(description="Else now.")] = None,
) -> SuspicionsShown:
    """Patterns that make figures look better than the work was; a week at most. For inspectors and supervisors."""
    inspecting.check_may_call_back(caller)
    end = to or service.clock.now()
    begin = from_ or end - timedelta(days=reviewing.SUSPICION_DAYS)
    found = await service.query(reviewing.find_suspicions, begin, end)
    items = [SuspicionItem.model_validate(one, from_attributes=True) for one in found]
    return SuspicionsShown(from_=begin, to=end, items=items)


@router.get("/retrospective", responses=responses(Forbidden, InvalidInput))
async def read_retrospective(caller: Caller, service: Here, from_: From, to: To) -> RetrospectiveShown:
    """What went wrong with the requests received in [from, to), grouped, and what was done about it."""
    if caller.kind not in OVERSIGHT:
        raise Forbidden
    if from_ >= to:
        raise InvalidInput("`from` must be before `to`.")
    return await service.query(reviewing.retrospective, from_, to, service.clock.now())
