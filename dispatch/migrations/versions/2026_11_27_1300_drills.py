"""When each entry was confirmed to be right, and drills that ask whether its people can be reached."""

import sqlalchemy as sa
from alembic import op

revision = "dispatch_0004"
down_revision = "dispatch_0003"
At = sa.DateTime(timezone=True)


def upgrade() -> None:
    for table in ("entries", "entry_history"):
        op.add_column(table, sa.Column("assured_at", At))
        op.add_column(table, sa.Column("assured_by", sa.Text))
    op.execute("update entries set assured_at = changed_at, assured_by = changed_by")
    op.execute("update entry_history set assured_at = changed_at, assured_by = changed_by")
    create_drills()
    op.execute(
        "insert into timers (key, kind, due_at, data)"
        " select 'drill', 'drill_begins', now() + interval '7 days', '{}' from city where revision > 0"
    )


def create_drills() -> None:
    op.create_table(
        "drills",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", At, nullable=False),
        sa.Column("asked_by", sa.Text),
        sa.Column("answer_by", At, nullable=False),
        sa.Column("closed_at", At),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drills"),
    )
    op.create_index("ix_drills_list", "drills", ["asked_at", "id"])
    op.create_table(
        "drill_people",
        sa.Column("drill_id", sa.Uuid(), nullable=False),
        sa.Column("liaison", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("post", sa.Text, nullable=False),
        sa.Column("is_expected", sa.Boolean, nullable=False),
        sa.Column("answered_at", At),
        sa.Column("answered_by", sa.Text),
        sa.PrimaryKeyConstraint("drill_id", "liaison", name="pk_drill_people"),
        sa.ForeignKeyConstraint(["drill_id"], ["drills.id"], name="fk_drill_people_drill_id_drills"),
    )
