"""Shopify: signed webhooks whose body is the order. Kept as it is, flagged where it is odd."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

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
    language,
    moment,
    part,
    parts,
    same,
    text,
)  # fmt: skip
from portal.lib.money import share

CODE = "shopify"
PAID, REFUNDED, DELETED = "orders/paid", "refunds/create", "orders/delete"
FORGET, COPY, GONE = "customers/redact", "customers/data_request", "shop/redact"
"""What customers ask of the shop by the law, and Shopify passes on; and that the shop has left Shopify's app."""
BARE = ("orders/edited", "orders/risk_assessment_changed", "orders/shopify_protect_eligibility_changed")
"""Topics whose body is no order; what they are about comes as orders/updated too."""
MOST_PIECES = 1_000_000


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes. Shopify's new events name the header without `X-`."""
    expected = [b64encode(hmac_sha256(secret, raw)).decode() for secret in secrets if secret]
    return same(_header(headers, "Hmac-Sha256"), expected)


def identify(raw: bytes, headers: Mapping[str, str]) -> tuple[str, str]:
    """Our key for this message, the same for every try and subscription, and its topic."""
    event, topic = _header(headers, "Event-Id", "Webhook-Id"), _header(headers, "Topic")
    return "|".join((event or sha256(raw).hexdigest(), topic, _header(headers, "Shop-Domain"))), topic


def _header(headers: Mapping[str, str], *names: str) -> str:
    return header(headers, *(f"{start}{name}" for name in names for start in ("X-Shopify-", "Shopify-")))


@dataclass(frozen=True, slots=True)
class Priced:
    """A line with what was paid for it, and whether it is a thing that we send."""

    line: IncomingLine
    ours: bool


def parse(raw: bytes, topic: str = "") -> IncomingOrder:
    """The order in this body. Raises Malformed only for what is no order: no id, no date, no known currency."""
    order = _order(document(raw))
    amounts = Amounts(order.get("currency"))
    priced = _priced(order, amounts)
    total = amounts.read(order.get(_total_field(order)))
    placed, updated = _times(order)
    address = _address(part(order.get("shipping_address")))
    found = IncomingOrder(
        channel=CODE,
        external_id=key(order.get("id")),
        number=first(order.get("name"), order.get("order_number"), order.get("id")),
        placed_at=placed,
        paid_at=updated if topic == PAID else placed,
        updated_at=updated,
        currency=amounts.currency,
        total=total,
        captured=_captured(order, total, amounts),
        lines=tuple(one.line for one in priced if one.ours),
        address=address,
        name=address.name or _name(part(order.get("customer"))) or _name(part(order.get("billing_address"))),
        email=email(_mail(order)),
        phone=_phone(order),
        locale=language(order.get("customer_locale")),
        reconciled=sum(one.line.paid for one in priced) == total and not amounts.bad,
        cancelled=_cancelled(order),
        test=order.get("test") is True,
        sent=order.get("fulfillment_status") == "fulfilled",
        refunds=tuple(_refund(one, amounts, updated) for one in parts(order.get("refunds")) if one.get("id")),
        rank=_rank(order),
    )
    return replace(found, problems=_problems(order, found, priced, amounts))


def parse_refund(raw: bytes) -> tuple[str, Callable[[str], IncomingRefund]]:
    """Of refunds/create: the order's id, and the refund once its order's currency is known. Raises Malformed."""
    body = document(raw)
    key(body.get("id"))
    return key(body.get("order_id")), lambda currency: _refund(body, Amounts(currency), None)


def parse_subject(raw: bytes) -> str:
    """Of a message that only names its order (deleted): the order's id. Raises Malformed."""
    return key(document(raw).get("id"))


def parse_asked(raw: bytes) -> list[str]:
    """Of a customer's wish to be forgotten, or to have a copy: the ids of the orders it is about. Raises Malformed."""
    body = document(raw)
    given = body.get("orders_to_redact", body.get("orders_requested"))
    return [text(one) for one in given if text(one)] if isinstance(given, list) else []


def _refund(row: dict[str, Any], amounts: Amounts, otherwise: datetime | None) -> IncomingRefund:
    """What reached the customer, as far as Shopify knows; a transaction that waits or failed is nothing yet."""
    done = [
        one for one in parts(row.get("transactions")) if (one.get("kind"), one.get("status")) == ("refund", "success")
    ]
    given = moment(row.get("processed_at")) or moment(row.get("created_at"))
    when = given[0] if given else otherwise
    if when is None:
        raise Malformed("a refund without a date")
    return IncomingRefund(key(row.get("id")), amounts.sane(sum(amounts.read(one.get("amount")) for one in done)), when)


def _order(body: dict[str, Any]) -> dict[str, Any]:
    """The order as it was to be sent: Shopify counts pieces as taken out when the order is cancelled or they return."""
    order = part(body.get("order")) or body
    back, cancelled = _came_back(order), _cancelled(order)
    return {**order, "line_items": [_as_sent(item, back, cancelled) for item in parts(order.get("line_items"))]}


def _came_back(order: dict[str, Any]) -> dict[str, int]:
    rows = [row for refund in parts(order.get("refunds")) for row in parts(refund.get("refund_line_items"))]
    back: dict[str, int] = {}
    for row in rows:
        if row.get("restock_type") == "return":
            line = text(row.get("line_item_id"))
            back[line] = back.get(line, 0) + _count(row.get("quantity"))
    return back


def _as_sent(item: dict[str, Any], back: dict[str, int], cancelled: bool) -> dict[str, Any]:
    left = item.get("current_quantity")
    if cancelled or left is None:
        return {**item, "current_quantity": None}
    return {**item, "current_quantity": _count(left) + back.get(text(item.get("id")), 0)}


def _cancelled(order: dict[str, Any]) -> bool:
    return order.get("cancelled_at") is not None


def _rank(order: dict[str, Any]) -> str:
    """Shopify's times are whole seconds, in which it says several things: what is further on counts as later."""
    content = sha256(json.dumps(order, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).hexdigest()
    paid = text(order.get("financial_status")) in ("partially_paid", "paid", "partially_refunded", "refunded")
    return f"{_cancelled(order):d}{paid:d}{len(parts(order.get('refunds'))):04d}{content[:16]}"


def _times(order: dict[str, Any]) -> tuple[datetime, datetime]:
    placed, created, updated = (moment(order.get(name)) for name in ("processed_at", "created_at", "updated_at"))
    bought = placed or created or updated
    if bought is None:
        raise Malformed("an order without a date")
    return bought[0], (updated or bought)[0]


def _total_field(order: dict[str, Any]) -> str:
    """After an edit Shopify keeps the first total and says the present one beside it."""
    edited = any(_pieces(item) != _bought(item) for item in parts(order.get("line_items")))
    return "current_total_price" if edited and order.get("current_total_price") is not None else "total_price"


def _captured(order: dict[str, Any], total: int, amounts: Amounts) -> int:
    """All that was ever paid; what was given back since is told by the refunds."""
    status, total = text(order.get("financial_status")), max(total, amounts.read(order.get("total_price")))
    if status in ("paid", "partially_refunded", "refunded"):
        return total
    if status == "partially_paid":
        return max(0, total - amounts.read(order.get("total_outstanding")))
    return 0


def _priced(order: dict[str, Any], amounts: Amounts) -> list[Priced]:
    """All lines, items first, then shipping. Discounts and tax that name no line are spread over all by value."""
    items, shipping = parts(order.get("line_items")), parts(order.get("shipping_lines"))
    paid = _paid(order, [*items, *shipping], [_bought(item) for item in items] + [1] * len(shipping), amounts)
    priced = [_item(item, n, amounts, paid[n]) for n, item in enumerate(items) if _pieces(item)]
    priced += [_shipping(row, n, amounts, paid[len(items) + n]) for n, row in enumerate(shipping)]
    if len({one.line.external_id for one in priced}) < len(priced):
        raise Malformed("the same line twice")
    return priced


def _paid(order: dict[str, Any], rows: list[dict[str, Any]], counts: list[int], amounts: Amounts) -> list[int]:
    """What was really paid for each row: price, less discount, plus tax that is not in the price."""
    worth = [amounts.read(row.get("price")) * count for row, count in zip(rows, counts, strict=True)]
    less = [_discount(row, amounts) for row in rows]
    off = _per_row(less, amounts.read(order.get("total_discounts")), worth, amounts.currency)
    net = [amounts.sane(gross - less) for gross, less in zip(worth, off, strict=True)]
    if order.get("taxes_included") is True:
        return net
    taxes = [_tax(row, amounts) for row in rows]
    tax = _per_row(taxes, amounts.read(order.get("total_tax")), net, amounts.currency)
    return [amounts.sane(amount + more) for amount, more in zip(net, tax, strict=True)]


def _per_row(told: list[int], whole: int, worth: list[int], currency: str) -> list[int]:
    return told if any(told) or not whole else spread(whole, worth, currency)


def _discount(row: dict[str, Any], amounts: Amounts) -> int:
    named = [amounts.read(one.get("amount")) for one in parts(row.get("discount_allocations"))]
    if named:
        return sum(named)
    if row.get("discounted_price") is not None:
        return max(0, amounts.read(row.get("price")) - amounts.read(row.get("discounted_price")))
    return amounts.read(row.get("total_discount"))


def _tax(row: dict[str, Any], amounts: Amounts) -> int:
    return sum(amounts.read(one.get("price")) for one in parts(row.get("tax_lines")))


def _item(item: dict[str, Any], place: int, amounts: Amounts, paid: int) -> Priced:
    line = IncomingLine(
        external_id=first(item.get("id")) or f"line:{place + 1}",
        title=first(item.get("title"), item.get("name"), item.get("sku"), f"#{place + 1}", limit=300),
        quantity=_pieces(item),
        unit_price=amounts.read(item.get("price")),
        paid=amounts.sane(share(paid, _pieces(item), _bought(item), currency=amounts.currency)),
        sku=text(item.get("sku"), 100),
        variant=text(item.get("variant_title")),
    )
    return Priced(line, ours=item.get("requires_shipping") is not False and item.get("gift_card") is not True)


def _shipping(row: dict[str, Any], place: int, amounts: Amounts, paid: int) -> Priced:
    line = IncomingLine(
        external_id=f"shipping:{first(row.get('id')) or place + 1}",
        title=first(row.get("title"), row.get("code"), "Shipping"),
        quantity=1,
        unit_price=amounts.read(row.get("price")),
        paid=amounts.sane(paid),
        kind="shipping",
    )
    return Priced(line, ours=True)


def _bought(item: dict[str, Any]) -> int:
    return _count(item.get("quantity"))


def _pieces(item: dict[str, Any]) -> int:
    """How many are to be sent now: fewer than bought when the order was edited."""
    left = item.get("current_quantity")
    return _bought(item) if left is None else min(_bought(item), int(left))


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_PIECES:
        raise Malformed("a quantity that is no count")
    return value


def _address(given: dict[str, Any]) -> IncomingAddress:
    return IncomingAddress(
        name=_name(given),
        company=text(given.get("company")),
        street=text(given.get("address1")),
        street2=text(given.get("address2")),
        postcode=text(given.get("zip"), 20),
        city=text(given.get("city")),
        region=first(given.get("province_code"), given.get("province")),
        country=country(given.get("country_code")),
    )


def _name(person: dict[str, Any]) -> str:
    return first(person.get("name")) or text(f"{text(person.get('first_name'))} {text(person.get('last_name'))}")


def _mail(order: dict[str, Any]) -> str:
    return first(order.get("email"), order.get("contact_email"), part(order.get("customer")).get("email"), limit=320)


def _phone(order: dict[str, Any]) -> str | None:
    people = [order, *(part(order.get(who)) for who in ("shipping_address", "customer", "billing_address"))]
    return first(*(person.get("phone") for person in people), limit=40) or None


def _problems(order: dict[str, Any], found: IncomingOrder, priced: list[Priced], amounts: Amounts) -> tuple[str, ...]:
    odd = {
        "amount": amounts.bad,
        "not_shipped": not all(one.ours for one in priced),
    }
    return problems.codes(problems.common(found, _mail(order)) | odd)
