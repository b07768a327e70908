"""An odd parcel may name the order that was on it."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("oddities", sa.Column("order_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_oddities_order_id_orders"), "oddities", "orders", ["order_id"], ["id"])
    op.create_index(op.f("ix_oddities_order_id"), "oddities", ["order_id"])


def downgrade() -> None:
    op.drop_column("oddities", "order_id")
