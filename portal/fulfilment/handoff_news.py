"""Who answers for a department, and their deputy, hear by mail of work that waits for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import contains_eager

from portal import mail
from portal.db import session
from portal.fulfilment import handoff_words
from portal.fulfilment.handoffs import CHAIN, HandOff
from portal.fulfilment.models import Parcel
from portal.orders.models import Order
from portal.staff.departments import answering
from portal.staff.models import Staff
from portal.staff.words import DEPARTMENT

GRACE = timedelta(minutes=15)
"""What is taken over within it needs no letter."""
TOO_LONG = timedelta(hours=4)
"""Work that waits so long is told once more."""
NOT_AGAIN_WITHIN = timedelta(hours=4)
"""One letter tells of many parcels; only what was sent back is told at once."""
NAMED = 10


def tell(department: str, *, now: datetime) -> int:
    """One letter to each of the two about what is new or waits too long; how many parcels it is about.

    Each parcel is told once when it is new and once when it waits too long, but not to whoever offered it all.
    """
    news = session.scalars(_untold(department, now)).all()
    if not _is_time(department, news, now):
        return 0
    reasons = _reasons(news)
    for person in answering(department):
        if any(one.giver is None or one.owner_id != person.id for one in news):
            _write(person, department, news, reasons, now)
    for one in news:
        one.warned_at = now if _waits_too_long(one, now) else one.warned_at
        one.told_at = one.told_at or now
    return len(news)


def _untold(department: str, now: datetime) -> Select[Any]:
    """What is offered and was not told of yet, or waits too long and was not told of again."""
    waiting = (HandOff.department == department, HandOff.state == "offered", HandOff.done_at.is_(None))
    came_back = HandOff.giver.in_(CHAIN[CHAIN.index(department) + 1 :])
    fresh = HandOff.told_at.is_(None) & (came_back | (HandOff.offered_at <= now - GRACE))
    late = HandOff.warned_at.is_(None) & (HandOff.offered_at <= now - TOO_LONG)
    found = select(HandOff).join(HandOff.parcel).join(Parcel.order).where(*waiting, or_(fresh, late))
    with_order = contains_eager(HandOff.parcel).contains_eager(Parcel.order)
    wanted = found.where(Order.state == "accepted").options(with_order)
    return wanted.order_by(HandOff.offered_at, HandOff.id).with_for_update(of=HandOff)


def _is_time(department: str, news: Sequence[HandOff], now: datetime) -> bool:
    if not news or any(one.came_back and one.told_at is None for one in news):
        return bool(news)
    latest = func.max(func.greatest(HandOff.told_at, HandOff.warned_at))
    last = session.scalar(select(latest).where(HandOff.department == department))
    return last is None or now - last >= NOT_AGAIN_WITHIN


def _reasons(news: Sequence[HandOff]) -> dict[int, Any]:
    """By parcel, why it came back, where it did."""
    back = [one.parcel_id for one in news if one.came_back]
    sent_back = (HandOff.parcel_id.in_(back), HandOff.state == "refused")
    found = select(HandOff.parcel_id, HandOff.reason).where(*sent_back).order_by(HandOff.id)
    return {parcel_id: handoff_words.REASON[reason] for parcel_id, reason in session.execute(found)} if back else {}


def _write(person: Staff, department: str, news: Sequence[HandOff], reasons: dict[int, Any], now: datetime) -> None:
    mail.queue(
        "handed-to-you",
        to=person.email,
        locale=person.locale,
        now=now,
        department=department,
        name=DEPARTMENT[department],
        rows=[(one.parcel.order.number, reasons.get(one.parcel_id, "")) for one in news[:NAMED]],
        count=len(news),
        late=sum(_waits_too_long(one, now) for one in news),
    )


def _waits_too_long(handoff: HandOff, now: datetime) -> bool:
    return handoff.offered_at <= now - TOO_LONG
