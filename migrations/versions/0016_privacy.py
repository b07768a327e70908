"""Customers are forgotten when they ask, and old things by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('requested', 'waiting', 'done')", name=op.f("ck_erasures_state")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_erasures_customer_id_customers")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_erasures_asked_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "uq_erasures_open", "erasures", ["customer_id"], unique=True, postgresql_where=sa.text("state <> 'done'")
    )
    op.create_table(
        "retention_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 7300", name=op.f("ck_retention_terms_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_terms")),
    )
    op.create_index("uq_retention_terms_kind_country", "retention_terms", ["kind", "country"], unique=True)


def downgrade() -> None:
    op.drop_table("retention_terms")
    op.drop_table("erasures")
    op.drop_column("orders", "erased_at")
