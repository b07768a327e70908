"""WooCommerce: signed webhooks whose body is the order as its REST API (version 3) tells it."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qs

from portal.adapters.channels import IncomingAddress, IncomingLine, IncomingOrder, IncomingRefund, problems
from portal.adapters.channels.amounts import Amounts, spread
from portal.adapters.errors import Malformed
from portal.adapters.reading import (
    country,
    document,
    email,
    first,
    header,
    hmac_sha256,
    key,
    moment,
    part,
    parts,
    same,
    text,
)  # fmt: skip
from portal.lib.money import share

CODE = "woocommerce"
DELETED = "order.deleted"
CANCELLED = ("cancelled", "trash")
PAID = ("processing", "completed", "refunded")
"""Statuses that WooCommerce gives to what was paid; a shop's own statuses say nothing, `date_paid` does."""
GATEWAY = "stripe"
"""The plug-in that pays into the shop's own Stripe account; WooPayments' account is the platform's."""
MOST_PIECES = 1_000_000


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes. WooCommerce signs with the secret's HTML entities undone."""
    keys = {known for secret in secrets if secret for known in (secret, _unescaped(secret))}
    return same(
        header(headers, "X-WC-Webhook-Signature"), [b64encode(hmac_sha256(known, raw)).decode() for known in keys]
    )


def _unescaped(secret: str) -> str:
    """As `wp_specialchars_decode` does it: these five entities, and once."""
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#039;", "'"), ("&amp;", "&")):
        secret = secret.replace(entity, sign)
    return secret


def is_ping(raw: bytes, headers: Mapping[str, str]) -> bool:
    """Whether this is the unsigned knock by which a new webhook is tried: `webhook_id=17`, and nothing else."""
    if header(headers, "X-WC-Webhook-Signature") or len(raw) > 100:
        return False
    said = parse_qs(raw.decode("ascii", "replace"))
    return set(said) == {"webhook_id"} and said["webhook_id"][0].isdecimal()


def identify(raw: bytes, headers: Mapping[str, str]) -> tuple[str, str]:
    """Our key for this message and its topic. The delivery's own number is new each time, so the content is the key."""
    topic = header(headers, "X-WC-Webhook-Topic")
    return "|".join((sha256(raw).hexdigest(), topic, header(headers, "X-WC-Webhook-Source"))), topic


def parse(raw: bytes) -> IncomingOrder:
    """The order in this body. Raises Malformed only for what is no order: no id, no date, no known currency."""
    order = document(raw)
    amounts = Amounts(order.get("currency"))
    lines, whole_pieces = _lines(order, amounts)
    total, status = amounts.read(order.get("total")), text(order.get("status")).removeprefix("wc-")
    placed, updated, paid_at = _times(order)
    address = _address(order)
    billing = part(order.get("billing"))
    found = IncomingOrder(
        channel=CODE,
        external_id=key(order.get("id")),
        number=first(order.get("number"), order.get("id")),
        placed_at=placed,
        paid_at=paid_at or updated,
        updated_at=updated,
        currency=amounts.currency,
        total=total,
        captured=total if paid_at or status in PAID else 0,
        lines=lines,
        address=address,
        name=address.name or _name(billing),
        email=email(text(billing.get("email"), 320)),
        phone=first(part(order.get("shipping")).get("phone"), billing.get("phone"), limit=40) or None,
        locale="",
        claimed_intent=_intent(order, amounts.currency),
        reconciled=sum(line.paid for line in lines) == total and not amounts.bad,
        cancelled=status in CANCELLED,
        sent=status == "completed",
        refunds=tuple(_refund(row, amounts, updated) for row in parts(order.get("refunds")) if row.get("id")),
        rank=_rank(order, status, bool(paid_at)),
    )
    odd = problems.common(found, text(billing.get("email"), 320))
    return replace(found, problems=problems.codes(odd | {"amount": amounts.bad, "pieces": not whole_pieces}))


def parse_subject(raw: bytes) -> str:
    """Of a message that only names its order (deleted): the order's id. Raises Malformed."""
    return key(document(raw).get("id"))


def _times(order: Mapping[str, Any]) -> tuple[datetime, datetime, datetime | None]:
    """Placed, changed, paid. Times in `gmt` carry no offset and are UTC; the shop's own are a last resort."""
    created, changed, paid = (
        moment(order.get(f"date_{name}_gmt")) or moment(order.get(f"date_{name}"))
        for name in ("created", "modified", "paid")
    )
    placed = created or changed
    if placed is None:
        raise Malformed("an order without a date")
    return placed[0], (changed or placed)[0], paid[0] if paid else None


def _rank(order: Mapping[str, Any], status: str, paid: bool) -> str:
    """Times are whole seconds, in which a checkout changes its order several times: what is further on is later."""
    further = status in CANCELLED, paid or status in PAID, status == "completed"
    content = sha256(repr(sorted(order.items())).encode("utf-8", "surrogatepass")).hexdigest()
    return "".join(f"{one:d}" for one in further) + f"{len(parts(order.get('refunds'))):04d}{content[:16]}"


def _lines(order: Mapping[str, Any], amounts: Amounts) -> tuple[tuple[IncomingLine, ...], bool]:
    """All lines, goods first, then shipping and fees; and whether all pieces were whole.

    A fee below nothing is a discount, shared by what was paid for the goods.
    """
    items = [(row, _pieces(row.get("quantity"))) for row in parts(order.get("line_items"))]
    items = [(row, pieces) for row, pieces in items if pieces > 0]
    paid = [_worth(row, amounts, "total") for row, _pieces_ in items]
    off = min(sum(paid), sum(_discount(row, amounts) for row in parts(order.get("fee_lines"))))
    lines = [
        _item(row, place, pieces, worth - less, amounts)
        for place, ((row, pieces), worth, less) in enumerate(
            zip(items, paid, spread(off, paid, amounts.currency), strict=True), 1
        )
    ]
    lines += [_extra(row, "shipping", n, amounts) for n, row in enumerate(parts(order.get("shipping_lines")), 1)]
    fees = [row for row in parts(order.get("fee_lines")) if not _discount(row, amounts)]
    lines += [_extra(row, "fee", n, amounts) for n, row in enumerate(fees, 1)]
    if len({line.external_id for line in lines}) < len(lines):
        raise Malformed("the same line twice")
    return tuple(lines), all(row.get("quantity") == pieces for row, pieces in items)


def _item(row: Mapping[str, Any], place: int, pieces: int, paid: int, amounts: Amounts) -> IncomingLine:
    return IncomingLine(
        external_id=first(row.get("id")) or f"line:{place}",
        title=first(_plain(row.get("name")), row.get("sku"), f"#{place}", limit=300),
        quantity=pieces,
        unit_price=share(_worth(row, amounts, "subtotal"), 1, pieces, currency=amounts.currency),
        paid=paid,
        sku=text(row.get("sku"), 100),
        variant=_variant(row),
    )


def _extra(row: Mapping[str, Any], what: str, place: int, amounts: Amounts) -> IncomingLine:
    """Shipping, or a fee: it is paid, and nothing of it travels."""
    worth = _worth(row, amounts, "total")
    return IncomingLine(
        external_id=f"{what}:{first(row.get('id')) or place}",
        title=first(_plain(row.get("method_title")), _plain(row.get("name")), what.capitalize(), limit=300),
        quantity=1,
        unit_price=worth,
        paid=worth,
        kind="shipping",
    )


def _pieces(value: Any) -> int:
    """Whole pieces to send; plug-ins sell halves too, of which the next whole number travels."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= MOST_PIECES:
        raise Malformed("a quantity that is no count")
    return int(Decimal(value).to_integral_value(ROUND_CEILING))


def _worth(row: Mapping[str, Any], amounts: Amounts, name: str) -> int:
    """With its tax, which WooCommerce always tells apart."""
    return amounts.sane(amounts.read(row.get(name)) + amounts.read(row.get(f"{name}_tax")))


def _discount(row: Mapping[str, Any], amounts: Amounts) -> int:
    """Minor units that a fee takes off; nothing for one that adds."""
    given = [text(row.get(name)) for name in ("total", "total_tax")]
    return sum(amounts.read(one.removeprefix("-") or None) for one in given) if given[0].startswith("-") else 0


def _variant(row: Mapping[str, Any]) -> str:
    """What was chosen of the article, as the shop shows it; what plug-ins keep for themselves begins with _."""
    shown = [one for one in parts(row.get("meta_data")) if not text(one.get("key")).startswith("_")]
    return text(", ".join(filter(None, (_plain(one.get("display_value") or one.get("value")) for one in shown))))


def _plain(value: Any) -> str:
    return text(unescape(value) if isinstance(value, str) else value, 300)


def _refund(row: Mapping[str, Any], amounts: Amounts, heard: datetime) -> IncomingRefund:
    """Its amount is told as less than nothing, its time is not told."""
    return IncomingRefund(key(row.get("id")), amounts.read(text(row.get("total")).removeprefix("-") or None), heard)


def _intent(order: Mapping[str, Any], currency: str) -> str | None:
    """The Stripe payment, when it may be in the shop's own account and in the order's currency.

    Whether our key can read it is for the worker to find out; a charge without an intent goes back in the shop.
    """
    kept = {text(one.get("key")): text(one.get("value")) for one in parts(order.get("meta_data"))}
    if text(order.get("payment_method")).partition("_")[0] != GATEWAY:
        return None
    if kept.get("_stripe_currency", currency).upper() != currency:
        return None
    intent = kept.get("_stripe_intent_id", "")
    return intent if intent.startswith("pi_") and intent.isascii() and intent.replace("_", "").isalnum() else None


def _address(order: Mapping[str, Any]) -> IncomingAddress:
    """Where it goes: WooCommerce leaves the shipping address empty when it is the billing address."""
    shipping = part(order.get("shipping"))
    there = text(shipping.get("address_1")) or text(shipping.get("city"))
    given = shipping if there else part(order.get("billing"))
    return IncomingAddress(
        name=_name(given),
        company=text(given.get("company")),
        street=text(given.get("address_1")),
        street2=text(given.get("address_2")),
        postcode=text(given.get("postcode"), 20),
        city=text(given.get("city")),
        region=text(given.get("state")),
        country=country(given.get("country")),
    )


def _name(person: Mapping[str, Any]) -> str:
    return text(f"{text(person.get('first_name'))} {text(person.get('last_name'))}")
