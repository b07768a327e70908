"""Orders kept before they are promised, what channels change and give back, and what a person should look at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OPEN = sa.text("settled_at IS NULL")
WAITING = sa.text("state IN ('waiting', 'held')")


def upgrade() -> None:
    op.create_table(
        "order_flags",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("settled_by_id IS NULL OR settled_at IS NOT NULL", name=op.f("ck_order_flags_settled")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_flags_order_id")),
        sa.ForeignKeyConstraint(["settled_by_id"], ["staff.id"], name=op.f("fk_order_flags_settled_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_flags")),
    )
    op.create_index(op.f("ix_order_flags_order_id"), "order_flags", ["order_id"])
    op.create_index("uq_order_flags_open", "order_flags", ["order_id", "code"], unique=True, postgresql_where=OPEN)
    op.create_table(
        "order_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("diff", postgresql.JSONB(), nullable=False),
        sa.Column("copy", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'held', 'applied', 'left', 'overtaken')", name=op.f("ck_order_changes_state")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_changes_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_changes")),
    )
    op.create_index(op.f("ix_order_changes_order_id"), "order_changes", ["order_id"])
    op.create_index("uq_order_changes_open", "order_changes", ["order_id"], unique=True, postgresql_where=WAITING)
    op.create_table(
        "channel_refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_channel_refunds_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_channel_refunds_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_refunds")),
        sa.UniqueConstraint("order_id", "external_id", name=op.f("uq_channel_refunds_order_id_external_id")),
    )
    op.add_column("orders", sa.Column("external_rank", sa.String(), server_default="", nullable=False))
    op.alter_column("orders", "external_rank", server_default=None)
    op.add_column("orders", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE orders SET accepted_at = created_at")
    op.execute(
        "INSERT INTO order_flags (order_id, code, found_at, note)"
        " SELECT id, jsonb_array_elements_text(problems), created_at, '' FROM orders ON CONFLICT DO NOTHING"
    )
    op.execute(
        "INSERT INTO order_flags (order_id, code, found_at, note)"
        " SELECT id, CASE attention WHEN 'lines_changed' THEN 'changed' ELSE attention END, created_at, ''"
        " FROM orders WHERE attention IS NOT NULL ON CONFLICT DO NOTHING"
    )
    op.drop_column("orders", "problems")
    op.drop_column("orders", "attention")


def downgrade() -> None:
    op.add_column("orders", sa.Column("attention", sa.String(), nullable=True))
    op.add_column("orders", sa.Column("problems", postgresql.JSONB(), server_default="[]", nullable=False))
    op.alter_column("orders", "problems", server_default=None)
    op.execute(
        "UPDATE orders SET problems = asked.codes FROM (SELECT order_id, jsonb_agg(code) AS codes FROM order_flags"
        " WHERE settled_at IS NULL GROUP BY order_id) AS asked WHERE asked.order_id = orders.id"
    )
    op.drop_column("orders", "accepted_at")
    op.drop_column("orders", "external_rank")
    op.drop_table("channel_refunds")
    op.drop_table("order_changes")
    op.drop_table("order_flags")
