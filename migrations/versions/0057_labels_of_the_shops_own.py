"""Labels of the shop's own for the way back, and where couriers take parcels."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_labels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("back_parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("paper", sa.LargeBinary(), nullable=True),
        sa.Column("paper_kind", sa.String(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=True),
        sa.Column("code_kind", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.CheckConstraint("(paper IS NULL) = (paper_kind = '')", name=op.f("ck_own_labels_paper")),
        sa.ForeignKeyConstraint(
            ["back_parcel_id"], ["back_parcels.id"], name=op.f("fk_own_labels_back_parcel_id_back_parcels")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_labels")),
        sa.UniqueConstraint("back_parcel_id", name=op.f("uq_own_labels_back_parcel_id")),
    )
    op.create_table(
        "drop_offs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("words", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drop_offs")),
        sa.UniqueConstraint("courier", name=op.f("uq_drop_offs_courier")),
    )


def downgrade() -> None:
    op.drop_table("drop_offs")
    op.drop_table("own_labels")
