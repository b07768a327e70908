"""What customers choose for their goods, what is taken from the money, and the bonus on store credit."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

SIGN = "amount <> 0 AND (kind IN ({})) = (amount > 0)"


def upgrade() -> None:
    for name, default in (("choice", "money"), ("variant_sku", ""), ("variant", "")):
        op.add_column("return_lines", sa.Column(name, sa.String(), nullable=False, server_default=default))
        op.alter_column("return_lines", name, server_default=None)
    op.create_check_constraint(
        op.f("ck_return_lines_choice"), "return_lines", "choice IN ('money', 'exchange', 'credit', 'keep')"
    )
    op.create_check_constraint(
        op.f("ck_return_lines_variant"), "return_lines", "(choice = 'exchange') = (variant_sku <> '')"
    )
    op.create_table(
        "return_fees",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("return_line_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["return_line_id"], ["return_lines.id"], name=op.f("fk_return_fees_return_line_id_return_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_fees")),
        sa.UniqueConstraint("return_line_id", "kind", name=op.f("uq_return_fees_return_line_id_kind")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_return_fees_amount")),
        sa.CheckConstraint("kind IN ('return', 'restocking', 'label')", name=op.f("ck_return_fees_kind")),
    )
    op.create_index(op.f("ix_return_fees_return_line_id"), "return_fees", ["return_line_id"])
    op.add_column("refunds", sa.Column("bonus", sa.BigInteger(), nullable=False, server_default="0"))
    op.alter_column("refunds", "bonus", server_default=None)
    op.create_check_constraint(op.f("ck_refunds_bonus"), "refunds", "bonus BETWEEN 0 AND 100")
    _entries("'issued', 'bonus', 'spent', 'undone', 'taken_back'", "'issued', 'bonus', 'undone'")


def _entries(kinds: str, positive: str) -> None:
    for name, check in (("kind", f"kind IN ({kinds})"), ("sign", SIGN.format(positive))):
        op.drop_constraint(op.f(f"ck_credit_entries_{name}"), "credit_entries")
        op.create_check_constraint(op.f(f"ck_credit_entries_{name}"), "credit_entries", check)


def downgrade() -> None:
    _entries("'issued', 'spent', 'undone', 'taken_back'", "'issued', 'undone'")
    op.drop_column("refunds", "bonus")
    op.drop_table("return_fees")
    for name in ("choice", "variant_sku", "variant"):
        op.drop_column("return_lines", name)
