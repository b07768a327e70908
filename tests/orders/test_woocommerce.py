"""WooCommerce's webhook: verified, stored, answered, worked off by the worker; money's way back proven at Stripe."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.adapters.errors import Unknown
from portal.db import session
from portal.demo.stripe import Remote
from portal.fulfilment.models import Parcel
from portal.inbox.models import InboxMessage
from portal.orders.flags import problems
from portal.orders.models import Order, Payment
from tests.adapters.test_woocommerce import body, signed
from tests.conftest import SECRETS, nothing_appears, owed

Work = Callable[..., int]


def deliver(client: FlaskClient, raw: bytes, topic: str = "order.updated", secret: str = "") -> TestResponse:
    headers = {
        "X-WC-Webhook-Signature": signed(raw, secret or SECRETS["WOOCOMMERCE_WEBHOOK_SECRET"]),
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Source": "https://shop.example/",
    }
    return client.post("/hooks/woocommerce", data=raw, headers=headers, content_type="application/json")


def orders() -> list[Order]:
    session.expire_all()
    return list(session.scalars(select(Order).order_by(Order.id)))


def kept() -> int | None:
    return session.scalar(select(func.count()).select_from(InboxMessage))


def test_it_becomes_an_order_with_a_parcel(client: FlaskClient, work: Work) -> None:
    assert deliver(client, body(payment_method="bacs"), "order.created").status_code == 200
    work()
    [order] = orders()
    assert (order.channel, order.external_id, order.state, problems(order.id)) == (
        "woocommerce", "963", "accepted", [],
    )  # fmt: skip
    assert order.locale == "en", "the shop's own, for WooCommerce knows none"
    assert session.scalars(select(Parcel.state)).all() == ["to_pick"]


def test_the_knock_of_a_new_webhook_is_answered_and_not_kept(client: FlaskClient) -> None:
    with nothing_appears():
        knock = client.post("/hooks/woocommerce", data={"webhook_id": "17"})
    assert (knock.status_code, kept()) == (200, 0)


def test_what_is_signed_wrongly_is_turned_away(client: FlaskClient) -> None:
    with nothing_appears():
        assert deliver(client, body(), secret="other").status_code == 401
        assert client.post("/hooks/woocommerce", data=body()).status_code == 401


def test_the_same_state_told_again_is_known_and_another_one_of_that_second_is_not(client: FlaskClient) -> None:
    deliver(client, body(status="pending"))
    assert deliver(client, body(status="pending")).get_json() == {"status": "known"}
    assert deliver(client, body()).get_json() == {"status": "stored"}


def test_an_order_deleted_in_the_shop_asks_for_a_person(client: FlaskClient, work: Work) -> None:
    deliver(client, body(payment_method="bacs"))
    deliver(client, b'{"id": 963}', "order.deleted")
    work()
    assert [problems(order.id) for order in orders()] == [["deleted"]]


@pytest.mark.parametrize("topic", ["product.updated", "action.woocommerce_x", ""])
def test_other_topics_are_none_of_ours(client: FlaskClient, work: Work, topic: str) -> None:
    deliver(client, b'{"id": 1}', topic)
    work()
    assert (orders(), session.scalar(select(InboxMessage.state))) == ([], "done")


def test_a_payment_that_our_key_can_read_goes_back_through_stripe(
    client: FlaskClient, work: Work, shop: Flask, stripe: Remote
) -> None:
    stripe.pay(2300, "eur", id="pi_abc123")
    deliver(client, body())
    work()
    assert way_back() == ("stripe", "pi_abc123")


@pytest.mark.parametrize(("amount", "currency"), [(2299, "eur"), (2300, "cad"), (0, "")])
def test_any_other_payment_goes_back_through_the_channel(
    client: FlaskClient, work: Work, shop: Flask, stripe: Remote, amount: int, currency: str
) -> None:
    if amount:
        stripe.pay(amount, currency, id="pi_abc123")
    deliver(client, body())
    work()
    assert way_back() == ("channel", None)


def test_the_order_does_not_wait_for_stripe(client: FlaskClient, work: Work, shop: Flask, stripe: Remote) -> None:
    stripe.pay(2300, "eur", id="pi_abc123")
    stripe.fault("500", match="GET /v1/payment_intents", times=9)
    deliver(client, body())
    with pytest.raises(Unknown):
        work()
    assert way_back() == ("channel", None)
    assert [order.state for order in orders()] == ["accepted"]
    assert "orders.prove_payment" in [name for name, _ in owed()]


def test_what_went_back_in_the_shop_is_not_sent_again_through_stripe(
    client: FlaskClient, work: Work, shop: Flask, stripe: Remote
) -> None:
    stripe.pay(2300, "eur", id="pi_abc123")
    deliver(client, body(refunds=[{"id": 7, "total": "-3.00"}]))
    work()
    assert way_back() == ("channel", None)
    assert session.scalar(select(Payment.external)) == 300


def test_a_payment_is_the_way_back_of_one_order_only(
    client: FlaskClient, work: Work, shop: Flask, stripe: Remote
) -> None:
    stripe.pay(2300, "eur", id="pi_abc123")
    for number in (1, 2):
        deliver(client, body(id=number))
        work()
    assert session.scalars(select(Payment.route).order_by(Payment.id)).all() == ["stripe", "channel"]


def way_back() -> tuple[Any, ...]:
    session.expire_all()
    return tuple(session.execute(select(Payment.route, Payment.payment_intent)).one())


def test_what_is_no_order_is_kept_for_a_person(client: FlaskClient, work: Work) -> None:
    deliver(client, json.dumps({"id": 1}).encode())
    work()
    assert session.execute(select(InboxMessage.state, InboxMessage.error)).one() == (
        "failed", "no such currency: ''",
    )  # fmt: skip
