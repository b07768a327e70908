"""What customers paid for the way back of a claim, and how it was given back."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("claims", sa.Column("postage", sa.BigInteger(), nullable=True))
    op.add_column("claims", sa.Column("postage_note", sa.String(), nullable=False, server_default=""))
    op.alter_column("claims", "postage_note", server_default=None)
    op.add_column("claims", sa.Column("postage_paid_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("claims", sa.Column("postage_paid_by_id", sa.BigInteger(), nullable=True))
    paid_by = op.f("fk_claims_postage_paid_by_id_staff")
    op.create_foreign_key(paid_by, "claims", "staff", ["postage_paid_by_id"], ["id"])
    op.create_check_constraint(op.f("ck_claims_postage"), "claims", "postage > 0")
    told = "postage_paid_at IS NULL OR postage IS NOT NULL"
    op.create_check_constraint(op.f("ck_claims_postage_paid"), "claims", told)


def downgrade() -> None:
    for name in ("postage_paid_by_id", "postage_paid_at", "postage_note", "postage"):
        op.drop_column("claims", name)
