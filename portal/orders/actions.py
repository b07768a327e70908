"""Take an order in, once; keep what a newer copy changes."""

from dataclasses import asdict
from datetime import datetime

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.channels import IncomingOrder
from portal.config import spoken
from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders.models import Customer, Order, OrderLine, Payment
from portal.orders.payments import recapture
from portal.orders.promise import promise
from portal.orders.stock import reserve
from portal.orders.timeline import record, words
from portal.staff.models import Actor

words(
    "order.accepted",
    staff=_l("Order accepted from %(channel)s, promised by %(promised_on)s"),
    customer=_l("We have your order"),
)
words("order.delivered", staff=_l("All parcels delivered"))
words("order.not_delivered", staff=_l("A parcel counted as delivered by mistake"))
words("order.given_up", staff=_l("Cancelled: nothing of it can be delivered"), customer=_l("The order was cancelled"))
words("order.changed", staff=_l("A newer copy came from the channel: %(changed)s"))


def accept_order(incoming: IncomingOrder, *, by: str, now: datetime) -> tuple[Order, bool]:
    """The order, and whether it is new. Known by channel and external id: an older copy never overwrites a newer one.

    Raises Refused when its Stripe payment belongs to another order.
    """
    order = None if _known(incoming) else _insert(incoming, now)
    if order is None:
        return _bring_up_to_date(incoming, by=by, now=now), False
    session.add_all(OrderLine(order_id=order.id, **asdict(line)) for line in incoming.lines)
    session.add(_payment(order.id, incoming))
    session.flush()
    reserve(order, now=now)
    record(order.id, "order.accepted", by=by, now=now, channel=incoming.channel, promised_on=order.promised_on)
    announce("order.accepted", order_id=order.id)
    return order, True


def _known(incoming: IncomingOrder) -> bool:
    return session.scalar(select(Order.id).where(_is(incoming))) is not None


def _is(incoming: IncomingOrder) -> ColumnElement[bool]:
    return and_(Order.channel == incoming.channel, Order.external_id == incoming.external_id)


def _insert(incoming: IncomingOrder, now: datetime) -> Order | None:
    country = incoming.address.country or None
    values = {
        "ref": reference(),
        "channel": incoming.channel,
        "external_id": incoming.external_id,
        "number": incoming.number,
        "state": "accepted",
        "customer_id": _customer(incoming),
        "locale": _language(incoming),
        "currency": incoming.currency,
        "total": incoming.total,
        "ship_to": asdict(incoming.address),
        "country": country,
        "placed_at": incoming.placed_at,
        "paid_at": incoming.paid_at,
        "external_updated_at": incoming.updated_at,
        "problems": list(incoming.problems),
        "promised_on": promise(incoming.paid_at, country),
        "created_at": now,
    }
    once = insert(Order).values(values).on_conflict_do_nothing(index_elements=["channel", "external_id"])
    order_id = session.scalar(once.returning(Order.id))
    return None if order_id is None else session.get_one(Order, order_id)


def _language(incoming: IncomingOrder) -> str:
    return spoken(incoming.locale, current_app.config["SETTINGS"].shop_language)


def _customer(incoming: IncomingOrder) -> int:
    name, language = incoming.name or incoming.address.name, _language(incoming)
    new = insert(Customer).values(email=_email(incoming), name=name, phone=incoming.phone, locale=language)
    known = new.on_conflict_do_update(index_elements=["email"], set_={"name": name, "locale": language})
    return session.scalars(known.returning(Customer), execution_options={"populate_existing": True}).one().id


def _email(incoming: IncomingOrder) -> str | None:
    return incoming.email.strip().lower() if incoming.email else None


def _payment(order_id: int, incoming: IncomingOrder) -> Payment:
    intent = incoming.payment_intent
    if intent and session.scalar(select(Payment.id).where(Payment.payment_intent == intent)):
        raise Refused(_("The payment %(intent)s belongs to another order.", intent=intent))
    return Payment(
        order_id=order_id,
        route="stripe" if intent else "channel",
        payment_intent=intent,
        currency=incoming.currency,
        captured=incoming.captured,
    )


def _bring_up_to_date(incoming: IncomingOrder, *, by: str, now: datetime) -> Order:
    order = session.scalars(select(Order).where(_is(incoming)).with_for_update(of=Order)).one()
    if incoming.updated_at <= order.external_updated_at:
        return order
    changed = _changes(order, incoming)
    order.external_updated_at, order.problems = incoming.updated_at, list(incoming.problems)
    order.ship_to, order.country = asdict(incoming.address), incoming.address.country or None
    if incoming.email:
        order.customer_id = _customer(incoming)
    if "payment" in changed and order.payment:
        recapture(order.payment, incoming.captured)
    if "lines" in changed:
        order.attention = "lines_changed"
    if changed:
        record(order.id, "order.changed", by=by, now=now, changed=", ".join(changed))
    return order


def _changes(order: Order, incoming: IncomingOrder) -> list[str]:
    """Names of what differs. Lines are not re-planned behind a picker's back: the order needs attention instead."""
    ours = sorted((line.external_id, line.quantity) for line in order.lines)
    theirs = sorted((line.external_id, line.quantity) for line in incoming.lines)
    differs = {
        "lines": ours != theirs,
        "address": order.ship_to != asdict(incoming.address),
        "e-mail": bool(incoming.email) and order.customer.email != _email(incoming),
        "payment": order.payment is not None and order.payment.captured != incoming.captured,
    }
    return [name for name, changed in differs.items() if changed]


def close_order(order: Order, *, at: datetime, now: datetime) -> None:
    """All of it has arrived, the last at `at`: those who ask how it was are told. Again only sets the time right."""
    if order.state == "closed":
        order.closed_at = at
    elif order.state == "accepted":
        move(order, "state", "close", closed_at=at)
        record(order.id, "order.delivered", by="courier", now=now)
        announce("order.delivered", order_id=order.id)


def give_up_order(order: Order, *, by: Actor, now: datetime) -> None:
    """Nothing of it will be delivered: it counts as cancelled, and nobody is asked how it was."""
    if order.state in ("accepted", "on_hold"):
        move(order, "state", "cancel")
        record(order.id, "order.given_up", by=by, now=now)


def reopen_order(order: Order, *, now: datetime) -> None:
    """Something of it is not there after all."""
    if order.state == "closed":
        move(order, "state", "reopen", closed_at=None)
        record(order.id, "order.not_delivered", by="courier", now=now)
