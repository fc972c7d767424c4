"""Notices that are about no request: an organisation's people are asked whether they can be reached."""

import sqlalchemy as sa
from alembic import op

revision = "callbacks_0002"
down_revision = "callbacks_0001"


def upgrade() -> None:
    op.alter_column("notices", "request_id", existing_type=sa.Uuid(), nullable=True)
