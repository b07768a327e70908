"""The suite's own guards can fail."""

import logging
import socket
from urllib.request import urlopen

import pytest
from flask import Flask
from sqlalchemy import text

from portal.adapters import smtp
from portal.db import session
from portal.lib.logs import Masked, mask
from portal.lib.tokens import mint
from tests.guards import Listener, OffTheMachine, is_near


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "", None, "/tmp/.s.PGSQL.5432", b"127.0.0.1"]
)
def test_this_machine_may_be_spoken_to(host: object) -> None:
    assert is_near(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "::2", "example.com", "0.0.0.0", b"example.com"])
def test_no_other_machine_is(host: object) -> None:
    assert not is_near(host)


def test_a_connection_off_the_machine_is_refused_before_it_is_opened() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, pytest.raises(OffTheMachine):
        probe.connect(("192.0.2.1", 9))
    with pytest.raises(OffTheMachine):
        urlopen("http://example.com/")


def test_a_secret_in_a_log_is_noticed(logs_hold_no_secrets: Listener) -> None:
    logging.getLogger("portal.elsewhere").warning("GET /l/%s", mint())
    logging.getLogger("portal.elsewhere").info("wrote to alice@example.org")
    assert len(logs_hold_no_secrets.found) == 2
    logs_hold_no_secrets.found.clear()


def test_the_portals_own_log_cuts_tokens_short(app: Flask) -> None:
    token = mint()
    app.logger.error("Exception on /l/%s [GET]", token)
    assert mask(f"/l/{token}") == f"/l/{token[:6]}…"


def test_the_values_that_the_database_quotes_are_left_out() -> None:
    said = "duplicate key value violates a constraint\nDETAIL:  Key (email)=(alice@example.org) already exists."
    record = logging.LogRecord("portal", logging.ERROR, "", 1, "%s", (said,), None)
    Masked().filter(record)
    assert record.getMessage().endswith(r"a constraint\nDETAIL: …")


def test_an_open_transaction_while_mail_leaves_is_noticed(
    app: Flask, mails: list[object], nothing_open_while_the_world_talks: list[str]
) -> None:
    session.execute(text("SELECT 1"))
    smtp.send(to="a@example.org", subject="s", html="h", text="t", message_id="<1@x>", headers={})
    session.rollback()
    smtp.send(to="a@example.org", subject="s", html="h", text="t", message_id="<2@x>", headers={})
    assert nothing_open_while_the_world_talks == ["mail"]
    nothing_open_while_the_world_talks.clear()
