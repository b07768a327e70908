"""Pieces that were not there when somebody went to pick them."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parcel_lines", sa.Column("short", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("parcel_lines", "short", server_default=None)
    op.create_check_constraint(op.f("ck_parcel_lines_short"), "parcel_lines", "short BETWEEN 0 AND quantity - picked")
    op.create_table(
        "short_picks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("reported_by_id", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'waiting', 'split', 'found', 'cancelled')", name=op.f("ck_short_picks_state")
        ),
        sa.CheckConstraint(
            "reason IN ('out_of_stock', 'damaged', 'not_found', 'misplaced', 'expired')",
            name=op.f("ck_short_picks_reason"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_short_picks_quantity")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_short_picks_decided")),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_short_picks_parcel_id")),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name=op.f("fk_short_picks_order_line_id")),
        sa.ForeignKeyConstraint(["reported_by_id"], ["staff.id"], name=op.f("fk_short_picks_reported_by_id")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["staff.id"], name=op.f("fk_short_picks_decided_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_short_picks")),
    )
    op.create_index("ix_short_picks_parcel_id", "short_picks", ["parcel_id"])
    op.create_index("ix_short_picks_order_line_id", "short_picks", ["order_line_id"])
    unsettled = sa.text("state IN ('open', 'waiting', 'split')")
    op.create_index("ix_short_picks_open", "short_picks", ["parcel_id"], postgresql_where=unsettled)


def downgrade() -> None:
    op.drop_table("short_picks")
    op.drop_constraint(op.f("ck_parcel_lines_short"), "parcel_lines")
    op.drop_column("parcel_lines", "short")
