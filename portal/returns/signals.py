"""What staff should know of a customer before they decide: each sign with its reason. None of them decides anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, ScalarSelect, func, select

from portal.db import session
from portal.lib.money import Money
from portal.orders.models import Order
from portal.pictures.models import Picture, used_before
from portal.refunds.models import HOLDING, Refund
from portal.returns.claims_models import Claim
from portal.returns.claims_terms import terms_of
from portal.returns.models import Inspection, Return, ReturnLine

LATELY = timedelta(days=365)
OFTEN, OFTEN_SHARE = 3, 0.5
"""So many returns and claims, and at least this share of the orders."""
MUCH_SHARE = 0.5
WORN = 2
SPLIT_WITHIN, SPLIT = timedelta(days=90), 3
"""So many claims, each below what need not come back and together above it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One sign: which, and the sentence that says what it rests on. `picture_id` is one to look at."""

    code: str
    why: str
    picture_id: int | None = None


def signals(order: Order, *, now: datetime, orders: Sequence[int] = ()) -> list[Signal]:
    """All signs about the customer of this order, from all their orders; pictures of this one, or of `orders`."""
    return [*_counted(order, now), *_split(order, now), *_pictures(orders or [order.id])]


def _counted(order: Order, now: datetime) -> Iterator[Signal]:
    """How often, how much, how empty, how worn: counted in one statement."""
    since = now - LATELY
    seen = session.execute(select(*_counts(order, since))).one()
    if seen.asked >= OFTEN and seen.asked >= OFTEN_SHARE * max(seen.orders, 1):
        facts = {"asked": seen.asked, "orders": seen.orders}
        yield Signal("often", _("%(asked)s returns and claims of %(orders)s orders in a year.", **facts))
    if seen.asked >= OFTEN:
        yield from _much(order, int(seen.bought), since)
    if seen.empty:
        said = ngettext("%(num)s parcel came back empty.", "%(num)s parcels came back empty.", seen.empty)
        yield Signal("empty", said)
    if seen.worn >= WORN:
        yield Signal("worn", _("%(worn)s returns came back worn, damaged or with something else.", worn=seen.worn))


def _counts(order: Order, since: datetime) -> Iterator[Any]:
    theirs = Order.customer_id == order.customer_id
    bought = (theirs, Order.placed_at > since, Order.currency == order.currency, Order.total > 0)
    yield select(func.count()).select_from(Order).where(*bought).scalar_subquery().label("orders")
    yield select(func.coalesce(func.sum(Order.total), 0)).where(*bought).scalar_subquery().label("bought")
    alive = Return.decision.in_(("requested", "approved"))
    yield _returns(theirs, Return.requested_at > since, alive).label("asked")
    lines = select(Inspection.id).join(ReturnLine, ReturnLine.id == Inspection.return_line_id)
    lines = lines.where(ReturnLine.return_id == Return.id).correlate(Return)
    looked_at = (theirs, Return.inspected_at > since)
    yield _returns(*looked_at, lines.exists(), ~lines.where(Inspection.counted > 0).exists()).label("empty")
    bad = lines.where(Inspection.grade.in_(("worn", "damaged", "wrong_item")))
    yield _returns(*looked_at, Return.kind != "claim", bad.exists()).label("worn")


def _returns(*where: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(Return).join(Return.order).where(*where).scalar_subquery()


def _much(order: Order, bought: int, since: datetime) -> Iterator[Signal]:
    given = select(func.coalesce(func.sum(Refund.amount), 0)).join(Order, Order.id == Refund.order_id)
    theirs = (Order.customer_id == order.customer_id, Refund.currency == order.currency)
    back = int(session.scalar(given.where(*theirs, Refund.state.in_(HOLDING), Refund.requested_at > since)) or 0)
    if bought and back >= MUCH_SHARE * bought:
        facts = {"back": _spoken(back, order.currency), "bought": _spoken(bought, order.currency)}
        yield Signal("much", _("%(back)s given back of %(bought)s bought in a year.", **facts))


def _spoken(amount: int, currency: str) -> str:
    return Money(amount, currency).format(str(get_locale() or "en"))


def _split(order: Order, now: datetime) -> Iterator[Signal]:
    """Several small claims, each below the limit up to which nothing need come back."""
    most = (terms_of(order.country).stays_up_to or {}).get(order.currency, 0)
    mine = (Order.customer_id == order.customer_id, Refund.currency == order.currency, Refund.state.in_(HOLDING))
    small = select(func.count(), func.coalesce(func.sum(Refund.amount), 0)).select_from(Claim).join(Claim.ret)
    small = small.join(Refund, Refund.return_id == Return.id).join(Order, Order.id == Return.order_id)
    number, together = session.execute(
        small.where(*mine, ~Claim.goods_back, Refund.amount <= most, Return.requested_at > now - SPLIT_WITHIN)
    ).one()
    if most and number >= SPLIT and together > most:
        limit, total = (_spoken(amount, order.currency) for amount in (most, int(together)))
        facts = {"number": number, "limit": limit, "sum": total}
        yield Signal("split", _("%(number)s claims below %(limit)s within 90 days, together %(sum)s.", **facts))


def _pictures(order_ids: Sequence[int]) -> Iterator[Signal]:
    """Pictures of the order that another order used before."""
    sent = select(Picture).where(Picture.order_id.in_(order_ids), Picture.about.is_not(None))
    for picture in session.scalars(sent.where(Picture.staff_id.is_(None)).order_by(Picture.id)):
        for before in used_before(picture)[:1]:
            number = session.get_one(Order, before.order_id).number
            yield Signal("picture", _("A picture looks like one of order %(number)s.", number=number), picture.id)
