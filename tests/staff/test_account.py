"""One's own keys at the desk."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import browsers, passwords
from portal.staff.models import StaffSession
from tests.conftest import nothing_appears
from tests.world import World, sign_in

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def ids(page: str) -> list[int]:
    return [int(found) for found in re.findall(r"/desk/account/sessions/(\d+)/closure", page)]


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (WINDOWS, "Firefox, Windows"),
        (PHONE, "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/142 Safari/537.36 Edg/142.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari, iPhone"),
        ("curl/8", ""),
        ("", ""),
        (None, ""),
        ("<script>Firefox", "Firefox"),
    ],
)
def test_a_browser_is_called_by_a_name_that_people_know(told: str | None, name: str) -> None:
    assert browsers.called(told) == name


def test_7_5_2_who_is_signed_in_twice_sees_both_and_ends_one(app: Flask, client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    elsewhere = sign_in(app.test_client(), world.sam)
    page = client.get("/desk/account").text
    assert ("This browser" in page, len(ids(page))) == (True, 1)
    assert client.post(f"/desk/account/sessions/{ids(page)[0]}/closure").status_code == 303
    assert (home(client), home(elsewhere)) == (200, 303)


def test_7_4_3_everywhere_else_is_ended_at_once(app: Flask, client: FlaskClient, world: World) -> None:
    others = [sign_in(app.test_client(), world.sam) for _ in range(2)]
    sign_in(client, world.sam)
    client.post("/desk/account/sessions/closure")
    assert [home(client), *map(home, others)] == [200, 303, 303]


def test_8_2_2_nobody_ends_somebody_elses_session(app: Flask, client: FlaskClient, world: World) -> None:
    pats = sign_in(app.test_client(), world.pat)
    theirs = session.scalars(select(StaffSession.id).where(StaffSession.staff_id == world.pat.id)).one()
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post(f"/desk/account/sessions/{theirs}/closure").status_code == 404
    assert home(pats) == 200


def test_7_4_3_a_new_password_ends_the_other_sessions(app: Flask, client: FlaskClient, world: World) -> None:
    elsewhere = sign_in(app.test_client(), world.sam)
    sign_in(client, world.sam)
    new = {"password": "velvet giraffe tunnel", "again": "velvet giraffe tunnel"}
    assert client.post("/desk/account/password", data=new).status_code == 303
    assert (home(client), home(elsewhere)) == (200, 303)


@pytest.mark.parametrize(
    ("password", "again"), [("short", "short"), ("velvet giraffe tunnel", "other"), ("passwordpassword",) * 2]
)
def test_a_password_that_will_not_do_changes_nothing(
    app: Flask, client: FlaskClient, world: World, password: str, again: str
) -> None:
    elsewhere = sign_in(app.test_client(), world.sam)
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post("/desk/account/password", data={"password": password, "again": again}).status_code == 422
    assert home(elsewhere) == 200


def test_the_only_second_factor_stays_where_the_shop_wants_one(client: FlaskClient, world: World) -> None:
    world.sam.totp_secret = b"sealed"
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post("/desk/account/app/removal").status_code == 409


def test_recovery_codes_want_a_factor_to_stand_in_for(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post("/desk/account/recovery-codes").status_code == 409


def test_7_3_1_sessions_that_ended_by_themselves_are_not_listed(app: Flask, client: FlaskClient, world: World) -> None:
    with clock.moved(timedelta(minutes=-31)):
        sign_in(app.test_client(), world.sam)
    sign_in(client, world.sam)
    assert ids(client.get("/desk/account").text) == []


# --- what a password must be ---


@pytest.mark.parametrize("length", [12, 64, 1024])
def test_6_2_1_and_6_2_9_passwords_may_be_long(length: int) -> None:
    password = ("correct horse battery staple violet " * 40)[: length - 1] + "x"
    assert passwords.kept(password).startswith("$argon2id$")


@pytest.mark.parametrize("length", [11, 1025])
def test_6_2_1_too_short_and_far_too_long_is_refused(length: int) -> None:
    with pytest.raises(Refused, match="at least 12"):
        passwords.kept(("correct horse battery staple " * 40)[:length])


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "Password123!!", "p@ssw0rd2026!", "passwordpassword", "administrator", "qwertyuiop12",
        "1q2w3e4r5t6z", "123456789012", "abcdefghijkl", "zyxwvutsrqpo", "aaaaaaaaaaaa", "abababababab",
        "iloveyou2026", "welcome-welcome", "Sommer2026!!", "trustno1trustno1", "letmeinletmein", "changeme-2026",
    ],
)  # fmt: skip
def test_6_2_4_and_6_2_12_what_guessers_try_first_is_refused(password: str) -> None:
    assert passwords.easy(password)


@pytest.mark.parametrize("password", ["lantern and loom!", "Nora.Lantern.2026", "nora@shop.example"])
def test_6_2_11_what_is_known_of_the_person_and_the_shop_is_refused(password: str) -> None:
    assert passwords.easy(password, "Lantern & Loom", "Nora Berg", "nora@shop.example")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "four words make one", "Zwölf Boxkämpfer", "x9#Lq!82vTp0", "гора снег лиса дом"],
)
def test_6_2_5_any_other_words_do(password: str) -> None:
    assert not passwords.easy(password, "Lantern & Loom", "Nora Berg", "nora@shop.example")
