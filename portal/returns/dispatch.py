"""On the way back: the courier's first scan proves that the goods were sent, and what follows from that.

Who withdraws from a contract is owed the money from that minute on (Directive 2011/83/EU, Art. 13(3)): it is proposed
as announced, nothing deducted, and a second person approves it. So is money for what got lost after it was sent.
"""

from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, func, or_, select

from portal.adapters.couriers import Tracking
from portal.db import move, session
from portal.fulfilment import back
from portal.fulfilment.models import BackParcel
from portal.jobs import announce
from portal.lib import days
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders.timeline import record, words
from portal.refunds.actions import refuse_refund
from portal.returns import oddities, settlement
from portal.returns.actions import lock_whole, needs_words
from portal.returns.exchanges import let_go
from portal.returns.goods import read
from portal.returns.letters import write
from portal.returns.models import Return
from portal.returns.paying import pay_by, propose_by_itself
from portal.staff.models import Actor, Staff

SILENT_AFTER = timedelta(days=14)
"""So long without a scan, and a parcel that was sent counts as lost."""
REMIND_BEFORE, EXPIRE_AFTER = timedelta(days=3), timedelta(days=7)

words("return.sent", staff=_l("Return %(rma)s was sent"), customer=_l("Return %(rma)s is on its way to us"))
words("return.shown", staff=_l("Return %(rma)s: shown that it was sent. %(note)s"))
words(
    "return.lost",
    staff=_l("Return %(rma)s got lost on its way"),
    customer=_l("Return %(rma)s got lost on its way to us"),
)
words("return.expired", staff=_l("Return %(rma)s was never sent"), customer=_l("We no longer wait for return %(rma)s"))


def note_dispatch(return_id: int, *, by: Actor, now: datetime) -> None:
    """It is proven that the goods were sent."""
    ret = session.get_one(Return, return_id)
    lock_whole(ret)
    if ret.decision != "approved" or ret.closed_at:
        return
    if ret.goods == "awaited":
        move(ret, "goods", "travel")
        record(ret.order_id, "return.sent", by=by, now=now, rma=ret.rma)
    if ret.released and not ret.money:
        propose_by_itself(ret, by=by, now=now)
        _tell(ret, now)


def _tell(ret: Return, now: datetime) -> None:
    day = days.spelled(pay_by(ret) or shop_day(now), shop_day(now), ret.order.locale)
    if ret.goods == "lost":
        write("return-lost", ret, now, pay_by=day)
    else:
        write("return-sent", ret, now, pay_by=day)


def set_right(ret: Return, *, by: Staff, now: datetime) -> None:
    """The goods were counted after the money was proposed: what nobody has approved yet follows the count.

    What was approved or sent before stays: whoever wants some of it back has to ask the customer.
    """
    refund = ret.money
    if refund is None:
        return
    settled = settlement.work_out(ret, read(ret.order, now=now, besides=ret.id))
    if settled.total == refund.money:
        return
    if refund.state != "requested":
        oddities.find("paid_before", ret, by=by, now=now)
        return
    refuse_refund(refund, note=_("Counted at the bench."), by=by, now=now)
    session.expire(ret, ["refunds"])
    propose_by_itself(ret, by=by, now=now)


def show_dispatch(ret: Return, note: str, *, by: Staff, now: datetime) -> None:
    """The customer showed us that it was sent: a receipt proves it as well as a scan does."""
    needs_words(note)
    lock_whole(ret)
    if ret.decision != "approved" or ret.goods not in ("awaited", "in_transit", "lost"):
        raise Refused(_("Nothing is awaited of this return."))
    back.show(ret.order, ret.id, note.strip(), by=by, now=now)
    record(ret.order_id, "return.shown", by=by, now=now, rma=ret.rma, note=note.strip())
    session.expire(ret, ["back"])
    note_dispatch(ret.id, by=by, now=now)


def lose(ret: Return, *, by: Actor, now: datetime) -> None:
    """It was sent, and will not arrive: the customer gets the money all the same."""
    lock_whole(ret)
    if ret.goods != "in_transit":
        raise Refused(_("Only what is on its way to us can get lost."))
    move(ret, "goods", "lose")
    record(ret.order_id, "return.lost", by=by, now=now, rma=ret.rma)
    if not ret.money and ret.released:
        propose_by_itself(ret, by=by, now=now)
    _tell(ret, now)


def lost_by_now(now: datetime) -> list[int]:
    """Returns of which every parcel is silent for too long, or given up by the courier."""
    living = (BackParcel.return_id == Return.id, BackParcel.ended_at.is_(None))
    given_up = BackParcel.tracking_status.in_((Tracking.expired, Tracking.cancelled))
    seen = func.coalesce(BackParcel.last_event_at, BackParcel.scanned_at)
    gone = or_(given_up, and_(BackParcel.tracking_status != Tracking.delivered, seen < now - SILENT_AFTER))
    alive = select(BackParcel.id).where(*living, ~gone).exists()
    any_sent = select(BackParcel.id).where(*living, BackParcel.scanned_at.is_not(None)).exists()
    found = select(Return.id).where(Return.goods == "in_transit", Return.decision == "approved", any_sent, ~alive)
    return list(session.scalars(found.order_by(Return.id).limit(100)))


def to_remind(now: datetime) -> list[int]:
    """Returns that should be sent within the next days and are not, as far as we know."""
    today = shop_day(now)
    soon = Return.send_back_by.between(today, today + REMIND_BEFORE)
    found = select(Return.id).where(_not_sent(), soon).order_by(Return.id)
    return list(session.scalars(found.limit(500)))


def _not_sent() -> ColumnElement[bool]:
    """In a statement about returns: awaited, and nobody knows of a parcel."""
    told = select(BackParcel.id).where(BackParcel.return_id == Return.id, BackParcel.ended_at.is_(None))
    told = told.where(or_(BackParcel.source == "typed", BackParcel.scanned_at.is_not(None)))
    return and_(Return.decision == "approved", Return.goods == "awaited", Return.closed_at.is_(None), ~told.exists())


def remind(return_id: int, *, now: datetime) -> None:
    """One letter before the last day; it never leaves after that."""
    ret = session.get_one(Return, return_id)
    zone = current_app.config["SETTINGS"].zone
    if ret.send_back_by is None or ret.goods != "awaited":
        return
    end = datetime.combine(ret.send_back_by + timedelta(days=1), datetime.min.time(), zone)
    write("return-reminder", ret, now, not_after=end, bound=ret.kind == "withdrawal")


def never_sent(now: datetime) -> list[int]:
    """Returns by the shop's policy that nobody sent in time; a withdrawal stays, whatever the day."""
    late = Return.send_back_by < shop_day(now) - EXPIRE_AFTER
    found = select(Return.id).where(_not_sent(), Return.kind != "withdrawal", late).order_by(Return.id)
    return list(session.scalars(found.limit(500)))


def expire(return_id: int, *, now: datetime) -> None:
    """We no longer wait: the pieces are free for another return, and the customer is told."""
    ret = session.get_one(Return, return_id)
    lock_whole(ret)
    if not ret.cancellable:
        return
    note = _("It was not sent in time.")
    move(ret, "decision", "cancel", decided_at=now, decision_note=note)
    announce("return.changed", order_id=ret.order_id)
    move(ret, "goods", "call_off")
    let_go(ret, now=now)
    announce("return.ended", return_id=ret.id)
    record(ret.order_id, "return.expired", by="system", now=now, rma=ret.rma)
    write("return-expired", ret, now)
