"""What the load balancer and the watch are told."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from portal.db import session
from portal.inbox.models import InboxMessage
from portal.orders import codes
from tests.conftest import as_owner, statements
from tests.refunds.hands import approved

TOKEN = "a-token-for-metrics"


@pytest.fixture
def watched(app: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = app.config["SETTINGS"].model_copy(update={"metrics_token": TOKEN})
    monkeypatch.setitem(app.config, "SETTINGS", settings)

    def figures() -> dict[str, float]:
        said = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert said.status_code == 200
        return {name: float(value) for name, value in re.findall(r"^aftersale_(\S+) (\S+)$", said.text, re.MULTILINE)}

    return figures


def test_it_is_ready_when_the_tables_are_there(client: Any) -> None:
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("revision", "status"), [("0001", 503), (None, 503), ("9999", 200)])
def test_it_is_not_ready_for_older_tables_but_goes_on_beside_a_newer_release(
    client: Any, revision: str | None, status: int
) -> None:
    with as_owner():
        session.execute(text("DELETE FROM alembic_version"))
        if revision:
            session.execute(text("INSERT INTO alembic_version VALUES (:at)"), {"at": revision})
    session.commit()
    assert client.get("/readyz").status_code == status


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}])
def test_metrics_are_nobody_else_s_business(watched: Any, client: Any, sent: dict[str, str]) -> None:
    assert client.get("/metrics", headers=sent).status_code == 404


def test_13_4_5_without_a_token_there_are_no_metrics(client: Any) -> None:
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_they_tell_what_waits_and_what_went_wrong(watched: Any, world: Any) -> None:
    refund = approved(world)
    session.execute(
        text("UPDATE refunds SET state = 'unknown', first_sent_at = now() - interval '2 hours' WHERE id = :id"),
        {"id": refund.id},
    )
    session.execute(
        text("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 day' WHERE queue_name = 'orders'")
    )
    long_ago = datetime.now(UTC) - timedelta(hours=3)  # the database's clock counts here, which nobody moves
    heard = InboxMessage(source="easypost", external_id="e1", body=b"{", state="failed", received_at=long_ago)
    session.add(heard)
    codes.ask(world.alice, "a browser", now=datetime.now(UTC))
    session.execute(text("UPDATE letters SET state = 'dead'"))
    session.execute(text("UPDATE procrastinate_jobs SET status = 'failed' WHERE queue_name = 'mail'"))
    session.commit()
    found = watched()
    assert (found['letters_unsent{state="dead"}'], found['jobs_given_up{task="mail.send_letter"}']) == (1, 1)
    assert found['refunds_unsettled{state="unknown"}'] == 1
    assert found["refunds_unknown_seconds"] == pytest.approx(7200, abs=60)
    assert found['jobs_due{queue="refunds"}'] >= 1
    assert found['jobs_due_seconds{queue="refunds"}'] >= 0
    assert 'jobs_due{queue="orders"}' not in found
    assert found['webhooks_silent_seconds{source="easypost"}'] == pytest.approx(3 * 3600, abs=60)
    assert found['webhooks_unread{source="easypost"}'] == 1
    assert found["workers"] == 0
    assert 'webhooks_silent_seconds{source="stripe"}' not in found


def test_they_name_nobody_and_take_a_statement_each(watched: Any, world: Any, client: Any) -> None:
    with statements() as seen:
        said = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert len(seen) <= 10
    assert "@" not in said
    assert "alice" not in said.lower()
