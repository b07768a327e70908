"""What does not fit about money."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KINDS = (
    "('unknown_here', 'missing_at_stripe', 'differs', 'balance', 'too_much', 'unknown_long', 'pending_long', 'silent')"
)


def upgrade() -> None:
    op.create_table(
        "money_alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("explained_by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_money_alarms_kind")),
        sa.CheckConstraint(
            "explained_by_id IS NULL OR (closed_at IS NOT NULL AND note <> '')", name=op.f("ck_money_alarms_explained")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_money_alarms_order_id")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_money_alarms_refund_id")),
        sa.ForeignKeyConstraint(["explained_by_id"], ["staff.id"], name=op.f("fk_money_alarms_explained_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_alarms")),
    )
    op.create_index(op.f("ix_money_alarms_order_id"), "money_alarms", ["order_id"])
    op.create_index(op.f("ix_money_alarms_refund_id"), "money_alarms", ["refund_id"])
    op.create_index(
        "uq_money_alarms_open", "money_alarms", ["kind", "key"], unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("money_alarms")
