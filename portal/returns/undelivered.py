"""Parcels that did not arrive: what the courier said last, what the customer can do, and the money for what was in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal.adapters.couriers import Tracking
from portal.db import session
from portal.fulfilment.models import CourierEvent, Parcel, ParcelLine
from portal.fulfilment.watching import RESENDABLE
from portal.lib.money import share
from portal.orders.models import Order
from portal.refunds.rules import RefundPart

STUCK = (*RESENDABLE, Tracking.returning)
"""The courier says that it will not come by itself."""
SCANNED_EARLY = timedelta(days=1)
"""Couriers sometimes say "delivered" some hours before they are at the door."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A parcel that somebody misses. `how` is a key of `claims_words.SEARCHED`; `said` what the courier said last.

    `until` is the day until which to wait; with `may_claim` the customer need wait no longer.
    """

    parcel: Parcel
    how: str
    said: CourierEvent | None
    until: date | None = None
    may_claim: bool = False

    @property
    def here(self) -> str:
        """Where the courier was last. For those who have shown the code."""
        return self.said.place if self.said else ""


def parcels_of(order: Order, *, patience: int, now: datetime, today: date) -> list[Searched]:
    """All parcels of the order, as somebody meets them who misses one."""
    found = select(Parcel).where(Parcel.order_id == order.id, Parcel.state != "cancelled")
    parcels = session.scalars(
        found.options(selectinload(Parcel.lines), selectinload(Parcel.events)).order_by(Parcel.id)
    )
    return [searched(parcel, order.promised_on, patience=patience, now=now, today=today) for parcel in parcels]


def searched(parcel: Parcel, promised_on: date, *, patience: int, now: datetime, today: date) -> Searched:
    """What the courier's events say about a parcel that somebody misses."""
    said = parcel.events[-1] if parcel.events else None
    if parcel.handed_over_at is None:
        return Searched(parcel, "here", None, max(promised_on, today))
    if parcel.delivered_at is not None:
        early = now < parcel.delivered_at + SCANNED_EARLY
        until = (parcel.delivered_at + SCANNED_EARLY).date() if early else None
        return Searched(parcel, "delivered", said, until, may_claim=True)
    if parcel.fate == "lost" or parcel.tracking_status in STUCK:
        return Searched(parcel, "stuck", said, may_claim=True)
    return _on_its_way(parcel, said, promised_on, patience, today)


def _on_its_way(parcel: Parcel, said: CourierEvent | None, promised_on: date, patience: int, today: date) -> Searched:
    expected = parcel.estimate_on or parcel.expected_on or promised_on
    until = max(expected, promised_on if not parcel.estimate_on else expected) + timedelta(days=patience)
    too_long = today > until
    at_hand = {Tracking.ready_for_pickup: "collect", Tracking.attempt_failed: "missed"}
    if how := at_hand.get(Tracking(parcel.tracking_status)):
        return Searched(parcel, how, said, may_claim=too_long)
    return Searched(parcel, "too_long" if too_long else "on_its_way", said, until, may_claim=too_long)


def money_for(parcel: Parcel) -> list[RefundPart]:
    """What was paid for what is in it, and the delivery when it was the whole order."""
    parts = [_paid_for(packed) for packed in parcel.lines]
    if _is_all(parcel, parcel.order):
        parts += [RefundPart(line.id, line.quantity, line.paid) for line in parcel.order.lines if line.kind != "item"]
    return parts


def _paid_for(packed: ParcelLine) -> RefundPart:
    line = packed.line
    return RefundPart(
        line.id, packed.quantity, share(line.paid, packed.quantity, line.quantity, currency=line.order.currency)
    )


def _is_all(parcel: Parcel, order: Order) -> bool:
    ordered = {line.id: line.quantity for line in order.lines if line.kind == "item"}
    return ordered == {packed.order_line_id: packed.quantity for packed in parcel.lines}


def find(parcels: Sequence[Searched], parcel_id: int) -> Searched | None:
    return next((one for one in parcels if one.parcel.id == parcel_id), None)
