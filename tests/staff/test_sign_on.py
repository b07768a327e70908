"""Single sign-on: who is vouched for and was invited comes in; whatever else the provider says, nobody does."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from portal import checks, config
from portal.config import BadSettings
from portal.db import session
from portal.demo import courier, mailbox, outside, webshop
from portal.demo.provider import CLIENT_ID, CLIENT_SECRET, LIES, Person, Provider
from portal.lib import clock
from portal.lib.clock import moved
from portal.mail.models import Letter
from portal.staff import people, sessions
from portal.staff.models import Staff, StaffChallenge, StaffEvent, StaffSession
from portal.staff.rules import Role
from tests.conftest import nothing_appears
from tests.world import World, sign_in

BEGIN, BACK = "/desk/sign-in/single", "/desk/sign-in/single/return"
TRACES = {"staff_events", "staff_challenges"}


class Silent(WSGIRequestHandler):
    """Of others' logs we promise nothing."""

    def log_request(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder: Path = tmp_path_factory.mktemp("provider")
    vouches = Provider("", ())
    parcels: Any = courier.Courier(courier.Book(folder / "c"), "s", lambda *_: None, list)  # type: ignore[arg-type,return-value]
    shop: Any = webshop.WebShop(folder / "w", lambda *_: "", lambda *_: None)  # type: ignore[arg-type]
    app = outside.create_outside(mailbox.Mailbox(folder / "m"), parcels, shop, vouches=vouches)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    vouches.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield vouches
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(running: Provider, app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """It knows Sam, and somebody whom nobody invited; this shop asks for no second factor of its own besides."""
    running.people = (Person("s-1", "Sam@Shop.example", "Sam"), Person("s-9", "eve@shop.example", "Eve"))
    running.lie, running.amr = "", ("pwd",)
    said = {"oidc_issuer": running.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
    policy = {"oidc_name": "Lantern ID", "staff_second_factor": "off"}
    set_up(app, monkeypatch, **said, **policy)
    return running


def set_up(app: Flask, monkeypatch: pytest.MonkeyPatch, **more: object) -> None:
    settings = app.config["SETTINGS"].model_copy(update=more)
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    monkeypatch.setitem(app.jinja_env.globals, "settings", settings)


def there(client: FlaskClient, **form: str) -> str:
    """The address at the provider to which the portal leads on."""
    page = client.post(BEGIN, data=form)
    assert page.status_code == 200, page.text
    return unescape(page.text.partition("url=")[2].partition('"')[0])


def came_back(client: FlaskClient, address: str, subject: str = "s-1") -> TestResponse:
    """Somebody is clicked on at the provider, and the browser follows."""
    at = urlsplit(address)
    answer = requests.get(f"{at.scheme}://{at.netloc}{at.path}/{subject}?{at.query}", allow_redirects=False, timeout=9)
    back = urlsplit(answer.headers["Location"])
    assert back.path == BACK
    return client.get(f"{back.path}?{back.query}")


def through(client: FlaskClient, subject: str = "s-1", **form: str) -> TestResponse:
    return came_back(client, there(client, **form), subject)


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def kinds() -> list[str]:
    return list(session.scalars(select(StaffEvent.kind).order_by(StaffEvent.id)))


def test_who_was_invited_and_is_vouched_for_comes_in(
    client: FlaskClient, provider: Provider, world: World, work: Callable[..., int], mails: list[Any]
) -> None:
    assert "Sign in with Lantern ID" in client.get("/desk/sign-in?next=/desk/letters").text
    assert through(client, next="/desk/letters").location == "/desk/letters"
    assert home(client) == 200
    assert (world.sam.sso_subject, kinds()) == ("s-1", ["sign_on_bound", "signed_in"])
    assert people.state_of(world.sam) == "active"
    work()
    assert [str(mail["To"]) for mail in mails] == ["sam@shop.example"]


def test_the_second_time_it_is_the_subject_that_counts_and_not_the_address(
    client: FlaskClient, provider: Provider, world: World
) -> None:
    through(client)
    provider.people = (Person("s-1", "renamed@else.example", "Sam"), Person("s-2", "sam@shop.example", "Another"))
    assert through(client).status_code == 303
    assert home(client) == 200
    client.post("/desk/sign-out")
    assert through(client, "s-2").status_code == 403
    assert home(client) == 303


def test_6_3_8_who_was_not_invited_stays_out(client: FlaskClient, provider: Provider) -> None:
    with nothing_appears(but=TRACES):
        answer = through(client, "s-9")
    assert (answer.status_code, "nobody has invited that address" in answer.text, home(client)) == (403, True, 303)


def test_who_was_shut_out_stays_out(client: FlaskClient, provider: Provider, world: World) -> None:
    through(client)
    people.shut_out(world.sam, by=world.max, now=clock.now())
    session.commit()
    assert home(client) == 303
    assert through(client).status_code == 403


def test_an_invitation_is_taken_up_by_coming(client: FlaskClient, provider: Provider, world: World) -> None:
    nora = people.invite("nora@shop.example", "Nora", Role.picker, by=world.max, now=clock.now())
    session.commit()
    provider.people = (Person("n-1", "nora@shop.example", "Nora"),)
    assert through(client, "n-1").status_code == 303
    assert (home(client), people.state_of(nora)) == (200, "active")


DISBELIEVED = sorted(
    (set(LIES) - {"unverified", "half verified", "another address"})
    | {"unsigned", "signed with what all know", "another's key", "issuer of all", "unencrypted"}
)


@pytest.mark.parametrize("lie", DISBELIEVED)
def test_9_2_1_and_9_2_2_whatever_the_provider_lies_about_nobody_comes_in(
    client: FlaskClient, provider: Provider, lie: str
) -> None:
    with nothing_appears(but=TRACES):
        if lie in ("issuer of all", "unencrypted"):
            provider.lie = lie
            answer = client.post(BEGIN)
        else:
            address = there(client)
            provider.lie = lie
            answer = came_back(client, address)
        assert (answer.status_code, home(client)) == (422, 303)
    assert "is not to be believed" in answer.text
    assert session.scalar(select(func.count()).select_from(StaffSession)) == 0


@pytest.mark.parametrize("lie", ["unverified", "half verified", "another address"])
def test_an_address_that_the_provider_has_not_verified_binds_nobody(
    client: FlaskClient, provider: Provider, world: World, lie: str
) -> None:
    address = there(client)
    provider.lie = lie
    assert came_back(client, address).status_code == 403
    assert world.sam.sso_subject is None


def test_6_5_1_an_answer_works_once(app: Flask, client: FlaskClient, provider: Provider) -> None:
    address = there(client)
    at = urlsplit(address)
    told = requests.get(f"{at.scheme}://{at.netloc}{at.path}/s-1?{at.query}", allow_redirects=False, timeout=9)
    back = urlsplit(told.headers["Location"])
    cookie = client.get_cookie("session")
    assert client.get(f"{back.path}?{back.query}").status_code == 303
    thief = app.test_client()
    assert cookie is not None
    thief.set_cookie("session", cookie.value)
    assert thief.get(f"{back.path}?{back.query}").status_code == 422
    assert home(thief) == 303


def test_a_code_that_was_used_already_is_not_believed(client: FlaskClient, provider: Provider) -> None:
    """Of the provider: it gives a token for a code once."""
    address = there(client)
    state = parse_qs(urlsplit(address).query)["state"][0]
    assert client.get(f"{BACK}?code=stolen&state={state}").status_code == 422
    assert home(client) == 303


def test_6_6_2_an_answer_is_bound_to_the_browser_that_asked(
    app: Flask, client: FlaskClient, provider: Provider
) -> None:
    """So nobody is signed in as somebody else by a link."""
    address, other = there(client), app.test_client()
    there(other)
    assert came_back(other, address).status_code == 422
    assert home(other) == 303


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=" + "a" * 28, "?error=access_denied&state=zz"])
def test_who_comes_back_without_having_been_asked_changes_nothing(
    client: FlaskClient, provider: Provider, query: str
) -> None:
    with nothing_appears():
        assert client.get(BACK + query).status_code == 422


def test_6_5_5_a_question_ends_after_ten_minutes(client: FlaskClient, provider: Provider) -> None:
    address = there(client)
    with moved(timedelta(minutes=11)):
        assert came_back(client, address).status_code == 422


def test_who_says_no_over_there_is_not_let_in_here(client: FlaskClient, provider: Provider) -> None:
    answer = through(client, "nobody")
    assert (answer.status_code, "Lantern ID did not sign you in" in answer.text) == (422, True)


def test_a_provider_that_is_away_is_a_sentence(client: FlaskClient, provider: Provider, app: Flask,
                                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    set_up(app, monkeypatch, oidc_issuer="http://127.0.0.1:9")
    answer = client.post(BEGIN)
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)


def test_6_3_1_asking_is_slowed_down(client: FlaskClient, provider: Provider) -> None:
    codes = [client.post(BEGIN).status_code for _ in range(31)]
    assert (codes[0], codes[-1]) == (200, 429)


@pytest.mark.parametrize(
    ("whose", "amr", "acr", "opens"),
    [
        ("ours", ("pwd", "mfa"), [], "/desk/second-factor"),
        ("theirs", ("pwd",), [], "/desk/second-factor"),
        ("theirs", ("pwd", "otp"), [], "/desk/second-factor"),
        ("theirs", ("pwd", "mfa"), [], "/desk/"),
        ("theirs", ("gold",), ["gold"], "/desk/"),
    ],
)
def test_6_3_3_our_second_factor_stays_unless_the_shop_trusts_theirs_and_they_say_that_two_were_shown(
    app: Flask, client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch,
    whose: str, amr: tuple[str, ...], acr: list[str], opens: str,
) -> None:  # fmt: skip
    set_up(app, monkeypatch, staff_second_factor="required", oidc_second_factor=whose, oidc_acr=acr)
    provider.amr = amr
    through(client)
    page = client.get("/desk/", follow_redirects=False)
    assert (page.status_code, page.location) == ((200, None) if opens == "/desk/" else (303, page.location))
    if opens != "/desk/":
        assert str(page.location).startswith(opens)


def test_7_5_3_what_was_shown_elsewhere_is_as_fresh_as_it_is_there(
    client: FlaskClient, provider: Provider, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown six minutes ago over there, it opens money for four minutes more here."""
    long_ago = {**LIES, "six minutes ago": lambda now: {"auth_time": now - 360}}
    monkeypatch.setattr("portal.demo.provider.LIES", long_ago)
    address = there(client)
    provider.lie = "six minutes ago"
    assert came_back(client, address).status_code == 303
    row = session.scalars(select(StaffSession)).one()
    assert sessions.is_fresh(row, now=clock.now())
    assert not sessions.is_fresh(row, now=clock.now() + timedelta(minutes=5))


def test_who_has_no_password_shows_it_over_there_once_more(
    client: FlaskClient, provider: Provider, world: World
) -> None:
    with moved(timedelta(minutes=-11)):
        sign_in(client, world.sam)
    asked = client.post("/desk/account/recovery-codes")
    assert (asked.status_code, "Show it to Lantern ID" in asked.text) == (401, True)
    assert through(client).status_code == 303
    assert client.post("/desk/account/recovery-codes").status_code == 409  # fresh; a second factor is missing


def test_the_session_ends_as_ours(client: FlaskClient, provider: Provider) -> None:
    through(client)
    client.post("/desk/sign-out")
    assert home(client) == 303
    through(client)
    with moved(timedelta(minutes=31)):
        assert home(client) == 303


def test_challenges_that_nobody_came_back_with_go(client: FlaskClient, provider: Provider) -> None:
    from_before = there(client)
    assert from_before
    with moved(timedelta(hours=1)):
        people.actions.forget_what_ended(now=clock.now())
    assert session.scalar(select(func.count()).select_from(StaffChallenge)) == 0


def test_a_shop_without_it_has_no_such_door(client: FlaskClient, world: World) -> None:
    assert "Sign in with" not in client.get("/desk/sign-in").text.replace("Sign in with a passkey", "")
    assert (client.post(BEGIN).status_code, client.get(BACK).status_code) == (404, 404)


def test_check_says_whether_the_provider_can_be_used(provider: Provider, app: Flask) -> None:
    session.rollback()
    said = [finding.level for finding in checks.single_sign_on(app.config["SETTINGS"])]
    provider.lie = "issuer of all"
    assert (said, [finding.level for finding in checks.single_sign_on(app.config["SETTINGS"])]) == (["ok"], ["wrong"])


@pytest.mark.parametrize(
    "given", [{"OIDC_ISSUER": "https://id.example"}, {"OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "a"}]
)
def test_half_of_the_settings_stop_the_start(given: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="OIDC"):
        config.read({"SECRET_KEY": "tests-" * 8, **given})


def test_the_letter_says_what_was_set_up(
    provider: Provider, client: FlaskClient, work: Callable[..., int], mails: list[Any]
) -> None:
    through(client)
    work()
    assert session.scalar(select(Letter.kind)) == "keys-changed"
    assert "Single sign-on set up" in mails[0].get_body(("plain",)).get_content()


def test_everybody_has_one_subject(provider: Provider, client: FlaskClient, world: World) -> None:
    through(client)
    bound = select(func.count()).select_from(Staff).where(Staff.sso_subject.is_not(None))
    assert session.scalar(bound) == 1
