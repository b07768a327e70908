"""What the customer sees of their order once a code has shown that it is they: address, numbers, letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from portal.db import session
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import COURIERS, Courier
from portal.lib.guards import opens
from portal.mail.models import Letter
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.orders.models import Order
from portal.refunds.credit_notes import of_order

bp = Blueprint("details", __name__)
MOST_LETTERS = 50


@dataclass(frozen=True, slots=True)
class Travelling:
    """A parcel by the names the courier knows it by."""

    courier: Courier
    number: str
    handed_over_at: datetime | None


@bp.get("/orders/<ref>/details")
@opens("track", Tier.owns)
def show(ref: str) -> ResponseReturnValue:
    order = session.get_one(Order, opened().order_id)
    parcels, letters = _parcels(order.id), _letters(order.id)
    template = "tracking/details.html"
    return render_template(template, ref=ref, order=order, parcels=parcels, letters=letters, papers=of_order(order.id))


def _parcels(order_id: int) -> list[Travelling]:
    columns = (Parcel.courier, Parcel.tracking_number, Parcel.handed_over_at)
    on_the_road = (Parcel.order_id == order_id, Parcel.state != "cancelled", Parcel.tracking_number.is_not(None))
    rows: Iterable[Any] = session.execute(select(*columns).where(*on_the_road).order_by(Parcel.id))
    return [Travelling(COURIERS.get(code) or Courier(code, code), number, at) for code, number, at in rows]


def _letters(order_id: int) -> Sequence[Any]:
    """What we wrote and sent, newest first."""
    found = select(Letter.subject, Letter.to_address, Letter.sent_at).where(
        Letter.order_id == order_id, Letter.state == "sent"
    )
    return session.execute(found.order_by(Letter.id.desc()).limit(MOST_LETTERS)).all()
