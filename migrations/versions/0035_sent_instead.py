"""Goods that go out anew for those of a return."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sent_instead",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=False),
        sa.Column("return_line_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_lines.id"], name=op.f("fk_sent_instead_order_line_id_order_lines")
        ),
        sa.ForeignKeyConstraint(
            ["return_line_id"], ["return_lines.id"], name=op.f("fk_sent_instead_return_line_id_return_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sent_instead")),
        sa.UniqueConstraint("order_line_id", name=op.f("uq_sent_instead_order_line_id")),
    )
    op.create_index(op.f("ix_sent_instead_return_line_id"), "sent_instead", ["return_line_id"])


def downgrade() -> None:
    op.drop_table("sent_instead")
