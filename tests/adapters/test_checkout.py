"""Stripe Checkout's events: verified on the bytes, an order with its lines, kept and flagged where they are odd."""

import json
import time
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.channels import IncomingOrder, checkout
from portal.adapters.errors import Malformed
from portal.demo.stripe.hooks import sign
from tests.adapters.values import any_json, mutated

BERLIN = {"line1": "Weidenweg 3", "line2": None, "postal_code": "10249", "city": "Berlin", "country": "DE"}
SESSION: dict[str, Any] = {
    "id": "cs_test_a1B2c3D4e5F6", "object": "checkout.session", "mode": "payment", "payment_status": "paid",
    "currency": "eur", "amount_total": 4400, "created": 1795161600, "payment_intent": "pi_abc123", "locale": "de",
    "client_reference_id": None, "metadata": {}, "shipping_cost": {"amount_total": 400},
    "customer_details": {"email": "otto@example.org", "name": "Otto Öl", "phone": None},
    "collected_information": {"shipping_details": {"name": "Otto Öl", "address": BERLIN}},
}  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {
        "id": "li_1", "description": "Stoneware mug", "quantity": 2, "amount_total": 4000,
        "price": {"unit_amount": 2000, "metadata": {}, "product": {"name": "Mug", "metadata": {"sku": "MUG-01"}}},
    }
]  # fmt: skip


def event(type: str = checkout.DONE, at: int = 1795161660, **changes: Any) -> bytes:
    about = {"object": {**SESSION, **changes}}
    return json.dumps({"id": "evt_1", "object": "event", "type": type, "created": at, "data": about}).encode()


def read(type: str = checkout.DONE, rows: list[dict[str, Any]] = ROWS, **changes: Any) -> IncomingOrder:
    found = checkout.bought(event(type, **changes))
    assert found is not None
    return checkout.order_of(found, rows)


def test_it_reads_an_order() -> None:
    order = read()
    assert (order.external_id, order.number, order.total, order.captured) == (
        "cs_test_a1B2c3D4e5F6", "C3D4E5F6", 4400, 4400,
    )  # fmt: skip
    assert (order.problems, order.reconciled, order.locale, order.payment_intent) == ((), True, "de", "pi_abc123")
    assert [(line.kind, line.sku, line.quantity, line.paid) for line in order.lines] == [
        ("item", "MUG-01", 2, 4000),
        ("shipping", "", 1, 400),
    ]
    assert (order.address.street, order.address.city, order.name) == ("Weidenweg 3", "Berlin", "Otto Öl")


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"client_reference_id": "B-17"}, "B-17"), ({"metadata": {"order_number": "B-18"}}, "B-18")],
)
def test_the_shops_own_number_is_the_orders(changes: dict[str, Any], number: str) -> None:
    assert read(**changes).number == number


@pytest.mark.parametrize("where", ["shipping_details", "shipping"])
def test_the_address_is_found_where_older_versions_keep_it(where: str) -> None:
    order = read(collected_information=None, **{where: {"name": "Otto Öl", "address": BERLIN}})
    assert order.address.street == "Weidenweg 3"


@pytest.mark.parametrize(
    ("price", "sku"),
    [
        ({"metadata": {"sku": "A"}, "lookup_key": "C", "product": {"metadata": {"sku": "B"}}}, "A"),
        ({"metadata": {}, "lookup_key": "C", "product": {"metadata": {"sku": "B"}}}, "B"),
        ({"metadata": {}, "lookup_key": "C", "product": "prod_1"}, "C"),
        ({"metadata": {}, "lookup_key": None, "product": "prod_1"}, ""),
    ],
)
def test_a_sku_is_what_the_shop_wrote_beside_the_price(price: dict[str, Any], sku: str) -> None:
    order = read(rows=[{**ROWS[0], "price": {"unit_amount": 2000, **price}}])
    assert (order.lines[0].sku, "missing_sku" in order.problems) == (sku, not sku)


def test_unpaid_is_kept_until_the_bank_says_so_or_never() -> None:
    open_, paid, never = (
        read(payment_status="unpaid"),
        read(checkout.PAID_LATER),
        read(checkout.NEVER_PAID, payment_status="unpaid"),
    )
    assert (open_.captured, open_.problems, open_.cancelled) == (0, ("not_paid",), False)
    assert (paid.captured, paid.paid_at) == (4400, paid.updated_at)
    assert never.cancelled
    assert open_.rank < paid.rank < never.rank


@pytest.mark.parametrize(
    "raw", [event(mode="subscription"), event(mode="setup"), event("checkout.session.expired"), event("invoice.paid")]
)
def test_what_is_no_sale_of_goods_is_none_of_ours(raw: bytes) -> None:
    assert checkout.bought(raw) is None


def test_the_vendors_session_is_kept_with_what_is_odd_about_it(payloads: Any) -> None:
    session = json.loads(payloads("stripe-checkout-session.json")) | {"currency": "usd", "amount_total": 0}
    session["shipping_cost"] = None
    order = read(rows=[], **session)
    assert order.problems == ("no_items", "missing_address")


def test_a_session_without_a_currency_is_no_order() -> None:
    with pytest.raises(Malformed, match="currency"):
        read(currency=None)


@pytest.mark.parametrize("rows", [[ROWS[0], ROWS[0]], [{**ROWS[0], "quantity": 0}], [{**ROWS[0], "quantity": None}]])
def test_lines_that_can_not_be_are_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(Malformed):
        read(rows=rows)


@pytest.mark.parametrize(
    ("body", "secret", "ago", "genuine"),
    [
        (b"{}", "whsec_1", 0, True),
        (b"{}", "whsec_2", 0, True),
        (b"{}", "whsec_3", 0, False),
        (b"{} ", "whsec_1", 0, False),
        (b"{}", "whsec_1", 400, False),
    ],
    ids=["ours", "the_other_of_ours", "nobodys", "of_another_body", "of_long_ago"],
)
def test_only_stripe_signs_so_and_not_long_ago(body: bytes, secret: str, ago: int, genuine: bool) -> None:
    signature = sign(body, secret, int(time.time()) - ago)
    assert checkout.verify(b"{}", {"Stripe-Signature": signature}, ["whsec_1", "", "whsec_2"]) is genuine


@pytest.mark.parametrize("signature", ["", "ü"])
def test_what_is_no_signature_is_not_genuine(signature: str) -> None:
    assert not checkout.verify(b"{}", {"Stripe-Signature": signature}, ["whsec_1"])


@given(any_json())
def test_no_json_crashes_it(value: Any) -> None:
    _read_or_malformed(json.dumps(value).encode("utf-8", "surrogatepass"), ROWS)


@given(mutated(event()), mutated(json.dumps(ROWS).encode()))
def test_no_mutation_crashes_it_or_reads_what_cannot_be_stored(raw: bytes, rows: bytes) -> None:
    listed = json.loads(rows)
    order = _read_or_malformed(raw, [row for row in listed if isinstance(row, dict)])
    if order is None:
        return
    repr(order).encode()
    assert 0 <= order.captured < 10**15
    assert all(0 <= line.paid < 10**15 and line.quantity > 0 and line.title for line in order.lines)
    if order.reconciled:
        assert sum(line.paid for line in order.lines) == order.total


def _read_or_malformed(raw: bytes, rows: list[dict[str, Any]]) -> IncomingOrder | None:
    try:
        found = checkout.bought(raw)
        return checkout.order_of(found, rows) if found else None
    except Malformed:
        return None
