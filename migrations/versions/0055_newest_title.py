"""What an article is called is found by its number, the newest name first."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_order_lines_sku"), "order_lines")
    op.create_index("ix_order_lines_sku", "order_lines", ["sku", "id"])


def downgrade() -> None:
    op.drop_index("ix_order_lines_sku", "order_lines")
    op.create_index(op.f("ix_order_lines_sku"), "order_lines", ["sku"])
