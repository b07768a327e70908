"""Whatever channels send, however often and in whatever order: no crash, nothing unverified kept, nothing lost."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.adapters.reading import hmac_sha256
from portal.db import session
from portal.demo.stripe import Remote
from portal.demo.stripe.hooks import sign
from portal.fulfilment.models import Parcel
from portal.inbox.models import InboxMessage
from portal.orders.flags import problems
from portal.orders.models import ChannelRefund, Order
from tests.adapters.test_checkout import event as a_session
from tests.adapters.test_shopify import body as a_shopify_order
from tests.adapters.test_woocommerce import body as a_woo_order
from tests.adapters.values import mutated
from tests.conftest import SECRETS, nothing_appears

Work = Callable[..., int]
FEW = settings(
    deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
"""Each example goes through door, database and worker; making a failing one smaller would take minutes."""
FRESH = count(7_000_001)


def post(client: FlaskClient, channel: str, raw: bytes, topic: str, secret: str = "") -> int:
    """Deliver these bytes, signed as the channel signs."""
    key = secret or SECRETS[f"{channel.upper()}_WEBHOOK_SECRET"]
    signed = b64encode(hmac_sha256(key, raw)).decode()
    headers = {
        "shopify": {"X-Shopify-Hmac-Sha256": signed, "X-Shopify-Topic": topic},
        "woocommerce": {"X-WC-Webhook-Signature": signed, "X-WC-Webhook-Topic": topic},
        "checkout": {"Stripe-Signature": sign(raw, key, int(time.time()))},
    }[channel]
    return client.post(f"/hooks/{channel}", data=raw, headers=headers).status_code


BODIES: list[tuple[str, str, bytes]] = [
    ("shopify", "orders/updated", a_shopify_order()),
    ("shopify", "refunds/create", json.dumps({"id": 9, "order_id": 1, "created_at": "2026-11-21T09:00:00Z"}).encode()),
    ("shopify", "orders/delete", b'{"id": 1}'),
    ("woocommerce", "order.updated", a_woo_order(refunds=[{"id": 7, "total": "-1.00"}])),
    ("woocommerce", "order.deleted", b'{"id": 1}'),
    ("checkout", "", a_session()),
]


def spoilt(raw: bytes) -> st.SearchStrategy[bytes]:
    """The same with values missing or wrong, cut short, with a name twice, or in another encoding."""
    again = raw.rstrip(b"}") + b', "id": 1, "id": 2}'
    encodings = [raw.decode().encode(name) for name in ("utf-16", "utf-8-sig", "cp037")]
    cut = st.integers(0, len(raw)).map(lambda end: raw[:end])
    return (
        mutated(raw) | cut | st.sampled_from([again, *encodings, b"\xff\xfe", b"[" * 5_000, b'{"id": 1' + b"0" * 999])
    )


@pytest.fixture
def everything(shop: Flask, stripe: Remote) -> Flask:
    """The portal with a Stripe that answers: it knows no session of which these events tell."""
    return shop


@pytest.mark.parametrize(("channel", "topic", "raw"), BODIES)
@FEW
@given(data=st.data())
def test_no_body_crashes_a_door_or_the_worker_and_none_is_lost(
    client: FlaskClient, everything: Flask, work: Work, channel: str, topic: str, raw: bytes, data: st.DataObject
) -> None:
    before, body = kept(), data.draw(spoilt(raw))
    status = post(client, channel, body, topic)
    assert status in ((200, 400, 401) if channel == "checkout" else (200,)), "Stripe signs text, and only JSON"
    work()
    assert kept() - before <= 1
    assert session.scalar(select(func.count()).where(InboxMessage.state == "received")) == 0


@pytest.mark.parametrize(("channel", "topic", "raw"), BODIES)
def test_what_nobody_signed_is_turned_away_whatever_it_says(
    client: FlaskClient, channel: str, topic: str, raw: bytes
) -> None:
    with nothing_appears():
        assert post(client, channel, raw, topic, secret="somebody-else") == 401
        assert client.post(f"/hooks/{channel}", data=raw).status_code == 401


def kept() -> int:
    return session.scalar(select(func.count()).select_from(InboxMessage)) or 0


@pytest.mark.parametrize(
    ("name", "channel", "topic"),
    [
        ("shopify-order.json", "shopify", "orders/paid"),
        ("shopify-order-with-discount.json", "shopify", "orders/paid"),
        ("woocommerce-order.json", "woocommerce", "order.updated"),
        ("woocommerce-order-with-charge.json", "woocommerce", "order.updated"),
    ],
)
def test_real_orders_come_in_through_the_door(
    client: FlaskClient, work: Work, payloads: Callable[[str], bytes], name: str, channel: str, topic: str
) -> None:
    told = json.loads(payloads(name))
    raw = json.dumps(told.get("data", told)).encode()
    for _ in range(2):
        assert post(client, channel, raw, topic) == 200
        work()
    assert session.scalar(select(func.count()).where(Order.channel == channel)) == 1


# --- the same end in any order ---

Told = list[tuple[str, bytes]]


def shopify_life(number: int) -> Told:
    """Ordered, paid, a piece taken out, and its money given back."""
    mug = json.loads(a_shopify_order())["line_items"][0]
    row = {
        "id": number + 1, "order_id": number, "created_at": "2026-11-22T13:00:00Z",
        "transactions": [{"kind": "refund", "status": "success", "amount": "9.67"}],
    }  # fmt: skip
    edited = {"line_items": [{**mug, "current_quantity": 2}], "current_total_price": "24.23", "id": number}
    paid_back = {**edited, "refunds": [row], "financial_status": "partially_refunded"}

    def at(time: str, **more: Any) -> bytes:
        return a_shopify_order(**{"id": number, "updated_at": f"2026-11-22T{time}Z", **more})

    return [
        ("orders/create", at("11:00:00", financial_status="pending")),
        ("orders/paid", at("11:00:00")),
        ("orders/updated", at("12:00:00", **edited)),
        ("refunds/create", json.dumps(row).encode()),
        ("orders/updated", at("13:00:00", **paid_back)),
    ]


def shopify_life_cut_short(number: int) -> Told:
    """The same, cancelled in the second of the refund."""
    told = shopify_life(number)
    cancelled = json.dumps({**json.loads(told[-1][1]), "cancelled_at": "2026-11-22T13:00:00Z"})
    return [*told, ("orders/cancelled", cancelled.encode())]


def woo_life(number: int) -> Told:
    """A checkout that changes its order four times in a second, a change of address, and money given back."""

    def at(time: str, **more: Any) -> bytes:
        moment = {"date_modified_gmt": f"2026-11-20T{time}", "payment_method": "bacs", "number": str(number)}
        return a_woo_order(**{"id": number, **moment, **more})

    unpaid = {"status": "pending", "date_paid_gmt": None}
    moved = {"address_1": "Váci út 9", "city": "Budapest", "postcode": "1062", "country": "HU"}
    back = [{"id": number + 1, "total": "-3.00"}]
    return [
        ("order.created", at("08:00:00", **unpaid)),
        ("order.updated", at("08:00:00", **{**unpaid, "status": "on-hold"})),
        ("order.updated", at("08:00:00")),
        ("order.updated", at("09:00:00", shipping=moved)),
        ("order.updated", at("10:00:00", shipping=moved, refunds=back)),
    ]


def end_of(channel: str, number: int) -> dict[str, Any]:
    """What stands in the end. A promise is kept from what was known first; of a cancelled order, so is what it held."""
    session.expire_all()
    order = session.scalars(select(Order).where(Order.channel == channel, Order.external_id == str(number))).one()
    parcels = select(Parcel).where(Parcel.order_id == order.id, Parcel.state != "cancelled")
    assert order.payment is not None
    return {
        "state": order.state,
        "accepted": order.state != "cancelled" and order.accepted_at is not None,
        "lines": [(line.external_id, line.quantity, line.paid) for line in order.lines if order.state != "cancelled"],
        "where": order.ship_to,
        "money": (order.total, order.payment.captured, order.payment.external),
        "given back": session.scalars(select(ChannelRefund.amount).where(ChannelRefund.order_id == order.id)).all(),
        "asked": problems(order.id),
        "parcels": [[packed.quantity for packed in parcel.lines] for parcel in session.scalars(parcels)],
    }


def live(client: FlaskClient, work: Work, channel: str, told: Told, pauses: Iterator[bool]) -> None:
    for topic, raw in told:
        assert post(client, channel, raw, topic) == 200
        if next(pauses, False):
            work()
    work()


@pytest.fixture
def in_order(client: FlaskClient, work: Work, channel: str, life: Callable[[int], Told]) -> dict[str, Any]:
    """How it ends when everything is told once and as it happened."""
    number = next(FRESH) * 10
    live(client, work, channel, life(number), repeat(True))
    return end_of(channel, number)


@pytest.mark.parametrize(
    ("channel", "life"),
    [("shopify", shopify_life), ("shopify", shopify_life_cut_short), ("woocommerce", woo_life)],
)
@FEW
@given(data=st.data())
def test_the_end_is_the_same_in_any_order_however_often_it_is_told(
    client: FlaskClient,
    work: Work,
    in_order: dict[str, Any],
    channel: str,
    life: Callable[[int], Told],
    data: st.DataObject,
) -> None:
    number = next(FRESH) * 10
    told = life(number)
    shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=3))))
    live(client, work, channel, shuffled, iter(data.draw(st.lists(st.booleans(), max_size=9))))
    assert end_of(channel, number) == in_order
