"""The returns desk."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.world import World, sign_in


@pytest.fixture
def change_settings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Settings of the shop for this test."""

    def change(**values: Any) -> None:
        monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=values))

    return change


@pytest.fixture
def desk(client: FlaskClient, at_home: World) -> FlaskClient:
    """Rita sits at the returns desk; Alice's parcel arrived."""
    return sign_in(client, at_home.rita)
