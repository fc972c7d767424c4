"""More figures: moves, sketches, pairs, statuses and what was excluded.

The sums begin anew: every case is marked as not yet counted, and a timer for each counts it again after the start.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "followup_figures"
down_revision = "followup_look_back"
At = sa.DateTime(timezone=True)
COUNTS = [
    "received",
    "valid",
    "admitted",
    "rejected",
    "merged",
    "withdrawn",
    "open",
    "at_received",
    "at_triaged",
    "at_assigned",
    "at_accepted",
    "at_answered",
    "at_disputed",
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
    "missed",
    "assigned",
    "returned",
    "supervised",
    "disputed",
    "routed",
    "routed_right",
    "judged",
    "under_triaged",
    "over_triaged",
    "nudges",
    "supervisions",
    "returns",
    "recalls",
    "hops",
    "reached",
    "solved",
    "mark_1",
    "mark_2",
    "mark_3",
    "mark_4",
    "mark_5",
]
PROFILE = ["colour", "category", "organisation", "area", "channel"]


def upgrade() -> None:
    op.drop_table("cells")
    op.create_table(
        "cells",
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("size", sa.Text, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("second", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("dimension", "size", "at", "value", "second", name="pk_cells"),
    )
    op.create_table(
        "sketches",
        sa.Column("size", sa.Text, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("colour", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("bucket", sa.SmallInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("size", "at", "colour", "stage", "bucket", name="pk_sketches"),
    )
    op.create_table(
        "moves",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", At, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in PROFILE),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("spent", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_moves"),
    )
    op.create_table(
        "exclusions",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("rejected_at", At, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text),
        sa.PrimaryKeyConstraint("request_id", name="pk_exclusions"),
    )
    op.create_index("ix_exclusions_list", "exclusions", ["rejected_at", "request_id"])
    op.execute('UPDATE cases SET body = body || \'{"counted_at": null, "wake_at": null}\'')
    op.execute(
        "INSERT INTO timers (key, kind, due_at, data) SELECT request_id::text, 'look', now(), '{}' FROM cases"
        " ON CONFLICT (key, kind) DO UPDATE SET due_at = excluded.due_at"
    )
