"""Labels that are bought."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_purchases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("seller", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("shipment_id", sa.String(), nullable=False),
        sa.Column("rates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rate_id", sa.String(), nullable=False),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("tracking_number", sa.String(), nullable=True),
        sa.Column("paper_at", sa.String(), nullable=False),
        sa.Column("paper", sa.LargeBinary(), nullable=True),
        sa.Column("paper_kind", sa.String(), nullable=False),
        sa.Column("paper_digest", sa.String(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state <> 'bought' OR tracking_number IS NOT NULL", name=op.f("ck_label_purchases_bought")),
        sa.CheckConstraint(
            "state IN ('quoting', 'quoted', 'requested', 'sent', 'unknown', 'bought', 'voiding', 'voided', 'failed', 'dropped')",
            name=op.f("ck_label_purchases_state"),
        ),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_label_purchases_asked_by_id")),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_label_purchases_parcel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_purchases")),
        sa.UniqueConstraint("reference", name=op.f("uq_label_purchases_reference")),
    )
    op.create_index(
        "ix_label_purchases_due",
        "label_purchases",
        ["next_look_at"],
        unique=False,
        postgresql_where="next_look_at IS NOT NULL",
    )
    op.create_index(op.f("ix_label_purchases_parcel_id"), "label_purchases", ["parcel_id"], unique=False)
    op.create_index(
        "uq_label_purchases_one_at_a_time",
        "label_purchases",
        ["parcel_id"],
        unique=True,
        postgresql_where="state IN ('quoting', 'quoted', 'requested', 'sent', 'unknown', 'bought', 'voiding')",
    )
