"""Cases with their tasks, and the directory with its history."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "dispatch_0001"
down_revision = None
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("request_id", sa.Uuid(), primary_key=True),
        sa.Column("document", JSONB, nullable=False),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("cases.request_id"), nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("liaison", sa.Text),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("due_at", At),
        sa.Column("changed_at", At, nullable=False),
        sa.Column("organisations", ARRAY(sa.Text), nullable=False),
        sa.Column("document", JSONB, nullable=False),
    )
    op.create_index("ix_tasks_request_id", "tasks", ["request_id"])
    is_open, is_over = sa.text("is_open"), sa.text("not is_open")
    op.create_index("ix_tasks_open", "tasks", ["urgency", "due_at", "id"], postgresql_where=is_open)
    op.create_index("ix_tasks_open_of", "tasks", ["organisation", "urgency", "due_at", "id"], postgresql_where=is_open)
    op.create_index("ix_tasks_over", "tasks", ["changed_at", "id"], postgresql_where=is_over)
    op.create_index("ix_tasks_over_of", "tasks", ["organisation", "changed_at", "id"], postgresql_where=is_over)
    for name in ("entries", "entry_history"):
        op.create_table(
            name,
            sa.Column("kind", sa.Text, primary_key=True),
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("revision", sa.Integer, nullable=False, primary_key=name == "entry_history"),
            sa.Column("content", JSONB),
            sa.Column("changed_at", At, nullable=False),
            sa.Column("changed_by", sa.Text, nullable=False),
        )
    op.create_table(
        "city",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.execute("insert into city (id, revision) values (1, 0)")
