"""Requests, what was filed, who saw it, and the areas."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "intake_0001"
down_revision = None
Id = sa.Uuid()
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("ahead", sa.Text, nullable=False),
        sa.Column("unheard", sa.Integer, nullable=False),
        sa.Column("area", sa.Text),
        sa.Column("contact_hash", sa.Text, nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("merged_into", Id),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
        sa.UniqueConstraint("receipt", name="uq_requests_receipt"),
    )
    op.create_index("ix_requests_contact_hash_received_at", "requests", ["contact_hash", "received_at"])
    op.create_table(
        "filings",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("persons", sa.Integer),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("details", sa.LargeBinary),
        sa.PrimaryKeyConstraint("request_id", name="pk_filings"),
    )
    op.create_table(
        "originals",
        sa.Column("text_id", Id, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("words", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("text_id", name="pk_originals"),
    )
    op.create_index("ix_originals_request_id", "originals", ["request_id"])
    op.create_table(
        "tasks",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("task_id", Id, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "task_id", "organisation", name="pk_tasks"),
    )
    op.create_table(
        "contact_views",
        sa.Column("view_id", Id, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("viewer_kind", sa.Text, nullable=False),
        sa.Column("viewer_id", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("viewed_at", At, nullable=False),
        sa.PrimaryKeyConstraint("view_id", name="pk_contact_views"),
    )
    op.create_index("ix_contact_views_request_id_view_id", "contact_views", ["request_id", "view_id"])
    op.create_table(
        "areas",
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("names", JSONB, nullable=False),
        sa.Column("polygon", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("area", name="pk_areas"),
    )
    atlas = op.create_table(
        "atlas",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_atlas"),
    )
    op.bulk_insert(atlas, [{"id": 1, "version": 0}])
