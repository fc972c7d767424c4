"""Requests of one household, or of one building, are found by their keyed hashes; tasks know when they came."""

import sqlalchemy as sa
from alembic import op

revision = "dispatch_0002"
down_revision = "dispatch_0001"


def upgrade() -> None:
    for column in ("household", "building"):
        op.add_column("cases", sa.Column(column, sa.Text()))
        known = sa.text(f"{column} is not null")
        op.create_index(f"ix_cases_{column}", "cases", [column], postgresql_where=known)
    op.add_column("tasks", sa.Column("created_at", sa.DateTime(timezone=True)))
    op.execute("update tasks set created_at = (document::jsonb ->> 'created_at')::timestamptz")
    op.alter_column("tasks", "created_at", nullable=False)
