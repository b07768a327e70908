"""Stock: places, counted articles, claims on them, and every move, append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE TRIGGER stock_moves_append_only BEFORE UPDATE OR DELETE ON stock_moves
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    op.create_table(
        "stock_places",
        _id(),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_places")),
        sa.UniqueConstraint("code", name=op.f("uq_stock_places_code")),
    )
    op.create_table(
        "stock_items",
        _id(),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("place_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("low_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("reserved BETWEEN 0 AND on_hand", name=op.f("ck_stock_items_reserved")),
        sa.CheckConstraint("low_at >= 0", name=op.f("ck_stock_items_low_at")),
        sa.ForeignKeyConstraint(["place_id"], ["stock_places.id"], name=op.f("fk_stock_items_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_items")),
        sa.UniqueConstraint("sku", "place_id", name=op.f("uq_stock_items_sku_place_id")),
    )
    op.create_index(op.f("ix_stock_items_place_id"), "stock_items", ["place_id"])
    op.create_table(
        "stock_claims",
        _id(),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=True),
        sa.Column("order_line_id", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_claims_quantity")),
        sa.ForeignKeyConstraint(["item_id"], ["stock_items.id"], name=op.f("fk_stock_claims_item_id")),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name=op.f("fk_stock_claims_order_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_claims")),
    )
    for column in ("item_id", "order_line_id", "cause"):
        op.create_index(op.f(f"ix_stock_claims_{column}"), "stock_claims", [column])
    waiting = sa.text("item_id IS NULL")
    op.create_index("ix_stock_claims_waiting", "stock_claims", ["sku", "since", "id"], postgresql_where=waiting)
    op.create_table(
        "stock_moves",
        _id(),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["stock_items.id"], name=op.f("fk_stock_moves_item_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_stock_moves_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_moves")),
    )
    op.create_index(op.f("ix_stock_moves_cause"), "stock_moves", ["cause"])
    op.create_index("ix_stock_moves_item", "stock_moves", ["item_id", "id"])
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    for table in ("stock_moves", "stock_claims", "stock_items", "stock_places"):
        op.drop_table(table)
