"""Deduplication: each source numbers its facts under a key; what is not greater than the last known is a duplicate."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shared.contracts import COMPACTED, Event, Fact
from shared.database import Transaction
from shared.messaging.tables import histories


@dataclass(frozen=True, slots=True)
class Fresh:
    """What of a batch is new, in its order, and the histories in which numbers are missing."""

    events: list[Event[Fact]]
    gaps: list[Event[Fact]]


async def take_in(connection: Transaction, events: Sequence[Event[Fact]]) -> Fresh:
    """Drop duplicates and remember how far each history is known; part of the transaction that handles the rest."""
    at = sorted({(e.topic, e.key, e.source) for e in events})
    if not at:
        return Fresh([], [])
    known = await _load(connection, at)
    last = dict(known)
    fresh: list[Event[Fact]] = []
    gaps: list[Event[Fact]] = []
    for event in events:
        history = (event.topic, event.key, event.source)
        before = last.get(history, 0)
        if event.sequence <= before:
            continue
        if event.sequence > before + 1 and event.topic not in COMPACTED:
            gaps.append(event)
        last[history] = event.sequence
        fresh.append(event)
    changed = [(*history, number) for history, number in sorted(last.items()) if known.get(history) != number]
    if changed:
        await _save(connection, changed)
    return Fresh(fresh, gaps)


async def _load(connection: Transaction, at: list[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    wanted = (
        sa.func.unnest(*(sa.cast([row[n] for row in at], sa.ARRAY(sa.Text)) for n in range(3)))
        .table_valued("topic", "key", "source")
        .render_derived()
    )
    rows = await connection.execute(
        sa.select(histories).join(
            wanted,
            sa.and_(
                histories.c.topic == wanted.c.topic,
                histories.c.key == wanted.c.key,
                histories.c.source == wanted.c.source,
            ),
        )
    )
    return {(r.topic, r.key, r.source): r.last_sequence for r in rows}


async def _save(connection: Transaction, rows: list[tuple[str, str, str, int]]) -> None:
    new = insert(histories)
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=["topic", "key", "source"], set_={"last_sequence": new.excluded.last_sequence}
        ),
        [dict(zip(("topic", "key", "source", "last_sequence"), row, strict=True)) for row in rows],
    )
