"""What the log has from this service that its restored database does not know of."""

import sqlalchemy as sa
from alembic import op

revision = "floor_0002"
down_revision = "floor_0001"


def upgrade() -> None:
    op.create_table(
        "foretold",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("is_restated", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("topic", "key", "sequence", name="pk_foretold"),
    )
