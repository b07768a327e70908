"""Every recorded message through every door, as it is and spoilt: no crash, nothing lost, nothing kept unsigned."""

import json
import time
from base64 import b64encode
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.adapters.couriers.known import LISTENED
from portal.adapters.reading import hmac_sha256
from portal.db import session
from portal.demo.stripe import Remote
from portal.demo.stripe.hooks import sign
from portal.inbox.models import InboxMessage
from portal.inbox.sources import SOURCES
from tests.adapters.values import mutated
from tests.conftest import PAYLOADS, SECRETS, nothing_appears
from tests.fulfilment.courier_mail import signed
from tests.standin import shop, stand_in, stripe  # noqa: F401  fixtures

FILES = sorted(path.name for path in PAYLOADS.glob("*.json"))
FEW = settings(
    max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=(Phase.explicit, Phase.generate)
)
TOPICS = {"shopify": "orders/updated", "woocommerce": "order.updated"}


def headers_of(source: str, raw: bytes) -> dict[str, str]:
    """Signed as this sender signs."""
    if source in LISTENED:
        return signed(source, raw)
    key = SECRETS[f"{source.upper()}_WEBHOOK_SECRET"]
    if source in ("stripe", "checkout"):
        return {"Stripe-Signature": sign(raw, key, int(time.time()))}
    said = b64encode(hmac_sha256(key, raw)).decode()
    if source == "shopify":
        return {"X-Shopify-Hmac-Sha256": said, "X-Shopify-Topic": TOPICS[source]}
    return {"X-WC-Webhook-Signature": said, "X-WC-Webhook-Topic": TOPICS[source]}


def bodies(raw: bytes) -> st.SearchStrategy[bytes]:
    """As it is, with values missing or wrong, cut short, or with every name twice."""
    doubled = raw.rstrip().removesuffix(b"}") + b"," + raw.strip().removeprefix(b"{")
    return mutated(raw) | st.integers(0, len(raw)).map(lambda end: raw[:end]) | st.sampled_from([raw, doubled])


def kept(*states: str) -> int:
    found = select(func.count()).select_from(InboxMessage)
    return session.scalar(found.where(InboxMessage.state.in_(states)) if states else found) or 0


@pytest.mark.parametrize("name", FILES)
@FEW
@given(data=st.data())
def test_whatever_was_recorded_goes_through_every_door(
    client: FlaskClient,
    shop: Flask,  # noqa: F811
    stripe: Remote,  # noqa: F811
    work: Callable[..., int],
    payloads: Callable[[str], bytes],
    name: str,
    data: st.DataObject,
) -> None:
    body = data.draw(bodies(payloads(name)))
    for source in SOURCES:
        before = kept()
        status = client.post(f"/hooks/{source}", data=body, headers=headers_of(source, body)).status_code
        assert status in (200, 400, 401), source
        assert kept() - before <= (status == 200), source
    work()
    assert kept("received") == 0
    with nothing_appears():
        for source in SOURCES:
            assert client.post(f"/hooks/{source}", data=body).status_code in (200, 401), "WooCommerce knocks unsigned"


def test_there_is_something_to_send() -> None:
    if not PAYLOADS.is_dir():
        pytest.skip("the recorded messages are not on this machine")
    assert len(FILES) > 10
    assert all(isinstance(json.loads((PAYLOADS / name).read_bytes()), dict) for name in FILES)
