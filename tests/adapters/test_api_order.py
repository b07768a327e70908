"""The body of our own orders' API: strict in its shape, forgiving in what a shop can't know."""

import json
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.channels import api
from tests.adapters.values import any_json, mutated

ORDER: dict[str, Any] = {
    "external_id": "A-1", "number": "1001", "placed_at": "2026-11-20T09:00:00+01:00", "currency": "EUR", "total": 8900,
    "email": "alice@example.org", "locale": "de",
    "address": {"name": "Alice", "street": "Hof 1", "postcode": "1", "city": "Bonn", "country": "de"},
    "lines": [
        {"external_id": "1", "sku": "MUG", "title": "Mug", "quantity": 2, "unit_price": 2000},
        {"external_id": "2", "sku": "RUG", "title": "Rug", "quantity": 1, "unit_price": 5000, "paid": 4500},
        {"external_id": "s", "kind": "shipping", "title": "DHL", "quantity": 1, "unit_price": 400},
    ],
    "payment": {"captured": 8900, "payment_intent": "pi_123"},
}  # fmt: skip


def body(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def refused(**changes: Any) -> list[str]:
    with pytest.raises(api.BadOrder) as bad:
        api.parse(body(**changes), "api:shop")
    return [error["field"] for error in bad.value.errors]


def test_it_reads_an_order() -> None:
    order = api.parse(body(), "api:shop")
    assert (order.channel, order.total, order.payment_intent, order.reconciled, order.problems) == (
        "api:shop",
        8900,
        "pi_123",
        True,
        (),
    )
    assert [line.paid for line in order.lines] == [4000, 4500, 400]
    assert (order.name, order.address.country, order.paid_at) == ("Alice", "DE", order.placed_at)
    assert order.placed_at.isoformat() == "2026-11-20T08:00:00+00:00"


def test_what_a_shop_may_not_know_is_flagged_and_kept() -> None:
    lines = [{"external_id": "1", "title": "Mug", "quantity": 1, "unit_price": 1}]
    order = api.parse(body(lines=lines, email="", address={}), "api:shop")
    assert set(order.problems) == {"missing_sku", "missing_address", "missing_email", "totals"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"total": 89.0}, "total"),
        ({"total": "8900"}, "total"),
        ({"total": -1}, "total"),
        ({"total": 10**15}, "total"),
        ({"external_id": "\x00 "}, "external_id"),
        ({"placed_at": "2026-11-20T09:00:00"}, "placed_at"),
        ({"lines": []}, "lines"),
        ({"lines": [{**ORDER["lines"][0], "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{**ORDER["lines"][0], "colour": "red"}]}, "lines.0.colour"),
        ({"lines": [ORDER["lines"][0]] * 2}, ""),
        ({"payment": {"captured": 9000}}, ""),
        ({"payment": {"captured": 1, "payment_intent": "ch_1"}}, "payment.payment_intent"),
        ({"discount": 5}, "discount"),
    ],
)
def test_a_mistake_is_named_by_its_field(changes: dict[str, Any], field: str) -> None:
    assert refused(**changes) == [field]


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'{"total": NaN}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(api.BadOrder):
        api.parse(raw, "api:shop")


def test_control_and_direction_characters_never_come_in() -> None:
    assert api.parse(body(number="\u202e10\x0001\n"), "api:shop").number == "1001"


@given(any_json())
def test_no_json_crashes_it(value: Any) -> None:
    _parse_or_refuse(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(mutated(body()))
def test_no_mutation_crashes_it_or_reads_what_cannot_be_stored(raw: bytes) -> None:
    order = _parse_or_refuse(raw)
    if order is not None:
        repr(order).encode()
        assert 0 <= order.captured <= order.total < 10**15
        assert all(0 <= line.paid < 10**15 and line.quantity > 0 for line in order.lines)


def _parse_or_refuse(raw: bytes) -> Any:
    try:
        return api.parse(raw, "api:shop")
    except api.BadOrder:
        return None
