"""Notes."""

import sqlalchemy as sa
from alembic import op

revision = "notes_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notes",
        sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("word", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_notes"),
    )
