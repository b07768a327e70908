"""Who has the offices' work: returns, support and finance."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

OPEN = sa.text("done_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "office_work",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("giver", sa.String(), nullable=True),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("came_back", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=name != "offered_at") for name in MOMENTS),
        sa.CheckConstraint("state IN ('offered', 'accepted', 'refused')", name=op.f("ck_office_work_state")),
        sa.CheckConstraint("office IN ('returns', 'support', 'finance')", name=op.f("ck_office_work_office")),
        sa.CheckConstraint("(state = 'offered') = (answered_at IS NULL)", name=op.f("ck_office_work_answered")),
        sa.CheckConstraint(
            "state <> 'refused' OR (reason <> '' AND done_at IS NOT NULL)", name=op.f("ck_office_work_refused")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_office_work_order_id_orders")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_office_work_owner_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_office_work")),
    )
    op.create_index("uq_office_work_open", "office_work", ["kind", "subject_id"], unique=True, postgresql_where=OPEN)
    op.create_index("ix_office_work_subject", "office_work", ["kind", "subject_id", "id"])
    op.create_index("ix_office_work_done", "office_work", ["done_at"], postgresql_where=sa.text("done_at IS NOT NULL"))
    op.create_index(op.f("ix_office_work_order_id"), "office_work", ["order_id"])
    op.create_index(op.f("ix_office_work_owner_id"), "office_work", ["owner_id"])


MOMENTS = ("offered_at", "answered_at", "done_at", "told_at", "warned_at")


def downgrade() -> None:
    op.drop_table("office_work")
