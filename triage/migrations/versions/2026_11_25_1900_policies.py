"""Versions of the policy with their files; when a request's first text was received."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "triage_0002"
down_revision = "triage_0001"


def upgrade() -> None:
    op.add_column("requests", sa.Column("received_at", sa.DateTime(timezone=True)))
    op.create_table(
        "policy_versions",
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("files", JSONB, nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.Text),
        sa.PrimaryKeyConstraint("policy", "version", name="pk_policy_versions"),
    )
