"""What the readers of dates share: a deadline, and the words around a date within its clause. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime

AROUND = 40
"""So many characters before and after a date are looked at."""
MOST_DATES = 60
"""So many of each reader in a text: a bound for texts made to be slow."""
_CLAUSE_END = re.compile(r"[。!?;,\n]")


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when, the words that say so (offsets in the text), how they were read, and whether that is sure."""

    at: datetime
    start: int
    end: int
    how: str
    """`day`, `hour`, `span`, `interval`, `occasion`."""
    sure: bool = True


def around(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after, within the clause."""
    before = text[max(0, start - AROUND) : start]
    after = text[end : end + AROUND]
    cut = [match.end() for match in _CLAUSE_END.finditer(before)]
    stop = _CLAUSE_END.search(after)
    return before[cut[-1] :] if cut else before, after[: stop.start()] if stop else after
