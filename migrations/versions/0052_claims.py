"""Claims: what is wrong, what the customer would like, what was written, and the shop's terms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=True),
        sa.Column("remedy", sa.String(), nullable=True),
        sa.Column("goods_back", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "fault IN ('damaged', 'defective', 'wrong_item', 'not_as_described', 'missing', 'never_arrived')",
            name=op.f("ck_claims_fault"),
        ),
        sa.CheckConstraint("wish IN ('repair', 'replacement', 'part_money', 'money')", name=op.f("ck_claims_wish")),
        sa.CheckConstraint(
            "remedy IN ('repair', 'replacement', 'part_money', 'keep_money', 'money', 'send_again')",
            name=op.f("ck_claims_remedy"),
        ),
        sa.CheckConstraint("remedy IS NOT NULL OR NOT goods_back", name=op.f("ck_claims_goods_back")),
        sa.CheckConstraint("(fault = 'never_arrived') = (parcel_id IS NOT NULL)", name=op.f("ck_claims_parcel")),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_claims_parcel_id_parcels")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("fk_claims_return_id_returns")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint("return_id", name=op.f("uq_claims_return_id")),
    )
    op.create_index(op.f("ix_claims_parcel_id"), "claims", ["parcel_id"])
    op.create_table(
        "claim_messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("form_key", sa.String(), nullable=True),
        sa.CheckConstraint("staff_id IS NULL OR words <> ''", name=op.f("ck_claim_messages_words")),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_claim_messages_claim_id_claims")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_claim_messages_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_messages")),
        sa.UniqueConstraint("form_key", name=op.f("uq_claim_messages_form_key")),
    )
    op.create_index(op.f("ix_claim_messages_claim_id"), "claim_messages", ["claim_id"])
    op.create_table(
        "claim_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("guarantee_months", sa.BigInteger(), nullable=False),
        sa.Column("patience_days", sa.BigInteger(), nullable=False),
        sa.Column("stays", postgresql.JSONB(), nullable=False),
        sa.Column("stays_up_to", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("guarantee_months BETWEEN 24 AND 240", name=op.f("ck_claim_terms_guarantee_months")),
        sa.CheckConstraint("patience_days BETWEEN 0 AND 30", name=op.f("ck_claim_terms_patience_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_terms")),
        sa.UniqueConstraint("country", name=op.f("uq_claim_terms_country")),
    )


def downgrade() -> None:
    for table in ("claim_terms", "claim_messages", "claims"):
        op.drop_table(table)
