"""The body of our own orders' API: strict in its shape, forgiving in what a shop can't know."""

import json
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.channels import api
from portal.adapters.errors import Malformed
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
    return [mistake.pointer for mistake in bad.value.mistakes]


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
        ({"currency": "EURO"}, "/currency"),
        ({"currency": "eur"}, "/currency"),
        ({"total": 89.0}, "/total"),
        ({"total": "8900"}, "/total"),
        ({"total": -1}, "/total"),
        ({"total": 10**15}, "/total"),
        ({"external_id": "\x00 "}, "/external_id"),
        ({"placed_at": "2026-11-20T09:00:00"}, "/placed_at"),
        ({"placed_at": "9999-12-31T23:59:59-23:59"}, "/placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "/placed_at"),
        ({"lines": []}, "/lines"),
        ({"lines": [{**ORDER["lines"][0], "quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [{**ORDER["lines"][0], "quantity": 10**6, "unit_price": 10**14}]}, "/lines/0"),
        ({"lines": [{**ORDER["lines"][0], "colo/ur": "red"}]}, "/lines/0/colo~1ur"),
        ({"lines": [ORDER["lines"][0]] * 2}, "/lines"),
        ({"payment": {"captured": 9000}}, ""),
        ({"payment": {"captured": 1, "payment_intent": "ch_1"}}, "/payment/payment_intent"),
        ({"discount": 5}, "/discount"),
    ],
)
def test_a_mistake_is_named_by_its_place(changes: dict[str, Any], field: str) -> None:
    assert refused(**changes) == [field]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "Expecting value, line 1, column 1"),
        (b"[]", "not a JSON object"),
        (b"\xff", "it is not in UTF-8"),
        (body().decode().encode("utf-16"), "it is not in UTF-8"),
        (b'{"total": NaN}', "NaN is no number"),
        (b'{"total": ' + b"9" * 5000 + b"}", "a number is too large"),
        (b'{"total": 1, "total": 2}', "a name stands twice in one object"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "recursion limit exceeded"),
        (b'{"number": "\\ud800"}', "unexpected end of hex escape"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        api.parse(raw, "api:shop")


def test_a_mistake_is_told_in_a_sentence() -> None:
    with pytest.raises(api.BadOrder) as bad:
        api.parse(body(total="12", placed_at="yesterday", lines=[{**ORDER["lines"][0], "quantity": 0}]), "api:shop")
    assert [(mistake.pointer, mistake.message) for mistake in bad.value.mistakes] == [
        ("/placed_at", "must be a time with its offset, like 2026-11-23T14:30:00+01:00"),
        ("/total", "must be a whole number"),
        ("/lines/0/quantity", "must be at least 1"),
    ]


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
    except (Malformed, api.BadOrder):
        return None
