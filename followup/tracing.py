"""What a history leaves behind for those who look at it later: what went wrong, and what may have been gamed. Pure.

A trace is one line about one fact; suspicions and retrospectives are read from traces, and change nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from followup.model import Case
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.life import applies
from shared.contracts.vocabulary import Decider, DisputeReason, Stage


class TraceKind(StrEnum):
    """What a trace is of."""

    ANSWERED = "answered"
    RATED = "rated"
    LOWERED = "lowered"
    RAISED = "raised"
    LATE = "late"
    RETURNED = "returned"
    DISPUTED = "disputed"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One fact, as far as it matters later."""

    event_id: UUID
    kind: TraceKind
    request_id: UUID
    received_at: datetime
    at: datetime
    category: str | None
    organisation: str
    stage: Stage | None = None
    due_at: datetime | None = None
    """When the answer was due."""
    hashes: tuple[str, ...] = ()
    """Keyed hashes: of an answer's words; of the device and the number that a rating came from."""


def traces(before: Case | None, event: Event[Fact], after: Case) -> Iterator[Trace]:
    """What the fact leaves behind."""
    fact = event.fact
    match fact:
        case r.RequestAnswered() if before and applies(before.life, fact):
            hashes = (fact.words_hash,) if fact.words_hash else ()
            yield _trace(TraceKind.ANSWERED, event, after, fact.organisation, due_at=after.answer_due, hashes=hashes)
        case r.RequestRated() if fact.counts and fact.solved:
            yield _trace(TraceKind.RATED, event, after, hashes=_sources(fact, after))
        case r.RequestTriaged() if before and before.life.colour:
            yield from _recoloured(fact, event, before, after)
        case r.TaskNudged() if fact.count - fact.missed == 1:
            yield _trace(TraceKind.LATE, event, after, fact.organisation, stage=fact.stage)
        case r.TaskReturned():
            yield _trace(TraceKind.RETURNED, event, after, fact.organisation)
        case r.RequestDisputed() if before and applies(before.life, fact):
            missed = fact.reason is DisputeReason.FULFILMENT_MISSED
            yield _trace(TraceKind.MISSED if missed else TraceKind.DISPUTED, event, after)
        case _:
            pass


def _trace(
    kind: TraceKind,
    event: Event[Fact],
    case: Case,
    organisation: str | None = None,
    *,
    stage: Stage | None = None,
    due_at: datetime | None = None,
    hashes: tuple[str, ...] = (),
) -> Trace:
    return Trace(
        event_id=event.id,
        kind=kind,
        request_id=case.request_id,
        received_at=case.life.received_at,
        at=case.life.changed_at,
        category=case.life.category,
        organisation=organisation or case.organisation or "",
        stage=stage,
        due_at=due_at,
        hashes=hashes,
    )


def _sources(fact: r.RequestRated, case: Case) -> tuple[str, ...]:
    return tuple(f"{name}:{hashed}" for name, hashed in _named(fact, case) if hashed)


def _named(fact: r.RequestRated, case: Case) -> Iterator[tuple[str, str | None]]:
    yield "device", fact.device_hash
    yield "number", case.contact_hash


def _recoloured(fact: r.RequestTriaged, event: Event[Fact], before: Case, after: Case) -> Iterator[Trace]:
    """Lowered while an answer is owed; or raised by a person, who found the first colour too low."""
    old = before.life.colour
    assert old is not None  # noqa: S101 the caller looked
    if fact.colour.rank < old.rank and before.answered_at is None:
        yield _trace(TraceKind.LOWERED, event, after, due_at=before.answer_due)
    elif fact.colour.rank > old.rank and fact.decided_by is Decider.PERSON:
        yield _trace(TraceKind.RAISED, event, after)
