"""Parcels: what travels, and what the courier says of it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.adapters.couriers import Tracking
from portal.db import Base
from portal.orders.models import Order, OrderLine
from portal.staff.models import Staff

STATES = ("to_pick", "picking", "picked", "packed", "handed_over", "cancelled")
TRACKING = tuple(str(status) for status in Tracking)


class Parcel(Base):
    """One parcel: `state` says what the warehouse did, `tracking_status` follows from the courier's events."""

    __tablename__ = "parcels"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"tracking_status IN {TRACKING}", name="tracking_status"),
        CheckConstraint(
            "state <> 'handed_over' OR (courier IS NOT NULL AND tracking_number IS NOT NULL)", name="handed_over"
        ),
        Index(
            "ix_parcels_queue", "state", "id", postgresql_where="state IN ('to_pick', 'picking', 'picked', 'packed')"
        ),
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
    estimated_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    packed_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship()
    picker: Mapped[Staff | None] = relationship()
    lines: Mapped[list["ParcelLine"]] = relationship(order_by="ParcelLine.id", back_populates="parcel")
    events: Mapped[list["CourierEvent"]] = relationship(order_by="CourierEvent.at")

    @property
    def to(self) -> dict[str, Any]:
        """Where it goes, as the channel wrote it."""
        return self.order.ship_to or {}


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

    @property
    def left(self) -> int:
        """Pieces still to be picked."""
        return self.quantity - self.picked

    @property
    def title(self) -> str:
        return self.line.title

    @property
    def variant(self) -> str:
        return self.line.variant

    @property
    def told(self) -> tuple[str, str]:
        """What a letter says of it: what, and how many."""
        return f"{self.title}, {self.variant}" if self.variant else self.title, f"× {self.quantity}"


class CourierEvent(Base):
    """One fact from a courier. What has the same time, code, place and meaning is the same event."""

    __tablename__ = "courier_events"
    __table_args__ = (UniqueConstraint("parcel_id", "at", "code", "place", "status"),)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), index=True)
    at: Mapped[datetime]
    at_raw: Mapped[str] = mapped_column(default="")
    offset_assumed: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    code: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime]
