"""Look-back: lots in place of counts of draws, periods, strata, scores of answers; traces and improvements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "followup_look_back"
down_revision = "followup_chains"
At = sa.DateTime(timezone=True)
Id = sa.Uuid()
TALLIES = ["opened", "sampled", "reached", "unreached", "scored", "passed"]
STRATUM = ["category", "colour", "organisation"]
PLANS = """
    update plans set body = body #- '{look_back,top_up_after_minutes}'
      || '{"rating_reminder_days": 3, "suspicions": {
           "rush_minutes": 15, "rush_answers": 5, "rush_share": 0.8, "same_answers": 5, "loops": 2,
           "same_answers_except": [], "lowered_minutes": 60, "one_source": 5, "one_source_hours": 24}}'
      || jsonb_build_object('look_back', (body -> 'look_back') - 'top_up_after_minutes'
         || '{"complained_at_most": 2, "period_days": 7, "seed_published_after_days": 14, "pass_at": 8,
              "essential": ["answers_what_was_asked", "concrete_action_and_time"],
              "findings": {"failed": "redo", "zero": "supervision"}}')
"""
VISITS = """
    update visits v set
      opened_at = coalesce((c.body ->> 'open_from')::timestamptz, v.due_at),
      category = coalesce(c.body -> 'life' ->> 'category', ''),
      colour = coalesce(c.body -> 'life' ->> 'colour', ''),
      organisation = coalesce(c.body ->> 'organisation', ''),
      certain = v.reason in ('colour', 'reopened')
    from cases c where c.request_id = v.request_id
"""


def upgrade() -> None:
    op.drop_table("draws")
    op.execute(PLANS)
    for name in ("opened_at", *STRATUM, "certain"):
        kind = At if name == "opened_at" else sa.Boolean() if name == "certain" else sa.Text()
        op.add_column("visits", sa.Column(name, kind))
    op.add_column("visits", sa.Column("answer_text", Id))
    op.add_column("visits", sa.Column("answered_at", At))
    op.add_column("visits", sa.Column("score", ARRAY(sa.SmallInteger)))
    op.execute(VISITS)
    for name in ("opened_at", *STRATUM, "certain"):
        op.alter_column("visits", name, nullable=False)
    op.create_index("ix_visits_unscored", "visits", ["due_at", "id"], postgresql_where=sa.text("score is null"))
    op.create_table(
        "lots",
        sa.Column("request_id", Id, nullable=False),
        sa.Column("opened_at", At, nullable=False),
        sa.Column("period", sa.Date, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("colour", sa.Text),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("number", sa.Double, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("noted_at", At, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "opened_at", name="pk_lots"),
    )
    op.create_index("ix_lots_draw", "lots", ["period", "organisation", "number", "request_id"])
    op.create_table(
        "periods",
        sa.Column("period", sa.Date, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("commitment", sa.Text, nullable=False),
        sa.Column("committed_at", At, nullable=False),
        sa.Column("closed_at", At),
        sa.Column("revealed_at", At),
        sa.Column("plan", sa.Text),
        sa.PrimaryKeyConstraint("period", name="pk_periods"),
    )
    op.create_table(
        "strata",
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in STRATUM),
        sa.Column("certain", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in TALLIES),
        sa.PrimaryKeyConstraint("day", *STRATUM, "certain", name="pk_strata"),
    )
    op.create_table(
        "traces",
        sa.Column("event_id", Id, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request_id", Id, nullable=False),
        sa.Column("received_at", At, nullable=False),
        sa.Column("at", At, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("stage", sa.Text),
        sa.Column("due_at", At),
        sa.Column("hashes", ARRAY(sa.Text), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "kind", name="pk_traces"),
    )
    op.create_index("ix_traces_at", "traces", ["at"])
    op.create_index("ix_traces_received_at", "traces", ["received_at"])
    op.create_table(
        "improvements",
        sa.Column("id", Id, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("stage", sa.Text),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("due_at", At, nullable=False),
        sa.Column("since", At),
        sa.Column("until", At),
        sa.Column("request_id", Id),
        sa.Column("assigned_at", At, nullable=False),
        sa.Column("done_at", At),
        sa.PrimaryKeyConstraint("id", name="pk_improvements"),
    )
