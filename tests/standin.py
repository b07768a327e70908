"""A stand-in Stripe for a test: `stripe_address` runs it, `stripe` gives its controls, `shop` a portal that uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.demo.stripe import Remote, StandIn

SECRET = "whsec_tests"
KEY = "sk_test_standin"


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """Not started yet; it signs with the secret that the portal knows in tests."""
    stand_in = StandIn(tmp_path / "stripe.json", secret=SECRET)
    yield stand_in
    stand_in.stop()


@pytest.fixture
def stripe(stand_in: StandIn) -> Remote:
    """The controls of a running stand-in. Webhooks wait until they are delivered, or a `url` is set."""
    return Remote(stand_in.start())


@pytest.fixture
def shop(app: Flask, stripe: Remote, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The portal of this test, with its key to the stand-in."""
    settings = app.config["SETTINGS"].model_copy(
        update={"stripe_api_key": KEY, "stripe_api_base": stripe.address, "stripe_webhook_secret": SECRET}
    )
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    return app
