"""The shop's policy for returns, reasons in two levels, articles, and rules that a person overruled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

REASONS = (
    ("fit", "", False), ("too_small", "fit", False), ("too_large", "fit", False),
    ("mind", "", False), ("changed_mind", "mind", False), ("looks_different", "mind", False),
    ("too_late", "mind", False),
    ("wrong", "", False), ("not_as_described", "wrong", True), ("wrong_item", "wrong", True),
    ("damaged", "wrong", True), ("defective", "wrong", True),
    ("else", "", False), ("other", "else", False),
)  # fmt: skip
"""Codes of the reasons that every shop begins with, their group, and whether the mistake was ours."""


def upgrade() -> None:
    op.create_table(
        "return_policies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("window_days", sa.BigInteger(), nullable=True),
        sa.Column("terms", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["made_by_id"], ["staff.id"], name=op.f("fk_return_policies_made_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_policies")),
    )
    op.create_table(
        "return_overrides",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("fk_return_overrides_return_id_returns")),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_return_overrides_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_overrides")),
    )
    op.create_index(op.f("ix_return_overrides_return_id"), "return_overrides", ["return_id"])
    articles = ("product", "type", "variant", "title", "price")
    op.create_table(
        "articles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in articles),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
        sa.UniqueConstraint("sku", name=op.f("uq_articles_sku")),
    )
    op.create_index(op.f("ix_articles_product"), "articles", ["product"])
    asked = "IN ('off', 'optional', 'required')"
    reasons = op.create_table(
        "return_reasons",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("types", JSONB(), nullable=False),
        sa.Column("fault", sa.Boolean(), nullable=False),
        sa.Column("photo", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("labels", JSONB(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_return_reasons")),
        sa.UniqueConstraint("code", name=op.f("uq_return_reasons_code")),
        sa.CheckConstraint(f"photo {asked}", name=op.f("ck_return_reasons_photo")),
        sa.CheckConstraint(f"words {asked}", name=op.f("ck_return_reasons_words")),
    )
    op.bulk_insert(
        reasons,
        [
            {
                "code": code, "group": group, "types": [], "fault": fault, "photo": "off", "words": "optional",
                "labels": {}, "place": place,
            }
            for place, (code, group, fault) in enumerate(REASONS, 1)
        ],
    )  # fmt: skip
    op.add_column("returns", sa.Column("policy_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_returns_policy_id_return_policies"), "returns", "return_policies", ["policy_id"], ["id"]
    )
    op.add_column("return_lines", sa.Column("condition", sa.String(), nullable=False, server_default=""))
    op.alter_column("return_lines", "condition", server_default=None)
    op.create_check_constraint(
        op.f("ck_return_lines_condition"), "return_lines", "condition IN ('', 'sealed', 'opened', 'used')"
    )


def downgrade() -> None:
    op.drop_column("return_lines", "condition")
    op.drop_column("returns", "policy_id")
    for table in ("return_reasons", "articles", "return_overrides", "return_policies"):
        op.drop_table(table)
