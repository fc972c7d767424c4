"""Improvements: problems handed out to be put right."""

import sqlalchemy as sa
from alembic import op

revision = "dispatch_0003"
down_revision = "dispatch_0002"
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "improvements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("stage", sa.Text),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("words", sa.Text),
        sa.Column("due_at", At, nullable=False),
        sa.Column("since", At),
        sa.Column("until", At),
        sa.Column("request_id", sa.Uuid()),
        sa.Column("assigned_by", sa.Text, nullable=False),
        sa.Column("assigned_at", At, nullable=False),
        sa.Column("done_at", At),
        sa.Column("result", sa.Text),
        sa.Column("is_alarmed", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_improvements"),
    )
    op.create_index("ix_improvements_list", "improvements", ["due_at", "id"])
