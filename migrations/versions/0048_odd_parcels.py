"""Odd parcels that a person decides about, and places that are not sold from."""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

KINDS = "'less', 'empty', 'more', 'other', 'unwanted', 'second_number', 'no_number', 'paid_before'"


def upgrade() -> None:
    op.add_column("stock_places", sa.Column("sold", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.alter_column("stock_places", "sold", server_default=None)
    op.add_column("return_lines", sa.Column("believed", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("return_lines", "believed", server_default=None)
    op.create_check_constraint(op.f("ck_return_lines_believed"), "return_lines", "believed BETWEEN 0 AND quantity")
    op.create_table(
        "oddities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=True),
        sa.Column("other_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_by_id", sa.BigInteger(), nullable=True),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_oddities_kind")),
        sa.CheckConstraint("state IN ('open', 'settled')", name=op.f("ck_oddities_state")),
        sa.CheckConstraint("(state = 'open') = (settled_at IS NULL)", name=op.f("ck_oddities_settled")),
        sa.CheckConstraint("return_id IS NOT NULL OR kind = 'no_number'", name=op.f("ck_oddities_return")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("fk_oddities_return_id_returns")),
        sa.ForeignKeyConstraint(["other_id"], ["returns.id"], name=op.f("fk_oddities_other_id_returns")),
        sa.ForeignKeyConstraint(["found_by_id"], ["staff.id"], name=op.f("fk_oddities_found_by_id_staff")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["staff.id"], name=op.f("fk_oddities_settled_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oddities")),
    )
    op.create_index("ix_oddities_return_id", "oddities", ["return_id"])
    op.create_index(
        "uq_oddities_open", "oddities", ["return_id", "kind"], unique=True, postgresql_where=sa.text("state = 'open'")
    )


def downgrade() -> None:
    op.drop_table("oddities")
    op.drop_constraint(op.f("ck_return_lines_believed"), "return_lines", type_="check")
    op.drop_column("return_lines", "believed")
    op.drop_column("stock_places", "sold")
