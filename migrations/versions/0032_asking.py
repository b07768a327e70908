"""When customers are asked how it was, on which ground, and who said yes."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

REASONS = "reason IN ('delivered', 'return_settled', 'case_closed')"


def upgrade() -> None:
    op.create_table(
        "survey_grounds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("chosen_by_id", sa.BigInteger(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ground IN ('off', 'consent', 'existing_customer')", name=op.f("ck_survey_grounds_ground")),
        sa.ForeignKeyConstraint(["chosen_by_id"], ["staff.id"], name=op.f("fk_survey_grounds_chosen_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_grounds")),
    )
    op.create_index("ix_survey_grounds_country", "survey_grounds", ["country", "id"])
    op.create_table(
        "survey_consents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_survey_consents_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_consents")),
        sa.UniqueConstraint("digest", name=op.f("uq_survey_consents_digest")),
    )
    op.create_index(op.f("ix_survey_consents_order_id"), "survey_consents", ["order_id"])
    op.create_table(
        "survey_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("after_days", sa.BigInteger(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("working_days", sa.Boolean(), nullable=False),
        sa.Column("remind_days", sa.BigInteger(), nullable=False),
        sa.Column("quiet_days", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_survey_terms_one")),
        sa.CheckConstraint(
            "after_days BETWEEN 1 AND 60 AND remind_days BETWEEN 0 AND 25", name=op.f("ck_survey_terms_days")
        ),
        sa.CheckConstraint("hour BETWEEN 6 AND 20 AND quiet_days BETWEEN 1 AND 365", name=op.f("ck_survey_terms_hour")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_terms")),
    )
    _widen_invitations()


def _widen_invitations() -> None:
    reason = sa.Column("reason", sa.String(), nullable=False, server_default="delivered")
    op.add_column("survey_invitations", reason)
    op.create_check_constraint(op.f("ck_survey_invitations_reason"), "survey_invitations", REASONS)
    op.add_column("survey_invitations", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("survey_invitations", sa.Column("ground", sa.String(), nullable=False, server_default=""))
    for column, table, ends in (
        ("ground_id", "survey_grounds", None),
        ("consent_id", "survey_consents", "SET NULL"),
    ):
        op.add_column("survey_invitations", sa.Column(column, sa.BigInteger(), nullable=True))
        name = op.f(f"fk_survey_invitations_{column}_{table}")
        op.create_foreign_key(name, "survey_invitations", table, [column], ["id"], ondelete=ends)


def downgrade() -> None:
    for column in ("consent_id", "ground_id", "ground", "reminded_at", "reason"):
        op.drop_column("survey_invitations", column)
    for table in ("survey_terms", "survey_consents", "survey_grounds"):
        op.drop_table(table)
