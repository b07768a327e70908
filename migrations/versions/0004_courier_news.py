"""When a courier told a scan in its newest words."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("courier_events", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
