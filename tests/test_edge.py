"""What every page passes through: the reader's language, dates and money in it, static files, errors in plain words."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from flask_babel import force_locale

from portal import create_app, edge
from portal.config import LANGUAGES, Settings
from portal.lib import clock
from portal.lib.money import Money
from tests.world import World, open_link, sign_in


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("de-AT,de;q=0.9", "de"),
        ("hu", "hu"),
        ("pl", "en"),
        ("", "en"),
        ("xx;q=zz", "en"),
        ("fr-CA;q=0.1, nl;q=0.9", "nl"),
    ],
)
def test_a_stranger_reads_the_language_that_the_browser_asks_for(client: FlaskClient, asked: str, read: str) -> None:
    assert f'lang="{read}"' in client.get("/find", headers={"Accept-Language": asked}).text


def test_a_customer_reads_the_language_of_the_order(client: FlaskClient, world: World) -> None:
    world.alice.locale = "nl"
    open_link(client, world.alice)
    assert 'lang="nl"' in client.get(f"/orders/{world.alice.ref}", headers={"Accept-Language": "hu"}).text


def test_a_person_at_the_desk_reads_their_own(client: FlaskClient, world: World) -> None:
    world.max.locale = "de"
    sign_in(client, world.max)
    assert 'lang="de"' in client.get("/desk/", headers={"Accept-Language": "hu"}).text


def test_a_worker_without_a_request_speaks_the_shops(app: Flask) -> None:
    with app.app_context():
        assert edge.language() == "en"
        g.locale = "es"
        assert edge.language() == "es"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_dates_are_near_or_spelled_out_in_every_language(app: Flask, locale: str) -> None:
    today = clock.now().astimezone(app.config["SETTINGS"].zone).date()
    with force_locale(locale):
        told = [edge.day(today + timedelta(days=n)) for n in (-1, 0, 1, 2)]
        assert len(set(told)) == 4
        assert edge.money(Money(1250, "EUR")) == Money(1250, "EUR").format(locale)


def test_near_days_have_names_in_english(app: Flask) -> None:
    today = clock.now().astimezone(app.config["SETTINGS"].zone).date()
    with force_locale("en"):
        assert [edge.day(today + timedelta(days=n)) for n in (-1, 0, 1)] == ["yesterday", "today", "tomorrow"]
        assert edge.day(date(2031, 3, 9)) == "9 March 2031"


def test_times_are_the_shops(app: Flask) -> None:
    with force_locale("en"):
        assert edge.time_of_day(datetime.fromisoformat("2026-11-23T23:05:00+00:00")) == "00:05"
        assert edge.moment(datetime.fromisoformat("2031-03-09T23:05:00+00:00")) == "10 March 2031 at 00:05"


def test_static_files_have_an_address_of_their_content(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "static_folder", str(tmp_path))
    with app.test_request_context():
        (tmp_path / "a.css").write_text("p {}")
        first = edge.static_url("a.css")
        (tmp_path / "a.css").write_text("b {} ")
        assert first.startswith("/static/a.css?v=")
        assert edge.static_url("a.css") != first


@pytest.mark.parametrize(
    ("template", "escaped"), [("a.html", True), ("a.mjml", True), (None, True), ("a.txt", False), ("a.html.txt", False)]
)
def test_what_people_typed_is_escaped_wherever_it_could_be_markup(template: str | None, escaped: bool) -> None:
    assert edge.is_markup(template) is escaped


# --- errors ---


def test_a_person_reads_a_page_and_a_machine_reads_json(client: FlaskClient) -> None:
    page = client.get("/nothing", headers={"Accept-Language": "en"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is nothing here" in page.text
    assert client.get("/api/v1/nothing").get_json() == {
        "error": "There is nothing here",
        "message": "The address may be mistyped, or the page has gone.",
    }


def test_what_was_typed_into_an_address_is_not_repeated(client: FlaskClient) -> None:
    assert "<svg" not in client.get("/<svg onload=alert(1)>").text.replace('<svg class="icon"', "")


@pytest.mark.parametrize("way", ["query", "form", "path"])
def test_a_nul_is_refused_wherever_it_stands(client: FlaskClient, way: str) -> None:
    answer = {
        "query": lambda: client.get("/find?number=1%00"),
        "form": lambda: client.post("/find", data={"number": "1\0", "email": "a@example.org"}),
        "path": lambda: client.get("/orders/%00"),
    }[way]()
    assert answer.status_code == 400


def test_a_form_whose_token_is_missing_says_what_to_do(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        answer = app.test_client().post("/find", data={"number": "1"})
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert answer.status_code == 400
    assert "This form is too old" in answer.text


# --- proxies ---


@pytest.mark.parametrize(("hops", "seen"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.1")])
def test_l13_and_4_1_3_a_forwarded_address_counts_only_from_a_proxy_of_ours(app: Flask, hops: int, seen: str) -> None:
    settings: Settings = app.config["SETTINGS"].model_copy(update={"trusted_proxies": hops})
    behind = create_app(settings, DB_POOL=False, TESTING=True)
    behind.add_url_rule("/who", view_func=lambda: edge.request.remote_addr or "", endpoint="static.who")
    said = behind.test_client().get("/who", headers={"X-Forwarded-For": "192.0.2.66, 198.51.100.1, 203.0.113.9"})
    assert said.text == seen
