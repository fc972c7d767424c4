"""Cases, call-backs, draws, figures in cells, open alarms, and the plans that were in force."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "followup_0001"
down_revision = None
At = sa.DateTime(timezone=True)
Id = sa.Uuid()
COUNTS = [
    "received",
    "valid",
    "admitted",
    "rejected",
    "merged",
    "withdrawn",
    "open",
    "closed",
    "confirmed",
    "unreached",
    "unasked",
    "reopened",
    "due",
    "answered",
    "effective",
    "on_time",
    "contact_due",
    "responded",
    "reached",
    "solved",
    "mark_1",
    "mark_2",
    "mark_3",
    "mark_4",
    "mark_5",
]


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("organisations", ARRAY(sa.Text), nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_cases"),
    )
    op.create_table(
        "visits",
        sa.Column("id", Id, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.SmallInteger, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("medium", sa.Text, nullable=False),
        sa.Column("media", ARRAY(sa.Text), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_visits"),
    )
    op.create_index("ix_visits_request_id", "visits", ["request_id"])
    op.create_index("ix_visits_work", "visits", ["due_at", "id"], postgresql_where=sa.text("state = 'open'"))
    op.create_table(
        "draws",
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("drawn", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("month", "organisation", name="pk_draws"),
    )
    op.create_table(
        "cells",
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("size", sa.Text, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("dimension", "size", "at", "value", name="pk_cells"),
    )
    op.create_table(
        "alarms",
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request_id", Id),
        sa.Column("stage", sa.Text),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("raised_at", At, nullable=False),
        sa.Column("last_at", At, nullable=False),
        sa.PrimaryKeyConstraint("service", "subject", "kind", name="pk_alarms"),
    )
    op.create_index("ix_alarms_list", "alarms", ["raised_at", "subject", "kind", "service"])
    op.create_table(
        "plans",
        sa.Column("number", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("seed", sa.LargeBinary, nullable=False),
        sa.Column("applied_at", At, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_plans"),
    )
