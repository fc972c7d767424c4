"""Cases, tasks, and the city's files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "dispatch_0001"
down_revision = None
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("request_id", UUID(as_uuid=True), nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_cases"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", UUID(as_uuid=True), nullable=False),
        sa.Column("request_id", UUID(as_uuid=True), nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("organisations", ARRAY(sa.Text), nullable=False),
        sa.Column("liaison", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("colour_rank", sa.SmallInteger, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_request_id", "tasks", ["request_id"])
    is_open = sa.text("is_open")
    op.create_index("ix_tasks_open", "tasks", ["organisation", "colour_rank", "due_at", "id"], postgresql_where=is_open)
    op.create_index("ix_tasks_all_open", "tasks", ["colour_rank", "due_at", "id"], postgresql_where=is_open)
    op.create_index("ix_tasks_status", "tasks", ["organisation", "status", "colour_rank", "due_at", "id"])
    op.create_table(
        "files",
        sa.Column("revision", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("applied_at", At, nullable=False),
        sa.Column("applied_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_files"),
    )
    op.create_index("ix_files_kind", "files", ["kind"])
