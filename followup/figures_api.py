"""The HTTP door of the figures: themselves, their formulas, the reconciliation, and what was excluded."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from followup import figure_store
from followup.api import Cursor, Limit
from followup.cells import OPENING, day_of, horizon, hour_of
from followup.definitions import DEFINITIONS, VERSION, Definition
from followup.figures import Counts, Figures, figures, sentence
from followup.stages import StageTimes, by_stage
from shared.contracts.vocabulary import Decider, Language, RejectionReason
from shared.identity import Principal
from shared.problems import Forbidden, InvalidInput
from shared.service import Here
from shared.web import Caller, Page, page, read_cursor, responses

router = APIRouter(prefix="/v1", tags=["figures"])
MOST_DIMENSIONS = 2


class By(StrEnum):
    """By what figures are grouped."""

    COLOUR = "colour"
    CATEGORY = "category"
    ORGANISATION = "organisation"
    AREA = "area"
    CHANNEL = "channel"
    HOUR_OF_DAY = "hour_of_day"
    HOUR = "hour"


class Sentences(BaseModel):
    """The figures in a sentence."""

    zh: str
    en: str


class Group(BaseModel):
    """The figures of one group; `value` is null where the request has none (yet), `second` too without a pair."""

    value: str | None
    second: str | None
    figures: Figures


class FiguresReport(BaseModel):
    """Figures of the requests received in [from, to), whole hours, or whole days for a pair; null `from`: since
    opening, null `to`: until now. `stages`: by stage, then by colour, `untriaged` and `all`."""

    from_: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    by: str | None
    formulas_version: str
    figures: Figures
    sentence: Sentences
    stages: dict[str, dict[str, StageTimes]]
    groups: list[Group]


@router.get("/figures", responses=responses(Forbidden, InvalidInput))
async def read_figures(
    caller: Caller,
    service: Here,
    response: Response,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="Received from here on.")] = None,
    to: Annotated[AwareDatetime | None, Query(description="Received before this.")] = None,
    by: Annotated[
        str | None,
        Query(
            description="Also grouped by colour, category, organisation, area, channel, hour_of_day (UTC) or hour (of "
            "receipt), or by two of them: `colour,area`. Areas down to the grid, in a pair down to the village. At "
            "most the 1,000 largest groups, or last hours."
        ),
    ] = None,
) -> FiguresReport:
    """The figures, by when requests were received, each rate with n and its 95 % Wilson interval. Heed-Read says how
    far the log was read: `requests:<next position of partition 0>,<of 1>…`."""
    _check_may_read(caller)
    dimensions = _dimensions(by)
    step = day_of if len(dimensions) == MOST_DIMENSIONS and By.HOUR not in dimensions else hour_of
    begin = step(from_.astimezone(UTC)) if from_ else None
    end = _whole(to.astimezone(UTC), days=step is day_of) if to else None
    if begin and end and begin >= end:
        raise InvalidInput("`from` must be before `to`.")
    span = begin or OPENING, end or horizon(service.clock.now())
    whole, sums, sketches, read = await service.query(figure_store.read_figures, dimensions, *span)
    response.headers["Heed-Read"] = read
    shown = figures(whole)
    return FiguresReport(
        from_=begin,
        to=end,
        by=by,
        formulas_version=VERSION,
        figures=shown,
        sentence=Sentences(zh=sentence(shown, Language.ZH), en=sentence(shown, Language.EN)),
        stages=by_stage(sketches),
        groups=_groups(dimensions, sums),
    )


def _dimensions(by: str | None) -> list[By]:
    """What is grouped by; raises InvalidInput where that is none of ours, or too many."""
    try:
        found = [By(name) for name in by.split(",")] if by else []
    except ValueError as unknown:
        raise InvalidInput(f"`by` takes {', '.join(By)}, or two of them with a comma between.") from unknown
    if len(found) > MOST_DIMENSIONS or len(set(found)) < len(found):
        raise InvalidInput("`by` takes one word, or two different ones with a comma between.")
    if set(found) == {By.HOUR, By.HOUR_OF_DAY}:
        raise InvalidInput("An hour has one hour of the day: leave one of the two out.")
    return found


def _groups(dimensions: list[By], sums: figure_store.Sums) -> list[Group]:
    """The groups in the order asked for; the store keeps each pair in one."""
    kept = figure_store.kept_order(dimensions)
    turned = len(dimensions) == MOST_DIMENSIONS and kept != dimensions
    ordered = {(pair[::-1] if turned else pair): counts for pair, counts in sums.items()}
    return [
        Group(value=value or None, second=second or None, figures=figures(counts))
        for (value, second), counts in sorted(ordered.items())
    ]


def _whole(at: datetime, *, days: bool) -> datetime:
    """The end of the hour or day that `at` lies in; a full one is its own end."""
    begin, length = (day_of(at), timedelta(days=1)) if days else (hour_of(at), timedelta(hours=1))
    return begin if begin == at else begin + length


def _check_may_read(caller: Principal) -> None:
    if not caller.is_staff:
        raise Forbidden


class Definitions(BaseModel):
    """The formulas in force."""

    version: str
    items: list[Definition]


@router.get("/figures/definitions", responses=responses(Forbidden))
async def list_definitions(caller: Caller) -> Definitions:
    """What each figure counts, in words, and the version of all formulas."""
    _check_may_read(caller)
    return Definitions(version=VERSION, items=list(DEFINITIONS))


# Reconciliation


class Reconciliation(BaseModel):
    """Every request that was received is somewhere: received = waiting + each status, `difference` 0.

    `waiting` is for triage. Archived requests stand under what they ended as. `counted`: by status, each request
    counted one by one, archived ones as such; null where that was not asked for.
    """

    at: datetime
    received: int
    waiting: int
    triaged: int
    assigned: int
    accepted: int
    answered: int
    disputed: int
    closed: int
    confirmed: int
    unreached: int
    unasked: int
    rejected: int
    merged: int
    withdrawn: int
    difference: int
    is_exact: bool
    counted: dict[str, int] | None


def reconciliation(counts: Counts, counted: dict[str, int] | None, at: datetime) -> Reconciliation:
    """The sums set against each other, and against the count where there is one."""
    standing = {
        "waiting": counts.at_received,
        **{name: getattr(counts, f"at_{name}") for name in ("triaged", "assigned", "accepted", "answered", "disputed")},
        **{name: getattr(counts, name) for name in ("closed", "rejected", "merged", "withdrawn")},
    }
    difference = counts.received - sum(standing.values())
    outcomes = counts.confirmed + counts.unreached + counts.unasked
    open_counted = {name: (counted or {}).get("received" if name == "waiting" else name) for name in standing}
    open_names = ("waiting", "triaged", "assigned", "accepted", "answered", "disputed")
    agrees = counted is None or (
        sum(counted.values()) == counts.received
        and all((open_counted[name] or 0) == standing[name] for name in open_names)
    )
    return Reconciliation(
        at=at,
        received=counts.received,
        **standing,
        confirmed=counts.confirmed,
        unreached=counts.unreached,
        unasked=counts.unasked,
        difference=difference,
        is_exact=difference == 0 and outcomes == counts.closed and agrees,
        counted=counted,
    )


@router.get("/figures/reconciliation", responses=responses(Forbidden))
async def reconcile(
    caller: Caller,
    service: Here,
    count: Annotated[
        bool, Query(description="Also count every request one by one: takes seconds with a million.")
    ] = False,
) -> Reconciliation:
    """Whether every request that was received is in exactly one place, now."""
    _check_may_read(caller)
    now = service.clock.now()
    whole, counted = await service.query(figure_store.reconcile, OPENING, horizon(now), count=count)
    return reconciliation(whole, counted, now)


# Exclusions


class Exclusion(BaseModel):
    """A rejected request: why, and on whose word; `is_valid` where it was a request all the same."""

    request_id: UUID
    received_at: datetime
    rejected_at: datetime
    reason: RejectionReason
    is_valid: bool
    decided_by: Decider
    approved_by: str | None


@router.get("/figures/exclusions", responses=responses(Forbidden, InvalidInput))
async def list_exclusions(
    caller: Caller,
    service: Here,
    reason: RejectionReason | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Exclusion]:
    """What the rates leave out: every rejected request with its reason and who approved it, the oldest first."""
    _check_may_read(caller)
    after = read_cursor(cursor, datetime, UUID)
    rows = await service.query(figure_store.list_exclusions, reason=reason, after=after, limit=limit + 1)
    return page(rows, limit, _exclusion, lambda row: (row["rejected_at"], row["request_id"]))


def _exclusion(row: dict[str, Any]) -> Exclusion:
    return Exclusion(is_valid=row["reason"] == RejectionReason.OUT_OF_AREA, **row)
