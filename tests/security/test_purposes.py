"""Every purpose of a link × every page behind links: it opens what it is for, and the rest is not there."""

import pytest
from flask import Flask
from werkzeug.routing import Rule

from portal.orders.guards import has_link
from portal.orders.links import OPENS
from tests.conftest import nothing_appears
from tests.house.test_routes import rules, values_for
from tests.world import World, open_link


def behind_links(app: Flask) -> list[Rule]:
    guards = app.extensions["guards"]
    return [rule for rule in rules(app) if guards.get(rule.endpoint.rpartition(".")[0]) is has_link]


@pytest.mark.parametrize("held", sorted(OPENS))
def test_l3_a_link_opens_no_page_that_it_is_not_for(app: Flask, world: World, held: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    browser, refused = open_link(app.test_client(), world.alice, held, 1), 0
    with nothing_appears():
        for rule in behind_links(app):
            if app.view_functions[rule.endpoint].purpose in OPENS[held]:  # type: ignore[attr-defined]
                continue
            filled = {name: value or 1 for name, value in values_for(rule, world).items()}
            path = app.url_map.bind("localhost").build(rule.endpoint, filled)
            for method in (rule.methods or set()) & {"GET", "POST"}:
                assert browser.open(path, method=method).status_code == 404, (method, path)
                refused += 1
    assert (refused > 0) is (held != "track")


@pytest.mark.parametrize("held", sorted(OPENS))
def test_l3_and_8_2_2_a_link_opens_no_page_of_another_order(app: Flask, world: World, held: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    browser = open_link(app.test_client(), world.alice, held, 1)
    with nothing_appears():
        for rule in behind_links(app):
            filled = {name: value or 1 for name, value in values_for(rule, world).items()} | {"ref": world.bob.ref}
            path = app.url_map.bind("localhost").build(rule.endpoint, filled)
            for method in (rule.methods or set()) & {"GET", "POST"}:
                assert browser.open(path, method=method).status_code == 404, (method, path)
