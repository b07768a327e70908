"""Whatever takes a secret is slowed down: found by what each view reads, so that a new form without a limit fails."""

import re
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask_wtf import FlaskForm
from sqlalchemy import delete
from werkzeug.routing import Rule
from wtforms import PasswordField
from wtforms.fields.core import UnboundField

from portal.db import session
from portal.db.limits import GUESSES, Bucket
from portal.lib import clock, tokens
from portal.lib.guards import anyone
from portal.orders import codes
from portal.orders.models import Code
from portal.staff import actions as staff
from portal.staff.guards import password_shown
from portal.staff.models import Staff
from tests.house.test_routes import rules, values_for
from tests.security.matrix import guard_of
from tests.staff.conftest import CHEAP, cheap  # noqa: F401  a fixture
from tests.world import World, show_code, sign_in

Browser = Callable[[], FlaskClient]
SECRET = re.compile(r"(.*-)?(password|again|pin|otp|passcode|passphrase|code|credential|secret|sealed)")
WORK = "desk_"
"""How blueprints of the desk's daily work begin: there `code` is a barcode, a rule's name, a file for the drop-off."""
SHOWN_ONLY = {"sign_on.begin"}
"""Shows the door's form and reads none; slowed in `tests/staff/test_sign_on.py`."""
STATEMENTS = {"withdrawing.restate", "withdrawing.confirm_statement", "withdrawing.receive"}
"""What anybody may state about an order of theirs; floods of it: `tests/returns/test_withdrawals.py`."""
WRONG = {
    "code": "000000", "confirm-code": "000000", "password": "quiet otter umbrella nine", "email": "sam@shop.example",
    "again": "quiet otter umbrella nine", "number": "1001", "confirm-password": "wrong",
    "confirm-target": "/desk/account", "credential": "{}",
}  # fmt: skip
"""Shaped as the forms want them, so that it is the secret that is wrong and not the form."""
ENOUGH = re.compile("This code does not work any more|That was often today")
"""What customers read where the limit is the code's own."""
FEWEST_FORMS = 20


def asked_for(view: Any, deep: int = 2) -> Iterator[str]:
    """The names that a view, or what it calls, reads from what was sent: of forms, and spelled out."""
    yield from (text for text in view.__code__.co_consts if isinstance(text, str))
    for name in view.__code__.co_names:
        used = view.__globals__.get(name)
        if isinstance(used, type) and issubclass(used, FlaskForm):
            yield from fields_of(used)
        elif deep and isinstance(used, FunctionType) and used.__module__ == view.__module__:
            yield from asked_for(used, deep - 1)


def fields_of(form: type[FlaskForm]) -> Iterator[str]:
    for name in dir(form):
        field = getattr(form, name)
        if isinstance(field, UnboundField):
            yield "password" if issubclass(field.field_class, PasswordField) else name


def takes_a_secret(app: Flask, rule: Rule) -> bool:
    """By its address or its form. An address of mail to which strangers have us write counts as well."""
    names = set(asked_for(app.view_functions[rule.endpoint])) if "POST" in (rule.methods or set()) else set()
    mails = guard_of(app, rule) is anyone and "email" in names and rule.endpoint not in STATEMENTS
    names -= {"code"} if rule.endpoint.startswith(WORK) else set()
    secret = any(SECRET.fullmatch(name) for name in names)
    return rule.endpoint not in SHOWN_ONLY and ("token" in rule.arguments or mails or secret)


def halfway(app: Flask, person: Staff) -> FlaskClient:
    """The password was right; the second factor is asked for, or set up."""
    browser = app.test_client()
    browser.set_cookie("desk", staff.open_session(person, browser="", proven=False, now=clock.now()))
    session.commit()
    return browser


def everywhere(app: Flask, world: World) -> FlaskClient:
    """At the desk, behind the code of Alice's order, with another code on its way."""
    browser = show_code(sign_in(app.test_client(), world.max), world.alice)
    cookie, now = browser.get_cookie("c"), clock.now()
    assert cookie
    sent = {"created_at": now, "expires_at": now + codes.LIVES, "kept": CHEAP.hash("123456")}
    session.add(Code(order_id=world.alice.id, browser=tokens.digest(cookie.value), **sent))
    session.commit()
    return browser


def looked_at(app: Flask, world: World, only: str = "") -> dict[str, int]:
    """Each form and address that takes a secret, and how many wrong ones were looked at before that was enough."""
    found = {}
    for rule in rules(app):
        if only in rule.endpoint and takes_a_secret(app, rule):
            way = "POST" if "POST" in (rule.methods or set()) else "GET"
            path = app.url_map.bind("localhost").build(rule.endpoint, values_for(rule, world))
            between = guard_of(app, rule) is password_shown
            come = [halfway(app, world.dan), halfway(app, world.pat)] if between else [everywhere(app, world)]
            found[f"{way} {rule.rule}"] = min(tries(browser, path, way) for browser in come)
    return found


def tries(browser: FlaskClient, path: str, way: str) -> int:
    """How many wrong secrets it looks at before it says that this is enough; one more than ever when it never does."""
    session.execute(delete(Bucket))
    session.commit()
    for n in range(GUESSES + 1):
        answer = browser.open(path, method=way, data=WRONG)
        if answer.status_code == 429 or (answer.status_code in (409, 422) and ENOUGH.search(answer.text)):
            return n
    return GUESSES + 1


@pytest.fixture
def people(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Pat has a second factor, Dan has none yet; hashing is cheap, and the clock stands."""
    stands = clock.now()  # or a slow machine would fill the buckets again meanwhile
    monkeypatch.setattr(clock, "now", lambda: stands)
    monkeypatch.setattr(codes, "hasher", CHEAP)
    world.pat.totp_secret = b"sealed"
    session.commit()
    return world


def test_6_3_1_and_6_6_3_every_form_that_takes_a_secret_is_slowed_down(
    app: Flask, client: FlaskClient, people: World
) -> None:
    found = looked_at(app, people)
    assert {form: n for form, n in found.items() if not 0 < n <= GUESSES} == {}
    assert len(found) >= FEWEST_FORMS


def test_a_new_form_without_a_limit_is_found(app: Flask, client: FlaskClient, people: World) -> None:
    def planted() -> str:
        return "Yes." if request.form.get("new-pin") == "1234" else "No."

    rule = Rule("/desk/planted", endpoint="staff.planted", methods=["POST"])
    app.view_functions["staff.planted"] = planted
    app.url_map.add(rule)
    try:
        assert looked_at(app, people, "staff.planted") == {"POST /desk/planted": GUESSES + 1}
    finally:
        del app.view_functions["staff.planted"]
        app.url_map._rules.remove(rule)
        app.url_map._rules_by_endpoint.pop("staff.planted")
