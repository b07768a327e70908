"""The channels that can be asked, made from the settings."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from portal.adapters import stripe
from portal.adapters.channels import (
    Account,
    Heard,
    Page,
    Push,
    Shop,
    checkout,
    shopify,
    shopify_told,
    woocommerce,
    woocommerce_told,
)
from portal.adapters.channels.asking import as_told, ask, listed
from portal.adapters.channels.connected import TELLS, connected
from portal.adapters.errors import Malformed, Unknown
from portal.adapters.reading import part, text
from portal.config import Settings

SHOPIFY_VERSION = "2026-10"
A_PAGE = 100
STEP = 90
"""WooCommerce's pages overlap: an order that is deleted meanwhile moves the others up, and none may be left out."""
NEXT = re.compile(r'<[^>]*[?&]page_info=([A-Za-z0-9_=-]+)[^>]*>;\s*rel="?next')


def accounts(settings: Settings) -> dict[str, Account]:
    """By the channel's code: those whose address and key are set."""
    return {code: MADE[code](settings) for code in connected(settings)}


def shops(settings: Settings) -> dict[str, Shop]:
    """Those of them that can be told."""
    return {code: account for code, account in accounts(settings).items() if isinstance(account, Shop)}


class Shopify:
    """One shop, by the token of its own app.

    Orders are asked of the REST API: Shopify calls it legacy, and it answers with the very body of a webhook.
    """

    code = shopify.CODE
    tells = TELLS[code]

    @classmethod
    def of(cls, settings: Settings) -> "Shopify":
        return cls(settings.shopify_url or "", settings.shopify_admin_token or "")

    def __init__(self, url: str, token: str) -> None:
        self._base, self._headers = f"{url}/admin/api/{SHOPIFY_VERSION}", {"X-Shopify-Access-Token": token}

    def prove(self) -> str:
        found, _ = ask(f"{self._base}/shop.json", {}, self._headers)
        return text(part(part(found).get("shop")).get("name"))

    def changed_since(self, since: datetime, after: str = "") -> Page:
        first = {"status": "any", "order": "updated_at asc", "updated_at_min": since.astimezone(UTC).isoformat()}
        params: dict[str, str | int] = {"page_info": after} if after else dict(first)
        found, answer = ask(f"{self._base}/orders.json", {**params, "limit": A_PAGE}, self._headers)
        heard = tuple(_heard(order, "orders/updated") for order in listed(part(found).get("orders")))
        following = NEXT.search(answer.headers.get("link", ""))
        return Page(heard, following[1] if following else "")

    def push(self, push: Push) -> str:
        graph = shopify_told.Graph(f"{self._base}/graphql.json", self._headers)
        return shopify_told.ship(graph, push) if push.kind == "shipped" else shopify_told.note(graph, push)


class WooCommerce:
    """One shop, by a key that may read its orders, and write them to tell it something."""

    code = woocommerce.CODE
    tells = TELLS[code]

    @classmethod
    def of(cls, settings: Settings) -> "WooCommerce":
        keys = settings.woocommerce_api_key or "", settings.woocommerce_api_secret or ""
        return cls(settings.woocommerce_url or "", *keys)

    def __init__(self, url: str, key: str, secret: str) -> None:
        signed = b64encode(f"{key}:{secret}".encode()).decode()
        self._url, self._headers = url, {"Authorization": f"Basic {signed}"}

    def prove(self) -> str:
        listed(self._orders({"per_page": 1}))
        return urlsplit(self._url).netloc

    def changed_since(self, since: datetime, after: str = "") -> Page:
        """By their ids, which do not change; `after` is how many to leave out."""
        offset = int(after) if after.isdecimal() else 0
        params: Mapping[str, str | int] = {
            "modified_after": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", "dates_are_gmt": "true",
            "status": "any", "orderby": "id", "order": "asc", "per_page": A_PAGE, "offset": offset,
        }  # fmt: skip
        found = listed(self._orders(params))
        heard = tuple(_heard(order, "order.updated") for order in found)
        return Page(heard, str(offset + STEP) if len(found) >= A_PAGE else "")

    def push(self, push: Push) -> str:
        order = f"{self._url}/wp-json/wc/v3/orders/{push.order_external_id}"
        made = woocommerce_told.note(order, push, self._headers)
        if push.kind == "shipped":
            woocommerce_told.mark_sent(order, push, self._headers)
        return made

    def _orders(self, params: Mapping[str, str | int]) -> Any:
        return ask(f"{self._url}/wp-json/wc/v3/orders", params, self._headers)[0]


class Checkout:
    """The shop's Stripe account: what it told of Checkout sessions, whether that reached us or not."""

    code = checkout.CODE
    tells = TELLS[code]

    @classmethod
    def of(cls, settings: Settings) -> "Checkout":  # noqa: ARG003
        return cls()

    def prove(self) -> str:
        account = stripe.account()
        account.prove_checkout()
        return f"Stripe, {account.mode} mode"

    def changed_since(self, since: datetime, after: str = "") -> Page:  # noqa: ARG002
        """All of it at once. Stripe keeps its events for 30 days."""
        try:
            told = stripe.account().events_since(checkout.TOPICS, since)
        except Malformed as error:
            raise Unknown(f"the answer is no list of events: {error}") from None
        return Page(tuple(Heard(event.id, event.type, raw) for event, raw in told), "")


def _heard(order: Mapping[str, Any], topic: str) -> Heard:
    body = as_told(order)
    return Heard(f"asked|{sha256(body).hexdigest()}", topic, body)


MADE: dict[str, Callable[[Settings], Account]] = {made.code: made.of for made in (Shopify, WooCommerce, Checkout)}
