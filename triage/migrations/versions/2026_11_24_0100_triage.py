"""Requests, assessments, texts, and the version of the rules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "triage_0001"
down_revision = None
Id = sa.Uuid()
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="received"),
        sa.Column("area", sa.Text),
        sa.Column("organisations", ARRAY(sa.Text), nullable=False, server_default="{}"),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("person_decided", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("alarms", sa.Integer, nullable=False, server_default="0"),
        sa.Column("review_due_at", At),
        sa.Column("review_order", sa.SmallInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
    )
    op.create_index(
        "ix_requests_reviews",
        "requests",
        ["review_order", "review_due_at", "request_id"],
        postgresql_where=sa.text("review_due_at IS NOT NULL"),
    )
    op.create_table(
        "assessments",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("assessment", JSONB, nullable=False),
        sa.Column("decided_by_id", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("at", At, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "revision", name="pk_assessments"),
    )
    op.create_table(
        "texts",
        sa.Column("text_id", Id, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("filed_at", At, nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("stated_category", sa.Text),
        sa.PrimaryKeyConstraint("text_id", name="pk_texts"),
    )
    op.create_index("ix_texts_request_id", "texts", ["request_id"])
    op.create_table(
        "policies",
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("policy", name="pk_policies"),
    )
