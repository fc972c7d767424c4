"""The holder ledger: who held a request when, folded from its history; the spans follow on each other without a gap.

A span begins when the holder changes by the table of a request's life, and ends when the next begins or the request
ends. So the time of all holders adds up exactly to that for which the request was open; nobody can shorten his own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.contracts.life import Life
from shared.contracts.vocabulary import HolderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One holder's time; `until` is None while it lasts."""

    kind: HolderKind
    name: str
    liaison: str | None
    since: datetime
    until: datetime | None = None

    def lasted(self, now: datetime) -> timedelta:
        """How long he has held it, or held it."""
        return (self.until or max(now, self.since)) - self.since


Ledger = tuple[Span, ...]


def begin_ledger(life: Life) -> Ledger:
    """The ledger of a request that was just received."""
    return _opened((), life)


def hold(ledger: Ledger, before: Life, after: Life) -> Ledger:
    """The ledger after one more fact; a holder of no time at all leaves no span."""
    if before.holder == after.holder:
        return ledger
    at = after.changed_at
    closed = tuple(span if span.until else replace(span, until=at) for span in ledger)
    return _opened(tuple(span for span in closed if span.until != span.since), after)


def _opened(ledger: Ledger, life: Life) -> Ledger:
    holder = life.holder
    if holder is None:
        return ledger
    last = ledger[-1] if ledger else None
    if last and last.until == life.changed_at and _names(last) == (holder.kind, holder.name, holder.liaison):
        return (*ledger[:-1], replace(last, until=None))
    return (*ledger, Span(kind=holder.kind, name=holder.name, liaison=holder.liaison, since=life.changed_at))


def _names(span: Span) -> tuple[HolderKind, str, str | None]:
    return span.kind, span.name, span.liaison


def total(ledger: Iterable[Span], now: datetime) -> timedelta:
    """How long all of them together held it."""
    return sum((span.lasted(now) for span in ledger), timedelta())
