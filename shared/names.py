"""The names of organisations and areas, kept as the directory tells them by each service that shows them to people."""

from collections.abc import Iterable

import sqlalchemy as sa

from shared.contracts.directory import AreaRecorded, Named, OrganisationRecorded
from shared.contracts.envelope import Fact
from shared.database import Transaction
from shared.rows import among, by_column, upsert_given


class Names:
    """The table `names` of one service."""

    def __init__(self, metadata: sa.MetaData) -> None:
        """`metadata` is the service's."""
        self._table = sa.Table(
            "names",
            metadata,
            sa.Column("id", sa.Text, primary_key=True),  # of an organisation, or of an area
            sa.Column("zh", sa.Text, nullable=False),
            sa.Column("en", sa.Text, nullable=False),
        )
        self._columns = tuple(self._table.c.keys())
        self._save = upsert_given(self._table, *self._columns, key=("id",))

    async def take(self, connection: Transaction, facts: Iterable[Fact]) -> None:
        """Keep what these facts call organisations and areas; the last word on each counts."""
        named: dict[str, Named] = {}
        for fact in facts:
            if isinstance(fact, OrganisationRecorded):
                named[fact.organisation] = fact.name
            elif isinstance(fact, AreaRecorded):
                named[fact.area] = fact.name
        if named:
            rows = [{"id": name_id, "zh": name.zh, "en": name.en} for name_id, name in sorted(named.items())]
            await connection.execute(self._save, by_column(self._columns, rows))

    async def load(self, connection: Transaction, ids: Iterable[str]) -> dict[str, Named]:
        """The names of those of the organisations and areas that are known."""
        rows = await connection.execute(sa.select(self._table).where(among(self._table.c.id, ids)))
        return {row.id: Named(zh=row.zh, en=row.en) for row in rows}
