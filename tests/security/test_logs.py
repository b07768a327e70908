"""What is written into the log: who was turned away, and nothing that a stranger could have written there."""

import logging

import pytest
from flask.testing import FlaskClient

from portal.lib import logs
from tests.world import World, sign_in

EVIL = ["%0a2026-11-23 INFO forged", "%0d%0aX: 1", "%1b[2J%1b[31m", "%e2%80%a8forged", "%c2%85forged", "%e2%80%aeexe"]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "portal.access"]


@pytest.mark.parametrize("evil", EVIL)
def test_16_4_1_nobody_writes_lines_or_colours_into_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, evil: str
) -> None:
    with caplog.at_level(logging.INFO):
        client.get(f"/nothing{evil}")
    [said] = lines(caplog)
    assert said.isprintable()


@pytest.mark.parametrize("style", ["text", "json"])
def test_16_4_1_a_line_that_is_logged_stays_one(
    style: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.to_stderr(style)
    logging.getLogger("portal.mail").warning("refused: %s", "no\nERROR portal: forged\x1b[31m")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_16_3_2_who_was_turned_away_is_in_the_log(
    client: FlaskClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, world.cleo)
    with caplog.at_level(logging.INFO):
        client.get("/desk/letters")
        client.post("/hooks/shopify", data=b"{}")
        client.post("/api/v1/orders", data=b"{}")
    assert [line.rsplit(" ", 3)[1] for line in lines(caplog)] == ["403", "401", "401"]
