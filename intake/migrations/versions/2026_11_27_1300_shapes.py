"""Areas may have a shape with holes or several parts; one that is a single ring stays where it was."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "intake_0002"
down_revision = "intake_0001"


def upgrade() -> None:
    op.add_column("areas", sa.Column("shape", JSONB(none_as_null=True)))
