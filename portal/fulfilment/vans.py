"""A courier's van, ordered once for a day and sent away again: for the page that closes a courier's day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select

from portal.adapters.couriers import code_of
from portal.adapters.couriers.selling import Pickup, Window
from portal.db import move, session
from portal.fulfilment.buying import database_now, sender
from portal.fulfilment.closing import refuse_after_cut_off
from portal.fulfilment.models import LabelPurchase, Parcel, Van
from portal.jobs import announce
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.staff.models import Staff

AGAIN = timedelta(minutes=2)
SHORTEST, LONGEST = timedelta(hours=1), timedelta(hours=12)


def order_van(courier: str, opens: datetime, closes: datetime, *, note: str = "", by: Staff, now: datetime) -> Van:
    """Have the courier fetch what carries its labels, between two moments of one day."""
    if not SHORTEST <= closes - opens <= LONGEST or closes <= now:
        raise Refused(_("A van needs at least an hour, at most twelve, and it can't come yesterday."))
    day, shipment_id = shop_day(opens), _a_shipment(courier)
    if not shipment_id:
        raise Refused(_("There is no parcel with a label of this courier to be fetched."))
    terms = refuse_after_cut_off(courier, day, now)
    place = terms.place if terms else ""
    if van_of(courier, opens):
        raise Refused(_("A van of this courier is ordered for that day already."))
    van = Van(
        courier=courier, day=day, opens_at=opens, closes_at=closes, note=(note or place)[:200],
        reference=f"van-{reference()}",
        shipment_id=shipment_id, next_look_at=now + AGAIN, asked_by_id=by.id, asked_at=now,
    )  # fmt: skip
    session.add(van)
    session.flush()
    announce("van.wanted", van_id=van.id)
    return van


def _a_shipment(courier: str) -> str | None:
    """One of the parcels that wait for this courier; the van takes all that stand there."""
    waiting = select(LabelPurchase).join(LabelPurchase.parcel)
    found = session.scalars(waiting.where(LabelPurchase.state == "bought", Parcel.state == "packed")).all()
    return next((one.shipment_id for one in found if code_of(one.carrier) == courier), None)


def van_of(courier: str, when: datetime) -> Van | None:
    """The van that comes on that day."""
    day = shop_day(when)
    alive = Van.state.not_in(("failed", "cancelled"))
    return session.scalar(select(Van).where(Van.courier == courier, Van.day == day, alive))


def coming(now: datetime) -> dict[str, Van]:
    """By courier, the next van that may still come, or the last try that came to nothing."""
    found = select(Van).where(Van.closes_at > now, Van.state != "cancelled")
    rows = session.scalars(found.order_by((Van.state == "failed").desc(), Van.opens_at.desc(), Van.id)).all()
    return {van.courier: van for van in rows}


def next_van(courier: str, now: datetime) -> Van | None:
    """The next van of this courier that may still come, or the last try that came to nothing."""
    coming = select(Van).where(Van.courier == courier, Van.closes_at > now, Van.state != "cancelled")
    return session.scalar(coming.order_by(Van.state == "failed", Van.opens_at, Van.id.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class Due:
    """A van as the worker carries it out of the transaction."""

    van_id: int
    window: Window
    shipment_id: str
    remote_id: str


def begin_ordering(van_id: int) -> Due | None:
    """Claim it; None when it is settled, or when nobody can come any more."""
    van, at = session.get_one(Van, van_id, with_for_update=True), database_now()
    if van.state not in ("wanted", "sent"):
        return None
    move(van, "state", "claim", next_look_at=at + AGAIN)
    if van.closes_at <= at:
        move(van, "state", "fail", next_look_at=None, trouble=van.trouble or _("The courier did not answer in time."))
        return None
    window = Window(van.reference, sender(current_app.config["SETTINGS"]), van.opens_at, van.closes_at, van.note)
    return Due(van.id, window, van.shipment_id, van.remote_id)


def record_plan(due: Due, remote_id: str) -> str:
    """The courier knows the wish: from here on it is ordered under this key only. The first key counts."""
    van = session.get_one(Van, due.van_id, with_for_update=True)
    van.remote_id = van.remote_id or remote_id
    return van.remote_id


def record_ordered(due: Due, pickup: Pickup) -> None:
    """It comes."""
    van = session.get_one(Van, due.van_id, with_for_update=True)
    if van.state == "sent":
        cost = {"cost": pickup.cost.amount, "currency": pickup.cost.currency} if pickup.cost else {}
        move(van, "state", "book", confirmation=pickup.confirmation, next_look_at=None, trouble="", **cost)


def record_doubt(due: Due, why: str) -> None:
    """Nobody knows whether it was ordered; `take_overdue` finds it again, and then the courier is looked at first."""
    session.get_one(Van, due.van_id, with_for_update=True).trouble = why[:1000]


def record_no_van(due: Due, why: str) -> None:
    """The courier does not come then."""
    van = session.get_one(Van, due.van_id, with_for_update=True)
    if van.state == "sent":
        move(van, "state", "fail", trouble=why[:1000], next_look_at=None)


def send_away(van: Van, *, now: datetime) -> None:
    """It is not needed."""
    move(van, "state", "call_off", next_look_at=now + AGAIN)
    announce("van.unwanted", van_id=van.id)


def van_to_cancel(van_id: int) -> str | None:
    van = session.get_one(Van, van_id)
    return van.remote_id if van.state == "leaving" else None


def record_cancelled(van_id: int) -> None:
    van = session.get_one(Van, van_id, with_for_update=True)
    if van.state == "leaving":
        move(van, "state", "cancel", next_look_at=None)


def record_kept(van_id: int, why: str) -> None:
    """The courier does not call it off: it comes."""
    van = session.get_one(Van, van_id, with_for_update=True)
    if van.state == "leaving":
        move(van, "state", "keep", next_look_at=None, trouble=why[:1000])


def take_overdue(now: datetime) -> list[int]:
    """Vans of which nothing was heard."""
    found = session.scalars(select(Van).where(Van.next_look_at <= now).with_for_update(skip_locked=True)).all()
    for van in found:
        van.next_look_at = now + AGAIN
    return [van.id for van in found]
