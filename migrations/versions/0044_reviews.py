"""Where customers may also say it in public."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_offers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("checked", sa.String(), nullable=False),
        sa.Column("chosen_by_id", sa.BigInteger(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("checked IN ('unchecked', 'invited', 'proven')", name=op.f("ck_review_offers_checked")),
        sa.ForeignKeyConstraint(["chosen_by_id"], ["staff.id"], name=op.f("fk_review_offers_chosen_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_offers")),
    )


def downgrade() -> None:
    op.drop_table("review_offers")
