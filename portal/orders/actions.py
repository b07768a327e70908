"""Take an order in, once; keep what a newer copy changes."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.channels import IncomingOrder, IncomingRefund
from portal.config import spoken
from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.lib.tokens import reference
from portal.orders import arrival, changes, links, pushes
from portal.orders.calendar import promised_for
from portal.orders.flags import KEPT_ONLY, follow_copy, raise_flag, tell
from portal.orders.models import ChannelRefund, Customer, Order, called
from portal.orders.payments import add_external, recapture
from portal.orders.promise import promise
from portal.orders.stock import reserve
from portal.orders.timeline import named, record, words
from portal.staff.models import Actor, Staff

words(
    "order.accepted",
    staff=_l("Order accepted from %(channel)s, promised by %(promised_on)s"),
    customer=_l("We have your order"),
)
words("order.delivered", staff=_l("All parcels delivered"))
words("order.not_delivered", staff=_l("A parcel counted as delivered by mistake"))
words("order.given_up", staff=_l("Cancelled: nothing of it can be delivered"), customer=_l("The order was cancelled"))
words("order.kept", staff=_l("Order kept, not promised yet: %(why)s"), customer=_l("We have your order"))
words("order.withdrawn", staff=_l("Cancelled in the channel"), customer=_l("The order was cancelled"))
words("order.mended", staff=_l("The channel corrected: %(changed)s"))
words(
    "refund.by_channel",
    staff=_l("Given back by the sales channel: %(amount)s"),
    customer=_l("%(amount)s sent back to you"),
)


def accept_order(incoming: IncomingOrder, *, by: str, now: datetime) -> tuple[Order, bool]:
    """The order, and whether it is new. Known by channel and external id: an older copy never overwrites a newer one,
    and no copy brings back a customer who was forgotten.

    What is not paid, only a test, cancelled or sent already is kept, but not promised and not planned.
    Raises Refused when its Stripe payment belongs to another order.
    """
    order_id, new = take_in(incoming, by=by, now=now)
    return session.get_one(Order, order_id, populate_existing=new), new


def take_in(incoming: IncomingOrder, *, by: str, now: datetime) -> tuple[int, bool]:
    """The same for whom the order's id is enough."""
    seen = arrival.look(incoming.channel, incoming.external_id, incoming.payment_intent)
    written = None if seen.known else _write(incoming, seen, now)
    if written is None:
        return _bring_up_to_date(incoming, by=by, now=now).id, False
    for code in incoming.problems:
        raise_flag(written.id, code, now=now)
    if incoming.refunds:
        take_refunds(session.get_one(Order, written.id), incoming.refunds, now=now)
    if written.state == "accepted":
        if written.counted:
            reserve(session.get_one(Order, written.id), now=now)
        _tell_accepted(written.id, incoming.channel, written.promised_on, by=by, now=now)
    else:
        record(written.id, "order.kept", by=by, now=now, why=_why_kept(incoming))
    return written.id, True


def _why_kept(incoming: IncomingOrder) -> dict[str, Any]:
    kept = [f"flag:{code}" for code in incoming.problems if code in KEPT_ONLY]
    return named(*(["field:cancelled"] if incoming.cancelled else []), *kept)


def _promise(order: Order, incoming: IncomingOrder, *, by: Actor, now: datetime) -> None:
    """From now on it is ours to keep: a day is promised."""
    order.accepted_at, order.paid_at = now, incoming.paid_at
    order.promised_on = promise(order.paid_at, order.country)
    _take_over(order, by=by, now=now)


def _take_over(order: Order, *, by: Actor, now: datetime) -> None:
    """What was promised begins: stock is kept back, parcels are planned."""
    reserve(order, now=now)
    _tell_accepted(order.id, order.channel, order.promised_on, by=by, now=now)


def _tell_accepted(order_id: int, channel: str, promised_on: date, *, by: Actor, now: datetime) -> None:
    record(order_id, "order.accepted", by=by, now=now, channel=called(channel), promised_on=promised_on)
    announce("order.accepted", order_id=order_id)


def take_kept(order: Order, *, by: Staff, now: datetime) -> None:
    """A person takes an order that was only kept as if it were paid now (by invoice, in cash). Raises Refused."""
    if order.accepted_at is not None:
        raise Refused(_("This order is accepted already."))
    move(order, "state", "resume", accepted_at=now, paid_at=now, promised_on=promise(now, order.country))
    _take_over(order, by=by, now=now)


def _is(incoming: IncomingOrder) -> ColumnElement[bool]:
    return and_(Order.channel == incoming.channel, Order.external_id == incoming.external_id)


def _write(incoming: IncomingOrder, seen: arrival.Seen, now: datetime) -> arrival.Written | None:
    """None when somebody else was quicker. Raises Refused when its Stripe payment belongs to another order."""
    if seen.paid_one:
        raise Refused(_("The payment %(intent)s belongs to another order.", intent=incoming.payment_intent))
    country = incoming.address.country or None
    state = "cancelled" if incoming.cancelled else "on_hold" if incoming.to_be_kept_only else "accepted"
    return arrival.write(
        incoming.lines,
        email=_email(incoming),
        name=incoming.name or incoming.address.name,
        phone=incoming.phone,
        locale=_language(incoming),
        ref=reference(),
        channel=incoming.channel,
        external_id=incoming.external_id,
        number=incoming.number,
        state=state,
        currency=incoming.currency,
        total=incoming.total,
        ship_to=Jsonb(asdict(incoming.address)),
        country=country,
        placed_at=incoming.placed_at,
        paid_at=incoming.paid_at,
        external_updated_at=incoming.updated_at,
        external_rank=incoming.rank,
        promised_on=promised_for(incoming.paid_at, country, seen.terms),
        accepted_at=now if state == "accepted" else None,
        created_at=now,
        route="stripe" if incoming.payment_intent else "channel",
        payment_intent=incoming.payment_intent,
        captured=incoming.captured,
    )


def _language(incoming: IncomingOrder) -> str:
    return spoken(incoming.locale, current_app.config["SETTINGS"].shop_language)


def _customer(incoming: IncomingOrder) -> int:
    name, language = incoming.name or incoming.address.name, _language(incoming)
    values = {"email": _email(incoming), "name": name, "phone": incoming.phone, "locale": language}
    return session.scalars(CUSTOMER, values).one().id


CUSTOMER = arrival.newest_name().returning(Customer).execution_options(populate_existing=True)


def _email(incoming: IncomingOrder) -> str | None:
    return incoming.email.strip().lower() if incoming.email else None


def _bring_up_to_date(incoming: IncomingOrder, *, by: str, now: datetime) -> Order:
    order = session.scalars(select(Order).where(_is(incoming)).with_for_update(of=Order)).one()
    take_refunds(order, incoming.refunds, now=now)
    if order.erased_at or (incoming.updated_at, incoming.rank) <= (order.external_updated_at, order.external_rank):
        return order
    order.external_updated_at, order.external_rank = incoming.updated_at, incoming.rank
    differences = changes.diff(order, order.lines, incoming)
    mended = _follow(order, incoming, now)
    if differences or mended:
        told = named(*changes.outline(differences), *(f"field:{name}" for name in mended))
        record(order.id, "order.changed" if differences else "order.mended", by=by, now=now, changed=told)
    if incoming.sent and order.accepted_at is not None:
        announce("order.sent_by_channel", order_id=order.id)
    if order.accepted_at is None:
        _reconsider(order, incoming, by=by, now=now)
    elif order.state in ("accepted", "on_hold"):
        changes.hear(order, incoming, differences, now=now)
    elif differences and not incoming.cancelled:
        tell(order.id, "changed", by="channel", now=now)
    return order


def _follow(order: Order, incoming: IncomingOrder, now: datetime) -> list[str]:
    """What no picker has to know follows the newest copy at once; the names of what differed."""
    differs = {
        "email": bool(incoming.email) and order.customer.email != _email(incoming),
        "payment": order.payment is not None and order.payment.captured != incoming.captured,
        "total": order.total != incoming.total,
    }
    order.total = incoming.total
    if incoming.email:
        order.customer_id = _customer(incoming)
    if differs["email"]:
        links.end_all(order.id, by="channel", now=now)
    if differs["payment"] and order.payment:
        recapture(order.payment, incoming.captured)
    changes.follow_prices(order, incoming)
    follow_copy(order.id, incoming.problems, leave=("already_sent",) if order.accepted_at else (), now=now)
    return [name for name, changed in differs.items() if changed]


def _reconsider(order: Order, incoming: IncomingOrder, *, by: str, now: datetime) -> None:
    """An order that was only kept so far: nobody has begun, so it becomes what the copy says."""
    if order.state == "cancelled":
        return
    if incoming.cancelled:
        move(order, "state", "cancel")
        record(order.id, "order.withdrawn", by=by, now=now)
        return
    changes.rewrite(order, changes.wanted(incoming), by=by, now=now)
    if not incoming.to_be_kept_only:
        move(order, "state", "resume")
        _promise(order, incoming, by=by, now=now)


def take_refunds(order: Order, refunds: Iterable[IncomingRefund], *, now: datetime) -> None:
    """Count what the channel gave back by itself, each once by its own id; an amount only grows.

    What goes back through our Stripe account is Stripe's to tell, and is not told twice.
    """
    if order.payment is None or order.payment.route != "channel":
        return
    for refund in refunds:
        more = _grown(order, refund, now)
        if more:
            add_external(order.payment, more)
            record(order.id, "refund.by_channel", by="channel", now=now, amount=Money(more, order.currency))
            announce("refund.by_channel", order_id=order.id)


def _grown(order: Order, refund: IncomingRefund, now: datetime) -> int:
    """Minor units by which this refund is more than was known of it."""
    values = {"order_id": order.id, "external_id": refund.external_id, "currency": order.currency, "heard_at": now}
    new = insert(ChannelRefund).values(**values, amount=0, given_at=refund.given_at)
    session.execute(new.on_conflict_do_nothing(index_elements=["order_id", "external_id"]))
    same = (ChannelRefund.order_id == order.id, ChannelRefund.external_id == refund.external_id)
    row = session.scalars(select(ChannelRefund).where(*same).with_for_update()).one()
    more = max(0, refund.amount - row.amount)
    row.amount += more
    return more


def order_gone(channel: str, external_id: str, *, now: datetime) -> None:
    """The channel deleted it. Whatever that means, a person should know before it is sent."""
    order = find_external(channel, external_id)
    if order is not None and order.state in ("accepted", "on_hold"):
        tell(order.id, "deleted", by="channel", now=now)


def find_external(channel: str, external_id: str) -> Order | None:
    """The order that the channel calls so, locked."""
    known = select(Order).where(Order.channel == channel, Order.external_id == external_id)
    return session.scalar(known.with_for_update(of=Order))


def find_all(channel: str, external_ids: Collection[str]) -> list[Order]:
    """Those of these orders that we know, the newest first."""
    known = select(Order).where(Order.channel == channel, Order.external_id.in_(external_ids))
    return list(session.scalars(known.order_by(Order.id.desc())))


def find_customers(channel: str) -> list[int]:
    """Everybody who ordered there and is not forgotten yet."""
    there = select(Order.customer_id).where(Order.channel == channel, Order.erased_at.is_(None)).distinct()
    return list(session.scalars(there))


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
        pushes.tell_cancelled(order, now=now)


def reopen_order(order: Order, *, now: datetime) -> None:
    """Something of it is not there after all."""
    if order.state == "closed":
        move(order, "state", "reopen", closed_at=None)
        record(order.id, "order.not_delivered", by="courier", now=now)
