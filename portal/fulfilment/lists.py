"""The warehouse's lists: what is next, and what needs a person. One statement each, however long they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, false, func, literal_column, or_, select
from sqlalchemy.orm import contains_eager, joinedload

from portal.adapters.couriers import Tracking, normal_number, own
from portal.db import paging, session
from portal.db.counting import Counts, bounded
from portal.fulfilment import shorts, sscc
from portal.fulfilment.models import OPEN, Lane, Parcel, ParcelLine
from portal.fulfilment.rules import FINISHED, FORGOTTEN_AFTER, NOT_SCANNED, SILENT_AFTER, TROUBLE
from portal.orders.models import Order, OrderLine

Moment = datetime | ColumnElement[datetime]
LISTS = ("to_pick", "to_pack", "to_ship", "at_risk", "stuck", "came_back", "under_way")
URGENT_FIRST = (Parcel.risk.is_(None), Order.promised_on, Parcel.id)
"""What is at risk stands on top, then the promise that ends first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A parcel in a list, with how many pieces are in it, and whether it waits for some that are not there."""

    parcel: Parcel
    pieces: int
    rests: bool = False
    silent_after: timedelta = SILENT_AFTER


def _belongs_to(name: str, now: Moment) -> ColumnElement[bool]:
    return {
        "to_pick": Parcel.state.in_(("to_pick", "picking")),
        "to_pack": Parcel.state == "picked",
        "to_ship": Parcel.state == "packed",
        "at_risk": at_risk(),
        "stuck": _stuck(now),
        "came_back": _came_back(now),
        "under_way": and_(Parcel.state == "handed_over", Parcel.delivered_at.is_(None)),
    }[name]


def at_risk() -> ColumnElement[bool]:
    """Parcels whose promise is at risk or will break, by the last sweep, and that can still be saved or spoken of."""
    open_still = and_(Parcel.state != "cancelled", Parcel.delivered_at.is_(None))
    return and_(Parcel.risk.is_not(None), open_still, Parcel.order.has(Order.state.in_(("accepted", "on_hold"))))


def _stuck(now: Moment) -> ColumnElement[bool]:
    """The same in SQL as `why_stuck` says in words."""
    away = and_(Parcel.state == "handed_over", Parcel.fate.is_(None))
    labelled = and_(Parcel.state == "packed", Parcel.tracking_number.is_not(None))
    still_here = and_(labelled, Parcel.packed_at < now - FORGOTTEN_AFTER)
    heard = func.coalesce(Parcel.last_event_at, Parcel.handed_over_at)
    reasons = or_(
        still_here,
        and_(away, Parcel.tracking_status.in_(TROUBLE)),
        and_(away, Parcel.tracking_status.in_(NOT_SCANNED), Parcel.handed_over_at < now - FORGOTTEN_AFTER),
        and_(away, Parcel.tracking_status.not_in(FINISHED + NOT_SCANNED), heard < now - _silent_after()),
    )
    return and_(_not_quiet(now), reasons)


def _not_quiet(now: Moment) -> ColumnElement[bool]:
    return or_(Parcel.quiet_until.is_(None), Parcel.quiet_until <= now)


def _came_back(now: Moment) -> ColumnElement[bool]:
    """What came back or is lost: a person decides between goods and money."""
    back = and_(Parcel.tracking_status == Tracking.returned, Parcel.fate.is_(None))
    return and_(Parcel.state == "handed_over", _not_quiet(now), or_(back, Parcel.fate == "lost"))


def _silent_after() -> ColumnElement[timedelta]:
    """The usual silence of the parcel's lane, where enough was learnt of it."""
    lane = select(Lane.silent_after).join(Order, Order.country == Lane.country)
    learnt = lane.where(Order.id == Parcel.order_id, Lane.courier == Parcel.courier).correlate(Parcel)
    return func.coalesce(learnt.scalar_subquery(), SILENT_AFTER)


def silent_after(parcel: Parcel) -> timedelta:
    """So long the courier of this parcel may say nothing."""
    learnt = select(Lane.silent_after).where(Lane.courier == parcel.courier, Lane.country == parcel.order.country)
    return session.scalar(learnt) or SILENT_AFTER


def why_stuck(parcel: Parcel, now: datetime, silence: timedelta = SILENT_AFTER) -> str | None:
    """The reason why a person should look, a key of `rules.ADVICE`; None while all is well."""
    status = parcel.tracking_status
    if parcel.quiet_until and parcel.quiet_until > now:
        return None
    if parcel.state == "packed":
        since = parcel.packed_at or now
        return "forgotten" if parcel.tracking_number and since < now - FORGOTTEN_AFTER else None
    if parcel.state != "handed_over" or parcel.handed_over_at is None or status == Tracking.delivered:
        return None
    if parcel.fate or status in (*TROUBLE, Tracking.returned):
        return parcel.fate or status
    if status in NOT_SCANNED:
        return "forgotten" if parcel.handed_over_at < now - FORGOTTEN_AFTER else None
    return "silent" if (parcel.last_event_at or parcel.handed_over_at) < now - silence else None


def page_of(name: str, at: str, *, now: datetime) -> paging.Page[Row]:
    """One page of a list, most urgent first."""
    pieces = select(func.sum(ParcelLine.quantity)).where(ParcelLine.parcel_id == Parcel.id).scalar_subquery()
    columns = (func.coalesce(pieces, 0), shorts.rests(), _silent_after())
    found = select(Parcel, *columns).join(Parcel.order).where(_open(), _belongs_to(name, now))
    whole = found.options(contains_eager(Parcel.order), joinedload(Parcel.picker))
    return paging.page_of(whole, *_urgency(name), at=at, into=_row)


def _row(parcel: Parcel, pieces: int, *more: Any) -> Row:
    return Row(parcel, int(pieces), *more)


def _urgency(name: str) -> Sequence[Any]:
    """What is urgent leads; of what is stuck, what puts a promise at risk, then what left first."""
    stuck = (Parcel.risk.is_(None), Parcel.handed_over_at.is_(None), Parcel.handed_over_at, Parcel.id)
    return stuck if name in ("stuck", "came_back") else URGENT_FIRST


def next_in(name: str, *, now: datetime) -> int | None:
    """The most urgent parcel of a list that nobody has taken, nobody holds back, and whose goods are here."""
    free = select(Parcel.id).join(Parcel.order).where(_open(), _belongs_to(name, now), Parcel.state != "picking")
    free = free.where(~shorts.rests(), or_(Parcel.state != "to_pick", Parcel.wave_id.is_(None)))
    return session.scalar(free.where(Order.state == "accepted").order_by(*_urgency(name)).limit(1))


def scanned(code: str) -> int | None:
    """The parcel that this code is about: by its number, its order's, or the most urgent to pack with the article."""
    wants = select(ParcelLine.id).join(ParcelLine.line).where(ParcelLine.parcel_id == Parcel.id)
    wants = wants.where(func.lower(OrderLine.sku) == code.lower(), ParcelLine.boxed < ParcelLine.quantity)
    article = select(Parcel.id).join(Parcel.order).where(Parcel.state == "picked", wants.exists())
    lines = select(func.count()).where(ParcelLine.parcel_id == Parcel.id).scalar_subquery()
    article = article.order_by(lines > 1, *URGENT_FIRST).limit(1)
    return (numbered(code) or session.scalar(article)) if code else None


def numbered(code: str) -> int | None:
    """The parcel with this number, or of the order with it: of an order's parcels the one that is still here leads."""
    number = sscc.read(code)
    own_number = or_(
        Parcel.ref == code.lower(),
        Parcel.tracking_number == normal_number(code),
        Parcel.sscc == number if number else false(),
        Order.number == code,
    )
    gone = Parcel.state.in_(("handed_over", "cancelled"))
    found = select(Parcel.id).join(Parcel.order).where(own_number).order_by(gone, Parcel.id.desc())
    return session.scalar(found.limit(1)) if code else None


def last_courier() -> str | None:
    """Who took the last parcel: most likely the next one too."""
    gone = select(Parcel.courier).where(Parcel.state == "handed_over", Parcel.courier != own.CODE)
    return session.scalar(gone.order_by(Parcel.id.desc()).limit(1))


def counts(*, now: datetime) -> dict[str, int]:
    """How many parcels each list holds, as far as anybody counts, in one statement."""
    return _counts().run(now=now)


@cache
def _counts() -> Counts:
    return Counts(numbers(bindparam("now")), "now")


def numbers(now: Moment) -> dict[str, ScalarSelect[int]]:
    """The same, to be counted together with what else waits."""
    lists = {name: select(Parcel.id).where(_open(), _belongs_to(name, now)) for name in LISTS}
    return {name: bounded(found) for name, found in lists.items()}


def _open() -> ColumnElement[bool]:
    """Beside what a list asks for: by it PostgreSQL sees that the index of open parcels has all of them."""
    return literal_column(f"({OPEN.replace('state ', 'parcels.state ')})")
