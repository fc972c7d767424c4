"""Endpoints and their deliveries, the facts they are made of, and notices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "callbacks_0001"
down_revision = None
Id = sa.Uuid()
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_organisations()
    create_cases()
    create_facts()
    create_endpoints()
    create_deliveries()
    create_attempts()
    create_notices()


def create_organisations() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
    )


def create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("merged_into", Id),
        sa.Column("changed_at", At, nullable=False),
        sa.Column("state", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_cases"),
    )
    op.create_index("ix_cases_changed_at", "cases", ["changed_at"])
    op.create_index("ix_cases_merged_into", "cases", ["merged_into"])


def create_facts() -> None:
    op.create_table(
        "facts",
        sa.Column("event_id", Id, nullable=False),
        sa.Column("request_id", Id),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("taken_at", At, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_facts"),
    )
    op.create_index("ix_facts_at", "facts", ["at", "event_id"])
    op.create_index("ix_facts_request_id", "facts", ["request_id", "number"])
    op.create_index("ix_facts_taken_at", "facts", ["taken_at"])


def create_endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", Id, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("event_types", ARRAY(sa.Text), nullable=False),
        sa.Column("organisation", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("disabled_because", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", At),
        sa.Column("last_failed_at", At),
        sa.Column("paused_until", At),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("old_secret", sa.LargeBinary),
        sa.Column("old_secret_until", At),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
    )
    op.create_index("ix_endpoints_organisation", "endpoints", ["organisation"])


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("endpoint_id", Id, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("request_id", Id),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("taken_until", At),
        sa.Column("taken_by", Id),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("endpoint_id", "event_id", name="uq_deliveries_endpoint_id_event_id"),
    )
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["endpoint_id", "due_at", "position"],
        postgresql_where=sa.text("state = 'pending' and due_at > '-infinity'"),
    )
    op.create_index(
        "ix_deliveries_order",
        "deliveries",
        ["endpoint_id", "request_id", "number"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_deliveries_position", "deliveries", ["endpoint_id", "position"])
    op.create_index(
        "ix_deliveries_taken", "deliveries", ["endpoint_id"], postgresql_where=sa.text("taken_until is not null")
    )


def create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("status_code", sa.Integer),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_attempts"),
    )
    op.create_index("ix_attempts_at", "attempts", ["at"])


def create_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", Id, nullable=False),
        sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("addressee", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text),
        sa.Column("liaison", sa.Text),
        sa.Column("medium", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("text", JSONB, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("created_at", At, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("outcome_at", At),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("position", name="uq_notices_position"),
    )
    op.create_index("ix_notices_created_at", "notices", ["created_at"])
    op.create_index("ix_notices_organisation", "notices", ["organisation", "position"])
    op.create_index("ix_notices_request_id", "notices", ["request_id", "position"])
