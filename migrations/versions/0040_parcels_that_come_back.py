"""Parcels that come back, and what couriers say of them."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

TRACKING = (
    "'unknown', 'label_created', 'picked_up', 'in_transit', 'delayed', 'out_for_delivery', 'attempt_failed', "
    "'ready_for_pickup', 'delivered', 'returning', 'returned', 'exception', 'cancelled', 'expired'"
)


def upgrade() -> None:
    op.create_table(
        "back_parcels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("return_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("courier", sa.String(), nullable=True),
        sa.Column("tracking_number", sa.String(), nullable=True),
        sa.Column("tracking_status", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("added_by_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("source IN ('typed', 'own', 'bought', 'shown')", name=op.f("ck_back_parcels_source")),
        sa.CheckConstraint(f"tracking_status IN ({TRACKING})", name=op.f("ck_back_parcels_tracking_status")),
        sa.CheckConstraint(
            "source <> 'shown' OR (scanned_at IS NOT NULL AND note <> '')", name=op.f("ck_back_parcels_shown")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_back_parcels_order_id_orders")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("fk_back_parcels_return_id_returns")),
        sa.ForeignKeyConstraint(["added_by_id"], ["staff.id"], name=op.f("fk_back_parcels_added_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_parcels")),
        sa.UniqueConstraint("ref", name=op.f("uq_back_parcels_ref")),
    )
    op.create_index("ix_back_parcels_order_id", "back_parcels", ["order_id"])
    op.create_index("ix_back_parcels_return_id", "back_parcels", ["return_id"])
    op.create_index(
        "ix_back_parcels_number", "back_parcels", ["tracking_number"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.alter_column("courier_events", "parcel_id", nullable=True)
    op.add_column("courier_events", sa.Column("back_parcel_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_courier_events_back_parcel_id_back_parcels"),
        "courier_events",
        "back_parcels",
        ["back_parcel_id"],
        ["id"],
    )
    op.create_index("ix_courier_events_back_parcel_id", "courier_events", ["back_parcel_id"])
    op.create_unique_constraint(
        op.f("uq_courier_events_back_parcel_id_at_code_place_status"),
        "courier_events",
        ["back_parcel_id", "at", "code", "place", "status"],
    )
    op.create_check_constraint(
        op.f("ck_courier_events_about"), "courier_events", "(parcel_id IS NULL) <> (back_parcel_id IS NULL)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM courier_events WHERE parcel_id IS NULL")
    op.drop_constraint(op.f("ck_courier_events_about"), "courier_events", type_="check")
    op.drop_constraint(op.f("uq_courier_events_back_parcel_id_at_code_place_status"), "courier_events", type_="unique")
    op.drop_column("courier_events", "back_parcel_id")
    op.alter_column("courier_events", "parcel_id", nullable=False)
    op.drop_table("back_parcels")
