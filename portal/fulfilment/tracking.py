"""What couriers say, kept as a set; the status is computed from it, and "delivered" crosses over to the order."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select, update

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, code_of, own
from portal.db import changed, session
from portal.db.prepared import Prepared
from portal.fulfilment import back
from portal.fulfilment.models import LIFE, BackParcel, Parcel
from portal.fulfilment.rules import Conclusion, conclude
from portal.fulfilment.scans import SLACK, alone_with, keep
from portal.jobs import announce
from portal.lib.days import shop_day
from portal.orders.actions import close_order, reopen_order
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import ENTRY, RECORDING, entry, words
from portal.staff.models import Actor

USEFUL = {
    Tracking.out_for_delivery: timedelta(hours=12),
    Tracking.attempt_failed: timedelta(days=2),
    Tracking.ready_for_pickup: timedelta(days=2),
    Tracking.delayed: timedelta(days=2),
    Tracking.delivered: timedelta(days=3),
}
"""What customers hear of, and how long after it happened a letter about it still helps."""

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


class Leaving(NamedTuple):
    """What is read of a parcel that left: all that follows from scans, and what of it that takes."""

    id: int
    order_id: int
    ref: str
    courier: str | None
    created_at: datetime
    handed_over_at: datetime | None
    tracking_status: str
    delivered_at: datetime | None
    estimate_on: date | None
    estimated_at: datetime | None
    quiet_until: datetime | None
    fate: str | None

    @property
    def begins_at(self) -> datetime:
        """From when a scan of its number can be about it."""
        return self.created_at

    @property
    def ends_at(self) -> datetime | None:
        return self.handed_over_at + LIFE if self.handed_over_at else None


Travelling = Leaving | BackParcel
"""What has a number: leaving or coming back."""
LEAVING = [Parcel.__table__.c[name] for name in Leaving._fields]


def record_update(update: TrackingUpdate, *, now: datetime) -> bool:
    """Keep what the courier says of a number; False when no parcel of ours, leaving or coming back, has it now.

    Before it says that, it looks again while nobody can hand out the number: the caller puts the message by for later.
    """
    if _record(update, now):
        return True
    alone_with(update.number)
    return _record(update, now)


def _record(update: TrackingUpdate, now: datetime) -> bool:
    leaving, comes_back = _parcels_of(update)
    numbered: list[Travelling] = [*leaving, *(back.travelling(update) if comes_back else ())]
    parcels = sorted(numbered, key=lambda parcel: parcel.begins_at, reverse=True)
    known = False
    for parcel in parcels:
        if not (mine := [event for event in update.events if _belongs(event, parcel, parcels)]):
            continue
        known = True
        if isinstance(parcel, Leaving):
            _add(parcel, mine, update, by="courier", now=now)
        else:
            back.add_scans(parcel, mine, update, by="courier", now=now)
    return known or (bool(parcels) and not update.events)


def _parcels_of(update: TrackingUpdate) -> tuple[Sequence[Leaving], bool]:
    """Parcels that travel under this number, the newest first, locked with their orders; whether others may come back
    under it. Our own labels are nobody else's business.

    Two couriers may give the same number: where one of them is the one who speaks, it speaks of its own parcels.
    """
    found = NUMBERED.run(number=update.number).fetchall()
    parcels = [Leaving(*row[:-1]) for row in found]
    theirs = [parcel for parcel in parcels if parcel.courier == code_of(update.carrier)]
    return theirs or parcels, not found or found[0][-1]


NUMBERED = Prepared(
    select(*LEAVING, select(BackParcel.id).where(BackParcel.tracking_number == bindparam("number")).exists())
    .join(Parcel.order)
    .where(Parcel.tracking_number == bindparam("number"), Parcel.courier != own.CODE, Parcel.state == "handed_over")
    .order_by(Parcel.created_at.desc(), Parcel.id.desc())
    .with_for_update(of=(Order, Parcel)),
    "number",
)


def _belongs(event: TrackingEvent, parcel: Travelling, parcels: Sequence[Travelling]) -> bool:
    """Numbers are used again: an event is about the newest parcel that was there when it happened.

    Two returns of one order may travel in one parcel: then it is about both.
    """
    alive = [one for one in parcels if one.begins_at - SLACK <= event.at <= (one.ends_at or event.at)]
    if not alive:
        return False
    shared = isinstance(parcel, BackParcel) and isinstance(alive[0], BackParcel)
    return alive[0] is parcel or (shared and parcel in alive and parcel.order_id == alive[0].order_id)


def add_events(
    parcel: Parcel, events: Iterable[TrackingEvent], update: TrackingUpdate, *, by: Actor, now: datetime
) -> None:
    """Add to the parcel's set of events, and let it follow from them."""
    session.execute(select(Order.id).where(Order.id == parcel.order_id).with_for_update())
    read = Leaving(*session.execute(select(*LEAVING).where(Parcel.id == parcel.id).with_for_update()).one())
    _add(read, events, update, by=by, now=now)


def _add(parcel: Leaving, events: Iterable[TrackingEvent], update: TrackingUpdate, *, by: Actor, now: datetime) -> None:
    """The parcel and its order are locked."""
    scans = keep(events, parcel_id=parcel.id, told_at=update.as_of or now, now=now)
    if update.as_of and update.estimate_on and _newer(update, parcel):
        parcel = parcel._replace(estimate_on=update.estimate_on, estimated_at=update.as_of)
    _follow(parcel, conclude(scans), by=by, now=now)


def _newer(update: TrackingUpdate, parcel: Leaving) -> bool:
    """Of two estimates made at the same time the later day counts, so that their order does not matter."""
    if parcel.estimated_at is None or parcel.estimate_on is None:
        return True
    return (update.as_of, update.estimate_on) > (parcel.estimated_at, parcel.estimate_on)


def _follow(parcel: Leaving, found: Conclusion, *, by: Actor, now: datetime) -> None:
    moved = found.status != parcel.tracking_status
    if moved:
        fate = None if found.status is Tracking.delivered else parcel.fate
        parcel = parcel._replace(quiet_until=None, fate=fate)
    _write_down(parcel, found, by, now)
    if moved:
        _tell(parcel, found, now)
    if found.delivered_at != parcel.delivered_at:
        close_or_reopen(session.get_one(Order, parcel.order_id), now=now)
        announce("parcel.arrived", order_id=parcel.order_id)


def _write_down(parcel: Leaving, found: Conclusion, by: Actor, now: datetime) -> None:
    """With an entry in the timeline, in the same breath, when there is something to tell."""
    followed = {
        "parcel": parcel.id, "tracking_status": str(found.status), "action_required": found.action_required,
        "delivered_at": found.delivered_at, "last_event_at": found.last_event_at, "estimate_on": parcel.estimate_on,
        "estimated_at": parcel.estimated_at, "quiet_until": parcel.quiet_until, "fate": parcel.fate,
    }  # fmt: skip
    if found.status in (parcel.tracking_status, Tracking.unknown, Tracking.label_created):
        FOLLOWED.run(**followed)
    else:
        told = entry(parcel.order_id, f"parcel.{found.status}", by=by, now=now, parcel=parcel.ref)
        FOLLOWED_AND_TOLD.run(**followed, **told)
    changed(Parcel, parcel.id, FOLLOWS)


FOLLOWS = (
    "tracking_status", "action_required", "delivered_at", "last_event_at", "estimate_on", "estimated_at", "quiet_until",
    "fate",
)  # fmt: skip
"""What of a parcel changes with its scans."""
FOLLOWING = (
    update(Parcel).where(Parcel.id == bindparam("parcel")).values({name: bindparam(name) for name in FOLLOWS})
)
FOLLOWED = Prepared(FOLLOWING, "parcel", *FOLLOWS)
FOLLOWED_AND_TOLD = Prepared(FOLLOWING.add_cte(RECORDING.cte("told")), "parcel", *FOLLOWS, *ENTRY)


def _tell(parcel: Leaving, found: Conclusion, now: datetime) -> None:
    if found.status is Tracking.delivered:
        announce("parcel.delivered", parcel_id=parcel.id, order_id=parcel.order_id)
    useful = USEFUL.get(found.status)
    if found.since and useful and now - found.since <= useful:
        _write_news(session.get_one(Parcel, parcel.id), found.status, found.since, now, not_after=found.since + useful)


def _write_news(parcel: Parcel, status: Tracking, since: datetime, now: datetime, not_after: datetime) -> None:
    """One letter of each kind for a parcel, however often it happens."""
    order = parcel.order
    more: dict[str, Any] = {
        "about": f"parcel:{parcel.id}",
        "now": now,
        "not_after": not_after,
        "since": since,
        "late": shop_day(since) > order.promised_on,
        "promised_on": order.promised_on,
        "expected_on": parcel.estimate_on,
        "rows": [packed.told for packed in parcel.lines],
    }
    if status is Tracking.out_for_delivery:
        write("out-for-delivery", order, **more)
    elif status is Tracking.attempt_failed:
        write("missed-delivery", order, **more)
    elif status is Tracking.ready_for_pickup:
        write("ready-for-pickup", order, **more)
    elif status is Tracking.delayed:
        write("delayed", order, **more)
    else:
        write("delivered", order, delivered_at=since, **more)


def close_or_reopen(order: Order, *, now: datetime) -> None:
    """An order is closed while all its parcels are delivered; a scan by mistake that is taken back opens it again."""
    parcels = select(Parcel.delivered_at).where(Parcel.order_id == order.id, Parcel.state != "cancelled")
    arrived = session.scalars(parcels).all()
    if arrived and all(arrived):
        close_order(order, at=max(filter(None, arrived)), now=now)
    else:
        reopen_order(order, now=now)
