"""Parcels that come back: who carries each, under which number, and what the courier says of it.

Their numbers and those of parcels that leave live in one space; which of them a scan is about, `tracking` finds out.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select

from portal.adapters.couriers import Tracking, TrackingUpdate, code_of, normal_number, own
from portal.db import session
from portal.fulfilment.models import LIFE, BackParcel, Parcel
from portal.fulfilment.rules import COURIERS, Conclusion, conclude
from portal.fulfilment.scans import alone_with, keep
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Actor, Staff

MOVING = (
    Tracking.picked_up, Tracking.in_transit, Tracking.delayed, Tracking.out_for_delivery, Tracking.attempt_failed,
    Tracking.ready_for_pickup, Tracking.delivered, Tracking.returning, Tracking.returned,
)  # fmt: skip
"""What a courier only says of a parcel that it has: the first of these is proof that it was sent."""
LONGEST_NUMBER = 40

words(
    "back.picked_up",
    staff=_l("Return parcel %(number)s: the courier has it"),
    customer=_l("The courier has your parcel to us"),
)
words(
    "back.in_transit", staff=_l("Return parcel %(number)s: on its way"), customer=_l("Your parcel to us is on its way")
)
words("back.delayed", staff=_l("Return parcel %(number)s: delayed"))
words("back.exception", staff=_l("Return parcel %(number)s: the courier reports a problem"))
words(
    "back.delivered",
    staff=_l("Return parcel %(number)s: delivered to us"),
    customer=_l("Your parcel was delivered to us"),
)
words("back.expired", staff=_l("Return parcel %(number)s: the courier no longer tracks it"))
words("back.added", staff=_l("Return parcel %(number)s is expected"))
words("back.taken_out", staff=_l("Return parcel %(number)s is no longer expected"))


def travelling(update: TrackingUpdate) -> Sequence[BackParcel]:
    """Parcels on their way back under this number. Our own labels are nobody else's business."""
    found = select(BackParcel).where(BackParcel.tracking_number == update.number, BackParcel.ended_at.is_(None))
    found = found.where(or_(BackParcel.courier.is_(None), BackParcel.courier != own.CODE))
    parcels = session.scalars(found.order_by(BackParcel.since.desc(), BackParcel.id.desc())).all()
    theirs = [parcel for parcel in parcels if parcel.courier in (None, code_of(update.carrier))]
    return theirs or parcels


def add(
    order: Order, return_id: int, source: str, courier: str | None, number: str, *, since: datetime, by: Actor,
    now: datetime,
) -> BackParcel:  # fmt: skip
    """Expect a parcel under this number. Raises Refused for no number and for one that means another parcel now."""
    code = normal_number(number)
    if not 6 <= len(code) <= LONGEST_NUMBER or not code.isascii() or not code.isalnum():
        raise Refused(_("That is no tracking number. It stands on the receipt, often beneath the bars."))
    if courier is not None and courier not in COURIERS:
        raise Refused(_("Choose who carries it."))
    alone_with(code)
    _refuse_if_another(code, order.id, now)
    made = BackParcel(
        ref=reference(), order_id=order.id, return_id=return_id, source=source, courier=courier, tracking_number=code,
        since=since, created_at=now, added_by_id=by.id if isinstance(by, Staff) else None,
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(order.id, "back.added", by=by, now=now, number=code)
    announce("back_parcel.numbered", back_parcel_id=made.id)
    return made


def _refuse_if_another(code: str, order_id: int, now: datetime) -> None:
    """The number of a parcel that we sent lately is the wrong one, and so is that of somebody else's return."""
    lately = (Parcel.tracking_number == code, Parcel.state == "handed_over", Parcel.handed_over_at > now - LIFE)
    if session.scalar(select(Parcel.id).where(*lately).limit(1)):
        raise Refused(_("This is the number of a parcel from us. Type the one on the receipt of your own parcel."))
    others = (BackParcel.tracking_number == code, BackParcel.ended_at.is_(None), BackParcel.order_id != order_id)
    if session.scalar(select(BackParcel.id).where(*others, BackParcel.created_at > now - LIFE).limit(1)):
        raise Refused(_("This number belongs to another parcel. Please look at your receipt again."))


def show(order: Order, return_id: int, note: str, *, by: Staff, now: datetime) -> BackParcel:
    """Somebody showed us that it was sent: a receipt, say. That proves it as well as a scan does."""
    made = BackParcel(
        ref=reference(), order_id=order.id, return_id=return_id, source="shown", since=now, created_at=now,
        scanned_at=now, note=note, added_by_id=by.id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def take_out(parcel: BackParcel, *, by: Actor, now: datetime) -> None:
    """Not expected any more. Raises Refused once the courier has scanned it."""
    session.refresh(parcel, with_for_update={"of": BackParcel})
    if parcel.scanned_at:
        raise Refused(_("The courier has this parcel already."))
    if parcel.ended_at is None:
        parcel.ended_at = now
        record(parcel.order_id, "back.taken_out", by=by, now=now, number=parcel.tracking_number or parcel.ref)


def add_scans(parcel: BackParcel, events: Iterable[Any], update: TrackingUpdate, *, by: Actor, now: datetime) -> None:
    """Add to the parcel's set of scans, and let it follow from them."""
    session.execute(select(Order.id).where(Order.id == parcel.order_id).with_for_update())
    session.refresh(parcel)
    scans = keep(events, back_parcel_id=parcel.id, told_at=update.as_of or now, now=now)
    _follow(parcel, conclude(scans), min((scan.at for scan in scans if scan.status in MOVING), default=None), by, now)


def _follow(parcel: BackParcel, found: Conclusion, scanned_at: datetime | None, by: Actor, now: datetime) -> None:
    before, proven = parcel.tracking_status, parcel.scanned_at
    parcel.tracking_status, parcel.last_event_at = str(found.status), found.last_event_at
    parcel.scanned_at = scanned_at
    session.flush()
    if found.status != before and f"back.{found.status}" in TOLD:
        record(parcel.order_id, f"back.{found.status}", by=by, now=now, number=parcel.tracking_number)
    if scanned_at and not proven:
        announce("back_parcel.sent", back_parcel_id=parcel.id)


TOLD = {f"back.{status}" for status in ("picked_up", "in_transit", "delayed", "exception", "delivered", "expired")}
