"""The names of organisations and areas."""

import sqlalchemy as sa
from alembic import op

revision = "followup_names"
down_revision = "followup_figures"


def upgrade() -> None:
    op.create_table(
        "names",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("zh", sa.Text, nullable=False),
        sa.Column("en", sa.Text, nullable=False),
    )
