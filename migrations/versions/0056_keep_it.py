"""Returns know how much of the money goes back when the customer keeps the goods."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("returns", sa.Column("keep_share", sa.BigInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_returns_keep_share"), "returns", "keep_share BETWEEN 1 AND 100")
    _fees("'return', 'restocking', 'label', 'kept'")


def downgrade() -> None:
    _fees("'return', 'restocking', 'label'")
    op.drop_column("returns", "keep_share")


def _fees(kinds: str) -> None:
    op.drop_constraint(op.f("ck_return_fees_kind"), "return_fees")
    op.create_check_constraint(op.f("ck_return_fees_kind"), "return_fees", f"kind IN ({kinds})")
