"""The HTTP door of triage: assessments, a person's override, the review queue."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from shared.contracts.vocabulary import Category, Colour
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState, RevisionConflict
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, responses
from triage import handlers, policies
from triage.answers import (
    AssessmentShown,
    CategoryTreeShown,
    LoggedShown,
    PolicyApplied,
    PolicyShown,
    ReviewShown,
    StandardAnswerShown,
)
from triage.model import Override
from triage.policies import InForce, PolicyInvalid

router = APIRouter(prefix="/v1", tags=["triage"])
LONGEST_REASON = 1000
MOST_FILES, LONGEST_FILE = 20, 400_000
FIRST_YEAR, LAST_YEAR = 2000, 2100
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def _shown(words: str) -> str:
    """Words that show something; refuses control characters other than line ends and tabs."""
    kinds = {unicodedata.category(character) for character in words if character not in "\n\t"}
    if "Cc" in kinds or all(kind[0] in "CZ" for kind in kinds):
        raise ValueError("must show something, and hold no control characters")
    return words


def _written(moment: Any) -> Any:
    if not isinstance(moment, str) or "T" not in moment.upper():
        raise ValueError("must be a time with its offset, as in 2026-03-02T16:00:00+08:00")
    return moment


def _of_our_time(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_of_our_time)]


class OverrideBody(Body):
    """A person's word: what is left out stays as it is, so that a reason alone confirms."""

    revision: int = Field(ge=1, strict=True, description="The revision that you looked at.")
    category: Category | None = None
    colour: Colour | None = None
    deadline: Moment | None = Field(None, description="By when help is needed; null says that there is none.")
    reason: Annotated[str, AfterValidator(_shown)] = Field(min_length=1, max_length=LONGEST_REASON)

    @model_validator(mode="before")
    @classmethod
    def _no_empty_choice(cls, body: Any) -> Any:
        if isinstance(body, dict):
            for name in ("category", "colour"):
                if name in body and body[name] is None:
                    raise ValueError(f"{name} cannot be taken away. Leave it out, and it stays as it is.")
        return body


@router.get("/requests/{request_id}/assessments", responses=responses(NotFound, Forbidden))
async def list_assessments(
    request_id: UUID, caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 50
) -> Page[AssessmentShown]:
    """What triage decided on a request and why, the newest first; the first is the one that counts."""
    return await service.query(handlers.list_assessments, caller, request_id, cursor, limit)


@router.post(
    "/requests/{request_id}/assessments",
    status_code=201,
    responses=responses(NotFound, Forbidden, RevisionConflict, NotInThisState, InvalidInput),
)
async def decide(
    request_id: UUID, body: OverrideBody, caller: Caller, service: Here, idempotency: IdempotencyKey
) -> AssessmentShown:
    """Decide in place of the machine, or confirm what it decided; the request leaves the review queue.

    Only a person may lower a colour, and always with a reason.
    """
    decision = Override(
        sets=frozenset(body.model_fields_set), category=body.category, colour=body.colour, deadline=body.deadline
    )
    return await service.command(
        handlers.decide, caller, request_id, decision, body.reason, body.revision, idempotency=idempotency
    )


@router.get("/reviews", responses=responses(Forbidden))
async def list_reviews(caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 50) -> Page[ReviewShown]:
    """What the machine was unsure of: the dearest mistakes first, then what is due first."""
    return await service.query(handlers.list_reviews, caller, service.clock.now(), cursor, limit)


# Standard answers


def _in_force(request: Request) -> InForce:
    in_force: InForce = request.app.state.in_force
    return in_force


RulesInForce = Annotated[InForce, Depends(_in_force)]


@router.get("/requests/{request_id}/standard-answers", responses=responses(NotFound, Forbidden))
async def list_standard_answers(
    request_id: UUID, caller: Caller, service: Here, in_force: RulesInForce
) -> Page[StandardAnswerShown]:
    """Standard answers that fit what was asked, for the person who answers; none is ever sent by itself."""
    now = service.clock.now()
    found = await service.query(handlers.propose_answers, caller, in_force, request_id, now)
    return Page(items=found, next_cursor=None)


# The tree


@router.get("/categories/{category}", responses=responses(InvalidInput))
async def read_category(category: Category, service: Here, in_force: RulesInForce) -> CategoryTreeShown:
    """One category with those below it, and what to ask for each: for the hotline and the app."""
    return await service.query(policies.read_category, in_force, category)


# The policy


class PolicyBody(Body):
    """The files of a policy, by name without `.yaml`."""

    files: dict[str, Annotated[str, Field(max_length=LONGEST_FILE)]] = Field(max_length=MOST_FILES)
    dry_run: bool = Field(False, description="Only check the files and say what they would change.")


@router.post("/policies/triage", responses=responses(Forbidden, PolicyInvalid))
async def apply_policy(body: PolicyBody, caller: Caller, service: Here) -> PolicyApplied:
    """Check a policy and bring it into force (`heed apply triage`), without a restart."""
    zone = ZoneInfo(service.settings.time_zone)
    return await service.command(policies.apply, caller, body.files, zone, body.dry_run)


@router.get("/policies/triage", responses=responses(Forbidden))
async def show_policy(caller: Caller, service: Here) -> PolicyShown:
    """The version in force, and all that were."""
    return await service.query(policies.show, caller)


@router.get("/assessments", responses=responses(Forbidden, InvalidInput))
async def list_log(caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 50) -> Page[LoggedShown]:
    """What the machine decided and on which texts, request by request: the log on which a new policy is tried."""
    return await service.query(policies.list_log, caller, cursor, limit)
