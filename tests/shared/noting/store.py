"""The one table of the noting service."""

import sqlalchemy as sa

from shared.database import new_metadata

metadata = new_metadata()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("position", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("word", sa.Text, nullable=False),
)
