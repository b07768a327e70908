"""Parcels: what travels, and what the courier says of it."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.models import Order, OrderLine

STATES = ("to_pick", "picking", "picked", "packed", "handed_over", "cancelled")
TRACKING = (
    "unknown", "label_created", "picked_up", "in_transit", "delayed", "out_for_delivery", "attempt_failed",
    "ready_for_pickup", "delivered", "returning", "returned", "exception", "cancelled", "expired",
)  # fmt: skip


class Parcel(Base):
    """One parcel of an order: `state` is what the warehouse did, `tracking_status` is computed from the courier's events."""

    __tablename__ = "parcels"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"tracking_status IN {TRACKING}", name="tracking_status"),
        CheckConstraint("state <> 'handed_over' OR (courier IS NOT NULL AND tracking_number IS NOT NULL)", name="handed_over"),
        Index("ix_parcels_queue", "state", "id", postgresql_where="state IN ('to_pick', 'picking', 'picked', 'packed')"),
    )
    MOVES = {
        "state": {
            "start_picking": (("to_pick",), "picking"),
            "put_back": (("picking",), "to_pick"),
            "finish_picking": (("picking",), "picked"),
            "pack": (("picked",), "packed"),
            "hand_over": (("packed",), "handed_over"),
            "cancel": (("to_pick", "picking", "picked", "packed"), "cancelled"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    ref: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="to_pick")
    picker_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    weight_grams: Mapped[int | None]
    courier: Mapped[str | None]
    tracking_number: Mapped[str | None] = mapped_column(index=True)
    tracking_status: Mapped[str] = mapped_column(default="unknown")
    action_required: Mapped[bool] = mapped_column(default=False)
    estimate_on: Mapped[date | None]
    last_event_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    packed_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship()
    lines: Mapped[list["ParcelLine"]] = relationship(order_by="ParcelLine.id", back_populates="parcel")
    events: Mapped[list["CourierEvent"]] = relationship(order_by="CourierEvent.at")


class ParcelLine(Base):
    """How many pieces of an order's line travel in this parcel, and how many were picked."""

    __tablename__ = "parcel_lines"
    __table_args__ = (
        UniqueConstraint("parcel_id", "order_line_id"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("picked BETWEEN 0 AND quantity", name="picked"),
    )
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    quantity: Mapped[int]
    picked: Mapped[int] = mapped_column(default=0)
    parcel: Mapped[Parcel] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)


class CourierEvent(Base):
    """One fact from a courier. Same time, code and place is the same event; numbers are recycled, so never a key alone."""

    __tablename__ = "courier_events"
    __table_args__ = (UniqueConstraint("parcel_id", "at", "code", "place"),)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), index=True)
    at: Mapped[datetime]
    at_raw: Mapped[str] = mapped_column(default="")
    offset_assumed: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    code: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime]
