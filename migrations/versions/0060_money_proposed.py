"""When the money of a return was asked for at first, so that what still waits for it is found among many that don't."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

NEVER = "decision = 'approved' AND closed_at IS NULL AND inspected_at IS NOT NULL AND money_proposed_at IS NULL"
REJECTED = "state = 'rejected_by_us' AND return_id IS NOT NULL"


def upgrade() -> None:
    op.add_column("returns", sa.Column("money_proposed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE returns SET money_proposed_at = asked.at FROM"
        " (SELECT return_id, min(requested_at) AS at FROM refunds GROUP BY return_id) AS asked"
        " WHERE asked.return_id = returns.id"
    )
    op.create_index("ix_returns_never_proposed", "returns", ["id"], postgresql_where=NEVER)
    op.create_index("ix_refunds_rejected", "refunds", ["return_id"], postgresql_where=REJECTED)


def downgrade() -> None:
    op.drop_index("ix_refunds_rejected", "refunds")
    op.drop_index("ix_returns_never_proposed", "returns")
    op.drop_column("returns", "money_proposed_at")
