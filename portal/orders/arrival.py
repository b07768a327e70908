"""A new order's rows: looked at by one statement, written by another; the models say what they are."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

from flask import current_app
from psycopg.types.json import Jsonb
from sqlalchemy import CTE, ColumnElement, bindparam, cast, func, literal, select, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from portal.adapters.channels import IncomingLine
from portal.db import Base
from portal.db.prepared import Prepared
from portal.orders import calendar
from portal.orders.calendar import Terms
from portal.orders.models import Customer, Order, OrderLine, Payment
from portal.orders.shelves import StockItem, StockPlace, sold

BUYER = ("email", "name", "phone", "locale")
ORDER = (
    "ref", "channel", "external_id", "number", "state", "locale", "currency", "total", "ship_to", "country",
    "placed_at", "paid_at", "external_updated_at", "external_rank", "promised_on", "accepted_at", "created_at",
)  # fmt: skip
LINE = tuple(field.name for field in fields(IncomingLine))
PAYMENT = ("route", "payment_intent", "currency", "captured")


class Seen(NamedTuple):
    """Whether we know the order, and whether its payment is that of one we know; by what it would be promised."""

    known: bool
    paid_one: bool
    terms: Terms


def look(channel: str, external_id: str, payment_intent: str | None) -> Seen:
    """What is to be known before an order is taken in."""
    asked = {"channel": channel, "external_id": external_id, "payment_intent": payment_intent}
    known, paid_one, *told = LOOK.run(**asked).fetchone() or ()
    return Seen(known, paid_one, calendar.of(current_app.config["SETTINGS"], *told))


def _looking() -> Prepared:
    known = select(Order.id).where(Order.channel == bindparam("channel"), Order.external_id == bindparam("external_id"))
    paid = select(Payment.id).where(Payment.payment_intent == bindparam("payment_intent"))
    asked = ("channel", "external_id", "payment_intent")
    return Prepared(select(known.exists(), paid.exists(), *calendar.terms_told()), *asked)


LOOK = _looking()


class Written(NamedTuple):
    """The new order; `counted` when articles of it may be counted."""

    id: int
    state: str
    promised_on: date
    counted: bool


def write(lines: Sequence[IncomingLine], **values: Any) -> Written | None:
    """The order with its customer (whose newest name counts), its lines and its payment; None when we know it."""
    row = WRITE.run(lines=Jsonb([OF_LINE(line) for line in lines]), **values).fetchone()
    return Written(*row) if row else None


OF_LINE = attrgetter(*LINE)


def newest_name() -> Insert:
    """A customer who is known by the address has the name and language of the newest order."""
    new = insert(Customer)
    newest = {"name": new.excluded.name, "locale": new.excluded.locale}
    return new.on_conflict_do_update(index_elements=["email"], set_=newest)


def _writing() -> Prepared:
    buyer = newest_name().values(_given(Customer, BUYER)).returning(Customer.id).cte("buyer")
    order = insert(Order).from_select([*ORDER, "customer_id"], select(*_given(Order, ORDER).values(), buyer.c.id))
    once = order.on_conflict_do_nothing(index_elements=["channel", "external_id"])
    new = once.returning(Order.id, Order.state, Order.promised_on).cte("new")
    bought = _lines(new).returning(OrderLine.sku).cte("bought")
    nothing = {"reserved": literal(0), "external": literal(0)}
    captured = select(new.c.id, *_given(Payment, PAYMENT).values(), *nothing.values())
    paid = insert(Payment).from_select(["order_id", *PAYMENT, *nothing], captured)
    counted = select(StockItem.id).join(StockPlace).where(StockItem.sku.in_(select(bought.c.sku)), sold())
    written = select(*new.c, counted.exists()).add_cte(paid.cte("paid"))
    return Prepared(written, *dict.fromkeys((*BUYER, *ORDER, *PAYMENT, "lines")))


def _given(model: type[Base], names: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    """What is given each time, in the types of the model's columns."""
    return {name: cast(bindparam(name), model.__table__.c[name].type) for name in names}


def _lines(new: CTE) -> Insert:
    """In the order in which they were told."""
    each = func.jsonb_array_elements(bindparam("lines")).table_valued("line", with_ordinality="place", name="told")
    told = each.render_derived()
    line = type_coerce(told.c.line, JSONB)
    columns = [cast(line[place].astext, OrderLine.__table__.c[name].type) for place, name in enumerate(LINE)]
    rows = select(new.c.id, *columns).select_from(new.join(told, true())).order_by(told.c.place)
    return insert(OrderLine).from_select(["order_id", *LINE], rows)


WRITE = _writing()
