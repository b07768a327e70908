"""Rules that open cases, in versions; what a case was opened for, whose it is; who is away."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

SCORE = "score IN ('bad', 'up_to', 'any') AND (score = 'up_to') = (score_to IS NOT NULL)"
USUAL = """
    INSERT INTO case_rules (code, number, name, trigger, question, score, words, sku, days_late, reason, department,
        severity, active, set_at)
    VALUES ('bad-answer', 1, 'A bad answer', 'answer', '', 'bad', '{}', '', 0, '', 'support', 2, true, now())
"""


def upgrade() -> None:
    op.create_table(
        "case_rules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("code", "name", "trigger", "question", "score")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("sku", "reason", "department")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("number", "days_late", "severity")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("score_to", "hours", "owner_id", "set_by_id")),
        sa.Column("words", postgresql.JSONB(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("trigger IN ('answer', 'late', 'return')", name=op.f("ck_case_rules_trigger")),
        sa.CheckConstraint(SCORE, name=op.f("ck_case_rules_score")),
        sa.CheckConstraint(
            "severity BETWEEN 1 AND 3 AND days_late BETWEEN 0 AND 60", name=op.f("ck_case_rules_bounds")
        ),
        sa.CheckConstraint("hours BETWEEN 1 AND 400", name=op.f("ck_case_rules_hours")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_case_rules_owner_id_staff")),
        sa.ForeignKeyConstraint(["set_by_id"], ["staff.id"], name=op.f("fk_case_rules_set_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_rules")),
        sa.UniqueConstraint("code", "number", name=op.f("uq_case_rules_code_number")),
    )
    op.execute(USUAL)
    _widen_cases()
    op.create_table(
        "staff_absences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_staff_absences_days")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_absences_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_absences")),
    )
    op.create_index(op.f("ix_staff_absences_staff_id"), "staff_absences", ["staff_id"])


def _widen_cases() -> None:
    for name, default in (("opened_for", "answer"), ("department", "support")):
        op.add_column("cases", sa.Column(name, sa.String(), nullable=False, server_default=default))
    op.add_column("cases", sa.Column("severity", sa.BigInteger(), nullable=False, server_default="2"))
    op.add_column("cases", sa.Column("hours", sa.BigInteger(), nullable=True))
    op.add_column("cases", sa.Column("rule_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_cases_rule_id_case_rules"), "cases", "case_rules", ["rule_id"], ["id"])
    op.create_check_constraint(op.f("ck_cases_opened_for"), "cases", "opened_for IN ('answer', 'late', 'return')")
    op.create_index("uq_cases_order_id_opened_for", "cases", ["order_id", "opened_for"], unique=True)


def downgrade() -> None:
    op.drop_table("staff_absences")
    for column in ("rule_id", "hours", "severity", "department", "opened_for"):
        op.drop_column("cases", column)
    op.drop_table("case_rules")
