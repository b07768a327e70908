"""A parcel brought to any step, as people bring it there."""

from datetime import datetime

from sqlalchemy import select

from portal.db import session
from portal.fulfilment import actions, packing
from portal.fulfilment.models import Parcel
from portal.orders.models import Order
from portal.staff.models import Staff

STEPS = ("to_pick", "picking", "picked", "packed", "handed_over")


def planned(order: Order, now: datetime) -> Parcel:
    """The order's first parcel, planned if it was not."""
    found = session.scalar(select(Parcel).where(Parcel.order_id == order.id).order_by(Parcel.id))
    parcel = found or actions.plan_parcels(order.id, now=now)
    assert parcel is not None
    return parcel


def checked(parcel: Parcel, by: Staff, now: datetime) -> None:
    """Every piece is scanned into the box."""
    session.refresh(parcel, ["lines"])
    for packed in parcel.lines:
        packing.put_in(packed, packed.to_box, by=by, now=now)


def brought_to(
    step: str, order: Order, by: Staff, now: datetime, courier: str = "dhl", number: str = "00340434161094042557"
) -> Parcel:
    """The order's parcel, brought to this step by one person."""
    parcel, wanted = planned(order, now), STEPS.index(step)
    if wanted >= 1:
        actions.start_picking(parcel, by=by, now=now)
    if wanted >= 2:
        for packed in parcel.lines:
            actions.pick(packed, packed.quantity, by=by)
        actions.finish_picking(parcel, by=by, now=now)
    if wanted >= 3:
        checked(parcel, by, now)
        actions.pack(parcel, 1240, by=by, now=now)
    if wanted >= 4 and courier == "own":
        actions.make_label(parcel, by=by, now=now)
        number = parcel.tracking_number or ""
    if wanted >= 4:
        actions.hand_over(parcel, courier, number, by=by, now=now)
    session.commit()
    return parcel
