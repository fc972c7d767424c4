"""Views of requests with their timelines and texts, names, and the keys of callers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

revision = "gateway_0001"
down_revision = None
At = sa.DateTime(timezone=True)
Id = UUID(as_uuid=True)


def upgrade() -> None:
    op.create_table(
        "principals",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text),
        sa.Column("area", sa.Text),
        sa.Column("rights", ARRAY(sa.Text), nullable=False),
        sa.Column("issued_at", At, nullable=False),
        sa.Column("revoked_at", At),
        sa.PrimaryKeyConstraint("key_id", name="pk_principals"),
    )
    op.create_table(
        "requests",
        sa.Column("id", Id, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("colour", sa.Text),
        sa.Column("urgency", sa.SmallInteger, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("area", sa.Text),
        sa.Column("handling", ARRAY(sa.Text), nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.UniqueConstraint("receipt", name="uq_requests_receipt"),
    )
    op.create_index(
        "ix_requests_queue",
        "requests",
        ["urgency", "due_at", "received_at", "id"],
        postgresql_where=sa.text("is_open"),
    )
    op.create_index(
        "ix_requests_ended", "requests", ["status", "received_at", "id"], postgresql_where=sa.text("not is_open")
    )
    op.create_table(
        "timeline",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("text_id", Id),
        sa.Column("fact", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "number", name="pk_timeline"),
    )
    op.create_table(
        "texts",
        sa.Column("id", Id, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_texts"),
    )
    op.create_index("ix_texts_request_id", "texts", ["request_id"])
    op.create_table(
        "names",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("zh", sa.Text, nullable=False),
        sa.Column("en", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_names"),
    )
