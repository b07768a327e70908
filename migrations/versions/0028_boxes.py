"""Boxes, sizes of articles, and what the packer has checked."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SIDES = "length > 0 AND width > 0 AND height > 0"


def sides() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("length", "width", "height")]


def upgrade() -> None:
    op.create_table(
        "boxes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        *sides(),
        sa.Column("own_grams", sa.BigInteger(), nullable=False),
        sa.Column("holds_grams", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(SIDES, name=op.f("ck_boxes_sides")),
        sa.CheckConstraint("own_grams >= 0 AND holds_grams > own_grams", name=op.f("ck_boxes_weight")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boxes")),
    )
    op.create_index("uq_boxes_name", "boxes", ["name"], unique=True, postgresql_where=sa.text("gone_at IS NULL"))
    op.create_table(
        "article_sizes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        *sides(),
        sa.Column("grams", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(SIDES, name=op.f("ck_article_sizes_sides")),
        sa.CheckConstraint("grams > 0", name=op.f("ck_article_sizes_weight")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_sizes")),
        sa.UniqueConstraint("sku", name=op.f("uq_article_sizes_sku")),
    )
    op.add_column("parcels", sa.Column("box_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_parcels_box_id_boxes"), "parcels", "boxes", ["box_id"], ["id"])
    op.add_column("parcel_lines", sa.Column("boxed", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("parcel_lines", "boxed", server_default=None)
    op.create_check_constraint(op.f("ck_parcel_lines_boxed"), "parcel_lines", "boxed BETWEEN 0 AND picked")


def downgrade() -> None:
    op.drop_column("parcel_lines", "boxed")
    op.drop_column("parcels", "box_id")
    op.drop_table("article_sizes")
    op.drop_table("boxes")
