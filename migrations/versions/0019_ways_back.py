"""Ways for money to go back besides Stripe, with proof; and store credit with its ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BY_STRIPE = "state NOT IN ('pending', 'succeeded', 'failed') OR stripe_refund_id IS NOT NULL"
PROVEN = (
    "way NOT IN ('channel', 'hand') OR state <> 'succeeded' OR (proof <> '' AND num_nulls(proven_on, proven_by_id) = 0)"
)
APPEND_ONLY = """
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE ON credit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.add_column("channel_refunds", sa.Column("refund_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_channel_refunds_refund_id_refunds"), "channel_refunds", "refunds", ["refund_id"], ["id"]
    )
    op.create_unique_constraint(op.f("uq_channel_refunds_refund_id"), "channel_refunds", ["refund_id"])
    op.add_column("refunds", sa.Column("way", sa.String(), nullable=False, server_default="card"))
    op.add_column("refunds", sa.Column("instead_of_id", sa.BigInteger(), nullable=True))
    op.add_column("refunds", sa.Column("proof", sa.String(), nullable=False, server_default=""))
    op.add_column("refunds", sa.Column("proven_on", sa.Date(), nullable=True))
    op.add_column("refunds", sa.Column("proven_by_id", sa.BigInteger(), nullable=True))
    op.alter_column("refunds", "way", server_default=None)
    op.alter_column("refunds", "proof", server_default=None)
    op.create_foreign_key(op.f("fk_refunds_instead_of_id"), "refunds", "refunds", ["instead_of_id"], ["id"])
    op.create_foreign_key(op.f("fk_refunds_proven_by_id"), "refunds", "staff", ["proven_by_id"], ["id"])
    op.drop_constraint(op.f("ck_refunds_stripe_id"), "refunds")
    op.create_check_constraint(op.f("ck_refunds_stripe_id"), "refunds", f"way <> 'card' OR {BY_STRIPE}")
    op.create_check_constraint(op.f("ck_refunds_way"), "refunds", "way IN ('card', 'credit', 'channel', 'hand')")
    op.create_check_constraint(op.f("ck_refunds_not_stripe"), "refunds", "way = 'card' OR stripe_refund_id IS NULL")
    op.create_check_constraint(op.f("ck_refunds_proof"), "refunds", PROVEN)
    op.create_check_constraint(
        op.f("ck_refunds_second_person"), "refunds", "way <> 'hand' OR proven_by_id <> approved_by_id"
    )
    _credit()


def _credit() -> None:
    op.create_table(
        "store_credits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_store_credits_refund_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_store_credits_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_credits")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_store_credits_refund_id")),
        sa.UniqueConstraint("code", name=op.f("uq_store_credits_code")),
    )
    op.create_index(op.f("ix_store_credits_customer_id"), "store_credits", ["customer_id"])
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("credit_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('issued', 'spent', 'undone', 'taken_back')", name=op.f("ck_credit_entries_kind")),
        sa.CheckConstraint(
            "amount <> 0 AND (kind IN ('issued', 'undone')) = (amount > 0)", name=op.f("ck_credit_entries_sign")
        ),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_credit_entries_balance")),
        sa.CheckConstraint(
            "number > 1 OR (kind = 'issued' AND balance = amount)", name=op.f("ck_credit_entries_first")
        ),
        sa.CheckConstraint("(kind = 'undone') = (undoes_id IS NOT NULL)", name=op.f("ck_credit_entries_undoes")),
        sa.ForeignKeyConstraint(["credit_id"], ["store_credits.id"], name=op.f("fk_credit_entries_credit_id")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_credit_entries_by_id")),
        sa.ForeignKeyConstraint(["undoes_id"], ["credit_entries.id"], name=op.f("fk_credit_entries_undoes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
        sa.UniqueConstraint("credit_id", "number", name=op.f("uq_credit_entries_credit_id_number")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_credit_entries_undoes_id")),
    )
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("credit_entries")
    op.drop_table("store_credits")
    for name in ("second_person", "proof", "not_stripe", "way", "stripe_id"):
        op.drop_constraint(op.f(f"ck_refunds_{name}"), "refunds")
    op.create_check_constraint(op.f("ck_refunds_stripe_id"), "refunds", BY_STRIPE)
    for column in ("proven_by_id", "proven_on", "proof", "instead_of_id", "way"):
        op.drop_column("refunds", column)
    op.drop_column("channel_refunds", "refund_id")
