"""One search for everything that leads to an order, in one statement."""

from collections.abc import Sequence
from typing import Any, cast

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, union_all

from portal.adapters.couriers import normal_number
from portal.db import session
from portal.fulfilment.models import Parcel
from portal.orders.models import Customer, Order
from portal.returns.lists import normal_rma
from portal.returns.models import Return

MOST_FOUND = 50
PART = 3
FOUND_BY = {
    "number": _l("Order number"),
    "email": _l("E-mail"),
    "name": _l("Name"),
    "tracking": _l("Tracking number"),
    "rma": _l("Return number"),
}


def search(words: str) -> Sequence[Any]:
    """Orders by number, name, e-mail, tracking number or return number, newest first, with what matched."""
    text = " ".join(words.replace("\0", "").split())
    if not text:
        return []
    hits = union_all(*(hit.limit(MOST_FOUND) for hit in _hits(text))).subquery()
    once = select(hits.c.order_id, func.min(hits.c.why).label("why")).group_by(hits.c.order_id).subquery()
    order = (Order.id, Order.number, Order.state, Order.placed_at, Order.total, Order.currency)
    found = select(*order, Customer.name, Customer.email, once.c.why).join(Order.customer)
    found = found.join(once, once.c.order_id == Order.id)
    return session.execute(found.order_by(Order.placed_at.desc(), Order.id.desc()).limit(MOST_FOUND)).all()


def _hits(text: str) -> list[Select[Any]]:
    """A statement per way to find an order: numbers and addresses from their beginning, names anywhere, codes whole."""
    number = text.lstrip("#")
    starts = [func.lower(Order.number).startswith((prefix + number).lower(), autoescape=True) for prefix in ("", "#")]
    return [
        _orders("number", or_(*starts)),
        _orders("email", Customer.email.startswith(text.lower(), autoescape=True)),
        _orders("name", _named(text)),
        _through(Parcel.order_id, "tracking", Parcel.tracking_number == normal_number(text)),
        _through(Return.order_id, "rma", Return.rma == normal_rma(text)),
    ]


def _named(text: str) -> ColumnElement[bool]:
    """A part of a name has three letters at least, by which an index finds it; fewer begin a name."""
    if len(text) < PART:
        return func.lower(Customer.name).startswith(text.lower(), autoescape=True)
    threes = func.letters_of(Customer.name).op("@>")(func.letters_of(text))
    return and_(threes, Customer.name.icontains(text, autoescape=True))


def _orders(why: str, matches: ColumnElement[bool]) -> Select[Any]:
    found = select(Order.id.label("order_id"), literal(why).label("why")).join(Order.customer)
    return cast("Select[Any]", found.where(matches).order_by(Order.id.desc()))


def _through(order_id: Any, why: str, matches: ColumnElement[bool]) -> Select[Any]:
    return select(order_id.label("order_id"), literal(why).label("why")).where(matches)
