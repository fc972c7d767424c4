"""What is read by those who look back: draws, suspicions, retrospectives. Nothing here changes anything."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from followup import lookback_store, store, suspicions
from followup.retrospective import PROBLEMS, problems
from followup.sampling import Lot, begins_at, seed_of
from followup.suspicions import Suspicion
from followup.tracing import TraceKind
from shared.contracts.vocabulary import ImprovementState, ProblemKind, Stage
from shared.database import Transaction
from shared.problems import InvalidInput, NotFound, NotInThisState, Problem

SUSPICION_DAYS = 7
MOST_REQUESTS = 200
"""Of a problem's requests, so many are named; all are counted."""


class NotRevealedYet(NotInThisState):
    """The call-backs of this period are not over, so its seed is secret; `published_from` says until when."""

    title = "Not revealed yet"


class SpanTooLong(Problem):
    """Suspicions are looked for in a week at a time. Ask for several spans."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Span too long"


class DrawShown(BaseModel):
    """A period of the draw; `seed` and `plan` are null until its call-backs are over."""

    period: date
    days: int
    commitment: str
    committed_at: datetime
    closed_at: datetime | None
    revealed_at: datetime | None
    seed: str | None
    plan: dict[str, Any] | None = Field(description="The part look_back of the plan by which it was drawn.")


async def list_draws(connection: Transaction, limit: int) -> list[DrawShown]:
    """The latest periods, the last first."""
    policy = await store.load_policy(connection)
    return [
        DrawShown(
            period=one.period,
            days=one.days,
            commitment=one.commitment,
            committed_at=one.committed_at,
            closed_at=one.closed_at,
            revealed_at=one.revealed_at,
            seed=seed_of(policy.seed, one.period).hex() if one.revealed_at else None,
            plan=json.loads(one.plan) if one.revealed_at and one.plan else None,
        )
        for one in await lookback_store.list_periods(connection, limit)
    ]


async def list_lots(connection: Transaction, period: date, after: Sequence[Any] | None, limit: int) -> list[Lot]:
    """The lots of a period whose seed is published; raises NotFound or NotRevealedYet."""
    kept = await lookback_store.find_period(connection, period)
    if kept is None:
        raise NotFound
    if kept.revealed_at is None:
        plan = (await store.load_policy(connection)).plan.look_back
        from_ = begins_at(period) + timedelta(days=kept.days) + plan.seed_published_after
        raise NotRevealedYet(state="closed" if kept.closed_at else "open", published_from=from_.isoformat())
    return await lookback_store.list_lots(connection, period, after, limit)


async def find_suspicions(connection: Transaction, begin: datetime, end: datetime) -> list[Suspicion]:
    """The suspicions in [begin, end); raises InvalidInput or SpanTooLong."""
    if begin >= end:
        raise InvalidInput("`from` must be before `to`.")
    if end - begin > timedelta(days=SUSPICION_DAYS):
        raise SpanTooLong
    limits = (await store.load_policy(connection)).plan.suspicions
    return suspicions.find(await lookback_store.list_traces(connection, begin, end, list(TraceKind)), limits)


class ProblemShown(BaseModel):
    """What went wrong, where, how often; `improvements` names those handed out about just this."""

    kind: ProblemKind
    stage: Stage | None
    organisation: str | None
    count: int
    requests: list[UUID] = Field(description=f"At most {MOST_REQUESTS}, the first first.")
    improvements: list[UUID]


class ImprovementShown(BaseModel):
    """A problem that was handed out, and how far it is."""

    id: UUID
    problem: ProblemKind
    stage: Stage | None
    organisation: str
    holder: str
    due_at: datetime
    state: ImprovementState
    assigned_at: datetime
    done_at: datetime | None
    since: datetime | None
    until: datetime | None
    request_id: UUID | None


class RetrospectiveShown(BaseModel):
    """The retrospective of the requests received in [from, to), as of now."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    problems: list[ProblemShown]
    improvements: list[ImprovementShown] = Field(
        description="All that were handed out so far and not done before `from`: how far they have come."
    )


async def retrospective(connection: Transaction, begin: datetime, end: datetime, now: datetime) -> RetrospectiveShown:
    """What went wrong with the requests received in [begin, end)."""
    traces = await lookback_store.list_traces(connection, begin, end, list(PROBLEMS), by_receipt=True)
    improvements = await lookback_store.list_improvements(connection, begin, now)
    shown = [
        ImprovementShown.model_validate(
            {name: getattr(one, name) for name in ImprovementShown.model_fields if name != "state"}
            | {"state": one.state(now)}
        )
        for one in improvements
    ]
    return RetrospectiveShown(
        from_=begin,
        to=end,
        problems=[
            ProblemShown(
                kind=one.kind,
                stage=one.stage,
                organisation=one.organisation,
                count=one.count,
                requests=list(one.requests[:MOST_REQUESTS]),
                improvements=list(one.improvements),
            )
            for one in problems(traces, improvements)
        ],
        improvements=shown,
    )
