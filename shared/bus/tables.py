"""The tables of the log in PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.database import new_metadata

metadata = new_metadata()

log_partitions = sa.Table(
    "log_partitions",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("next_position", sa.BigInteger, nullable=False),
)

log = sa.Table(
    "log",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("value", sa.LargeBinary),
    sa.Column("appended_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)
