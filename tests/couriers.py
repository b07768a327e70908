"""A stand-in EasyPost for a test: `easypost` runs it, `selling` is a portal that buys its labels there."""

from collections.abc import Iterator

import pytest
from flask import Flask

from portal.demo.easypost import StandIn

KEY = "EZTKtests"
FROM = {"shop_address": "Weidenweg 3, 10249 Berlin", "easypost_api_key": KEY}


@pytest.fixture
def easypost() -> Iterator[StandIn]:
    """`easypost.address` is its API's; `fault`, `bought()` and `requests` are its controls."""
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def selling(app: Flask, easypost: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The portal of this test has a key to the stand-in."""
    given = {**FROM, "easypost_api_base": easypost.address}
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=given))
    return easypost
