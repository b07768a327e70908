"""Limits for who approves how much money, and the journal of who set them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE TRIGGER money_limit_changes_append_only BEFORE UPDATE OR DELETE ON money_limit_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def _terms() -> list[sa.Column[object]]:
    return [
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.Column("per_day", sa.BigInteger(), nullable=True),
    ]


def upgrade() -> None:
    op.create_table(
        "money_limits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_terms(),
        sa.CheckConstraint("role IN ('finance', 'manager')", name=op.f("ck_money_limits_role")),
        sa.CheckConstraint("currency = upper(currency)", name=op.f("ck_money_limits_currency")),
        sa.CheckConstraint("most >= 0 AND per_day >= 0", name=op.f("ck_money_limits_amounts")),
        sa.CheckConstraint("num_nulls(most, per_day) < 2", name=op.f("ck_money_limits_something")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_limits")),
        sa.UniqueConstraint("role", "currency", "reason", name=op.f("uq_money_limits_role_currency_reason")),
    )
    op.create_table(
        "money_limit_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_terms(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_money_limit_changes_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_limit_changes")),
    )
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("money_limit_changes")
    op.drop_table("money_limits")
