"""Parcels that need a person: asked about, left alone for a while, counted as lost, sent again, given up."""

from datetime import date, datetime, timedelta
from math import ceil

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.couriers import Tracking
from portal.db import move, session
from portal.fulfilment import handoffs
from portal.fulfilment.models import CourierEvent, Lane, Parcel, ParcelLine
from portal.fulfilment.tracking import close_or_reopen
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders import stock
from portal.orders.actions import give_up_order
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Staff

ANSWER_WITHIN = timedelta(days=2)
"""So long a courier that was asked is given to answer."""
LONGEST_REST = 14
FOR_GOOD = timedelta(days=3650)
"""So long a parcel is left alone that nobody watches any more."""
RESENDABLE = (Tracking.returned, Tracking.exception, Tracking.expired, Tracking.cancelled)
"""What may be sent again; so may what was counted as lost."""

words("parcel.asked", staff=_l("The courier was asked: %(note)s"))
words("parcel.rests", staff=_l("Left alone until %(until)s: %(note)s"))
words("parcel.unwatched", staff=_l("Nobody looks for it any more: %(note)s"))
words("parcel.lost", staff=_l("Counted as lost: %(note)s"))
words("parcel.sent_again", staff=_l("Sent again as %(second)s"), customer=_l("We send it again"))
words("parcel.given_up", staff=_l("Given up: the customer gets the money back"))


def ask_courier(parcel: Parcel, note: str, *, by: Staff, now: datetime) -> None:
    """The courier was asked; the parcel comes back to the list when it has had time to answer."""
    _lock_travelling(parcel)
    parcel.quiet_until = now + ANSWER_WITHIN
    record(parcel.order_id, "parcel.asked", by=by, now=now, parcel=parcel.ref, note=note[:300])


def let_rest(parcel: Parcel, days: int, note: str, *, by: Staff, now: datetime) -> None:
    """Nothing to be done for some days, for a reason; news from the courier ends it."""
    _lock_travelling(parcel)
    if not 1 <= days <= LONGEST_REST or not note.strip():
        raise Refused(_("Say for how many days, %(most)s at the most, and why.", most=LONGEST_REST))
    parcel.quiet_until = now + timedelta(days=days)
    until: date = parcel.quiet_until.date()
    record(parcel.order_id, "parcel.rests", by=by, now=now, parcel=parcel.ref, until=until, note=note[:300])


def stop_watching(parcel: Parcel, note: str, *, by: Staff, now: datetime) -> None:
    """Nobody need look at it any more, for a reason; only news from the courier brings it back to the lists."""
    _lock_travelling(parcel)
    if not note.strip():
        raise Refused(_("Say why nobody need look at it any more."))
    parcel.quiet_until = now + FOR_GOOD
    record(parcel.order_id, "parcel.unwatched", by=by, now=now, parcel=parcel.ref, note=note[:300])


def _lock_travelling(parcel: Parcel) -> None:
    session.get_one(Order, parcel.order_id, with_for_update={"of": Order}, populate_existing=True)
    session.refresh(parcel, with_for_update={"of": Parcel})
    if parcel.state not in ("packed", "handed_over") or parcel.delivered_at:
        raise Refused(_("This parcel does not need anybody any more."))


def count_as_lost(parcel: Parcel, note: str, *, by: Staff, now: datetime) -> None:
    """Nobody will find it: it waits for a person who says whether goods or money are sent."""
    _lock_travelling(parcel)
    if parcel.state != "handed_over" or parcel.fate:
        raise Refused(_("Only a parcel that the courier has can be lost, and only once."))
    parcel.fate, parcel.quiet_until = "lost", None
    record(parcel.order_id, "parcel.lost", by=by, now=now, parcel=parcel.ref, note=note[:300])


def may_end(parcel: Parcel) -> bool:
    """Whether it may be sent again, or given up for money."""
    ended = parcel.fate == "lost" or parcel.tracking_status in RESENDABLE
    return parcel.state == "handed_over" and parcel.delivered_at is None and ended


def send_again(parcel: Parcel, *, goods_are_fine: bool, by: Staff, now: datetime) -> Parcel:
    """The same goods in a new parcel; the old one no longer counts. What came back in good order is used again."""
    _refuse_unless_ended(parcel)
    lines = [ParcelLine(order_line_id=packed.order_line_id, quantity=packed.quantity) for packed in parcel.lines]
    second = Parcel(order_id=parcel.order_id, ref=reference(), lines=lines, replaces_id=parcel.id, created_at=now)
    _take_goods_back(parcel, goods_are_fine, by=by, now=now)
    for packed in parcel.lines:
        stock.reserve_pieces(packed.line, packed.quantity, now=now)
    move(parcel, "state", "write_off", fate="sent_again", quiet_until=None)
    session.add(second)
    session.flush()
    handoffs.offer([second], by=None, now=now)
    record(parcel.order_id, "parcel.sent_again", by=by, now=now, parcel=parcel.ref, second=second.ref)
    close_or_reopen(parcel.order, now=now)
    rows = [packed.told for packed in parcel.lines]
    write(
        "sent-again", parcel.order, about=f"parcel:{second.id}", now=now, not_after=now + timedelta(days=3), rows=rows
    )
    return second


def _refuse_unless_ended(parcel: Parcel) -> None:
    _lock_travelling(parcel)
    if not may_end(parcel):
        raise Refused(_("The courier still has this parcel. Count it as lost first, or wait until it is back."))


def _take_goods_back(parcel: Parcel, fine: bool, *, by: Staff, now: datetime) -> None:
    if parcel.tracking_status != Tracking.returned:
        return
    for packed in parcel.lines:
        cause = f"parcel:{parcel.ref}"
        stock.bring_back(packed.line.sku, packed.quantity, "restock" if fine else "discard", cause, by=by, now=now)


def give_up(parcel: Parcel, *, goods_are_fine: bool, by: Staff, now: datetime) -> None:
    """It will not be delivered; whoever calls this sees to the money in the same transaction."""
    _refuse_unless_ended(parcel)
    _take_goods_back(parcel, goods_are_fine, by=by, now=now)
    move(parcel, "state", "write_off", fate="money_back", quiet_until=None)
    record(parcel.order_id, "parcel.given_up", by=by, now=now, parcel=parcel.ref)
    alive = select(Parcel.id).where(Parcel.order_id == parcel.order_id, Parcel.state != "cancelled").limit(1)
    if session.scalar(alive) is None:
        give_up_order(parcel.order, by=by, now=now)
    else:
        close_or_reopen(parcel.order, now=now)


LEARNT_FROM = timedelta(days=120)
FEWEST_GAPS = 20
"""With fewer pauses between scans a lane's usual silence is not known, and the default holds."""
USUAL = 0.95
SHORTEST_SILENCE, LONGEST_SILENCE = timedelta(days=1), timedelta(days=10)


def learn_lanes(*, now: datetime) -> int:
    """How long each courier usually says nothing on the way to each country; how many lanes are known."""
    following = func.lead(CourierEvent.at).over(partition_by=CourierEvent.parcel_id, order_by=CourierEvent.at)
    scans = (
        select(Parcel.courier, Order.country, (following - CourierEvent.at).label("gap"))
        .join(Parcel, Parcel.id == CourierEvent.parcel_id)
        .join(Order, Order.id == Parcel.order_id)
        .where(Parcel.delivered_at > now - LEARNT_FROM, CourierEvent.at <= Parcel.delivered_at)
        .where(CourierEvent.status.not_in(("unknown", "label_created")), Order.country.is_not(None))
        .subquery()
    )
    usual = func.percentile_cont(USUAL).within_group(scans.c.gap)
    found = select(scans.c.courier, scans.c.country, usual, func.count()).where(scans.c.gap.is_not(None))
    lanes = session.execute(found.group_by(scans.c.courier, scans.c.country).having(func.count() >= FEWEST_GAPS)).all()
    for courier, country, silence, gaps in lanes:
        _keep_lane(courier, country, silence, gaps, now)
    return len(lanes)


def _keep_lane(courier: str, country: str, silence: timedelta, gaps: int, now: datetime) -> None:
    hours = timedelta(hours=ceil(silence / timedelta(hours=1)))
    learnt = {"silent_after": min(LONGEST_SILENCE, max(SHORTEST_SILENCE, hours)), "gaps": gaps, "learnt_at": now}
    new = insert(Lane).values(courier=courier, country=country, **learnt)
    session.execute(new.on_conflict_do_update(index_elements=["courier", "country"], set_=learnt))
