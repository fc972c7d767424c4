"""Who is drawn for a call-back: every one that must be, and a seeded share of the rest. Pure and reproducible.

The draw is HMAC-SHA256(seed, request id) read as a number in [0, 1): whoever has the seed can draw again and find the
same; a handler, who has not, can neither foresee nor sway it.
"""

import hashlib
import hmac
from enum import StrEnum
from uuid import UUID

from followup.model import Case
from followup.plan import LookBack


class Reason(StrEnum):
    """Why a request was drawn."""

    COLOUR = "colour"
    REOPENED = "reopened"
    SAMPLED = "sampled"
    TOPPED_UP = "topped_up"


def lot(seed: bytes, request_id: UUID) -> float:
    """The request's number in [0, 1)."""
    digest = hmac.new(seed, request_id.bytes, hashlib.sha256).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def must(case: Case, plan: LookBack) -> Reason | None:
    """Why the request is drawn whatever its lot; None where the lot decides."""
    if case.life.reopened:
        return Reason.REOPENED
    return Reason.COLOUR if case.life.colour in plan.always else None


def share(case: Case, plan: LookBack) -> float:
    """The share of the request's stratum (category, colour, lead organisation)."""
    life = case.life
    fitting = (s.share for s in plan.shares if s.fits(life.category, life.colour, case.organisation))
    return next(fitting, 0.0)


def draw(case: Case, plan: LookBack, seed: bytes) -> Reason | None:
    """Why the request is drawn when its look-back opens; None where it is not."""
    if reason := must(case, plan):
        return reason
    return Reason.SAMPLED if lot(seed, case.request_id) < share(case, plan) else None


def top_up(drawn: int, plan: LookBack) -> Reason | None:
    """Why a request passed over is drawn after all: its organisation has too few `drawn` in this month of receipt."""
    return Reason.TOPPED_UP if drawn < plan.at_least_per_organisation else None


def month(case: Case) -> str:
    """The month of receipt (UTC), in which an organisation's drawn requests are counted: `2026-03`."""
    return f"{case.life.received_at:%Y-%m}"
