"""The desk's front door."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.config import Settings
from portal.db import session
from portal.lib import clock
from portal.staff import actions, passwords
from portal.staff.guards import cookie_name
from portal.staff.jobs import sweep_sessions
from portal.staff.models import Staff, StaffSession
from portal.staff.passwords import NOBODY
from portal.staff.rules import LONGEST_PASSWORD
from tests.conftest import nothing_appears
from tests.staff.conftest import CHEAP
from tests.world import World
from tests.world import sign_in as sit_down

PASSWORD = "four words make one"


@pytest.fixture
def sam(world: World, password_is_enough: None) -> Staff:
    """Sam of support, with a password, in a shop where that is enough: these tests are about it alone."""
    world.sam.password_hash = CHEAP.hash(PASSWORD)
    session.commit()
    return world.sam


def sign_in(
    client: FlaskClient, email: str = "sam@shop.example", password: str = PASSWORD, **more: str
) -> TestResponse:
    return client.post("/desk/sign-in", data={"email": email, "password": password, **more})


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def sessions() -> int:
    return session.scalar(select(func.count()).select_from(StaffSession)) or 0


def test_a_person_signs_in_and_is_at_the_desk(client: FlaskClient, sam: Staff) -> None:
    answer = sign_in(client)
    assert (answer.status_code, answer.location) == (303, "/desk/")
    assert home(client) == 200


def test_the_address_may_be_typed_in_any_case(client: FlaskClient, sam: Staff) -> None:
    assert sign_in(client, " Sam@Shop.example ").status_code == 303


def test_3_3_2_and_3_3_4_the_cookie_is_for_this_browser_only(client: FlaskClient, sam: Staff) -> None:
    [cookie] = [line for line in sign_in(client).headers.getlist("Set-Cookie") if line.startswith("desk=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_3_3_1_and_3_3_3_over_https_the_cookie_is_bound_to_the_host(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.config["SETTINGS"].model_copy(update={"base_url": "https://orders.example.com"})
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    assert cookie_name() == "__Host-desk"
    assert Settings.flask(settings)["SESSION_COOKIE_SECURE"] is True


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("sam@shop.example", "wrong words in there"),
        ("nobody@shop.example", PASSWORD),
        ("cleo@shop.example", PASSWORD),  # has no password yet
        ("sam@shop.example'--", PASSWORD),
    ],
)
def test_6_3_8_it_refuses_in_the_same_words_whoever_asks(
    client: FlaskClient, sam: Staff, email: str, password: str
) -> None:
    before = sessions()
    with nothing_appears(but={"staff_events"}):
        answer = sign_in(client, email, password)
        assert answer.status_code == 422
        assert "E-mail and password do not match." in answer.text
        assert (sessions(), home(client)) == (before, 303)


@pytest.mark.parametrize(("email", "password"), [("", ""), ("sam@shop.example", ""), ("x" * 400, "y" * 2000)])
def test_what_is_missing_or_too_long_is_said(client: FlaskClient, sam: Staff, email: str, password: str) -> None:
    answer = sign_in(client, email, password)
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)


def test_a_password_is_never_shown_again(client: FlaskClient, sam: Staff) -> None:
    assert "wrong words" not in sign_in(client, password="wrong words in there").text


def test_6_3_1_after_ten_tries_the_right_password_has_to_wait(client: FlaskClient, sam: Staff) -> None:
    assert {sign_in(client, password="wrong").status_code for _ in range(10)} == {422}
    answer = sign_in(client)
    assert (answer.status_code, home(client)) == (429, 303)
    assert "Too many tries" in answer.text
    with clock.moved(timedelta(minutes=2)):
        assert sign_in(client).status_code == 303


def test_thirty_tries_from_one_address_are_enough_whatever_the_names(client: FlaskClient, sam: Staff) -> None:
    for n in range(30):
        assert sign_in(client, f"name{n}@shop.example", "wrong").status_code == 422
    assert sign_in(client).status_code == 429


def test_a_forged_address_does_not_help(client: FlaskClient, sam: Staff) -> None:
    for n in range(30):
        client.post(
            "/desk/sign-in",
            data={"email": f"name{n}@shop.example", "password": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{n}"},
        )
    assert sign_in(client).status_code == 429


def test_a_disabled_person_is_out_with_the_next_click_and_stays_out(client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    actions.disable_staff(session.get_one(Staff, sam.id), now=clock.now())
    session.commit()
    assert home(client) == 303
    assert sign_in(client).status_code == 422


def test_a_role_taken_away_is_gone_with_the_next_click(client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    assert client.get("/desk/letters").status_code == 200
    session.get_one(Staff, sam.id).role = "picker"
    session.commit()
    assert client.get("/desk/letters").status_code == 403


def test_7_4_1_a_copied_cookie_is_dead_after_signing_out(app: Flask, client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    copied = client.get_cookie("desk")
    assert copied is not None
    thief = app.test_client()
    thief.set_cookie("desk", copied.value)
    assert home(thief) == 200
    assert client.post("/desk/sign-out").status_code == 303
    assert (home(client), home(thief)) == (303, 303)


def test_signing_in_again_ends_the_session_before(app: Flask, client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    copied = client.get_cookie("desk")
    assert copied is not None
    sign_in(client)
    thief = app.test_client()
    thief.set_cookie("desk", copied.value)
    assert (home(client), home(thief)) == (200, 303)


def test_7_3_1_a_session_ends_after_half_an_hour_of_nothing(client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    with clock.moved(timedelta(minutes=29)):
        assert home(client) == 200
    with clock.moved(timedelta(minutes=58)):
        assert home(client) == 200
    with clock.moved(timedelta(minutes=89)):
        assert home(client) == 303


def test_7_3_2_a_session_ends_after_twelve_hours_of_work(client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    for quarter in range(1, 48):
        with clock.moved(timedelta(minutes=15 * quarter)):
            assert home(client) == 200
    with clock.moved(timedelta(hours=12, minutes=1)):
        assert home(client) == 303


def test_sessions_that_ended_are_removed_by_night(client: FlaskClient, sam: Staff) -> None:
    sign_in(client)
    sweep_sessions()
    assert sessions() == 1
    with clock.moved(timedelta(minutes=31)):
        sweep_sessions()
    assert sessions() == 0


def test_the_way_leads_back_to_the_page_that_was_asked_for(client: FlaskClient, sam: Staff) -> None:
    asked = client.get("/desk/letters?state=dead")
    assert asked.status_code == 303
    page = client.get(asked.location)
    target, *_ = re.findall(r'name="next"[^>]*value="([^"]*)"', page.text)
    assert sign_in(client, next=target).location == "/desk/letters?state=dead"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/desk/",
        "/\\evil.example",
        "/desk/..//evil.example",
        "\thttps://evil.example",
        "/desk/\\evil.example",
        "javascript:alert(1)",
        "/orders/abc",
        "/desk/\r\nSet-Cookie: a=b",
    ],
)
def test_nobody_is_sent_elsewhere(client: FlaskClient, sam: Staff, target: str) -> None:
    for answer in (client.get("/desk/sign-in", query_string={"next": target}), sign_in(client, next=target)):
        assert "evil.example" not in answer.text
        assert "evil.example" not in (answer.location or "")
        assert urlsplit(answer.location or "/desk/").path.startswith("/desk/")
        assert [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("a=")] == []


def test_a_form_without_its_token_is_refused(app: Flask, sam: Staff) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()
    try:
        assert sign_in(client).status_code == 400
        page = client.get("/desk/sign-in")
        token, *_ = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert sign_in(client, csrf_token=token).status_code == 303
        assert client.post("/desk/sign-out").status_code == 400
        assert home(client) == 200
    finally:
        app.config["WTF_CSRF_ENABLED"] = False


def test_11_4_2_passwords_are_kept_with_argon2id_and_made_stronger_when_the_rules_are(
    client: FlaskClient, sam: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hasher", PasswordHasher())
    sign_in(client)
    session.expire_all()
    kept = session.get_one(Staff, sam.id).password_hash
    assert str(kept).startswith("$argon2id$v=19$m=65536,t=3,")
    assert sign_in(client).status_code == 303


def test_6_3_8_a_wrong_name_takes_as_long_as_a_wrong_password(
    client: FlaskClient, sam: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    monkeypatch.setattr(passwords, "matches", lambda hashed, password: checked.append(hashed) or False)
    sign_in(client, "nobody@shop.example")
    sign_in(client)
    assert checked == [passwords.NOBODY, sam.password_hash]


def test_checking_nobodys_password_costs_as_much_as_a_real_one() -> None:
    assert not PasswordHasher().check_needs_rehash(NOBODY)


def test_a_very_long_password_is_refused_before_it_costs_anything(
    client: FlaskClient, sam: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "matches", lambda *_: pytest.fail("it was hashed"))
    assert sign_in(client, password="x" * (LONGEST_PASSWORD + 1)).status_code == 422


def test_who_sits_there_may_only_what_the_role_says(client: FlaskClient, world: World) -> None:
    sit_down(client, world.cleo)
    assert home(client) == 200
    assert client.get("/desk/letters").status_code == 403
