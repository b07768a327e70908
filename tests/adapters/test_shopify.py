"""Shopify's orders: verified on the bytes, exact to the cent, kept and flagged where they are odd."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.channels import IncomingOrder, shopify
from portal.adapters.errors import Malformed
from portal.adapters.reading import hmac_sha256
from tests.adapters.values import any_json, mutated

ADDRESS = {
    "name": "Jürgen Weiß",
    "address1": "Am Markt 1",
    "zip": "50667",
    "city": "Köln",
    "country_code": "DE",
    "phone": "+49 221 1",
}
MUG = {
    "id": 11, "title": "Stoneware mug", "variant_title": "Moss", "sku": "MUG-01", "quantity": 3, "price": "10.00",
    "requires_shipping": True, "discount_allocations": [{"amount": "1.00"}], "tax_lines": [{"price": "5.51"}],
}  # fmt: skip
ORDER: dict[str, Any] = {
    "id": 820982911946154508, "name": "#1071", "email": "j.weiss@example.org", "currency": "EUR",
    "customer_locale": "de-DE", "created_at": "2026-11-20T09:00:00+01:00", "processed_at": "2026-11-20T09:00:01+01:00",
    "updated_at": "2026-11-22T12:00:00+01:00", "financial_status": "paid", "taxes_included": True, "total_tax": "5.51",
    "total_discounts": "1.00", "total_price": "33.90", "shipping_address": ADDRESS,
    "line_items": [MUG], "shipping_lines": [{"id": 21, "title": "DHL", "price": "4.90"}],
}  # fmt: skip


def body(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def read(**changes: Any) -> IncomingOrder:
    return shopify.parse(body(**changes))


def signed(raw: bytes, secret: str = "shopify-secret") -> str:
    return b64encode(hmac_sha256(secret, raw)).decode()


@pytest.mark.parametrize("name", ["X-Shopify-Hmac-Sha256", "x-shopify-hmac-sha256", "Shopify-Hmac-Sha256"])
def test_it_accepts_both_spellings_of_the_signature(name: str) -> None:
    assert shopify.verify(b"{}", {name: signed(b"{}")}, ["other", "shopify-secret"])


@pytest.mark.parametrize("given", ["", "x", signed(b"{} "), signed(b"{}", "other"), signed(b"{}")[:-1], "ü\ud800"])
def test_it_refuses_a_wrong_signature(given: str) -> None:
    assert not shopify.verify(b"{}", {"X-Shopify-Hmac-Sha256": given}, ["shopify-secret"])


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_genuine(secrets: list[str]) -> None:
    assert not shopify.verify(b"{}", {"X-Shopify-Hmac-Sha256": signed(b"{}", "")}, secrets)


def test_the_same_event_has_one_key_per_topic_and_shop() -> None:
    headers = {"X-Shopify-Event-Id": "e1", "X-Shopify-Topic": "orders/paid", "X-Shopify-Shop-Domain": "a.myshopify.com"}
    assert shopify.identify(b"1", headers) == ("e1|orders/paid|a.myshopify.com", "orders/paid")
    assert shopify.identify(b"2", {**headers, "X-Shopify-Webhook-Id": "again"}) == shopify.identify(b"1", headers)
    assert shopify.identify(b"1", {**headers, "X-Shopify-Topic": "orders/create"}) != shopify.identify(b"1", headers)


def test_it_reads_an_order() -> None:
    order = read()
    assert (order.external_id, order.number, order.locale) == ("820982911946154508", "#1071", "de-DE")
    assert (order.total, order.captured, order.currency, order.reconciled, order.problems) == (
        3390,
        3390,
        "EUR",
        True,
        (),
    )
    assert (order.name, order.address.street, order.address.country) == ("Jürgen Weiß", "Am Markt 1", "DE")
    mug, shipping = order.lines
    assert (mug.external_id, mug.sku, mug.variant, mug.quantity, mug.unit_price, mug.paid) == (
        "11",
        "MUG-01",
        "Moss",
        3,
        1000,
        2900,
    )
    assert (shipping.external_id, shipping.kind, shipping.paid) == ("shipping:21", "shipping", 490)


def test_the_time_of_payment_is_when_shopify_said_paid() -> None:
    assert shopify.parse(body(), "orders/paid").paid_at == datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
    assert shopify.parse(body(), "orders/updated").paid_at == datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC)


def test_tax_on_top_belongs_to_what_was_paid_for_the_line() -> None:
    order = read(taxes_included=False, total_price="39.41")
    assert (order.lines[0].paid, order.reconciled) == (2900 + 551, True)


def test_discount_and_tax_of_the_whole_order_are_spread_and_add_up() -> None:
    lines = [{**MUG, "id": n, "quantity": 1, "discount_allocations": [], "tax_lines": []} for n in range(3)]
    order = read(
        line_items=lines,
        shipping_lines=[],
        taxes_included=False,
        total_discounts="0.50",
        total_tax="1.00",
        total_price="30.50",
    )
    assert sum(line.paid for line in order.lines) == 3050
    assert order.reconciled


def test_a_discount_on_shipping_is_seen() -> None:
    order = read(shipping_lines=[{"title": "DHL", "price": "4.90", "discounted_price": "0.00"}], total_price="29.00")
    assert (order.lines[1].paid, order.lines[1].unit_price, order.reconciled) == (0, 490, True)


def test_after_an_edit_only_what_is_left_is_to_be_sent() -> None:
    order = read(line_items=[{**MUG, "current_quantity": 2}], current_total_price="24.23")
    assert (order.lines[0].quantity, order.lines[0].paid, order.total, order.reconciled) == (2, 1933, 2423, True)


def test_a_line_taken_out_is_not_sent() -> None:
    order = read(
        line_items=[MUG, {**MUG, "id": 12, "current_quantity": 0}], current_total_price="33.90", total_discounts="2.00"
    )
    assert [line.external_id for line in order.lines] == ["11", "shipping:21"]


def test_of_a_cancelled_order_it_keeps_what_was_bought() -> None:
    order = read(cancelled_at="2026-11-21T09:00:00Z", line_items=[{**MUG, "current_quantity": 0}])
    assert (order.cancelled, order.lines[0].quantity, order.total) == (True, 3, 3390)


def test_pieces_that_came_back_were_sent_and_those_taken_out_were_not() -> None:
    back = {"restock_type": "return", "line_item_id": 11, "quantity": 1}
    out = {**back, "restock_type": "cancel"}
    edited = {"line_items": [{**MUG, "current_quantity": 1}], "current_total_price": "14.57"}
    order = read(**edited, refunds=[{"id": 9, "refund_line_items": [back, out]}])
    assert order.lines[0].quantity == 2


def test_what_was_paid_stays_paid_when_shopify_gives_some_of_it_back() -> None:
    done = {"kind": "refund", "status": "success", "amount": "9.67"}
    rows = [done, {**done, "status": "pending"}, {**done, "status": "failure"}, {**done, "kind": "void"}]
    order = read(
        financial_status="partially_refunded",
        line_items=[{**MUG, "current_quantity": 2}],
        current_total_price="24.23",
        refunds=[{"id": 77, "created_at": "2026-11-22T10:00:00Z", "transactions": rows}],
    )
    assert (order.total, order.captured) == (2423, 3390)
    assert [(one.external_id, one.amount) for one in order.refunds] == [("77", 967)]


def test_of_two_copies_of_one_second_the_one_that_is_further_on_is_the_newer() -> None:
    copies = [read(financial_status="pending"), read(), read(cancelled_at="2026-11-22T12:00:00+01:00")]
    assert sorted(copies, key=lambda copy: copy.rank) == copies


def test_a_gift_card_counts_in_the_money_and_is_not_sent() -> None:
    card = {
        "id": 12,
        "title": "Gift card",
        "quantity": 1,
        "price": "25.00",
        "gift_card": True,
        "requires_shipping": False,
    }
    order = read(line_items=[MUG, card], total_price="58.90")
    assert [line.external_id for line in order.lines] == ["11", "shipping:21"]
    assert (order.reconciled, order.problems) == (True, ("not_shipped",))


def test_yen_have_no_cents() -> None:
    mug = {**MUG, "price": "1500", "discount_allocations": [], "tax_lines": []}
    order = read(
        currency="JPY", line_items=[mug], shipping_lines=[], total_discounts="0", total_tax="0", total_price="4500"
    )
    assert (order.total, order.lines[0].paid, order.reconciled) == (4500, 4500, True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"line_items": [{**MUG, "sku": None}]}, "missing_sku"),
        ({"line_items": []}, "no_items"),
        ({"shipping_address": None}, "missing_address"),
        ({"shipping_address": {**ADDRESS, "country_code": "XX"}}, "unknown_country"),
        ({"email": ""}, "missing_email"),
        ({"email": "nobody at home"}, "bad_email"),
        ({"total_price": "33.91"}, "totals"),
        ({"total_price": "a lot"}, "amount"),
        ({"line_items": [{**MUG, "price": "10.005"}]}, "amount"),
        ({"financial_status": "pending"}, "not_paid"),
        ({"fulfillment_status": "fulfilled"}, "already_sent"),
        ({"test": True}, "test"),
    ],
)
def test_an_odd_order_is_kept_and_flagged(changes: dict[str, Any], problem: str) -> None:
    order = read(**changes)
    assert problem in order.problems
    assert order.external_id == "820982911946154508"


def test_kosovo_is_a_country() -> None:
    assert read(shipping_address={**ADDRESS, "country_code": "XK"}).problems == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": True},
        {"currency": "EURO"},
        {"currency": None},
        {"line_items": [MUG, MUG]},
        {"line_items": [{**MUG, "quantity": "3"}]},
        {"line_items": [{**MUG, "quantity": -1}]},
        {"created_at": None, "processed_at": "soon", "updated_at": 5},
    ],
)
def test_what_is_no_order_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(**changes)


def test_it_reads_the_vendors_orders_and_says_that_their_totals_are_odd(payloads: Any) -> None:
    sample, discounted = (
        shopify.parse(payloads("shopify-order.json")),
        shopify.parse(payloads("shopify-order-with-discount.json")),
    )
    assert (sample.external_id, len(sample.lines), sample.problems) == ("450789469", 4, ("totals", "not_paid"))
    assert (discounted.currency, discounted.lines[0].paid, discounted.problems) == (
        "CAD",
        7000,
        ("missing_sku", "totals"),
    )


@given(any_json())
def test_no_json_crashes_it(value: Any) -> None:
    _parse_or_malformed(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(mutated(body()))
def test_no_mutation_of_an_order_crashes_it_or_reads_what_cannot_be_stored(raw: bytes) -> None:
    order = _parse_or_malformed(raw)
    if order is None:
        return
    repr(order).encode()
    assert 0 <= order.captured < 10**15
    assert 0 <= order.total < 10**15
    assert all(
        0 <= line.paid < 10**15 and line.quantity > 0 and line.title and "\x00" not in line.title
        for line in order.lines
    )
    assert order.reconciled == ("totals" not in order.problems)
    if order.reconciled and "not_shipped" not in order.problems:
        assert sum(line.paid for line in order.lines) == order.total


def _parse_or_malformed(raw: bytes) -> IncomingOrder | None:
    try:
        return shopify.parse(raw)
    except Malformed:
        return None
