"""Parcels: what travels, and what the courier says of it."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.adapters.couriers import Tracking
from portal.adapters.couriers.selling import Rate
from portal.db import Base
from portal.lib.money import Money
from portal.orders.models import Order, OrderLine
from portal.staff.models import Staff

LIFE = timedelta(days=120)
"""So long after it was handed over a number still means this parcel; then the courier uses it for another."""
STATES = ("to_pick", "picking", "picked", "packed", "handed_over", "cancelled")
TRACKING = tuple(str(status) for status in Tracking)
OPEN = (
    "state IN ('to_pick', 'picking', 'picked', 'packed') OR (state = 'handed_over' AND tracking_status <> 'delivered')"
)
"""Parcels that some list of the warehouse may show, in SQL: of a shop's whole past they are few, and have an index."""


class Parcel(Base):
    """One parcel: `state` says what the warehouse did, `tracking_status` follows from the courier's events.

    `estimate_on` is what the courier says; `expected_on` and `risk` what our sweep makes of all that is known.
    `fate` is what people decided of one that will not arrive; until `quiet_until` nobody need look at it.
    In a wave it may have a `basket` of its own on the picker's cart.
    """

    __tablename__ = "parcels"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"tracking_status IN {TRACKING}", name="tracking_status"),
        CheckConstraint("fate IN ('lost', 'sent_again', 'money_back')", name="fate"),
        CheckConstraint(
            "state <> 'handed_over' OR (courier IS NOT NULL AND tracking_number IS NOT NULL)", name="handed_over"
        ),
        Index(
            "ix_parcels_queue", "state", "id", postgresql_where="state IN ('to_pick', 'picking', 'picked', 'packed')"
        ),
        Index("ix_parcels_open", "id", postgresql_where=OPEN),
        Index("ix_parcels_risk", "risk", postgresql_where="risk IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "start_picking": (("to_pick",), "picking"),
            "put_back": (("picking",), "to_pick"),
            "send_back": (("picked",), "to_pick"),
            "unpack": (("packed",), "picked"),
            "finish_picking": (("picking",), "picked"),
            "pack": (("picked",), "packed"),
            "hand_over": (("packed",), "handed_over"),
            "write_off": (("handed_over",), "cancelled"),
            "cancel": (("to_pick", "picking", "picked", "packed"), "cancelled"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    ref: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="to_pick")
    picker_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    weight_grams: Mapped[int | None]
    box_id: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"))
    courier: Mapped[str | None]
    tracking_number: Mapped[str | None] = mapped_column(index=True)
    sscc: Mapped[str | None] = mapped_column(unique=True)
    tracking_status: Mapped[str] = mapped_column(default="unknown")
    action_required: Mapped[bool] = mapped_column(default=False)
    estimate_on: Mapped[date | None]
    estimated_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    expected_on: Mapped[date | None]
    risk: Mapped[str | None]
    created_at: Mapped[datetime]
    packed_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    quiet_until: Mapped[datetime | None]
    fate: Mapped[str | None]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("parcels.id"))
    wave_id: Mapped[int | None] = mapped_column(ForeignKey("waves.id"), index=True)
    basket: Mapped[int | None]

    order: Mapped[Order] = relationship()
    picker: Mapped[Staff | None] = relationship()
    lines: Mapped[list["ParcelLine"]] = relationship(order_by="ParcelLine.id", back_populates="parcel")
    events: Mapped[list["CourierEvent"]] = relationship(order_by="CourierEvent.at")

    @property
    def to(self) -> dict[str, Any]:
        """Where it goes, as the channel wrote it."""
        return self.order.ship_to or {}


class ParcelLine(Base):
    """How many pieces of an order's line travel in this parcel, how many were picked, and how many are not there.

    `boxed` are those that the packer has checked and put into the box. Of `short` pieces somebody has to decide what
    becomes of them (`shorts.ShortPick`).
    """

    __tablename__ = "parcel_lines"
    __table_args__ = (
        UniqueConstraint("parcel_id", "order_line_id"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("picked BETWEEN 0 AND quantity", name="picked"),
        CheckConstraint("short BETWEEN 0 AND quantity - picked", name="short"),
        CheckConstraint("boxed BETWEEN 0 AND picked", name="boxed"),
    )
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    quantity: Mapped[int]
    picked: Mapped[int] = mapped_column(default=0)
    boxed: Mapped[int] = mapped_column(default=0)
    short: Mapped[int] = mapped_column(default=0)
    parcel: Mapped[Parcel] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)

    @property
    def left(self) -> int:
        """Pieces still to be picked."""
        return self.quantity - (self.picked or 0) - (self.short or 0)

    @property
    def to_box(self) -> int:
        """Pieces that are not in the box yet."""
        return self.quantity - (self.boxed or 0)

    @property
    def title(self) -> str:
        return self.line.title

    @property
    def variant(self) -> str:
        return self.line.variant

    @property
    def delivered_at(self) -> datetime | None:
        return self.parcel.delivered_at

    @property
    def fate(self) -> str | None:
        return self.parcel.fate

    @property
    def told(self) -> tuple[str, str]:
        """What a letter says of it: what, and how many."""
        return f"{self.title}, {self.variant}" if self.variant else self.title, f"× {self.quantity}"


class CourierEvent(Base):
    """One fact from a courier, of a parcel that leaves or one that comes back. What has the same time, code, place and
    meaning is the same event.

    `told_at` is when the courier told it in these words: couriers rewrite them, and the newest count.
    """

    __tablename__ = "courier_events"
    __table_args__ = (
        UniqueConstraint("parcel_id", "at", "code", "place", "status"),
        UniqueConstraint("back_parcel_id", "at", "code", "place", "status"),
        CheckConstraint("(parcel_id IS NULL) <> (back_parcel_id IS NULL)", name="about"),
    )
    parcel_id: Mapped[int | None] = mapped_column(ForeignKey("parcels.id"), index=True)
    back_parcel_id: Mapped[int | None] = mapped_column(ForeignKey("back_parcels.id"), index=True)
    at: Mapped[datetime]
    at_raw: Mapped[str] = mapped_column(default="")
    offset_assumed: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    code: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    told_at: Mapped[datetime | None]
    received_at: Mapped[datetime]


SOURCES = ("typed", "own", "bought", "shown")
"""The customer told us the number, we made the label, we bought it, or somebody showed us that it was sent."""


class BackParcel(Base):
    """One parcel of a return. From `since` on a scan of its number can be about it; at `ended_at` it was taken out.

    `scanned_at` is the courier's first scan, or when somebody showed us that it was sent: proof of dispatch.
    """

    __tablename__ = "back_parcels"
    __table_args__ = (
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint(f"tracking_status IN {TRACKING}", name="tracking_status"),
        CheckConstraint("source <> 'shown' OR (scanned_at IS NOT NULL AND note <> '')", name="shown"),
        Index("ix_back_parcels_number", "tracking_number", postgresql_where="ended_at IS NULL"),
    )
    ref: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    return_id: Mapped[int] = mapped_column(ForeignKey("returns.id"), index=True)
    source: Mapped[str]
    courier: Mapped[str | None]
    tracking_number: Mapped[str | None]
    tracking_status: Mapped[str] = mapped_column(default="unknown")
    since: Mapped[datetime]
    created_at: Mapped[datetime]
    scanned_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    order: Mapped[Order] = relationship()
    added_by: Mapped[Staff | None] = relationship()
    events: Mapped[list[CourierEvent]] = relationship(order_by="CourierEvent.at.desc()")

    @property
    def begins_at(self) -> datetime:
        return self.since

    @property
    def ends_at(self) -> datetime:
        """So long its number means this parcel; then the courier uses it for another."""
        return self.created_at + LIFE

    @property
    def shown_number(self) -> str:
        """Its last signs, for who may not see all of it."""
        return f"…{self.tracking_number[-4:]}" if self.tracking_number else ""


class Lane(Base):
    """How long a courier usually says nothing on its way to a country, learnt from parcels that arrived."""

    __tablename__ = "lanes"
    __table_args__ = (UniqueConstraint("courier", "country"),)
    courier: Mapped[str]
    country: Mapped[str]
    silent_after: Mapped[timedelta]
    gaps: Mapped[int]
    learnt_at: Mapped[datetime]


LIVING_PURCHASES = ("quoting", "quoted", "requested", "sent", "unknown", "bought", "voiding")


class LabelPurchase(Base):
    """One label to be bought of a courier: a row before the call, under a reference of ours, never paid for twice.

    `unknown` may have been bought: it is looked up before anything else is done. `paper` is the label itself.
    """

    __tablename__ = "label_purchases"
    __table_args__ = (
        CheckConstraint(f"state IN {(*LIVING_PURCHASES, 'voided', 'failed', 'dropped')}", name="state"),
        CheckConstraint("state <> 'bought' OR tracking_number IS NOT NULL", name="bought"),
        Index(
            "uq_label_purchases_one_at_a_time",
            "parcel_id",
            unique=True,
            postgresql_where=f"state IN {LIVING_PURCHASES}",
        ),
        Index(
            "uq_label_purchases_one_way_back",
            "back_parcel_id",
            unique=True,
            postgresql_where=f"state IN {LIVING_PURCHASES}",
        ),
        CheckConstraint("(parcel_id IS NULL) <> (back_parcel_id IS NULL)", name="about"),
        Index("ix_label_purchases_due", "next_look_at", postgresql_where="next_look_at IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "quote": (("quoting",), "quoted"),
            "choose": (("quoted",), "requested"),
            "drop": (("quoting", "quoted", "failed"), "dropped"),
            "claim": (("requested", "unknown", "sent"), "sent"),
            "postpone": (("sent",), "requested"),
            "lose": (("sent",), "unknown"),
            "buy": (("sent",), "bought"),
            "fail": (("quoting", "sent"), "failed"),
            "void": (("bought",), "voiding"),
            "keep": (("voiding",), "bought"),
            "take_back": (("voiding",), "voided"),
        }
    }

    parcel_id: Mapped[int | None] = mapped_column(ForeignKey("parcels.id"), index=True)
    back_parcel_id: Mapped[int | None] = mapped_column(ForeignKey("back_parcels.id"), index=True)
    seller: Mapped[str]
    reference: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="quoting")
    shipment_id: Mapped[str] = mapped_column(default="")
    rates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    rate_id: Mapped[str] = mapped_column(default="")
    carrier: Mapped[str] = mapped_column(default="")
    service: Mapped[str] = mapped_column(default="")
    cost: Mapped[int | None]
    currency: Mapped[str | None]
    tracking_number: Mapped[str | None]
    paper_at: Mapped[str] = mapped_column(default="")
    paper: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    paper_kind: Mapped[str] = mapped_column(default="")
    paper_digest: Mapped[str] = mapped_column(default="")
    trouble: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    first_sent_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    code: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    code_kind: Mapped[str] = mapped_column(default="")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime]
    bought_at: Mapped[datetime | None]

    parcel: Mapped[Parcel | None] = relationship()
    back: Mapped[BackParcel | None] = relationship()
    asked_by: Mapped[Staff | None] = relationship()

    @property
    def about(self) -> Parcel | BackParcel:
        """What it is for: a parcel that leaves, or one that comes back."""
        found = self.parcel or self.back
        assert found is not None
        return found

    @property
    def offers(self) -> list[Rate]:
        """What the courier asked for, the cheapest first."""
        return [
            Rate(rate["id"], rate["carrier"], rate["service"], Money(rate["cost"], rate["currency"]), rate["days"])
            for rate in self.rates
        ]

    @property
    def price(self) -> Money | None:
        return Money(self.cost, self.currency) if self.cost is not None and self.currency else None


class Van(Base):
    """A courier's van that is to come on a day. A row before the call, like a label; one per courier and day."""

    __tablename__ = "vans"
    __table_args__ = (
        CheckConstraint("state IN ('wanted', 'sent', 'booked', 'failed', 'leaving', 'cancelled')", name="state"),
        CheckConstraint("closes_at > opens_at", name="window"),
        Index(
            "uq_vans_one_a_day", "courier", "day", unique=True, postgresql_where="state NOT IN ('failed', 'cancelled')"
        ),
    )
    MOVES = {
        "state": {
            "claim": (("wanted", "sent"), "sent"),
            "book": (("sent",), "booked"),
            "fail": (("sent",), "failed"),
            "call_off": (("booked",), "leaving"),
            "cancel": (("leaving",), "cancelled"),
            "keep": (("leaving",), "booked"),
        }
    }

    courier: Mapped[str]
    day: Mapped[date]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="wanted")
    reference: Mapped[str] = mapped_column(unique=True)
    shipment_id: Mapped[str]
    remote_id: Mapped[str] = mapped_column(default="")
    confirmation: Mapped[str] = mapped_column(default="")
    cost: Mapped[int | None]
    currency: Mapped[str | None]
    trouble: Mapped[str] = mapped_column(default="")
    next_look_at: Mapped[datetime | None]
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[datetime]
