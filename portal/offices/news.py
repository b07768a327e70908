"""Who answers for an office, and their deputy, hear by mail of work that waits for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from portal import mail
from portal.db import session
from portal.offices.kinds import KINDS
from portal.offices.models import OfficeWork
from portal.staff.departments import answering
from portal.staff.models import Staff
from portal.staff.words import DEPARTMENT

GRACE = timedelta(minutes=30)
"""What is taken over within it needs no letter."""
TOO_LONG = timedelta(hours=24)
"""Work that waits so long is told once more."""
NOT_AGAIN_WITHIN = timedelta(hours=4)
"""One letter tells of much; only what was sent back is told at once."""
NAMED = 10


def tell(office: str, *, now: datetime) -> int:
    """One letter to each of the two about what is new or waits too long; how many pieces of work it is about.

    Each piece is told once when it is new and once when it waits too long.
    """
    news = _untold(office, now)
    if not _is_time(office, news, now):
        return 0
    for person in answering(office):
        _write(person, office, news, now)
    for one in news:
        one.warned_at = now if _waits_too_long(one, now) else one.warned_at
        one.told_at = one.told_at or now
    return len(news)


def _untold(office: str, now: datetime) -> Sequence[OfficeWork]:
    waiting = (OfficeWork.office == office, OfficeWork.state == "offered", OfficeWork.done_at.is_(None))
    fresh = OfficeWork.told_at.is_(None) & (OfficeWork.came_back | (OfficeWork.offered_at <= now - GRACE))
    late = OfficeWork.warned_at.is_(None) & (OfficeWork.offered_at <= now - TOO_LONG)
    found = select(OfficeWork).where(*waiting, or_(fresh, late)).options(joinedload(OfficeWork.order))
    locked = found.order_by(OfficeWork.offered_at, OfficeWork.id).with_for_update(of=OfficeWork)
    return session.scalars(locked).all()


def _is_time(office: str, news: Sequence[OfficeWork], now: datetime) -> bool:
    if not news or any(one.came_back and one.told_at is None for one in news):
        return bool(news)
    latest = func.max(func.greatest(OfficeWork.told_at, OfficeWork.warned_at))
    last = session.scalar(select(latest).where(OfficeWork.office == office))
    return last is None or now - last >= NOT_AGAIN_WITHIN


def _write(person: Staff, office: str, news: Sequence[OfficeWork], now: datetime) -> None:
    mail.queue(
        "offices-work",
        to=person.email,
        locale=person.locale,
        now=now,
        office=office,
        name=DEPARTMENT[office],
        rows=[(KINDS[one.kind].name, one.order.number if one.order else "", one.note) for one in news[:NAMED]],
        count=len(news),
        late=sum(_waits_too_long(one, now) for one in news),
    )


def _waits_too_long(work: OfficeWork, now: datetime) -> bool:
    return work.offered_at <= now - TOO_LONG
