"""The working calendar, couriers' days on the road, the risk of a parcel, and promises that broke."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    op.create_table(
        "warehouse_hours",
        _id(),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("weekdays", postgresql.JSONB(), nullable=False),
        sa.Column("cutoff", sa.Time(), nullable=False),
        sa.Column("handling_days", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_warehouse_hours_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warehouse_hours")),
    )
    op.create_table(
        "closed_days",
        _id(),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closed_days")),
        sa.UniqueConstraint("day", name=op.f("uq_closed_days_day")),
    )
    op.create_table(
        "transit_times",
        _id(),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.Column("usual", sa.Boolean(), nullable=False),
        sa.CheckConstraint("days BETWEEN 0 AND 90", name=op.f("ck_transit_times_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transit_times")),
        sa.UniqueConstraint("courier", "country", name=op.f("uq_transit_times_courier_country")),
    )
    op.add_column("parcels", sa.Column("expected_on", sa.Date(), nullable=True))
    op.add_column("parcels", sa.Column("risk", sa.String(), nullable=True))
    op.create_index("ix_parcels_risk", "parcels", ["risk"], postgresql_where=sa.text("risk IS NOT NULL"))
    op.create_table(
        "promise_breaks",
        _id(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("choice", sa.String(), nullable=True),
        sa.Column("chosen_on", sa.Date(), nullable=True),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("choice IN ('wait', 'another_day', 'cancel')", name=op.f("ck_promise_breaks_choice")),
        sa.CheckConstraint("num_nulls(choice, chosen_at) IN (0, 2)", name=op.f("ck_promise_breaks_chosen")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_promise_breaks_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_breaks")),
        sa.UniqueConstraint("order_id", "number", name=op.f("uq_promise_breaks_order_id_number")),
    )
    op.create_index("ix_promise_breaks_latest", "promise_breaks", ["order_id", "id"])


def downgrade() -> None:
    op.drop_table("promise_breaks")
    op.drop_index("ix_parcels_risk", "parcels")
    op.drop_column("parcels", "risk")
    op.drop_column("parcels", "expected_on")
    for table in ("transit_times", "closed_days", "warehouse_hours"):
        op.drop_table(table)
