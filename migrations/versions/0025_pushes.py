"""What sales channels are told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

OPEN = "state IN ('waiting', 'sending', 'unknown')"


def upgrade() -> None:
    op.create_table(
        "channel_pushes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('shipped', 'note', 'refunded')", name=op.f("ck_channel_pushes_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'unknown', 'told', 'failed', 'dropped')",
            name=op.f("ck_channel_pushes_state"),
        ),
        sa.CheckConstraint("(state = 'told') = (told_at IS NOT NULL)", name=op.f("ck_channel_pushes_told")),
        sa.CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name=op.f("ck_channel_pushes_lease")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_channel_pushes_by_id_staff")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_channel_pushes_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_pushes")),
        sa.UniqueConstraint("key", name=op.f("uq_channel_pushes_key")),
    )
    op.create_index(op.f("ix_channel_pushes_order_id"), "channel_pushes", ["order_id"])
    op.create_index(
        "ix_channel_pushes_open", "channel_pushes", ["channel", "next_try_at"], postgresql_where=sa.text(OPEN)
    )
    op.create_index("ix_channel_pushes_failed", "channel_pushes", ["id"], postgresql_where=sa.text("state = 'failed'"))


def downgrade() -> None:
    op.drop_table("channel_pushes")
