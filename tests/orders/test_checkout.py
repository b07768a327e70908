"""Stripe Checkout's webhook: an order once it is known what was bought, and paid."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.adapters.errors import Unknown
from portal.db import session
from portal.demo.stripe import Remote
from portal.demo.stripe.hooks import sign
from portal.inbox.models import InboxMessage
from portal.orders.flags import problems
from portal.orders.models import Order
from tests.adapters.test_checkout import BERLIN
from tests.conftest import SECRETS, nothing_appears, owed

pytestmark = pytest.mark.usefixtures("shop")
Work = Callable[..., int]
MUGS = {"title": "Stoneware mug", "sku": "MUG-01", "quantity": 2, "unit_price": 2000}
WHOM = {"email": "otto@example.org", "name": "Otto Öl"}
THERE = {"shipping_details": {"name": "Otto Öl", "address": BERLIN}}


def tell(client: FlaskClient, event: Any, secret: str = "") -> TestResponse:
    raw = json.dumps(event).encode()
    signature = sign(raw, secret or SECRETS["CHECKOUT_WEBHOOK_SECRET"], int(time.time()))
    return client.post("/hooks/checkout", data=raw, headers={"Stripe-Signature": signature})


def orders() -> list[Order]:
    session.expire_all()
    return list(session.scalars(select(Order)))


@pytest.fixture
def sold(stripe: Remote) -> dict[str, Any]:
    return stripe.checkout("eur", [MUGS], shipping=400, customer_details=WHOM, collected_information=THERE)


def done(stripe: Remote) -> dict[str, Any]:
    return stripe.events("checkout.session.completed")[0]


def test_a_paid_session_becomes_an_order_with_the_lines_that_stripe_lists(
    client: FlaskClient, work: Work, stripe: Remote, sold: dict[str, Any]
) -> None:
    assert tell(client, done(stripe)).status_code == 200
    work()
    [order] = orders()
    assert (order.channel, order.external_id, order.state, order.total) == ("checkout", sold["id"], "accepted", 4400)
    assert [(line.sku, line.quantity, line.paid) for line in order.lines] == [("MUG-01", 2, 4000), ("", 1, 400)]
    assert order.payment is not None
    assert (order.payment.route, order.payment.payment_intent) == ("stripe", sold["payment_intent"])
    assert problems(order.id) == []


def test_unpaid_is_kept_and_promised_once_the_bank_says_so(client: FlaskClient, work: Work, stripe: Remote) -> None:
    sold = stripe.checkout("eur", [MUGS], payment_status="unpaid", collected_information=THERE, customer_details=WHOM)
    tell(client, done(stripe))
    work()
    assert [(order.state, order.accepted_at) for order in orders()] == [("on_hold", None)]
    stripe.pay_later(sold["id"])
    tell(client, stripe.events("checkout.session.async_payment_succeeded")[0])
    work()
    [order] = orders()
    assert (order.state, problems(order.id)) == ("accepted", [])


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_never_paid_ends_cancelled_in_any_order(
    client: FlaskClient, work: Work, stripe: Remote, backwards: bool
) -> None:
    sold = stripe.checkout("eur", [MUGS], payment_status="unpaid")
    stripe.pay_later(sold["id"], paid=False)
    told = [done(stripe), stripe.events("checkout.session.async_payment_failed")[0]]
    for event in reversed(told) if backwards else told:
        tell(client, event)
        work()
    assert [order.state for order in orders()] == ["cancelled"]


def test_a_session_that_our_key_can_not_read_is_kept_for_a_person(
    client: FlaskClient, work: Work, stripe: Remote, sold: dict[str, Any]
) -> None:
    event = done(stripe)
    event["data"]["object"]["id"] = "cs_test_of_somebody_else"
    tell(client, event)
    work()
    assert (orders(), session.scalar(select(InboxMessage.state))) == ([], "failed")


def test_while_stripe_is_away_the_message_waits_and_nothing_is_half_done(
    client: FlaskClient, work: Work, stripe: Remote, sold: dict[str, Any]
) -> None:
    stripe.fault("500", match="GET /v1/checkout", times=1)
    tell(client, done(stripe))
    with pytest.raises(Unknown):
        work()
    assert (orders(), session.scalar(select(InboxMessage.state))) == ([], "received")
    assert [name for name, _ in owed()] == ["orders.work_off_checkout"]
    work()
    assert len(orders()) == 1


def test_a_subscription_is_none_of_ours(client: FlaskClient, work: Work, stripe: Remote, sold: dict[str, Any]) -> None:
    event = done(stripe)
    event["data"]["object"]["mode"] = "subscription"
    tell(client, event)
    work()
    assert (orders(), session.scalar(select(InboxMessage.state))) == ([], "done")


@pytest.mark.parametrize(("raw", "status"), [(b"{}", 400), (b"[]", 400), (b"nonsense", 400)])
def test_genuine_nonsense_is_not_kept(client: FlaskClient, raw: bytes, status: int) -> None:
    signature = sign(raw, SECRETS["CHECKOUT_WEBHOOK_SECRET"], int(time.time()))
    with nothing_appears():
        answer = client.post("/hooks/checkout", data=raw, headers={"Stripe-Signature": signature})
    assert answer.status_code == status


def test_the_secret_of_the_refunds_endpoint_does_not_open_this_one(
    client: FlaskClient, stripe: Remote, sold: dict[str, Any]
) -> None:
    with nothing_appears():
        assert tell(client, done(stripe), SECRETS["STRIPE_WEBHOOK_SECRET"]).status_code == 401
