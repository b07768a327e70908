"""Whom the shop's own sign-in vouches for."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff", sa.Column("sso_issuer", sa.String(), nullable=True))
    op.add_column("staff", sa.Column("sso_subject", sa.String(), nullable=True))
    op.create_unique_constraint("uq_staff_sso_issuer_sso_subject", "staff", ["sso_issuer", "sso_subject"])


def downgrade() -> None:
    op.drop_constraint("uq_staff_sso_issuer_sso_subject", "staff")
    op.drop_column("staff", "sso_subject")
    op.drop_column("staff", "sso_issuer")
