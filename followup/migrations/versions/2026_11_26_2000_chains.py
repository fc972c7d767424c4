"""The running hashes of the log's partitions."""

import sqlalchemy as sa
from alembic import op

revision = "followup_chains"
down_revision = "followup_0001"


def upgrade() -> None:
    op.create_table(
        "chains",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("first_position", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("sealed_to", sa.BigInteger, nullable=False),
        sa.Column("has_news", sa.Boolean, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("topic", "number", name="pk_chains"),
    )
