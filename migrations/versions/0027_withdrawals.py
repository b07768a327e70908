"""Withdrawals from contracts as they were stated, and goods that the law exempts."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("form_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("goods", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("return_id", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('received', 'carried_out', 'answered')", name=op.f("ck_withdrawals_state")),
        sa.CheckConstraint("(state = 'received') = (settled_at IS NULL)", name=op.f("ck_withdrawals_settled")),
        sa.CheckConstraint("state <> 'carried_out' OR order_id IS NOT NULL", name=op.f("ck_withdrawals_order")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_withdrawals_order_id_orders")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("fk_withdrawals_return_id_returns")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["staff.id"], name=op.f("fk_withdrawals_settled_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("reference", name=op.f("uq_withdrawals_reference")),
        sa.UniqueConstraint("form_key", name=op.f("uq_withdrawals_form_key")),
        sa.UniqueConstraint("return_id", name=op.f("uq_withdrawals_return_id")),
    )
    op.create_index(op.f("ix_withdrawals_order_id"), "withdrawals", ["order_id"])
    op.create_index("ix_withdrawals_open", "withdrawals", ["id"], postgresql_where="state = 'received'")
    op.create_table(
        "withdrawal_exemptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.CheckConstraint(
            "ground IN ('made_to_order', 'perishable', 'mixed', 'newspaper', 'dated', 'hygiene', 'media')",
            name=op.f("ck_withdrawal_exemptions_ground"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal_exemptions")),
        sa.UniqueConstraint("sku", name=op.f("uq_withdrawal_exemptions_sku")),
    )


def downgrade() -> None:
    for table in ("withdrawal_exemptions", "withdrawals"):
        op.drop_table(table)
