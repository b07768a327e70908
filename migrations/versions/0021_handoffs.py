"""Hand-offs between departments."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "handoffs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.Column("giver", sa.String(), nullable=True),
        sa.Column("department", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('offered', 'accepted', 'refused')", name=op.f("ck_handoffs_state")),
        sa.CheckConstraint("department IN ('picking', 'packing', 'shipping')", name=op.f("ck_handoffs_department")),
        sa.CheckConstraint("(state = 'offered') = (answered_at IS NULL)", name=op.f("ck_handoffs_answered")),
        sa.CheckConstraint(
            "state <> 'refused' OR (reason <> '' AND done_at IS NOT NULL)", name=op.f("ck_handoffs_refused")
        ),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_handoffs_parcel_id_parcels")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_handoffs_owner_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
    )
    op.create_index("uq_handoffs_open", "handoffs", ["parcel_id"], unique=True, postgresql_where="done_at IS NULL")
    op.create_index("ix_handoffs_parcel", "handoffs", ["parcel_id", "id"])
    op.create_index("ix_handoffs_done", "handoffs", ["done_at"], postgresql_where="done_at IS NOT NULL")
    op.create_index(op.f("ix_handoffs_owner_id"), "handoffs", ["owner_id"])


def downgrade() -> None:
    op.drop_table("handoffs")
