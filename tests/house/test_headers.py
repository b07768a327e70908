"""What every answer carries, whatever it is and whoever asks."""

import re

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from portal import problems
from portal.lib.errors import Refused
from portal.lib.headers import A_YEAR, COMMON, CUSTOMER_POLICY, DESK_POLICY
from tests.house.test_routes import rules, values_for
from tests.world import World, open_link, sign_in


def check(answer: TestResponse, path: str) -> None:
    """The page may be neither cached, indexed, framed by others, nor load anything foreign."""
    said = answer.headers
    assert {name: said.get(name) for name in COMMON} == COMMON
    asked_again = re.fullmatch(r"/orders/\w+", path) and "ETag" in said
    assert said["Cache-Control"] == ("private, no-cache" if asked_again else "no-store, private")
    assert said["Content-Security-Policy"] == (DESK_POLICY if path.startswith("/desk") else CUSTOMER_POLICY) or (
        "sandbox" in said["Content-Security-Policy"]
    )
    for cookie in said.getlist("Set-Cookie"):
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; ")), cookie


def test_l14_every_route_answers_with_them(client: FlaskClient, walked: World) -> None:
    open_link(sign_in(client, walked.max), walked.alice)
    for rule in rules(client.application):
        path = client.application.url_map.bind("localhost").build(rule.endpoint, values_for(rule, walked))
        for way in ((rule.methods or set()) & {"GET", "POST"}) | {"PUT"}:
            check(client.open(path, method=way), path)


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/desk/nothing", "/api/v1/nothing", "/orders/x/y/z", "/l/../x", "/static/x"]
)
def test_what_is_not_there_answers_with_them(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    check(answer, path)


@pytest.fixture
def broken(app: Flask) -> FlaskClient:
    """A browser before a portal in which everything goes wrong."""
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    view = app.view_functions["pulse.healthz"]
    yield client  # type: ignore[misc]
    app.view_functions["pulse.healthz"] = view


def fails_with(app: Flask, error: Exception | int) -> None:
    def view() -> str:
        if isinstance(error, int):
            abort(error)
        raise error

    app.view_functions["pulse.healthz"] = view


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (400, 400),
        (403, 403),
        (413, 413),
        (429, 429),
        (Refused("No."), 409),
        (RuntimeError("a secret path /srv"), 500),
        (OperationalError("SELECT 1", {}, Exception("gone")), 503),
    ],
)
def test_l14_and_16_5_1_what_goes_wrong_answers_with_them_and_says_nothing_about_us(
    broken: FlaskClient, error: Exception | int, code: int
) -> None:
    fails_with(broken.application, error)
    answer = broken.get("/healthz")
    check(answer, "/healthz")
    assert answer.status_code == code
    assert set(answer.get_json()) == {"error", "message"}
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_5_2_1_a_body_that_is_too_big_answers_with_them(client: FlaskClient) -> None:
    for path in ("/find", "/hooks/shopify", "/desk/sign-in"):
        answer = client.post(path, data=b"x=" + b"y" * 2_000_000, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 413
        check(answer, path)


def test_a_method_that_is_not_taken_says_which_are(client: FlaskClient) -> None:
    answer = client.put("/find")
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "OPTIONS", "POST"})


def test_l14_and_14_3_2_only_static_files_under_their_hash_may_be_cached(client: FlaskClient) -> None:
    page = client.get("/find").text
    [hashed] = re.findall(r'href="(/static/portal\.css\?v=[0-9a-f]+)"', page)
    assert client.get(hashed).headers["Cache-Control"] == A_YEAR
    assert client.get("/static/portal.css").headers["Cache-Control"] == "no-store, private"
    assert client.get("/static/nothing.css?v=1").headers["Cache-Control"] == "no-store, private"


def test_the_policies_allow_nothing_foreign_and_nothing_inline() -> None:
    for policy in (CUSTOMER_POLICY, DESK_POLICY):
        assert policy.startswith("default-src 'none'; ")
        assert not re.search(r"unsafe|http|\*", policy)
    assert "script-src" not in CUSTOMER_POLICY


def test_no_error_is_left_without_words() -> None:
    assert {Exception, Refused} <= set(problems.HANDLERS)
