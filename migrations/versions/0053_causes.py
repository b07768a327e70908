"""Causes behind cases and answers, with what was changed about them; when cases were opened and bad answers given."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

ONE = "(product <> '')::int + (courier <> '')::int + (department <> '')::int <= 1 AND (department = '' OR reason = '')"
FACTS = ("product", "courier", "department", "reason")


def upgrade() -> None:
    op.create_table(
        "causes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in (*FACTS, "state")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("owner_id", "opened_by_id")),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_causes_state")),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_causes_closed")),
        sa.CheckConstraint("product || courier || department || reason <> ''", name=op.f("ck_causes_about")),
        sa.CheckConstraint(ONE, name=op.f("ck_causes_one")),
        *(
            sa.ForeignKeyConstraint([name], ["staff.id"], name=op.f(f"fk_causes_{name}_staff"))
            for name in ("owner_id", "opened_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_causes")),
    )
    op.create_index(op.f("ix_causes_owner_id"), "causes", ["owner_id"])
    op.create_index("uq_causes_open", "causes", [*FACTS], unique=True, postgresql_where=sa.text("state = 'open'"))
    _changes()
    _members()
    op.create_index("ix_cases_opened", "cases", ["opened_at", "state"])
    op.create_index("ix_answers_bad", "answers", ["answered_at"], postgresql_where=sa.text("mood = 'bad'"))


def _changes() -> None:
    op.create_table(
        "cause_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("cause_id", "noted_by_id")),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["cause_id"], ["causes.id"], name=op.f("fk_cause_changes_cause_id_causes")),
        sa.ForeignKeyConstraint(["noted_by_id"], ["staff.id"], name=op.f("fk_cause_changes_noted_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cause_changes")),
    )
    op.create_index(op.f("ix_cause_changes_cause_id"), "cause_changes", ["cause_id"])


def _members() -> None:
    op.create_table(
        "cause_members",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=True)
            for name in ("cause_id", "case_id", "answer_id", "put_by_id")
        ),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(case_id, answer_id) = 1", name=op.f("ck_cause_members_one")),
        sa.ForeignKeyConstraint(["cause_id"], ["causes.id"], name=op.f("fk_cause_members_cause_id_causes")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_cause_members_case_id_cases")),
        sa.ForeignKeyConstraint(["answer_id"], ["answers.id"], name=op.f("fk_cause_members_answer_id_answers")),
        sa.ForeignKeyConstraint(["put_by_id"], ["staff.id"], name=op.f("fk_cause_members_put_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cause_members")),
        sa.UniqueConstraint("case_id", name=op.f("uq_cause_members_case_id")),
        sa.UniqueConstraint("answer_id", name=op.f("uq_cause_members_answer_id")),
    )
    op.create_index(op.f("ix_cause_members_cause_id"), "cause_members", ["cause_id"])


def downgrade() -> None:
    op.drop_index("ix_answers_bad", "answers")
    op.drop_index("ix_cases_opened", "cases")
    for table in ("cause_members", "cause_changes", "causes"):
        op.drop_table(table)
