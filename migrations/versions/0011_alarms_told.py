"""More kinds of alarms about money, and a count of messages whose signature is wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BEFORE = (
    "'unknown_here', 'missing_at_stripe', 'differs', 'balance', 'too_much', 'unknown_long', 'pending_long', 'silent'"
)
NEW = "'bad_signature', 'key_refused', 'disputed'"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_money_alarms_kind"), "money_alarms")
    op.create_check_constraint(op.f("ck_money_alarms_kind"), "money_alarms", f"kind IN ({BEFORE}, {NEW})")
    op.create_table(
        "inbox_refusals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_refusals")),
        sa.UniqueConstraint("source", name=op.f("uq_inbox_refusals_source")),
    )


def downgrade() -> None:
    op.drop_table("inbox_refusals")
    op.execute("DELETE FROM money_alarms WHERE kind IN ('bad_signature', 'key_refused', 'disputed')")
    op.drop_constraint(op.f("ck_money_alarms_kind"), "money_alarms")
    op.create_check_constraint(op.f("ck_money_alarms_kind"), "money_alarms", f"kind IN ({BEFORE})")
