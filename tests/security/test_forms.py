"""Every form carries a token of ours; without one, or with somebody else's, nothing that it would do is done."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.db import session
from portal.lib.guards import anyone
from portal.orders.guards import has_api_key
from portal.staff.models import Staff
from tests.conftest import nothing_appears
from tests.house.test_routes import rules, values_for
from tests.world import World, open_link, show_code, sign_in

WITHOUT = {"/hooks/<source>", "/unsubscribe/<token>", "/api/v1/orders"}
"""Machines sign or show a key; a mail program's one click brings nothing but the secret in the address (RFC 8058)."""


@pytest.fixture
def strict(app: Flask) -> Iterator[FlaskClient]:
    """A browser before forms that want their token."""
    app.config["WTF_CSRF_ENABLED"] = True
    yield app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False


def test_3_5_1_every_form_wants_its_token(strict: FlaskClient, world: World) -> None:
    world.max.role = "admin"
    show_code(sign_in(strict, world.max), world.alice)
    app, answers = strict.application, {}
    with nothing_appears():
        for rule in rules(app):
            if "POST" in (rule.methods or set()) and rule.rule not in WITHOUT:
                filled = {name: value or 1 for name, value in values_for(rule, world).items()}
                path = app.url_map.bind("localhost").build(rule.endpoint, filled)
                answers[path] = strict.post(path, data={"csrf_token": "forged"} if len(answers) % 2 else {}).status_code
    assert len(answers) >= 50
    assert {path: code for path, code in answers.items() if code != 400} == {}


def test_what_needs_no_token_needs_something_else(app: Flask) -> None:
    exempt = {
        rule.rule
        for rule in rules(app)
        if "POST" in (rule.methods or set()) and rule.endpoint.rpartition(".")[0] in {"hooks", "api", "unsubscribing"}
    }
    assert exempt == WITHOUT
    assert app.extensions["guards"]["api"] is has_api_key
    assert {app.extensions["guards"][name] for name in ("hooks", "unsubscribing")} == {anyone}


def test_6_3_2_nobody_is_here_before_somebody_was_invited(app: Flask) -> None:
    assert session.scalar(select(func.count()).select_from(Staff)) == 0


@pytest.mark.parametrize("way", ["?state=approved&state=waiting", "?q=1&q=2", "?page=1&page=x", "?v=4&v=5"])
def test_15_3_7_what_stands_twice_in_an_address_is_read_once(client: FlaskClient, world: World, way: str) -> None:
    open_link(sign_in(client, world.max), world.alice)
    for path in ("/desk/refunds", "/desk/search", "/desk/letters", f"/orders/{world.alice.ref}"):
        assert client.get(path + way).status_code in (200, 303, 404)
