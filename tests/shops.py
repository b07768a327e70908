"""Shopify and WooCommerce stand-ins for a test: `shops` runs both and gives the portal their keys."""

from collections.abc import Iterator

import pytest
from flask import Flask

from portal.demo.shops import KEY, SECRET, TOKEN, StandIn
from tests.conftest import SECRETS

BOTH = ("shopify", "woocommerce")


@pytest.fixture
def shops(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Both shops, and a portal that has their keys."""
    stand_in = StandIn(SECRETS["SHOPIFY_WEBHOOK_SECRET"], SECRETS["WOOCOMMERCE_WEBHOOK_SECRET"])
    address = stand_in.start()
    keys = {
        "shopify_url": address, "shopify_admin_token": TOKEN, "woocommerce_url": address,
        "woocommerce_api_key": KEY, "woocommerce_api_secret": SECRET,
    }  # fmt: skip
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=keys))
    yield stand_in
    stand_in.stop()
