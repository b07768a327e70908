"""Passwords are hashed quickly where a test is not about the hashing."""

import pytest
from argon2 import PasswordHasher
from flask import Flask

from portal.staff import passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=64)
CHEAP_NOBODY = CHEAP.hash("nobody has this password")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "hasher", CHEAP)
    monkeypatch.setattr(passwords, "NOBODY", CHEAP_NOBODY)


@pytest.fixture
def password_is_enough(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop tries out: nobody needs a second factor."""
    settings = app.config["SETTINGS"].model_copy(update={"staff_second_factor": "off"})
    monkeypatch.setitem(app.config, "SETTINGS", settings)
