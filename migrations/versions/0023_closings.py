"""Couriers' days, closed once, and what was agreed with them."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["closed_by_id"], ["staff.id"], name=op.f("fk_closings_closed_by_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closings")),
        sa.UniqueConstraint("courier", "day", name=op.f("uq_closings_courier_day")),
    )
    op.create_table(
        "closing_parcels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("closing_id", sa.BigInteger(), nullable=False),
        sa.Column("parcel_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["closing_id"], ["closings.id"], name=op.f("fk_closing_parcels_closing_id_closings")),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_closing_parcels_parcel_id_parcels")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_parcels")),
        sa.UniqueConstraint("parcel_id", name=op.f("uq_closing_parcels_parcel_id")),
    )
    op.create_index(op.f("ix_closing_parcels_closing_id"), "closing_parcels", ["closing_id"])
    op.create_table(
        "pickup_terms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("courier", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("order_until", sa.Time(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=False),
        sa.Column("closes", sa.Time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pickup_terms")),
        sa.UniqueConstraint("courier", name=op.f("uq_pickup_terms_courier")),
    )


def downgrade() -> None:
    for table in ("pickup_terms", "closing_parcels", "closings"):
        op.drop_table(table)
