import pytest
from flask import Flask

from portal.adapters import stripe as adapter
from portal.demo.stripe import Remote
from tests.refunds.hands import paid_at_stripe
from tests.standin import shop, stand_in, stripe  # noqa: F401  fixtures
from tests.world import World


@pytest.fixture
def impatient(shop: Flask, stripe: Remote, world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Alice has paid 84 euros at Stripe, and nobody waits longer than a moment for an answer."""
    paid_at_stripe(stripe, world.alice)
    account = adapter.Account(shop.config["SETTINGS"].stripe_api_key, stripe.address, timeout=(1, 0.5))
    monkeypatch.setattr(adapter, "account", lambda: account)
