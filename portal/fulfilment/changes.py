"""What becomes of a change that the channel made: taken over while nobody has begun, else held for a person."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.db import move, session
from portal.fulfilment.actions import fill_parcel
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.promises import cancel_order
from portal.fulfilment.tracking import close_or_reopen
from portal.lib.errors import Refused
from portal.orders import changes, flags
from portal.orders.actions import take_kept
from portal.orders.models import Order, OrderChange, OrderFlag, OrderLine
from portal.staff.models import Actor, Staff

LOCKED = {"of": Order, "key_share": True}
"""Who holds a parcel may still write on the timeline, which refers to the order: else each would wait for the other."""


def take_over(order_id: int, *, now: datetime) -> None:
    """Apply what the channel wants while everything lies on the shelf; else nothing leaves until a person decides.

    Who starts to pick at the same moment waits for this, or this for them: the parcels are locked.
    """
    order, parcels, change = _locked(order_id)
    if change is None or change.state != "waiting":
        return
    if order.state not in ("accepted", "on_hold"):
        move(change, "state", "overtake")
    elif _nobody_began(parcels) and _applied(order, parcels, change, "channel", now):
        changes.applied(order, change, by="channel", now=now)
    else:
        changes.hold(order, change, travels=any(parcel.state != "handed_over" for parcel in parcels), now=now)


def _locked(order_id: int) -> tuple[Order, Sequence[Parcel], OrderChange | None]:
    order = session.get_one(Order, order_id, with_for_update=LOCKED, populate_existing=True)
    here = select(Parcel).where(Parcel.order_id == order_id, Parcel.state != "cancelled").order_by(Parcel.id)
    parcels = session.scalars(here.with_for_update(of=Parcel).execution_options(populate_existing=True)).all()
    return order, parcels, changes.open_change(order_id)


def _nobody_began(parcels: Sequence[Parcel]) -> bool:
    return not parcels or (len(parcels) == 1 and parcels[0].state == "to_pick")


def _applied(order: Order, parcels: Sequence[Parcel], change: OrderChange, by: Actor, now: datetime) -> bool:
    """Whether it could be done: not when something else (money on its way) holds a line that would go."""
    if change.copy["cancelled"]:
        cancel_order(order, by=by, now=now)
        return True
    try:
        with session.begin_nested():
            _replan(order, parcels, change, by, now)
    except IntegrityError:
        session.refresh(order)
        return False
    return True


def _replan(order: Order, parcels: Sequence[Parcel], change: OrderChange, by: Actor, now: datetime) -> None:
    """In place while nobody has begun; else what was picked goes back on the shelf and one new parcel is planned."""
    begun = not _nobody_began(parcels)
    if any(one["field"] != "address" for one in change.diff):
        _take_out(parcels, change)
    lines = [line for line in changes.rewrite(order, change.copy, by=by, now=now) if line.kind == "item"]
    if not begun:
        for parcel in parcels:
            _refill(parcel, lines)
    elif any(one["field"] != "address" for one in change.diff):
        for parcel in parcels:
            move(parcel, "state", "cancel", risk=None, expected_on=None)
        fill_parcel(order, lines, now=now)


def _take_out(parcels: Sequence[Parcel], change: OrderChange) -> None:
    wanted = {line["external_id"] for line in change.copy["lines"]}
    for parcel in parcels:
        for packed in [packed for packed in parcel.lines if packed.line.external_id not in wanted]:
            parcel.lines.remove(packed)
            session.delete(packed)
    session.flush()


def _refill(parcel: Parcel, goods: Sequence[OrderLine]) -> None:
    inside = {packed.order_line_id: packed for packed in parcel.lines}
    for line in goods:
        if line.id in inside:
            inside[line.id].quantity = line.quantity
        else:
            parcel.lines.append(ParcelLine(order_line_id=line.id, quantity=line.quantity))
    session.flush()
    if not goods:
        move(parcel, "state", "cancel", risk=None, expected_on=None)


def notice_sent(order_id: int, *, now: datetime) -> None:
    """The channel says that all of it was sent: ours to ask about while some of it still lies here."""
    here = select(Parcel.id).where(Parcel.order_id == order_id, Parcel.state.not_in(("handed_over", "cancelled")))
    if session.scalar(here.limit(1)) is not None:
        flags.tell_once(order_id, "already_sent", by="channel", now=now)


def settle(flag: OrderFlag, answer: str, note: str, *, by: Staff, now: datetime) -> None:
    """A person decides: `take_over` what the channel wants (or accept what is only kept), or `leave` it as it is.

    Raises Refused when it can't be done as things lie; then nothing has changed.
    """
    order, parcels, change = _locked(flag.order_id)
    flags.settle(flag, note, by=by, now=now)
    if flag.code in changes.HOLDS and change is not None:
        _decide(order, parcels, change, answer, by, now)
    elif flag.code in flags.KEPT_ONLY and answer == "take_over":
        take_kept(order, by=by, now=now)


def _decide(
    order: Order, parcels: Sequence[Parcel], change: OrderChange, answer: str, by: Staff, now: datetime
) -> None:
    if answer == "leave":
        changes.leave(order, change, by=by, now=now)
    else:
        _refuse_unless_possible(parcels, change)
        if not _applied(order, parcels, change, by, now):
            raise Refused(
                _("Money on its way back, or a piece reported missing, holds a line that would go. Settle that first.")
            )
        changes.applied(order, change, by=by, now=now)
    close_or_reopen(order, now=now)


def _refuse_unless_possible(parcels: Sequence[Parcel], change: OrderChange) -> None:
    """What has left can't be changed any more, and a label says where a box goes."""
    if any(parcel.state == "handed_over" for parcel in parcels):
        raise Refused(_("A parcel has left the house already, so the order can't be changed any more."))
    if not change.copy["cancelled"] and any(parcel.tracking_number for parcel in parcels):
        raise Refused(_("A label was made already. Take it back first, then the order can be changed."))
