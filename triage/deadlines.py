"""By when help is needed, as the text says it, in Chinese and English. Pure.

Days are days in the city's time zone, read from when the person said it (`filed_at`). A day without an hour ends at
23:59. How long something has lasted, when it began, and what was done when are not deadlines; nonsense dates are none.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from triage import days, days_en, spans
from triage.clauses import Deadline

LONGEST_AHEAD_DAYS = 300
"""A date further ahead is no deadline of a call for help: an expiry, a contract, a slip of the pen."""
READERS: tuple[Callable[[str, datetime], Iterator[Deadline]], ...] = (
    days.days,
    days.hours,
    spans.spans,
    spans.intervals,
    days_en.days,
    days_en.spans,
)


def find_deadline(text: str, filed_at: datetime, zone: ZoneInfo) -> Deadline | None:
    """The earliest deadline in a folded text; None where it states none. `filed_at` is aware."""
    said = filed_at.astimezone(zone)
    latest = said + timedelta(days=LONGEST_AHEAD_DAYS)
    found = [each for reader in READERS for each in reader(text, said) if said < each.at <= latest]
    return min(found, key=lambda each: (each.at, each.start), default=None)
