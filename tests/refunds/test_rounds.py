"""What is done by the clock: each round at its time, and what it takes up."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import jobs as house
from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.refunds import jobs
from portal.refunds.rules import facts_mark
from tests.conftest import owed
from tests.refunds.hands import again, approved, asked, make_due, paid_at_stripe, send
from tests.world import World, sign_in

ROUNDS = {
    "refunds.sweep": "* * * * *",
    "refunds.watch_money": "*/10 * * * *",
    "refunds.try_key": "*/10 * * * *",
    "refunds.fetch_undelivered": "17 * * * *",
    "refunds.reconcile": "40 3 * * *",
}


def test_each_round_has_its_time() -> None:
    known = house.app.periodic_registry.periodic_tasks.values()
    assert {one.task.name: one.cron for one in known if one.task.name.startswith("refunds.")} == ROUNDS


@pytest.mark.parametrize(
    ("card", "state", "job"),
    [("pm_card_pendingRefund", "pending", "look_at_refund"), ("pm_card_visa", "unknown", "send_refund")],
)
def test_what_is_due_is_taken_up_by_the_minute(
    shop: Flask, world: World, stripe: Remote, card: str, state: str, job: str
) -> None:
    paid_at_stripe(stripe, world.alice, card)
    if state == "unknown":
        stripe.fault("503")
    refund = send(approved(world, 4000))
    assert refund.state == state
    before = owed(f"refunds.{job}")
    jobs.sweep()
    assert owed(f"refunds.{job}") == before, "it is not due yet"
    make_due(refund)
    jobs.sweep()
    assert owed(f"refunds.{job}") == [*before, (f"refunds.{job}", {"refund_id": refund.id})]


def test_what_waits_for_the_bank_is_looked_at_every_quarter_of_an_hour(
    shop: Flask, world: World, stripe: Remote
) -> None:
    paid_at_stripe(stripe, world.alice, "pm_card_pendingRefund")
    refund = send(approved(world, 4000))
    for _ in range(2):
        waits = (refund.next_look_at or clock.now()) - clock.now()
        assert timedelta(minutes=14) < waits <= timedelta(minutes=15)
        session.commit()
        jobs.look_at_refund(refund.id)
        refund = again(refund)
    stripe.forward(31)
    session.commit()
    jobs.look_at_refund(refund.id)
    assert again(refund).state == "succeeded"


def test_the_web_process_needs_no_key_to_ask_approve_and_show(
    app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.config["SETTINGS"].stripe_api_key is None
    monkeypatch.setattr(adapter, "account", lambda: pytest.fail("a page spoke to Stripe"))
    refund = asked(world, 4000)
    fran, seen = sign_in(client, world.fran), {"shown": 4000, "facts": facts_mark(refund)}
    for page in ("", f"/{refund.id}", "/differences"):
        assert fran.get(f"/desk/refunds{page}").status_code == 200
    assert fran.post(f"/desk/refunds/{refund.id}/approval", data=seen).status_code == 303
    for ask in (f"{refund.id}/look", "differences/comparison", "differences/key"):
        assert fran.post(f"/desk/refunds/{ask}").status_code == 303
    assert again(refund).state == "approved"
    for job in ("send_refund", "look_at_refund", "reconcile", "try_key"):
        assert len(owed(f"refunds.{job}")) == 1, "the worker speaks to Stripe"
