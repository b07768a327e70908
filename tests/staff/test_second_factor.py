"""The second factor: a password alone reaches nothing, a code works once. Names carry the ids of ASVS 5."""

import re
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib import clock, vault
from portal.staff import codes
from portal.staff.models import Staff, StaffEvent, StaffRecoveryCode
from tests.conftest import nothing_appears
from tests.staff.conftest import CHEAP
from tests.world import World
from tests.world import sign_in as sit_down

PASSWORD = "four words make one"
DOORS = {"staff", "sign_on", "second_factor", "passkey_door", "passkey_second"}
SECRET = pyotp.random_base32()


@pytest.fixture
def sam(world: World) -> Staff:
    """Sam of support, with a password and an app."""
    world.sam.password_hash = CHEAP.hash(PASSWORD)
    assert codes.add_app(world.sam, SECRET, code(-60), now=clock.now() - timedelta(minutes=1))
    session.commit()
    return world.sam


@pytest.fixture
def newcomer(world: World) -> Staff:
    """Rita, with a password and nothing else yet."""
    world.rita.password_hash = CHEAP.hash(PASSWORD)
    session.commit()
    return world.rita


def code(later: int = 0, secret: str = SECRET) -> str:
    return pyotp.TOTP(secret).at(clock.now() + timedelta(seconds=later))


def password(client: FlaskClient, name: str = "sam", **more: str) -> TestResponse:
    return client.post("/desk/sign-in", data={"email": f"{name}@shop.example", "password": PASSWORD, **more})


def second(client: FlaskClient, typed: str, **more: str) -> TestResponse:
    return client.post("/desk/second-factor", data={"code": typed, **more})


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def events() -> list[str]:
    return list(session.scalars(select(StaffEvent.kind).order_by(StaffEvent.id)))


def set_up(client: FlaskClient, path: str = "/desk/second-factor") -> tuple[str, str]:
    """The page's sealed secret, and what it shows of it."""
    page = client.get(path).text
    [sealed] = re.findall(r'name="sealed"[^>]*value="([^"]+)"', page)
    [spelt] = re.findall(r'class="code">([A-Z2-7 ]+)<', page)
    return sealed, spelt.replace(" ", "")


def test_6_3_3_a_password_alone_reaches_nothing(app: Flask, client: FlaskClient, sam: Staff) -> None:
    password(client)
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/desk") and rule.endpoint.partition(".")[0] not in DOORS:
            path = app.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, 1))
            for way in (rule.methods or set()) & {"GET", "POST"}:
                answer = client.open(path, method=way)
                assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/desk/second-factor"), path


def test_password_and_code_open_the_desk(client: FlaskClient, sam: Staff) -> None:
    asked = client.get("/desk/letters?state=dead")
    assert asked.location.startswith("/desk/sign-in")
    first = password(client, next="/desk/letters?state=dead")
    page = client.get(first.location, follow_redirects=True)
    assert "One more step, Sam" in page.text
    [target] = re.findall(r'name="next"[^>]*value="([^"]*)"', page.text)
    assert second(client, code(), next=target).location == "/desk/letters?state=dead"
    assert home(client) == 200
    assert events()[-1] == "signed_in"


def test_7_2_4_the_session_has_a_new_secret_after_the_second_factor(
    app: Flask, client: FlaskClient, sam: Staff
) -> None:
    password(client)
    copied = client.get_cookie("desk")
    second(client, code())
    thief = app.test_client()
    assert copied is not None
    thief.set_cookie("desk", copied.value)
    assert (home(client), home(thief)) == (200, 303)


@pytest.mark.parametrize("later", [0, -30, 30])
def test_6_5_1_a_code_works_once(app: Flask, client: FlaskClient, sam: Staff, later: int) -> None:
    typed = code(later)
    password(client)
    assert second(client, typed).status_code == 303
    again = app.test_client()
    password(again)
    assert second(again, typed).status_code == 422
    assert home(again) == 303


def test_6_5_1_an_older_code_is_dead_once_a_newer_one_was_used(app: Flask, client: FlaskClient, sam: Staff) -> None:
    password(client)
    second(client, code(30))
    again = app.test_client()
    password(again)
    assert second(again, code()).status_code == 422


@pytest.mark.parametrize("later", [-90, 90, 3600])
def test_6_5_5_a_code_lives_for_its_half_minute_and_its_neighbours(client: FlaskClient, sam: Staff, later: int) -> None:
    password(client)
    assert second(client, code(later)).status_code == 422


@pytest.mark.parametrize("typed", ["000000", "abc", "", "1" * 60, "١٢٣٤٥٦", "\ud800", "' OR 1=1--"])
def test_what_is_no_code_is_refused(client: FlaskClient, sam: Staff, typed: str) -> None:
    password(client)
    with nothing_appears(but={"staff_events"}):
        assert second(client, typed.encode("utf-8", "replace").decode()).status_code == 422
    assert home(client) == 303


def test_6_3_1_and_6_6_3_after_five_tries_the_right_code_has_to_wait(
    app: Flask, client: FlaskClient, sam: Staff
) -> None:
    password(client)
    assert {second(client, "000000").status_code for _ in range(5)} == {422}
    assert second(client, code()).status_code == 429
    elsewhere = app.test_client()
    password(elsewhere)
    assert second(elsewhere, code()).status_code == 429
    assert events()[-1] == "locked"


def test_the_second_factor_is_given_within_ten_minutes(client: FlaskClient, sam: Staff) -> None:
    password(client)
    with clock.moved(timedelta(minutes=11)):
        assert client.get("/desk/second-factor").location == "/desk/sign-in"
        assert second(client, code()).location == "/desk/sign-in"


def test_6_6_2_another_browser_that_gave_no_password_has_no_use_for_the_code(
    app: Flask, client: FlaskClient, sam: Staff
) -> None:
    password(client)
    assert second(app.test_client(), code()).location == "/desk/sign-in"


# --- setting it up ---


def test_it_is_set_up_right_after_the_first_password(client: FlaskClient, newcomer: Staff) -> None:
    page = client.get(password(client, "rita").location, follow_redirects=True)
    assert "A second lock on your door" in page.text
    assert home(client) == 303
    sealed, secret = set_up(client)
    shown = client.post("/desk/second-factor/app", data={"sealed": sealed, "code": code(secret=secret)})
    assert len(re.findall(r'class="code">([a-z2-7]{4}(?:-[a-z2-7]{4}){3})<', shown.text)) == 10
    assert home(client) == 200
    assert events()[-3:] == ["app_added", "codes_made", "signed_in"]


def test_nothing_is_kept_of_a_secret_before_its_first_code(client: FlaskClient, newcomer: Staff) -> None:
    password(client, "rita")
    with nothing_appears(but={"staff_events"}):
        sealed, secret = set_up(client)
        wrong = client.post("/desk/second-factor/app", data={"sealed": sealed, "code": "000000"})
        assert wrong.status_code == 422
        assert secret in wrong.text.replace(" ", "")
    session.expire_all()
    assert session.get_one(Staff, newcomer.id).totp_secret is None


def test_a_secret_that_was_sealed_for_somebody_else_is_not_taken(
    client: FlaskClient, newcomer: Staff, sam: Staff
) -> None:
    password(client, "rita")
    secret = pyotp.random_base32()
    foreign = codes.base64.urlsafe_b64encode(codes._seal(secret, sam)).decode()
    answer = client.post("/desk/second-factor/app", data={"sealed": foreign, "code": code(secret=secret)})
    assert (answer.status_code, secret in answer.text.replace(" ", "")) == (422, False)


def test_with_the_password_alone_nobody_changes_the_second_factor(client: FlaskClient, sam: Staff) -> None:
    password(client)
    secret = pyotp.random_base32()
    sealed = codes.base64.urlsafe_b64encode(codes._seal(secret, sam)).decode()
    with nothing_appears():
        client.post("/desk/second-factor/app", data={"sealed": sealed, "code": code(secret=secret)})
    assert home(client) == 303
    assert codes.redeem(session.get_one(Staff, sam.id), code(), now=clock.now()) == "app"


def test_the_picture_is_drawn_here_and_holds_the_secret(client: FlaskClient, newcomer: Staff) -> None:
    password(client, "rita")
    page = client.get("/desk/second-factor").text
    assert 'class="qr"' in page[page.index("<svg") :]
    assert "style=" not in page
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", page)


def test_6_5_2_the_secret_is_sealed_under_our_key_for_this_person(sam: Staff, newcomer: Staff) -> None:
    assert SECRET.encode() not in (sam.totp_secret or b"")
    newcomer.totp_secret = sam.totp_secret
    assert codes.redeem(newcomer, code(), now=clock.now()) is None
    assert codes.redeem(sam, code(), now=clock.now()) == "app"


@pytest.mark.parametrize("change", [{"key": "another key"}, {"purpose": "other"}, {"owner": "staff:2"}])
def test_what_was_sealed_opens_only_as_it_was(change: dict[str, str]) -> None:
    how = {"key": "a key", "purpose": "totp", "owner": "staff:1"}
    sealed = vault.seal(b"secret", **how)
    assert vault.unseal(sealed, **how) == b"secret"
    assert vault.seal(b"secret", **how) != sealed
    with pytest.raises(vault.Sealed):
        vault.unseal(sealed, **{**how, **change})
    with pytest.raises(vault.Sealed):
        vault.unseal(b"short", **how)


# --- recovery codes ---


@pytest.fixture
def spare(sam: Staff) -> list[str]:
    made = codes.new_recovery_codes(sam)
    session.commit()
    return made


def test_6_5_1_a_recovery_code_opens_the_door_once(
    app: Flask, client: FlaskClient, sam: Staff, spare: list[str]
) -> None:
    password(client)
    assert second(client, f" {spare[3].upper()} ").status_code == 303
    assert home(client) == 200
    assert codes.recovery_codes_left(sam) == 9
    again = app.test_client()
    password(again)
    assert second(again, spare[3]).status_code == 422


def test_somebody_elses_recovery_code_opens_nothing(client: FlaskClient, newcomer: Staff, spare: list[str]) -> None:
    assert codes.redeem(newcomer, spare[0], now=clock.now()) is None


def test_6_5_3_and_6_5_4_recovery_codes_hold_80_random_bits_and_are_kept_as_hashes(
    sam: Staff, spare: list[str]
) -> None:
    assert len(set(spare)) == 10
    assert all(len(one.replace("-", "")) * 5 == 80 for one in spare)
    kept = session.scalars(select(StaffRecoveryCode.digest)).all()
    assert not any(one.replace("-", "").encode() in digest for one in spare for digest in kept)


def test_new_ones_end_those_before(sam: Staff, spare: list[str]) -> None:
    codes.new_recovery_codes(sam)
    assert codes.redeem(sam, spare[0], now=clock.now()) is None
    assert session.scalar(select(func.count()).select_from(StaffRecoveryCode)) == 10


# --- once more, before money and keys ---


def stale(client: FlaskClient, person: Staff) -> FlaskClient:
    """The person signed in eleven minutes ago."""
    with clock.moved(timedelta(minutes=-11)):
        return sit_down(client, person)


def test_7_5_3_eleven_minutes_later_keys_want_both_factors_again(client: FlaskClient, sam: Staff) -> None:
    stale(client, sam)
    with nothing_appears():
        answer = client.post("/desk/account/password", data={"password": "a very new one", "again": "a very new one"})
    assert (answer.status_code, "Is it you?" in answer.text) == (401, True)
    assert home(client) == 200


def test_what_was_entered_goes_on_by_itself(client: FlaskClient, sam: Staff) -> None:
    asked = stale(client, sam).post(
        "/desk/account/password", data={"password": "velvet giraffe tunnel", "again": "velvet giraffe tunnel"}
    )
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    both = {"confirm-password": PASSWORD, "confirm-code": code()}
    sent = {**fields, **both}
    on = client.post("/desk/confirmation", data=sent)
    assert (on.status_code, on.location) == (307, "/desk/account/password")
    assert client.post(on.location, data=sent).status_code == 303  # as a browser does after a 307
    session.expire_all()
    assert CHEAP.verify(str(session.get_one(Staff, sam.id).password_hash), "velvet giraffe tunnel")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"confirm-password": PASSWORD}, 422),
        ({"confirm-password": PASSWORD, "confirm-code": "000000"}, 422),
        ({"confirm-password": "wrong"}, 422),
        ({"confirm-code": "000000"}, 422),
        ({}, 422),
    ],
)
def test_7_5_1_one_factor_is_not_enough(client: FlaskClient, sam: Staff, given: dict[str, str], said: int) -> None:
    stale(client, sam)
    kept = {"confirm-target": "/desk/account/recovery-codes", "note": 'five < "six"', **given}
    with nothing_appears(but={"staff_events"}):
        answer = client.post("/desk/confirmation", data=kept)
    assert answer.status_code == said
    assert 'name="note" value="five &lt; &#34;six&#34;"' in answer.text
    assert client.post("/desk/account/recovery-codes").status_code == 401


def test_a_code_beside_a_wrong_password_is_not_used_up(client: FlaskClient, sam: Staff) -> None:
    typed = code()
    stale(client, sam)
    both = {"confirm-target": "/desk/account/recovery-codes", "confirm-code": typed}
    client.post("/desk/confirmation", data={**both, "confirm-password": "wrong"})
    assert client.post("/desk/confirmation", data={**both, "confirm-password": PASSWORD}).status_code == 307


def test_7_2_4_the_cookie_from_before_is_refused_after_confirming(app: Flask, client: FlaskClient, sam: Staff) -> None:
    stale(client, sam)
    copied = client.get_cookie("desk")
    both = {"confirm-password": PASSWORD, "confirm-code": code()}
    client.post("/desk/confirmation", data={"confirm-target": "/desk/account", **both})
    thief = app.test_client()
    assert copied is not None
    thief.set_cookie("desk", copied.value)
    assert (home(client), home(thief)) == (200, 303)


def test_6_3_1_confirming_counts_tries_too(client: FlaskClient, sam: Staff) -> None:
    stale(client, sam)
    wrong = {"confirm-target": "/desk/account", "confirm-password": "wrong", "confirm-code": "000000"}
    assert [client.post("/desk/confirmation", data=wrong).status_code for _ in range(6)] == [422] * 5 + [429]


@pytest.mark.parametrize("target", ["", "https://evil.example/", "//evil.example", "/orders/x", "/desk/\\evil"])
def test_the_kept_form_goes_nowhere_else(client: FlaskClient, sam: Staff, target: str) -> None:
    both = {"confirm-password": PASSWORD, "confirm-code": code()}
    stale(client, sam)
    assert client.post("/desk/confirmation", data={"confirm-target": target, **both}).status_code == 400


def test_a_clock_that_was_put_back_makes_nothing_fresh(client: FlaskClient, sam: Staff) -> None:
    sit_down(client, sam)
    with clock.moved(timedelta(days=-2)):
        assert client.post("/desk/account/recovery-codes").status_code in (303, 401)


MONEY_AND_KEYS = {"refunds.approve", "refunds.limit", "keys.manage", "staff.manage"}
ONLY_ASK = {"desk_refunds.compare_now", "desk_refunds.try_key_now"}
"""They have Stripe asked how things stand, and change nothing."""
NO_KEY = {"desk_departments.give"}
"""Who answers for a department: that opens nothing to anybody."""
OWN = {"account.end_session", "account.end_others", "account.confirm", "passkeys.confirm", "passkeys.confirm_options"}
"""One's own sessions are ended at once, and who they are is what the others show."""


def test_7_5_1_and_7_5_3_whatever_moves_money_or_keys_wants_who_they_are_once_more(app: Flask) -> None:
    """By the permission that a form needs, and of one's own keys by its place: a new one without it fails."""
    stale = set()
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        own = rule.endpoint.startswith(("account.", "passkeys."))
        moves = getattr(view, "permission", "") in MONEY_AND_KEYS or own
        if "POST" in (rule.methods or set()) and moves and not getattr(view, "fresh", False):
            stale.add(rule.endpoint)
    assert stale == ONLY_ASK | NO_KEY | OWN


# --- the journal ---


def test_the_journal_is_append_only(sam: Staff, client: FlaskClient) -> None:
    password(client)
    second(client, "000000")
    for change in ("UPDATE staff_events SET kind = 'signed_in'", "DELETE FROM staff_events"):
        with pytest.raises(DBAPIError, match="permission denied"), session.begin_nested():
            session.execute(text(change))


def test_16_3_1_and_16_3_3_the_journal_names_what_went_wrong_and_keeps_no_secret(
    client: FlaskClient, sam: Staff
) -> None:
    client.post("/desk/sign-in", data={"email": "my own password", "password": "x"})
    password(client)
    second(client, "000000")
    second(client, code())
    client.post("/desk/sign-out")
    assert events() == ["name_unknown", "code_wrong", "signed_in", "signed_out"]
    kept = " ".join(f"{row.detail} {row.browser}" for row in session.scalars(select(StaffEvent)))
    assert "my own password" not in kept
