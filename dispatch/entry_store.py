"""The table of the directory's entries with their history, and every query on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from dispatch.store import At, metadata
from shared.database import Transaction
from shared.rows import by_column, given


def _entry_columns(*, is_history: bool) -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False, primary_key=is_history),
        sa.Column("content", JSONB(none_as_null=True)),
        sa.Column("changed_at", At, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("assured_at", At),
        sa.Column("assured_by", sa.Text),
    ]


entries = sa.Table("entries", metadata, *_entry_columns(is_history=False))
entry_history = sa.Table("entry_history", metadata, *_entry_columns(is_history=True))
city = sa.Table(
    "city",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of the directory, or an earlier state of it; without content it was removed."""

    kind: str
    id: str
    revision: int
    content: dict[str, Any] | None
    changed_at: datetime
    changed_by: str
    assured_at: datetime | None
    """When it was last confirmed to be right."""
    assured_by: str | None


async def city_revision(connection: Transaction, *, lock: bool = False) -> int:
    """How often the directory was changed; with `lock`, nobody else changes it meanwhile."""
    query = sa.select(city.c.revision)
    return int((await connection.execute(query.with_for_update() if lock else query)).scalar_one())


async def list_entries(connection: Transaction, *kinds: str) -> list[EntryRow]:
    """All entries of these kinds that are in force, by id."""
    query = sa.select(entries).where(entries.c.content.is_not(None)).order_by(entries.c.kind, entries.c.id)
    rows = await connection.execute(query.where(entries.c.kind.in_(kinds)) if kinds else query)
    return [EntryRow(**row) for row in rows.mappings()]


async def find_entry(connection: Transaction, kind: str, entry_id: str) -> EntryRow | None:
    """One entry, also a removed one."""
    rows = await connection.execute(sa.select(entries).where(entries.c.kind == kind, entries.c.id == entry_id))
    row = rows.mappings().first()
    return EntryRow(**row) if row else None


async def list_history(connection: Transaction, kind: str, entry_id: str) -> list[EntryRow]:
    """All states that an entry has had, newest first."""
    rows = await connection.execute(
        sa.select(entry_history)
        .where(entry_history.c.kind == kind, entry_history.c.id == entry_id)
        .order_by(entry_history.c.revision.desc())
    )
    return [EntryRow(**row) for row in rows.mappings()]


async def save_entries(
    connection: Transaction,
    contents: Mapping[tuple[str, str], dict[str, Any] | None],
    now: datetime,
    by: str,
    assured: Mapping[tuple[str, str], datetime],
) -> None:
    """Keep new states of entries (kind, id), with history; None removes. The city's revision rises.

    They are confirmed now, or when `assured` says.
    """
    if not contents:
        return
    rows = [
        {
            "kind": kind,
            "id": i,
            "revision": 1,
            "content": content,
            "changed_at": now,
            "changed_by": by,
            "assured_at": assured.get((kind, i), now),
            "assured_by": by,
        }
        for (kind, i), content in sorted(contents.items())
    ]
    new = insert(entries)
    newer = {
        **{name: new.excluded[name] for name in ("content", "changed_at", "changed_by", "assured_at", "assured_by")},
        "revision": entries.c.revision + 1,
    }
    await connection.execute(new.on_conflict_do_update(index_elements=["kind", "id"], set_=newer), rows)
    for kind in sorted({kind for kind, _ in contents}):
        ids = [i for of, i in contents if of == kind]
        written = sa.select(entries).where(
            entries.c.kind == kind, entries.c.id == sa.any_(sa.cast(ids, ARRAY(sa.Text)))
        )
        await connection.execute(sa.insert(entry_history).from_select([c.name for c in entries.c], written))
    await raise_revision(connection)


async def raise_revision(connection: Transaction) -> None:
    """Let every process read the directory anew."""
    await connection.execute(sa.update(city).values(revision=city.c.revision + 1))


_confirmed = given(entries, "kind", "id", "assured_at")
ASSURE = (
    sa.update(entries)
    .where(entries.c.kind == _confirmed.c.kind, entries.c.id == _confirmed.c.id, entries.c.content.is_not(None))
    .where(sa.func.coalesce(entries.c.assured_at, _confirmed.c.assured_at) <= _confirmed.c.assured_at)
    .values(assured_at=_confirmed.c.assured_at, assured_by=sa.bindparam("by", type_=sa.Text))
)


async def assure(connection: Transaction, at: Mapping[tuple[str, str], datetime], by: str) -> None:
    """Note when entries (kind, id) were confirmed to be right; never earlier than is known. They stay as they are."""
    rows = [{"kind": kind, "id": entry_id, "assured_at": moment} for (kind, entry_id), moment in sorted(at.items())]
    if rows:
        await connection.execute(ASSURE, by_column(("kind", "id", "assured_at"), rows) | {"by": by})


async def first_applied_at(connection: Transaction, kind: str, entry_id: str) -> datetime | None:
    """When an entry came into force first; None where it never did."""
    at: datetime | None = await connection.scalar(
        sa.select(sa.func.min(entry_history.c.changed_at)).where(
            entry_history.c.kind == kind, entry_history.c.id == entry_id
        )
    )
    return at
