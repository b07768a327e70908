"""How far up a case has gone, and how long a silence ends it."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("escalated", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_check_constraint(op.f("ck_cases_escalated"), "cases", "escalated BETWEEN 0 AND 2")
    op.add_column("survey_terms", sa.Column("silence_days", sa.BigInteger(), nullable=False, server_default="14"))
    op.create_check_constraint(op.f("ck_survey_terms_silence"), "survey_terms", "silence_days BETWEEN 3 AND 90")


def downgrade() -> None:
    op.drop_column("survey_terms", "silence_days")
    op.drop_column("cases", "escalated")
