"""WooCommerce's orders: verified on the bytes, exact to the cent, kept and flagged where they are odd."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.channels import IncomingOrder, woocommerce
from portal.adapters.errors import Malformed
from portal.adapters.reading import hmac_sha256
from tests.adapters.values import any_json, mutated

HOME = {
    "first_name": "Anna", "last_name": "Kovács", "address_1": "Fő utca 1", "postcode": "1011", "city": "Budapest",
    "country": "HU", "email": "anna@example.org", "phone": "+36 1 1",
}  # fmt: skip
MUG = {
    "id": 11, "name": "Stoneware mug &amp; saucer", "sku": "MUG-01", "quantity": 2, "subtotal": "16.80",
    "subtotal_tax": "3.20", "total": "15.12", "total_tax": "2.88", "price": 7.56,
    "meta_data": [{"key": "pa_colour", "display_value": "Moss"}, {"key": "_hidden", "value": "x"}],
}  # fmt: skip
SHIPPING = {"id": 21, "method_title": "Flat rate", "total": "4.20", "total_tax": "0.80"}
ORDER: dict[str, Any] = {
    "id": 963, "number": "WS-963", "status": "processing", "currency": "EUR", "total": "23.00",
    "date_created_gmt": "2026-11-20T08:00:00", "date_modified_gmt": "2026-11-20T08:00:05",
    "date_paid_gmt": "2026-11-20T08:00:04", "billing": HOME, "shipping": {**HOME, "address_1": "Kossuth tér 2"},
    "line_items": [MUG], "shipping_lines": [SHIPPING], "fee_lines": [], "refunds": [], "payment_method": "stripe",
    "meta_data": [{"key": "_stripe_intent_id", "value": "pi_abc123"}],
}  # fmt: skip


def body(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def read(**changes: Any) -> IncomingOrder:
    return woocommerce.parse(body(**changes))


def signed(raw: bytes, secret: str = "woo-secret") -> str:
    return b64encode(hmac_sha256(secret, raw)).decode()


@pytest.mark.parametrize("ours", ["woo-secret", "a&amp;b", "&lt;x&gt;&quot;&#039;"])
def test_it_knows_its_signature_also_when_the_secret_was_kept_escaped(ours: str) -> None:
    said = ours.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&#039;", "'")
    by = said.replace("&amp;", "&")
    assert woocommerce.verify(b"{}", {"x-wc-webhook-signature": signed(b"{}", by)}, ["other", ours])


@pytest.mark.parametrize("given", ["", "x", signed(b"{} "), signed(b"{}", "other"), "ü\ud800"])
def test_it_refuses_a_wrong_signature(given: str) -> None:
    assert not woocommerce.verify(b"{}", {"X-WC-Webhook-Signature": given}, ["woo-secret"])


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_nothing_is_genuine(secrets: list[str]) -> None:
    assert not woocommerce.verify(b"{}", {"X-WC-Webhook-Signature": signed(b"{}", "")}, secrets)


def test_it_reads_an_order() -> None:
    order = read()
    mug, shipping = order.lines
    assert (order.external_id, order.number, order.total, order.captured) == ("963", "WS-963", 2300, 2300)
    assert (order.problems, order.reconciled, order.locale) == ((), True, "")
    assert (mug.title, mug.variant, mug.quantity, mug.unit_price, mug.paid) == (
        "Stoneware mug & saucer", "Moss", 2, 1000, 1800,
    )  # fmt: skip
    assert (shipping.kind, shipping.paid) == ("shipping", 500)
    assert (order.address.street, order.address.country, order.name) == ("Kossuth tér 2", "HU", "Anna Kovács")
    assert order.updated_at == datetime(2026, 11, 20, 8, 0, 5, tzinfo=UTC)


def test_an_empty_shipping_address_means_the_billing_address() -> None:
    order = read(shipping=dict.fromkeys(HOME, ""))
    assert (order.address.street, order.name) == ("Fő utca 1", "Anna Kovács")


@pytest.mark.parametrize(
    ("changes", "claimed"),
    [
        ({}, "pi_abc123"),
        ({"payment_method": "stripe_sepa"}, "pi_abc123"),
        ({"payment_method": "woocommerce_payments"}, None),
        ({"payment_method": "bacs"}, None),
        ({"meta_data": [{"key": "_stripe_charge_id", "value": "ch_1"}]}, None),
        ({"meta_data": [*ORDER["meta_data"], {"key": "_stripe_currency", "value": "CAD"}]}, None),
        ({"meta_data": [{"key": "_stripe_intent_id", "value": "pi_/../x"}]}, None),
    ],
)
def test_only_a_payment_of_the_shops_own_gateway_may_be_in_our_account(
    changes: dict[str, Any], claimed: str | None
) -> None:
    order = read(**changes)
    assert (order.claimed_intent, order.payment_intent) == (claimed, None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "pending", "date_paid_gmt": None}, "not_paid"),
        ({"status": "on-hold", "date_paid_gmt": None}, "not_paid"),
        ({"status": "completed"}, "already_sent"),
        ({"total": "24.00"}, "totals"),
        ({"total": "many"}, "amount"),
        ({"line_items": [{**MUG, "sku": ""}]}, "missing_sku"),
        ({"line_items": [{**MUG, "quantity": 1.5}]}, "pieces"),
        ({"line_items": []}, "no_items"),
        ({"billing": {**HOME, "email": ""}}, "missing_email"),
        ({"billing": {**HOME, "email": "anna@"}}, "bad_email"),
        ({"shipping": {**HOME, "country": "XX"}}, "unknown_country"),
        ({"shipping": {}, "billing": {"email": "anna@example.org"}}, "missing_address"),
    ],
)
def test_what_is_odd_is_flagged_and_kept(changes: dict[str, Any], problem: str) -> None:
    assert problem in read(**changes).problems


def test_half_pieces_travel_as_whole_ones_and_cost_what_they_cost() -> None:
    line = read(line_items=[{**MUG, "quantity": 1.5}]).lines[0]
    assert (line.quantity, line.paid) == (2, 1800)


def test_a_fee_below_nothing_is_a_discount_that_the_goods_share() -> None:
    bowl = {**MUG, "id": 12, "total": "7.56", "total_tax": "1.44"}
    order = read(line_items=[MUG, bowl], fee_lines=[{"id": 60, "name": "Voucher", "total": "-6.00"}], total="26.00")
    assert [line.paid for line in order.lines] == [1400, 700, 500]
    assert order.reconciled


def test_a_fee_that_adds_is_paid_and_does_not_travel() -> None:
    order = read(fee_lines=[{"id": 60, "name": "Gift wrap", "total": "2.00", "total_tax": "0.00"}], total="25.00")
    assert [(line.kind, line.title, line.paid) for line in order.lines[1:]] == [
        ("shipping", "Flat rate", 500),
        ("shipping", "Gift wrap", 200),
    ]
    assert order.reconciled


def test_what_the_shop_gave_back_is_told_as_less_than_nothing() -> None:
    order = read(status="refunded", refunds=[{"id": 7, "reason": "", "total": "-23.00"}])
    assert [(one.external_id, one.amount) for one in order.refunds] == [("7", 2300)]
    assert (order.captured, order.cancelled) == (2300, False)


@pytest.mark.parametrize("status", ["cancelled", "trash", "wc-cancelled"])
def test_a_cancelled_order_says_so_and_stays_paid(status: str) -> None:
    order = read(status=status)
    assert (order.cancelled, order.captured) == (True, 2300)


def test_of_two_copies_of_one_second_the_one_that_is_further_on_is_the_newer() -> None:
    copies = [read(status="pending", date_paid_gmt=None), read(), read(status="completed"), read(status="cancelled")]
    assert sorted(copies, key=lambda copy: copy.rank) == copies


@pytest.mark.parametrize(
    "changes",
    [{"id": None}, {"currency": "XXX"}, {"date_created_gmt": None, "date_modified_gmt": None},
     {"line_items": [MUG, MUG]}, {"line_items": [{**MUG, "quantity": -1}]}],
)  # fmt: skip
def test_what_is_no_order_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(**changes)


def test_it_reads_the_vendors_orders(payloads: Any) -> None:
    charged, scrambled = (
        woocommerce.parse(json.dumps(json.loads(payloads(name))["data"]).encode())
        for name in ("woocommerce-order-with-charge.json", "woocommerce-order.json")
    )
    assert (charged.total, charged.captured, charged.problems, charged.claimed_intent) == (3330, 3330, (), None)
    assert (scrambled.captured, scrambled.problems) == (3120, ("missing_sku", "totals", "pieces"))


@pytest.mark.parametrize(
    ("raw", "headers", "is_one"),
    [
        (b"webhook_id=17", {}, True),
        (b"webhook_id=17", {"X-WC-Webhook-Signature": "x"}, False),
        (b"webhook_id=x", {}, False),
        (b"webhook_id=1&a=b", {}, False),
        (b'{"id": 1}', {}, False),
        (b"webhook_id=" + b"1" * 200, {}, False),
        (b"\xff\xfe", {}, False),
    ],
)
def test_only_the_very_knock_of_a_new_webhook_may_be_unsigned(
    raw: bytes, headers: dict[str, str], is_one: bool
) -> None:
    assert woocommerce.is_ping(raw, headers) is is_one


@given(any_json())
def test_no_json_crashes_it(value: Any) -> None:
    _parse_or_malformed(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(mutated(body(refunds=[{"id": 7, "total": "-1.00"}], fee_lines=[{"id": 1, "name": "x", "total": "-1.00"}])))
def test_no_mutation_of_an_order_crashes_it_or_reads_what_cannot_be_stored(raw: bytes) -> None:
    order = _parse_or_malformed(raw)
    if order is None:
        return
    repr(order).encode()
    assert 0 <= order.captured < 10**15
    assert all(0 <= line.paid < 10**15 and line.quantity > 0 and line.title for line in order.lines)
    assert all(0 <= refund.amount < 10**15 for refund in order.refunds)
    if order.reconciled:
        assert sum(line.paid for line in order.lines) == order.total


def _parse_or_malformed(raw: bytes) -> IncomingOrder | None:
    try:
        return woocommerce.parse(raw)
    except Malformed:
        return None
