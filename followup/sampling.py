"""Who is drawn for look-back: every one that must be, and a seeded share of the rest. Pure, and anyone can check it.

Time is cut into periods. The seed of a period is fixed before it begins: its SHA-256, the commitment, is published
then, the seed itself once the period's call-backs are over. The lot of an answer is HMAC-SHA256(seed, request id) read
as a number in [0, 1): whoever has the seed draws again and finds the same; a handler, who has not, can neither foresee
nor sway it. At the end of a period an organisation of which too few were drawn is topped up, by the lowest lots.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from followup.model import Case
from followup.plan import LookBack
from shared.contracts.vocabulary import Category, Colour

FIRST_MONDAY = date(1970, 1, 5)


class Reason(StrEnum):
    """Why an answer was drawn."""

    COLOUR = "colour"
    REOPENED = "reopened"
    SUPERVISED = "supervised"
    COMPLAINED = "complained"
    SAMPLED = "sampled"
    TOPPED_UP = "topped_up"

    @property
    def is_certain(self) -> bool:
        """Drawn whatever the lot."""
        return self not in {Reason.SAMPLED, Reason.TOPPED_UP}


# Periods and seeds


def period_of(at: datetime, plan: LookBack) -> date:
    """The first day of the period in which an answer came up for look-back."""
    days = (at.astimezone(UTC).date() - FIRST_MONDAY).days
    return FIRST_MONDAY + timedelta(days=days - days % plan.period_days)


def begins_at(period: date) -> datetime:
    """The moment at which a period begins."""
    return datetime.combine(period, time(), UTC)


def seed_of(secret: bytes, period: date) -> bytes:
    """The seed of a period; without the secret no other period's follows from it."""
    return hmac.new(secret, f"draw\0{period.isoformat()}".encode(), hashlib.sha256).digest()


def commitment(seed: bytes) -> str:
    """What is published before: SHA-256 of the seed, in hex."""
    return hashlib.sha256(seed).hexdigest()


def lot(seed: bytes, request_id: UUID) -> float:
    """The request's number in [0, 1)."""
    digest = hmac.new(seed, request_id.bytes, hashlib.sha256).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


# The draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """An answer that came up for look-back, and what the draw made of it."""

    request_id: UUID
    opened_at: datetime
    period: date
    category: str | None
    colour: Colour | None
    organisation: str
    number: float
    reason: Reason | None = None
    """None where it was not drawn."""
    noted_at: datetime
    """When followup read of it; one noted after the end of its period is not topped up any more."""
    gone: bool = False
    """At the end of the period it could not be looked back at any more: disputed, withdrawn or merged."""


def must(case: Case, plan: LookBack) -> Reason | None:
    """Why the request is drawn whatever its lot; None where the lot decides."""
    if case.life.reopened:
        return Reason.REOPENED
    if case.life.colour in plan.always:
        return Reason.COLOUR
    if case.supervised:
        return Reason.SUPERVISED
    bad_mark = case.satisfaction is not None and case.satisfaction <= plan.complained_at_most
    return Reason.COMPLAINED if bad_mark or case.life.category == Category.COMPLAINT else None


def share(category: str | None, colour: Colour | None, organisation: str | None, plan: LookBack) -> float:
    """The share of a stratum."""
    return next((s.share for s in plan.shares if s.fits(category, colour, organisation)), 0.0)


def draw(case: Case, opened_at: datetime, plan: LookBack, secret: bytes, now: datetime) -> Lot:
    """The lot of an answer that has just come up for look-back."""
    period = period_of(opened_at, plan)
    life, number = case.life, lot(seed_of(secret, period), case.request_id)
    reason = must(case, plan)
    if reason is None and number < share(life.category, life.colour, case.organisation, plan):
        reason = Reason.SAMPLED
    return Lot(
        request_id=case.request_id,
        opened_at=opened_at,
        period=period,
        category=life.category,
        colour=life.colour,
        organisation=case.organisation or "",
        number=number,
        reason=reason,
        noted_at=now,
    )


def lacking(drawn: int, plan: LookBack) -> int:
    """How many an organisation lacks of which so many were drawn."""
    return max(0, plan.at_least_per_organisation - drawn)


# The check


def redraw(lots: Iterable[Lot], seed: bytes, plan: LookBack, closed_at: datetime) -> Iterator[tuple[Lot, Lot]]:
    """Draw once more, and give each lot that came out otherwise: as it was kept, and as it must be.

    What is certain (colour, reopened, supervised, complained of) rests on the request's history, not on the seed, and
    is taken as it stands.
    """
    kept = list(lots)
    again = [_redrawn(one, seed, plan) for one in kept]
    topped = _topped_up(again, plan, closed_at)
    for old, new in zip(kept, again, strict=True):
        wanted = replace(new, reason=Reason.TOPPED_UP) if new.request_id in topped else new
        if old != wanted:
            yield old, wanted


def _redrawn(one: Lot, seed: bytes, plan: LookBack) -> Lot:
    number = lot(seed, one.request_id)
    if one.reason is not None and one.reason.is_certain:
        return replace(one, number=number)
    sampled = number < share(one.category, one.colour, one.organisation or None, plan)
    return replace(one, number=number, reason=Reason.SAMPLED if sampled else None)


def _topped_up(lots: Sequence[Lot], plan: LookBack, closed_at: datetime) -> set[UUID]:
    in_time = [one for one in lots if one.noted_at <= closed_at]
    drawn = Counter(one.organisation for one in in_time if one.reason is not None)
    wanted = {name: lacking(drawn[name], plan) for name in {one.organisation for one in in_time}}
    topped = set()
    for one in sorted(in_time, key=lambda one: (one.number, one.request_id)):
        if one.reason is None and not one.gone and wanted[one.organisation] > 0:
            wanted[one.organisation] -= 1
            topped.add(one.request_id)
    return topped
