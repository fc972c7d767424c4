"""Deduplication: each source numbers its facts under a key; what is not greater than the last known is a duplicate."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from shared.contracts import COMPACTED, Arrival
from shared.database import Transaction
from shared.messaging.tables import histories
from shared.rows import by_column, given, upsert_given

AT = ("topic", "key", "source")
_wanted = given(histories, *AT)
LOAD = sa.select(histories).join(_wanted, sa.and_(*(histories.c[name] == _wanted.c[name] for name in AT)))
SAVE = upsert_given(histories, *AT, "last_sequence", key=AT)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What of a batch is new, in its order, and what of that comes after numbers that are missing."""

    arrivals: list[Arrival]
    gaps: list[Arrival]


async def take_in(connection: Transaction, arrivals: Sequence[Arrival]) -> Fresh:
    """Drop duplicates and remember how far each history is known; part of the transaction that handles the rest."""
    at = sorted({(a.topic, a.key, a.source) for a in arrivals})
    if not at:
        return Fresh([], [])
    known = await _load(connection, at)
    last = dict(known)
    fresh: list[Arrival] = []
    gaps: list[Arrival] = []
    for arrival in arrivals:
        history = (arrival.topic, arrival.key, arrival.source)
        before = last.get(history, 0)
        if arrival.sequence <= before:
            continue
        if arrival.sequence > before + 1 and arrival.topic not in COMPACTED:
            gaps.append(arrival)
        last[history] = arrival.sequence
        fresh.append(arrival)
    changed = [(*history, number) for history, number in sorted(last.items()) if known.get(history) != number]
    if changed:
        await _save(connection, changed)
    return Fresh(fresh, gaps)


async def _load(connection: Transaction, at: list[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    rows = await connection.execute(LOAD, by_column(AT, [dict(zip(AT, history, strict=True)) for history in at]))
    return {(r.topic, r.key, r.source): r.last_sequence for r in rows}


async def _save(connection: Transaction, rows: list[tuple[str, str, str, int]]) -> None:
    names = (*AT, "last_sequence")
    await connection.execute(SAVE, by_column(names, [dict(zip(names, row, strict=True)) for row in rows]))
