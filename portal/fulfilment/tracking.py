"""What couriers say, kept as a set; the status is computed from it, and "delivered" crosses over to the order."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, own
from portal.db import move, session
from portal.fulfilment.models import CourierEvent, Parcel
from portal.fulfilment.rules import conclude
from portal.jobs import announce
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Actor

SLACK = timedelta(days=1)
"""Couriers' clocks and zones: an event may seem this much older than the parcel it is about."""
LIFE = timedelta(days=120)
"""So long after it was handed over a number still means this parcel; then the courier uses it for another."""
NEWS = timedelta(days=3)
"""A letter about what happened longer ago helps nobody."""

words("parcel.picked_up", staff=_l("The courier has it"))
words("parcel.in_transit", staff=_l("On its way"))
words("parcel.out_for_delivery", staff=_l("Out for delivery"), customer=_l("Out for delivery"))
words("parcel.delayed", staff=_l("Delayed"), customer=_l("The courier says it is delayed"))
words("parcel.attempt_failed", staff=_l("Nobody at home"), customer=_l("The courier did not meet you"))
words("parcel.ready_for_pickup", staff=_l("Ready for pick-up"), customer=_l("Ready for you to pick up"))
words("parcel.delivered", staff=_l("Delivered"), customer=_l("Delivered"))
words("parcel.returning", staff=_l("On its way back to us"), customer=_l("On its way back to us"))
words("parcel.returned", staff=_l("Came back to us"), customer=_l("Came back to us"))
words("parcel.exception", staff=_l("The courier reports a problem"), customer=_l("The courier reports a problem"))
words("parcel.expired", staff=_l("The courier no longer tracks it"))
words("parcel.cancelled", staff=_l("The label was cancelled"))
words("order.delivered", staff=_l("All parcels delivered"))
words("order.not_delivered", staff=_l("A parcel counted as delivered by mistake"))


def record_update(update: TrackingUpdate, *, now: datetime) -> bool:
    """Keep what the courier says of a number; False when no parcel of ours has this number now."""
    alone_with(update.number)
    parcels = _parcels_of(update.number)
    known = False
    for parcel in parcels:
        if mine := [event for event in update.events if _belongs(event, parcel, parcels)]:
            known = True
            add_events(parcel, mine, update, by="courier", now=now)
    return known or (bool(parcels) and not update.events)


def alone_with(number: str) -> None:
    """Until this transaction ends nobody else reads or hands out this number: no event falls between two chairs."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"courier-number:{number}", 0))))


def _parcels_of(number: str) -> Sequence[Parcel]:
    """Parcels that travel under this number, the newest first. Our own labels are nobody else's business."""
    found = select(Parcel).where(
        Parcel.tracking_number == number, Parcel.courier != own.CODE, Parcel.state == "handed_over"
    )
    return session.scalars(found.order_by(Parcel.created_at.desc(), Parcel.id.desc())).all()


def _belongs(event: TrackingEvent, parcel: Parcel, parcels: Sequence[Parcel]) -> bool:
    """Numbers are used again: an event is about the newest parcel that was there when it happened."""
    alive = [one for one in parcels if one.created_at - SLACK <= event.at <= (one.handed_over_at or event.at) + LIFE]
    return bool(alive) and alive[0] is parcel


def add_events(
    parcel: Parcel, events: Iterable[TrackingEvent], update: TrackingUpdate, *, by: Actor, now: datetime
) -> None:
    """Add to the parcel's set of events, and let it follow from them."""
    session.get_one(Order, parcel.order_id, with_for_update={"of": Order}, populate_existing=True)
    session.refresh(parcel)
    rows = [_row(parcel, event, now) for event in events]
    session.execute(insert(CourierEvent).values(rows).on_conflict_do_nothing())
    if update.as_of and update.estimate_on and _newer(update, parcel):
        parcel.estimate_on, parcel.estimated_at = update.estimate_on, update.as_of
    _follow(parcel, by=by, now=now)


def _row(parcel: Parcel, event: TrackingEvent, now: datetime) -> dict[str, object]:
    return {
        "parcel_id": parcel.id,
        "at": event.at,
        "at_raw": event.at_raw,
        "offset_assumed": event.offset_assumed,
        "status": str(event.status),
        "code": event.code,
        "message": event.message,
        "place": event.place,
        "received_at": now,
    }


def _newer(update: TrackingUpdate, parcel: Parcel) -> bool:
    """Of two estimates made at the same time the later day counts, so that their order does not matter."""
    if parcel.estimated_at is None or parcel.estimate_on is None:
        return True
    return (update.as_of, update.estimate_on) > (parcel.estimated_at, parcel.estimate_on)


def _follow(parcel: Parcel, *, by: Actor, now: datetime) -> None:
    scans = session.execute(select(CourierEvent.at, CourierEvent.status).where(CourierEvent.parcel_id == parcel.id))
    found, before, arrived = conclude(scans), parcel.tracking_status, parcel.delivered_at
    parcel.tracking_status, parcel.action_required = str(found.status), found.action_required
    parcel.delivered_at, parcel.last_event_at = found.delivered_at, found.last_event_at
    session.flush()
    if found.status != before:
        _tell(parcel, found.status, by=by, now=now)
    if found.delivered_at != arrived:
        _close_or_reopen(parcel.order, now=now)


def _tell(parcel: Parcel, status: Tracking, *, by: Actor, now: datetime) -> None:
    if status not in (Tracking.unknown, Tracking.label_created):
        record(parcel.order_id, f"parcel.{status}", by=by, now=now, parcel=parcel.ref)
    if status is Tracking.delivered and parcel.delivered_at:
        announce("parcel.delivered", parcel_id=parcel.id, order_id=parcel.order_id)
        if now - parcel.delivered_at <= NEWS:
            _write_delivered(parcel, now)


def _write_delivered(parcel: Parcel, now: datetime) -> None:
    order = parcel.order
    write(
        "delivered",
        order,
        about=f"parcel:{parcel.id}",
        now=now,
        not_after=now + NEWS,
        delivered_at=parcel.delivered_at,
        rows=[packed.told for packed in parcel.lines],
    )


def _close_or_reopen(order: Order, *, now: datetime) -> None:
    """An order is closed while all its parcels are delivered; a scan by mistake that is taken back opens it again."""
    parcels = select(Parcel.delivered_at).where(Parcel.order_id == order.id, Parcel.state != "cancelled")
    arrived = session.scalars(parcels).all()
    if not all(arrived):
        if order.state == "closed":
            move(order, "state", "reopen", closed_at=None)
            record(order.id, "order.not_delivered", by="courier", now=now)
        return
    last = max(filter(None, arrived))
    if order.state == "closed":
        order.closed_at = last
    elif order.state == "accepted":
        move(order, "state", "close", closed_at=last)
        record(order.id, "order.delivered", by="courier", now=now)
        announce("order.delivered", order_id=order.id)
