"""All who speak to /hooks/<source>: how each signs, and one good message of each."""

import json
import time
from base64 import b64encode

from portal.adapters.reading import hmac_sha256
from portal.demo.stripe.hooks import sign
from tests.adapters.test_checkout import event as a_session
from tests.adapters.test_shopify import body as a_shopify_order
from tests.adapters.test_woocommerce import body as a_woo_order
from tests.conftest import SECRETS
from tests.fulfilment import courier_mail

STRIPE = {
    "id": "evt_1",
    "object": "event",
    "type": "refund.created",
    "data": {"object": {"id": "re_1", "object": "refund", "payment_intent": "pi_alice", "metadata": {"rf": "x"}}},
}
MESSAGES: dict[str, bytes] = {
    "stripe": json.dumps(STRIPE).encode(),
    "checkout": a_session(),
    "shopify": a_shopify_order(),
    "woocommerce": a_woo_order(),
    **courier_mail.MESSAGES,
}


def signed(source: str, raw: bytes, secret: str | None = None) -> dict[str, str]:
    """The headers with which this sender signs these bytes."""
    if source in courier_mail.MESSAGES:
        return courier_mail.signed(source, raw, secret)
    key = secret or SECRETS[f"{source.upper()}_WEBHOOK_SECRET"]
    if source in ("stripe", "checkout"):
        return {"Stripe-Signature": sign(raw, key, int(time.time()))}
    digest = b64encode(hmac_sha256(key, raw)).decode()
    if source == "shopify":
        return {"X-Shopify-Hmac-Sha256": digest, "X-Shopify-Topic": "orders/updated"}
    return {"X-WC-Webhook-Signature": digest, "X-WC-Webhook-Topic": "order.updated"}
