"""When something is not as it should be: a page in plain words, with a way on and nothing of the inside."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.lib.errors import Refused
from portal.tracking import models
from tests.conftest import nothing_appears
from tests.world import World, open_link, sign_in


def test_an_address_that_leads_nowhere(client: FlaskClient) -> None:
    page = client.get("/nothing/here")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert "shop@example.com" in page.text


def test_a_link_that_ended_offers_a_new_one(client: FlaskClient) -> None:
    page = client.get("/l/" + "a" * 28)
    assert page.status_code == 404
    assert "This link has expired" in page.text
    assert 'href="/find"' in page.text


def test_the_page_speaks_the_language_that_the_browser_asks_for(client: FlaskClient) -> None:
    page = client.get("/nothing", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert '<html lang="de"' in page.text


def test_a_body_that_is_too_big_is_said_to_be(client: FlaskClient, world: World) -> None:
    with nothing_appears():
        page = client.post("/find", data={"number": "1" * 2_000_000, "email": "alice@example.org"})
    assert page.status_code == 413
    assert "That is too big" in page.text


def test_a_request_of_the_wrong_kind_is_said_to_be(client: FlaskClient) -> None:
    page = client.delete("/find")
    assert page.status_code == 405
    assert "That can't be done here" in page.text or "That can&#39;t be done here" in page.text


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Refused("You already sent this back."), 409, "You already sent this back."),
        (RuntimeError("secret: sk_live_1"), 500, "It was our mistake, and nothing was changed."),
    ],
)
def test_13_4_2_what_fails_inside_is_told_without_what_is_inside(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    def fail(order_id: int) -> None:
        raise error

    open_link(client, world.alice)
    path = f"/orders/{world.alice.ref}"
    monkeypatch.setattr(models, "told", fail)
    with nothing_appears():
        page = client.get(path)
    assert page.status_code == status
    assert words in page.text
    assert "sk_live" not in page.text
    assert "Traceback" not in page.text


def test_at_the_desk_every_dead_end_leads_back_to_the_overview(client: FlaskClient, world: World) -> None:
    sign_in(client, world.cleo)
    for path, status in (("/desk/orders/1", 403), ("/desk/nothing", 404)):
        page = client.get(path)
        assert page.status_code == status
        assert 'href="/desk/"' in page.text


@pytest.mark.parametrize("path", ["/nothing", "/l/" + "a" * 28, "/find", "/desk/nothing", "/desk/sign-in"])
def test_l15_no_page_of_ours_carries_anything_foreign_or_inline(app: Flask, client: FlaskClient, path: str) -> None:
    page = client.get(path)
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert 'src="http' not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store, private"
