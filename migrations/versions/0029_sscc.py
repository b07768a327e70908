"""Serial numbers of parcels for the trade."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sscc_prefixes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chosen_by_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("prefix ~ '^[0-9]{6,12}$'", name=op.f("ck_sscc_prefixes_prefix")),
        sa.CheckConstraint("last_number >= 0", name=op.f("ck_sscc_prefixes_last_number")),
        sa.ForeignKeyConstraint(["chosen_by_id"], ["staff.id"], name=op.f("fk_sscc_prefixes_chosen_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sscc_prefixes")),
        sa.UniqueConstraint("prefix", name=op.f("uq_sscc_prefixes_prefix")),
    )
    op.create_index(
        "uq_sscc_prefixes_in_use", "sscc_prefixes", ["in_use"], unique=True, postgresql_where=sa.text("in_use")
    )
    op.add_column("parcels", sa.Column("sscc", sa.String(), nullable=True))
    op.create_unique_constraint(op.f("uq_parcels_sscc"), "parcels", ["sscc"])


def downgrade() -> None:
    op.drop_column("parcels", "sscc")
    op.drop_table("sscc_prefixes")
