"""What orders know of customers."""

from sqlalchemy import ColumnElement, exists, select

from portal.db.personal import Ids, Kept
from portal.orders.looks import Look
from portal.orders.models import (
    ChannelRefund,
    Code,
    Customer,
    Grant,
    Link,
    Order,
    OrderChange,
    OrderFlag,
    OrderLine,
    Payment,
    TimelineEntry,
)
from portal.orders.pushes import ChannelPush


def _customers(ids: Ids) -> ColumnElement[bool]:
    """Who bought these and nothing else that is still known."""
    theirs = select(Order.customer_id).where(Order.id.in_(ids))
    others = exists().where(Order.customer_id == Customer.id, Order.id.not_in(ids), Order.erased_at.is_(None))
    return Customer.id.in_(theirs) & ~others


KEPT = (
    Kept(
        Customer,
        _customers,
        shown=("email", "name", "phone", "locale"),
        taken={"email": None, "name": "", "phone": None},
        stays=("locale",),
    ),
    Kept(
        Order,
        lambda ids: Order.id.in_(ids),
        shown=("number", "channel", "placed_at", "paid_at", "currency", "total", "state", "promised_on", "ship_to"),
        taken={"ship_to": {}},
        stays=(
            *("ref", "channel", "external_id", "external_rank", "number", "state", "locale", "currency", "country"),
        ),
    ),
    Kept(Look, lambda ids: Look.order_id.in_(ids), shown=("at", "role"), stays=("role",)),
    Kept(
        OrderLine,
        lambda ids: OrderLine.order_id.in_(ids),
        shown=("sku", "title", "variant", "quantity", "unit_price", "paid"),
        stays=("external_id", "kind", "sku", "title", "variant"),
    ),
    Kept(
        Payment,
        lambda ids: Payment.order_id.in_(ids),
        shown=("currency", "captured", "payment_intent"),
        stays=("route", "payment_intent", "currency"),
    ),
    Kept(
        ChannelRefund,
        lambda ids: ChannelRefund.order_id.in_(ids),
        shown=("amount", "currency", "given_at"),
        stays=("external_id", "currency"),
    ),
    Kept(
        OrderChange,
        lambda ids: OrderChange.order_id.in_(ids),
        shown=("heard_at", "state", "diff"),
        taken={"diff": [], "copy": {}},
        stays=("state",),
    ),
    Kept(
        ChannelPush,
        lambda ids: ChannelPush.order_id.in_(ids),
        taken={"body": {}, "trouble": "", "note": ""},
        stays=("channel", "kind", "key", "state", "remote_id"),
    ),
    Kept(OrderFlag, lambda ids: OrderFlag.order_id.in_(ids), taken={"note": ""}, stays=("code",)),
    Kept(TimelineEntry, lambda ids: TimelineEntry.order_id.in_(ids), stays=("kind", "by", "facts")),
    Kept(Grant, lambda ids: Grant.link_id.in_(select(Link.id).where(Link.order_id.in_(ids))), gone=True),
    Kept(Link, lambda ids: Link.order_id.in_(ids), shown=("purpose", "created_at", "expires_at"), gone=True),
    Kept(Code, lambda ids: Code.order_id.in_(ids), shown=("created_at", "used_at"), gone=True),
)
"""Amounts, lines and numbers stay because tax law keeps them; the timeline holds ids and numbers of no person."""
