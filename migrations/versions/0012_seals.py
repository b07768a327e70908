"""Seals over what happened, and no way to empty it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

APPEND_ONLY = ("timeline", "staff_events", "refund_attempts", "stock_moves", "seals")


def upgrade() -> None:
    op.create_table(
        "seals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entry_of", sa.String(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seals")),
        sa.UniqueConstraint("entry_of", "entry_id", name=op.f("uq_seals_entry_of_entry_id")),
    )
    op.execute(
        "CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE ON seals"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for name in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {name}_never_emptied BEFORE TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for name in APPEND_ONLY:
        op.execute(f"DROP TRIGGER {name}_never_emptied ON {name}")
    op.drop_table("seals")
