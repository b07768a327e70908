"""Stripe Checkout as a shop: events about a session. What was bought is asked of Stripe, since no event says it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from portal.adapters.channels import IncomingAddress, IncomingLine, IncomingOrder, problems
from portal.adapters.channels.amounts import Amounts
from portal.adapters.errors import Malformed
from portal.adapters.reading import (
    country,
    document,
    email,
    first,
    header,
    key,
    language,
    part,
    text,
    unix_moment,
)
from portal.adapters.stripe import BadSignature, verify_webhook
from portal.lib.money import TOO_MUCH

CODE = "checkout"
DONE = "checkout.session.completed"
PAID_LATER, NEVER_PAID = "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"
TOPICS = (DONE, PAID_LATER, NEVER_PAID)
"""The events to subscribe to."""
PAID = ("paid", "no_payment_required")
INTENT = re.compile(r"pi_[A-Za-z0-9_]{3,200}")
MOST_PIECES = 1_000_000


@dataclass(frozen=True, slots=True)
class Bought:
    """A session that is an order: its id at Stripe, and the event's object as it was sent."""

    id: str
    session: Mapping[str, Any]
    topic: str
    at: datetime


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether Stripe signed these very bytes with one of our secrets, in the last five minutes."""
    return any(_signed(raw, header(headers, "Stripe-Signature"), secret) for secret in secrets if secret)


def _signed(raw: bytes, signature: str, secret: str) -> bool:
    try:
        verify_webhook(raw, signature, secret)
    except BadSignature:
        return False
    except Malformed:
        return True
    return True


def identify(raw: bytes, _headers: Mapping[str, str]) -> tuple[str, str]:
    """Stripe's key for the event, the same for every try, and its type. Raises Malformed."""
    event = document(raw)
    return key(event.get("id")), key(event.get("type"))


def bought(raw: bytes) -> Bought | None:
    """What the event is about; None when nothing of it is ours: subscriptions, cards only kept. Raises Malformed."""
    event = document(raw)
    session, at = part(part(event.get("data")).get("object")), unix_moment(event.get("created"))
    if at is None:
        raise Malformed("an event without a date")
    topic = text(event.get("type"))
    if topic not in TOPICS or session.get("mode") != "payment":
        return None
    return Bought(key(session.get("id")), session, topic, at)


def order_of(found: Bought, rows: Sequence[Mapping[str, Any]]) -> IncomingOrder:
    """The order: the session, and its lines as Stripe lists them. Raises Malformed for a session without a currency."""
    session, amounts = found.session, Amounts(found.session.get("currency"))
    placed = unix_moment(session.get("created")) or found.at
    total = _minor(session.get("amount_total"), amounts)
    whom = part(session.get("customer_details"))
    address = _address(session, whom)
    mail = first(whom.get("email"), session.get("customer_email"), limit=320)
    order = IncomingOrder(
        channel=CODE,
        external_id=found.id,
        number=_number(session),
        placed_at=placed,
        paid_at=found.at if found.topic == PAID_LATER else placed,
        updated_at=found.at,
        currency=amounts.currency,
        total=total,
        captured=total if session.get("payment_status") in PAID else 0,
        lines=_lines(rows, session, amounts),
        address=address,
        name=address.name or text(whom.get("name")),
        email=email(mail),
        phone=first(_shipping(session).get("phone"), whom.get("phone"), limit=40) or None,
        locale=language(session.get("locale"), ""),
        payment_intent=_intent(session),
        cancelled=found.topic == NEVER_PAID,
        rank=f"{TOPICS.index(found.topic)}{sha256(repr(sorted(session.items())).encode()).hexdigest()[:16]}",
    )
    order = replace(order, reconciled=sum(line.paid for line in order.lines) == total and not amounts.bad)
    return replace(order, problems=problems.codes(problems.common(order, mail) | {"amount": amounts.bad}))


def _number(session: Mapping[str, Any]) -> str:
    """The shop's own number when it gave one; else the end of Stripe's id, which people can still read out."""
    given = first(session.get("client_reference_id"), part(session.get("metadata")).get("order_number"), limit=60)
    return given or key(session.get("id"))[-8:].upper()


def _intent(session: Mapping[str, Any]) -> str | None:
    """The payment, which is in our account: our key lists the session's lines."""
    given = session.get("payment_intent")
    intent = text(part(given).get("id") if isinstance(given, dict) else given)
    return intent if INTENT.fullmatch(intent) else None


def _lines(rows: Sequence[Mapping[str, Any]], session: Mapping[str, Any], amounts: Amounts) -> tuple[IncomingLine, ...]:
    lines = [_line(row, place, amounts) for place, row in enumerate(rows, 1)]
    if len({line.external_id for line in lines}) < len(lines):
        raise Malformed("the same line twice")
    shipping = part(session.get("shipping_cost"))
    worth = _minor(shipping.get("amount_total"), amounts)
    if shipping:
        lines.append(IncomingLine("shipping", "Shipping", 1, worth, worth, kind="shipping"))
    return tuple(lines)


def _line(row: Mapping[str, Any], place: int, amounts: Amounts) -> IncomingLine:
    pieces = row.get("quantity")
    if type(pieces) is not int or not 0 < pieces <= MOST_PIECES:
        raise Malformed("a quantity that is no count")
    price = part(row.get("price"))
    product = part(price.get("product"))
    return IncomingLine(
        external_id=first(row.get("id")) or f"line:{place}",
        title=first(row.get("description"), product.get("name"), f"#{place}", limit=300),
        quantity=pieces,
        unit_price=_minor(price.get("unit_amount"), amounts),
        paid=_minor(row.get("amount_total"), amounts),
        sku=_sku(price, product),
    )


def _sku(price: Mapping[str, Any], product: Mapping[str, Any]) -> str:
    """Stripe knows no SKU: `sku` in the metadata of price or product, else the price's lookup key."""
    kept = (part(price.get("metadata")).get("sku"), part(product.get("metadata")).get("sku"))
    return first(*kept, price.get("lookup_key"), limit=100)


def _minor(value: Any, amounts: Amounts) -> int:
    """Stripe's amounts are in minor units already; nothing for none."""
    if value is None:
        return 0
    return amounts.sane(value if type(value) is int and abs(value) < TOO_MUCH else -1)


def _shipping(session: Mapping[str, Any]) -> dict[str, Any]:
    """Where it stands depends on the endpoint's version: inside `collected_information` since 2025-03."""
    collected = part(part(session.get("collected_information")).get("shipping_details"))
    return collected or part(session.get("shipping_details")) or part(session.get("shipping"))


def _address(session: Mapping[str, Any], whom: Mapping[str, Any]) -> IncomingAddress:
    """Where it goes; without an address for shipping, the customer's own, as far as there is one."""
    shipping = _shipping(session)
    given = part(shipping.get("address")) or part(whom.get("address"))
    return IncomingAddress(
        name=first(shipping.get("name"), whom.get("name")),
        street=text(given.get("line1")),
        street2=text(given.get("line2")),
        postcode=text(given.get("postal_code"), 20),
        city=text(given.get("city")),
        region=text(given.get("state")),
        country=country(given.get("country")),
    )
