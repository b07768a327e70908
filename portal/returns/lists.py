"""The desk's lists of returns: what is to be decided, awaited, inspected, settled. One statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    SQLColumnExpression,
    and_,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import contains_eager, raiseload

from portal.adapters.couriers import normal_number
from portal.db import paging, session
from portal.db.counting import Counts, bounded
from portal.fulfilment.lists import numbered
from portal.fulfilment.models import BackParcel, Parcel
from portal.orders.models import Order
from portal.refunds.models import REJECTED, Refund
from portal.returns.models import NEVER_PROPOSED, Return, ReturnLine

LISTS = ("requested", "awaited", "on_the_way", "to_inspect", "to_settle", "done")


@dataclass(frozen=True, slots=True)
class Row:
    """A return in a list, with how many pieces were announced and why."""

    ret: Return
    pieces: int
    reasons: Sequence[str]
    sent_at: datetime | None = None
    heard_at: datetime | None = None


def _has_money() -> ColumnElement[bool]:
    ours = select(Refund.id).where(Refund.return_id == Return.id, Refund.state != "rejected_by_us")
    return ours.correlate(Return).exists()


def _without_money() -> CompoundSelect[int]:
    """All that may have none, and few others: found by two small indexes, however long the past is."""
    never = select(Return.id).where(literal_column(f"({NEVER_PROPOSED})")).correlate(None)
    rejected = select(Refund.return_id).where(literal_column(f"({REJECTED})"))
    return union_all(never, rejected)


def belongs_to(name: str) -> ColumnElement[bool]:
    open_still = and_(Return.decision == "approved", Return.closed_at.is_(None))
    lists = {
        "requested": Return.decision == "requested",
        "awaited": and_(open_still, Return.goods == "awaited"),
        "on_the_way": and_(open_still, Return.goods.in_(("in_transit", "lost"))),
        "to_inspect": and_(Return.goods == "received", Return.inspected_at.is_(None)),
        "to_settle": and_(
            open_still, Return.inspected_at.is_not(None), Return.id.in_(_without_money()), not_(_has_money())
        ),
    }
    return lists[name] if name in lists else not_(or_(*lists.values()))


def _since(name: str) -> SQLColumnExpression[Any]:
    return {
        "requested": Return.requested_at,
        "awaited": Return.send_back_by,
        "on_the_way": case((Return.kind == "withdrawal", Return.requested_at)),
        "to_inspect": Return.received_at,
        "to_settle": Return.inspected_at,
    }[name]


def page_of(name: str, at: str) -> paging.Page[Row]:
    """One page of a list. What waits longest stands first; what is done, last first."""
    of_this = ReturnLine.return_id == Return.id
    pieces = select(func.sum(ReturnLine.quantity)).where(of_this).scalar_subquery()
    reasons = select(func.array_agg(ReturnLine.reason.distinct())).where(of_this).scalar_subquery()
    living = (BackParcel.return_id == Return.id, BackParcel.ended_at.is_(None))
    sent = select(func.min(BackParcel.scanned_at)).where(*living).scalar_subquery()
    heard = select(func.max(BackParcel.last_event_at)).where(*living).scalar_subquery()
    found = select(Return, func.coalesce(pieces, 0), reasons, sent, heard).join(Return.order).where(belongs_to(name))
    found = found.options(
        contains_eager(Return.order), raiseload(Return.lines), raiseload(Return.refunds), raiseload(Return.back)
    )
    if name == "done":
        return paging.page_of(found, Return.id, at=at, into=_row, last_first=True)
    since = _since(name)
    return paging.page_of(found, since.is_(None), since, Return.id, at=at, into=_row)


def _row(ret: Return, pieces: int, reasons: list[str] | None, *sent: datetime | None) -> Row:
    return Row(ret, int(pieces), reasons or (), *sent)


def counts() -> dict[str, int]:
    """How many returns each list holds, as far as anybody counts, in one statement; of what is done, nobody does."""
    return _counts().run()


@cache
def _counts() -> Counts:
    return Counts({name: bounded(select(Return.id).where(belongs_to(name))) for name in LISTS if name != "done"})


def find_scanned(code: str) -> Return | None:
    """The return that a code means: its own number, or that of a parcel in which it comes. Of two returns that share
    a parcel the one that is not here yet leads.

    Couriers put more before the number into their bars (routing, postcode): it may be the end of what was scanned.
    """
    if found := session.scalar(select(Return).where(Return.rma == normal_rma(code))):
        return found
    number = normal_number(code)[-LONGEST_CODE:]
    ends = [number[start:] for start in range(max(1, len(number) - SHORTEST_END + 1))]
    parcel = (BackParcel.tracking_number.in_(ends), BackParcel.ended_at.is_(None))
    travels = select(Return).join(BackParcel, BackParcel.return_id == Return.id).where(*parcel)
    nearest = func.length(BackParcel.tracking_number).desc(), Return.goods == "received", BackParcel.id.desc()
    return session.scalar(travels.order_by(*nearest).limit(1))


LONGEST_CODE, SHORTEST_END = 60, 10
"""Signs of a scan that are looked at, and of a number that is only its end."""


def order_of(code: str) -> Order | None:
    """The order that a code means which is no return's: its own number, or that of a parcel that we sent."""
    parcel_id = numbered(code.strip())
    if parcel_id is not None:
        return session.get_one(Parcel, parcel_id).order
    return session.scalar(select(Order).where(Order.number == code.strip()).order_by(Order.id.desc()).limit(1))


def returns_of(order_id: int) -> Sequence[Return]:
    """All of an order's returns, the newest first."""
    found = select(Return).where(Return.order_id == order_id).options(raiseload("*"))
    return session.scalars(found.order_by(Return.id.desc()).limit(paging.PAGE)).all()


def normal_rma(scanned: str) -> str:
    """Upper case without blanks and dashes; the digits 0, 1 and 8 are in no number and are meant as letters."""
    plain = "".join(char for char in scanned.upper() if char.isalnum())
    return plain.translate(str.maketrans("018", "OIB"))
