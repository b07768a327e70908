"""Shopify's webhook: verified, stored, answered, worked off by the worker."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.db import session
from portal.fulfilment.models import Parcel
from portal.inbox.models import InboxMessage
from portal.orders.flags import problems
from portal.orders.models import Order
from portal.privacy.models import Erasure
from tests.conftest import SECRETS, nothing_appears, owed
from tests.world import World

VIENNA = {"name": "Grete Groß", "address1": "Gasse 3", "zip": "1010", "city": "Wien", "country_code": "AT"}
ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "#1071",
    "processed_at": "2026-11-20T09:00:00+01:00",
    "updated_at": "2026-11-20T09:01:00+01:00",
    "currency": "EUR",
    "total_price": "44.00",
    "taxes_included": True,
    "financial_status": "paid",
    "email": "grete@example.org",
    "customer_locale": "de-AT",
    "shipping_address": VIENNA,
    "line_items": [{"id": 1, "title": "Stoneware mug", "sku": "MUG-01", "quantity": 2, "price": "20.00"}],
    "shipping_lines": [{"id": 2, "title": "Standard", "price": "4.00"}],
}
Work = Callable[..., int]


def deliver(
    client: FlaskClient, body: bytes, *, event: str = "evt-1", secret: str = "", **headers: str
) -> TestResponse:
    key = (secret or SECRETS["SHOPIFY_WEBHOOK_SECRET"]).encode()
    given = {
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(key, body, hashlib.sha256)).decode(),
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Event-Id": event,
        "X-Shopify-Shop-Domain": "lantern.myshopify.com",
        **headers,
    }
    return client.post("/hooks/shopify", data=body, headers=given, content_type="application/json")


def body(**changes: Any) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def message() -> InboxMessage:
    session.expire_all()
    return session.scalars(select(InboxMessage)).one()


def orders() -> list[Order]:
    session.expire_all()
    return list(session.scalars(select(Order).order_by(Order.id)))


def test_it_is_stored_and_answered_before_anybody_reads_it(client: FlaskClient) -> None:
    assert deliver(client, body()).status_code == 200
    assert (message().body, message().state, message().topic) == (body(), "received", "orders/paid")
    assert owed() == [("orders.work_off_shopify", {"message_id": message().id})]
    assert orders() == []


def test_the_worker_makes_it_an_order(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    work()
    [order] = orders()
    assert (order.channel, order.external_id, order.number) == ("shopify", "820982911946154508", "#1071")
    assert (order.total, order.locale, order.country, problems(order.id)) == (4400, "de", "AT", [])
    assert message().state == "done"


def test_a_recorded_order_comes_in(client: FlaskClient, work: Work, payloads: Callable[[str], bytes]) -> None:
    deliver(client, payloads("shopify-order.json"))
    work()
    [order] = orders()
    assert message().state == "done"
    assert order.lines


def test_the_same_delivery_again_is_answered_and_changes_nothing(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    work()
    with nothing_appears():
        assert deliver(client, body()).get_json() == {"status": "known"}
        assert work() == 0


def test_two_deliveries_of_one_order_are_one_order(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    deliver(client, body(updated_at="2026-11-20T09:05:00+01:00", email="new@example.org"), event="evt-2")
    work()
    assert [order.customer.email for order in orders()] == ["new@example.org"]


def test_the_older_copy_that_comes_last_changes_nothing(client: FlaskClient, work: Work) -> None:
    deliver(client, body(updated_at="2026-11-20T09:05:00+01:00", email="new@example.org"), event="evt-2")
    deliver(client, body())
    work()
    assert [order.customer.email for order in orders()] == ["new@example.org"]


@pytest.mark.parametrize("headers", [{}, {"X-Shopify-Hmac-Sha256": ""}, {"X-Shopify-Hmac-Sha256": "é"}])
def test_a_wrong_signature_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    with nothing_appears():
        assert deliver(client, body(), secret="another", **headers).status_code == 401


def test_a_body_changed_on_the_way_is_refused(client: FlaskClient) -> None:
    signed = base64.b64encode(hmac.digest(SECRETS["SHOPIFY_WEBHOOK_SECRET"].encode(), body(), hashlib.sha256)).decode()
    with nothing_appears():
        assert deliver(client, body(total_price="0.44"), **{"X-Shopify-Hmac-Sha256": signed}).status_code == 401


def test_a_huge_body_is_refused(client: FlaskClient) -> None:
    with nothing_appears():
        assert deliver(client, body(note="x" * 1_000_000)).status_code == 413


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"not json", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no such currency"),
        (body(currency="XXX"), "no such currency: 'XXX'"),
        (body(processed_at=None, updated_at="9999-12-31T23:59:59-12:00"), "an order without a date"),
        (body(id=None), "an identifier is missing"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_signed_but_no_order_is_kept_with_the_reason(
    client: FlaskClient, work: Work, raw: bytes, why: str
) -> None:
    assert deliver(client, raw).status_code == 200
    work()
    assert message().state == "failed"
    assert why in str(message().error)
    assert (orders(), owed()) == ([], [])


def test_a_body_without_an_order_is_none_of_ours(client: FlaskClient, work: Work) -> None:
    deliver(client, b'{"order_edit": {"order_id": 1}}', **{"X-Shopify-Topic": "orders/edited"})
    work()
    assert (message().state, orders()) == ("done", [])


def test_what_is_not_paid_is_kept_and_neither_promised_nor_planned(client: FlaskClient, work: Work) -> None:
    deliver(client, body(financial_status="pending"), **{"X-Shopify-Topic": "orders/create"})
    work()
    [order] = orders()
    assert (order.state, order.accepted_at, problems(order.id)) == ("on_hold", None, ["not_paid"])
    assert session.scalar(select(func.count()).select_from(Parcel)) == 0


@pytest.mark.parametrize(
    ("changes", "code"), [({"test": True}, "test"), ({"fulfillment_status": "fulfilled"}, "already_sent")]
)
def test_tests_and_what_was_sent_before_are_only_kept(
    client: FlaskClient, work: Work, changes: dict[str, Any], code: str
) -> None:
    deliver(client, body(**changes))
    work()
    assert [(order.state, problems(order.id)) for order in orders()] == [("on_hold", [code])]
    assert session.scalar(select(func.count()).select_from(Parcel)) == 0


def test_it_is_promised_once_it_is_paid(client: FlaskClient, work: Work) -> None:
    deliver(client, body(financial_status="pending"), **{"X-Shopify-Topic": "orders/create"})
    deliver(client, body(updated_at="2026-11-23T09:00:00+01:00"), event="evt-2")
    work()
    [order] = orders()
    assert (order.state, problems(order.id), order.paid_at.day) == ("accepted", [], 23)
    assert order.promised_on.isoformat() == "2026-11-30"
    assert session.scalars(select(Parcel.state)).all() == ["to_pick"]


def test_a_cancellation_in_the_shop_cancels_the_order_and_its_parcels(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    work()
    deliver(client, cancelled(), event="evt-2", **{"X-Shopify-Topic": "orders/cancelled"})
    work()
    assert [order.state for order in orders()] == ["cancelled"]
    assert session.scalars(select(Parcel.state)).all() == ["cancelled"]


def cancelled() -> bytes:
    return body(cancelled_at="2026-11-20T10:00:00Z", updated_at="2026-11-20T10:00:00Z")


def refund(**changes: Any) -> bytes:
    sent = {"kind": "refund", "status": "success", "amount": "14.00"}
    return json.dumps(
        {"id": 9, "order_id": ORDER["id"], "created_at": "2026-11-21T09:00:00Z", "transactions": [sent], **changes}
    ).encode()


def left() -> list[int]:
    return [order.payment.left.amount for order in orders() if order.payment]


def test_money_that_the_shop_gives_back_counts_once_however_often_it_is_told(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    deliver(client, refund(), event="evt-2", **{"X-Shopify-Topic": "refunds/create"})
    deliver(client, refund(), event="evt-3", **{"X-Shopify-Topic": "refunds/create"})
    newer = body(
        updated_at="2026-11-21T09:00:01Z", financial_status="partially_refunded", refunds=[json.loads(refund())]
    )
    deliver(client, newer, event="evt-4", **{"X-Shopify-Topic": "orders/updated"})
    work()
    assert left() == [3000]


def test_a_refund_that_comes_before_its_order_waits_for_it(client: FlaskClient, work: Work) -> None:
    deliver(client, refund(), **{"X-Shopify-Topic": "refunds/create"})
    work()
    assert message().state == "parked"
    deliver(client, body(), event="evt-2")
    work()
    assert left() == [3000]


def test_an_order_deleted_in_the_shop_asks_for_a_person(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    deliver(client, b'{"id": 820982911946154508}', event="evt-2", **{"X-Shopify-Topic": "orders/delete"})
    work()
    assert [problems(order.id) for order in orders()] == [["deleted"]]


def asked(topic: str, **body: Any) -> tuple[bytes, dict[str, str]]:
    about = {"shop_id": 1, "customer": {"id": 7, "email": "grete@example.org"}, **body}
    return json.dumps(about).encode(), {"X-Shopify-Topic": topic}


def test_who_asks_shopify_to_be_forgotten_is_forgotten_here(client: FlaskClient, work: Work) -> None:
    deliver(client, body(test=True))
    work()
    raw, topic = asked("customers/redact", orders_to_redact=[ORDER["id"], 5])
    for event in ("evt-2", "evt-3"):
        deliver(client, raw, event=event, **topic)
        work(task="orders.work_off_shopify")
        work(task="privacy.ask")
    assert [order.customer_id for order in orders()] == list(session.scalars(select(Erasure.customer_id)))


def test_when_the_shop_has_left_everybody_who_ordered_there_is_forgotten(
    client: FlaskClient, world: World, work: Work
) -> None:
    """Who ordered elsewhere stays."""
    deliver(client, body(test=True))
    work()
    raw, topic = asked("shop/redact")
    deliver(client, raw, event="evt-2", **topic)
    work(task="orders.work_off_shopify")
    work(task="privacy.ask")
    [order] = [order for order in orders() if order.channel == "shopify"]
    assert list(session.scalars(select(Erasure.customer_id))) == [order.customer_id]


def test_who_asks_shopify_for_a_copy_gets_it_from_a_person(client: FlaskClient, work: Work) -> None:
    deliver(client, body())
    raw, topic = asked("customers/data_request", orders_requested=[ORDER["id"]])
    deliver(client, raw, event="evt-2", **topic)
    work()
    assert [problems(order.id) for order in orders()] == [["copy_asked"]]


@pytest.mark.parametrize("given", [{}, {"orders_to_redact": None}, {"orders_to_redact": [None, {}, True]}])
def test_a_wish_about_orders_that_we_do_not_know_changes_nothing(
    client: FlaskClient, work: Work, given: dict[str, Any]
) -> None:
    raw, topic = asked("customers/redact", **given)
    deliver(client, raw, **topic)
    work()
    assert (message().state, session.scalar(select(func.count()).select_from(Erasure))) == ("done", 0)
