"""Pictures that customers and staff upload, made anew by us."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.String(), nullable=True),
        sa.Column("form_key", sa.String(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("looks", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("about IS NULL OR browser IS NULL", name=op.f("ck_pictures_kept")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_pictures_order_id_orders")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_pictures_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pictures")),
        sa.UniqueConstraint("form_key", "digest", name=op.f("uq_pictures_form_key_digest")),
    )
    for column in ("order_id", "about", "digest"):
        op.create_index(op.f(f"ix_pictures_{column}"), "pictures", [column])
    op.create_index("ix_pictures_drafts", "pictures", ["uploaded_at"], postgresql_where="about IS NULL")


def downgrade() -> None:
    op.drop_table("pictures")
