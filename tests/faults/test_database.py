"""The database full, busy, read-only, gone and back: a clear answer, nothing half, and well again by itself."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, make_url, text

from portal.db import db, engine_options, psycopg_url, session
from tests.conftest import on, statements
from tests.security.senders import MESSAGES

AWAY = {
    "53100": "disk full", "53200": "out of memory", "53300": "too many connections", "57P01": "shut down",
    "57P03": "starting", "57014": "statement too slow", "55P03": "lock not to be had", "40P01": "deadlock",
    "25006": "read only",
}  # fmt: skip
FAILING = [""]
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = current_setting('tests.state'); END $$"


@pytest.fixture
def failing(client: FlaskClient) -> Iterator[FlaskClient]:
    """A browser before a portal whose health check meets what `FAILING` names, raised by the database itself."""
    app, name = client.application, "pulse.healthz"
    view = app.view_functions[name]

    def raised() -> str:
        session.execute(text("SELECT set_config('tests.state', :state, true)"), {"state": FAILING[0]})
        session.execute(text(RAISE))
        return "all is well"

    app.view_functions[name] = raised
    yield client
    app.view_functions[name] = view


@pytest.mark.parametrize("state", AWAY, ids=AWAY.values())
def test_what_the_database_can_not_do_now_is_to_be_tried_again(failing: FlaskClient, state: str) -> None:
    FAILING[0] = state
    answer = failing.get("/healthz")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "30")
    assert "all is well" not in answer.text


def test_pages_without_the_database_are_read_on(failing: FlaskClient) -> None:
    FAILING[0] = "53100"
    assert failing.get("/healthz").status_code == 503
    assert failing.get("/find").status_code == 200


@pytest.fixture
def narrow(real: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The portal with one connection, which counts as asleep at once, on a database of its own."""
    monkeypatch.setattr("portal.db.SLEEPS_AFTER", 0)
    narrow = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2}
    engine = create_engine(db.engine.url, **engine_options(pooled=True) | narrow)
    with on(real, engine):
        yield real
        session.remove()
    engine.dispose()


def test_an_empty_pool_is_to_be_tried_again_and_fills_by_itself(narrow: Flask) -> None:
    browser = narrow.test_client()
    with db.engine.connect():
        answer = browser.get("/healthz")
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "30")
    assert browser.get("/healthz").status_code == 200


def test_a_database_that_was_gone_and_came_back_costs_no_request(narrow: Flask) -> None:
    browser, url = narrow.test_client(), db.engine.url
    assert browser.get("/healthz").status_code == 200
    owner = make_url(psycopg_url(narrow.config["MIGRATION_DATABASE_URI"]))
    other = create_engine(owner.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        name = {"name": url.database}
        all_of_it = "FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
        assert connection.execute(text(f"SELECT pg_terminate_backend(pid) {all_of_it}"), name).all()
        assert browser.get("/healthz").status_code == 200
        connection.execute(text(f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS false'))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {all_of_it}"), name)
        assert browser.get("/healthz").status_code == 503
        connection.execute(text(f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS true'))
        assert browser.get("/healthz").status_code == 200
    other.dispose()


@pytest.mark.parametrize("source", sorted(MESSAGES))
def test_a_flood_that_nobody_signed_asks_the_database_nothing(client: FlaskClient, source: str) -> None:
    with statements() as seen:
        codes = {client.post(f"/hooks/{source}", data=MESSAGES[source]).status_code for _ in range(20)}
    assert (codes, seen) == ({401}, [])
