"""What is kept counted of orders and answers, so that insight is as quick with a million as with a thousand."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("promise", sa.String(), nullable=True),
        sa.Column("back", sa.String(), nullable=True),
        sa.Column("courier", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("products", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("marks", postgresql.JSONB(), nullable=False),
        sa.Column("said_on", sa.Date(), nullable=True),
        sa.Column("said", sa.BigInteger(), nullable=True),
        sa.Column("stems", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=True),
        sa.CheckConstraint("said BETWEEN -1 AND 1", name=op.f("ck_counted_said")),
        sa.CheckConstraint("(order_id IS NULL) = (key < 0)", name=op.f("ck_counted_key")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_counted_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counted")),
        sa.UniqueConstraint("key", name=op.f("uq_counted_key")),
    )
    op.create_index(op.f("ix_counted_order_id"), "counted", ["order_id"])
    op.create_index("ix_counted_search", "counted", ["search"], postgresql_using="gin")
    op.create_index(
        "ix_counted_said", "counted", ["said_on", "key"],
        postgresql_where=sa.text("said_on IS NOT NULL"),
    )  # fmt: skip
    _tallies()
    _word_tallies()
    _score_alarms()


def _tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column("within", sa.String(), nullable=False),
        sa.Column("within_value", sa.String(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dimension", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("n", "good", "bad", "total")),
        sa.CheckConstraint("grain IN ('day', 'week')", name=op.f("ck_tallies_grain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tallies")),
        sa.UniqueConstraint(
            "grain", "within", "within_value", "measure", "day", "dimension", "value", name="uq_tallies_cell"
        ),
    )
    op.create_index(
        "ix_tallies_across", "tallies", ["dimension", "value", "measure", "day"],
        postgresql_where=sa.text("within <> ''"),
    )  # fmt: skip


def _word_tallies() -> None:
    op.create_table(
        "word_tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("stem", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("n", "good", "bad")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_word_tallies")),
        sa.UniqueConstraint("about", "language", "stem", "day", name="uq_word_tallies_cell"),
    )
    op.create_index("ix_word_tallies_many", "word_tallies", ["about", "language", "day", "n"])
    op.create_index("ix_word_tallies_none", "word_tallies", ["id"], postgresql_where=sa.text("n = 0"))


def _score_alarms() -> None:
    numbers = ("n", "good", "bad", "before_n", "before_good", "before_bad")
    op.create_table(
        "score_alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "dimension", "value")),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name=op.f("ck_score_alarms_closed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_alarms")),
    )
    op.create_index(
        "uq_score_alarms_open", "score_alarms", ["kind", "dimension", "value"], unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("score_alarms")
    op.drop_table("word_tallies")
    op.drop_table("tallies")
    op.drop_table("counted")
