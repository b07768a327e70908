"""Stripe's webhooks: verified, stored once, answered at once; a reason to look and never the truth itself."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.demo.stripe.hooks import sign
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.timeline import for_staff
from portal.refunds import jobs
from portal.refunds.models import Refund
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import (
    again,
    alarms_told,
    approved,
    asked,
    balance,
    in_the_dashboard,
    letters,
    money_moved,
    open_alarms,
    paid_at_stripe,
)
from tests.standin import SECRET
from tests.world import BOBS_ORDER, World

Work = Callable[..., int]


@pytest.fixture(autouse=True)
def paid(shop: Flask, stripe: Remote, world: World) -> None:
    paid_at_stripe(stripe, world.alice)


def told(client: FlaskClient, event: Any, secret: str = SECRET, ago: float = 0) -> TestResponse:
    """One delivery of Stripe's."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = {"Stripe-Signature": sign(body, secret, int(time.time() - ago))}
    return client.post("/hooks/stripe", data=body, headers=headers, content_type="application/json")


def waiting(stripe: Remote, *types: str) -> list[dict[str, Any]]:
    return [event for event in stripe.undelivered() if event["type"] in types]


def messages() -> list[str]:
    session.expire_all()
    return list(session.scalars(select(InboxMessage.state).order_by(InboxMessage.id)))


def test_the_webhook_before_the_reply_is_enough_and_the_reply_changes_nothing(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    stripe.fault("cut", "after")
    refund = approved(world)
    jobs.send_refund(refund.id)
    assert again(refund).state == "unknown"
    for event in waiting(stripe, "refund.created", "charge.refunded"):
        assert told(client, event).status_code == 200
    work(task="refunds.work_off_stripe")
    assert again(refund).state == "succeeded"
    jobs.send_refund(refund.id)
    assert letters(world.alice) == ["refund-on-its-way"]
    assert len(money_moved(stripe)) == 1
    assert balance(world.alice) == (8400, 4000, 0)


def test_the_same_event_three_times_is_one_message_and_one_letter(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    refund = approved(world)
    work(task="refunds.send_refund")
    [event] = waiting(stripe, "refund.created")
    assert [told(client, event).status_code for _ in range(3)] == [200] * 3
    assert len(owed("refunds.work_off_stripe")) == 1
    work(task="refunds.work_off_stripe")
    assert messages() == ["done"]
    assert told(client, event).json == {"status": "known"}
    assert again(refund).state == "succeeded"
    assert letters(world.alice) == ["refund-on-its-way"]


def test_events_in_reverse_order_end_in_the_truth(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    session.expire_all()
    world.alice.payment.payment_intent = "pi_slow"  # type: ignore[union-attr]
    session.commit()
    paid_at_stripe(stripe, world.alice, "pm_card_pendingRefund")
    refund = approved(world)
    work(task="refunds.send_refund")
    stripe.forward(31)
    for event in reversed(waiting(stripe, "refund.created", "refund.updated", "charge.refunded")):
        told(client, event)
    work(task="refunds.work_off_stripe")
    assert again(refund).state == "succeeded"
    assert set(messages()) == {"done"}


def test_what_the_event_claims_is_not_believed(world: World, stripe: Remote, client: FlaskClient, work: Work) -> None:
    refund = approved(world)
    work(task="refunds.send_refund")
    [event] = waiting(stripe, "refund.created")
    event["data"]["object"] |= {"status": "failed", "amount": 1, "failure_reason": "declined"}
    told(client, event)
    work(task="refunds.work_off_stripe")
    assert again(refund).state == "succeeded"


def test_a_refund_made_in_the_dashboard_comes_in_by_its_webhook(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    in_the_dashboard(stripe, 1500)
    for event in waiting(stripe, "refund.created", "charge.refunded"):
        told(client, event)
    work(task="refunds.work_off_stripe")
    [adopted] = session.scalars(select(Refund)).all()
    assert (adopted.source, adopted.amount, adopted.order_id) == ("external", 1500, world.alice.id)
    assert balance(world.alice) == (8400, 0, 1500)


def test_a_late_failure_comes_in_by_its_webhook(world: World, stripe: Remote, client: FlaskClient, work: Work) -> None:
    refund = approved(world)
    work(task="refunds.send_refund")
    stripe.change_refund(again(refund).stripe_refund_id or "", status="failed", failure_reason="declined")
    for event in waiting(stripe, "refund.failed", "refund.updated"):
        told(client, event)
    work(task="refunds.work_off_stripe")
    assert again(refund).state == "failed"
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == ["refund-on-its-way", "refund-corrected"]


def test_a_dispute_is_told_to_staff_and_not_to_the_customer(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    stripe.dispute("pi_alice")
    for event in waiting(stripe, "charge.dispute.created"):
        told(client, event)
    work(task="refunds.work_off_stripe")
    assert for_staff(world.alice.id)[0].text == "The customer's bank disputes this payment: it was opened"
    assert letters(world.alice) == []


def test_a_dispute_after_a_refund_is_an_alarm_until_it_is_won(
    world: World, stripe: Remote, client: FlaskClient, work: Work, stand_in: StandIn
) -> None:
    world.fran.password_hash = "set"
    refund = approved(world, 3000)
    jobs.send_refund(refund.id)
    stripe.dispute("pi_alice")
    tell_of_disputes(stripe, client, work)
    assert open_alarms() == [("disputed", "8400 / 3000 EUR")]
    assert len(alarms_told()) == 1, "two events tell of it, and one letter"
    [dispute] = stand_in.book.all("disputes")
    with stand_in.book.change():
        dispute["status"] = "won"
        stand_in.book.emit("charge.dispute.closed", dispute)
    tell_of_disputes(stripe, client, work)
    assert open_alarms() == []


def test_a_dispute_of_a_payment_that_kept_all_its_money_is_no_alarm(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    asked(world, 3000)
    stripe.dispute("pi_alice")
    tell_of_disputes(stripe, client, work)
    assert open_alarms() == []


def tell_of_disputes(stripe: Remote, client: FlaskClient, work: Work) -> None:
    session.commit()
    for event in stripe.undelivered():
        if event["type"].startswith("charge.dispute."):
            assert told(client, event).status_code == 200
    work(task="refunds.work_off_stripe")


def test_an_event_about_an_order_that_is_not_here_yet_waits_for_it(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    stripe.pay(2500, id="pi_early")
    in_the_dashboard(stripe, 700, "pi_early")
    for event in waiting(stripe, "refund.created"):
        told(client, event)
    work(task="refunds.work_off_stripe")
    assert messages() == ["parked"]
    late = replace(BOBS_ORDER, external_id="A-1003", number="1003", payment_intent="pi_early")
    order, _ = accept_order(late, by="channel", now=clock.now())
    session.commit()
    work()
    assert messages() == ["done"]
    assert balance(order) == (2500, 0, 700)


def test_events_about_other_things_are_stored_and_done(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    for event in waiting(stripe, "charge.succeeded", "payment_intent.succeeded"):
        told(client, event)
    work(task="refunds.work_off_stripe")
    assert messages() == ["done", "done"]
    assert stripe.requests("GET") == [], "nothing was asked"


def test_stripe_away_keeps_the_message_for_later(world: World, stripe: Remote, client: FlaskClient, work: Work) -> None:
    refund = approved(world)
    work(task="refunds.send_refund")
    [event] = waiting(stripe, "refund.created")
    told(client, event)
    stripe.fault("503", match="GET /v1/refunds/")
    with pytest.raises(adapter.Unknown):
        work(task="refunds.work_off_stripe")
    session.rollback()
    assert messages() == ["received"]
    work(task="refunds.work_off_stripe")
    assert messages() == ["done"]
    assert again(refund).state == "succeeded"


def test_a_refund_that_our_account_does_not_have_is_said(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    about = {"id": "re_elsewhere", "object": "refund", "payment_intent": "pi_alice"}
    told(client, {"id": "evt_1", "object": "event", "type": "refund.created", "data": {"object": about}})
    work(task="refunds.work_off_stripe")
    assert messages() == ["failed"]
    [message] = session.scalars(select(InboxMessage)).all()
    assert "re_elsewhere" in (message.error or "")


EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "refund.created",
    "data": {"object": {"id": "re_1", "object": "refund"}},
}


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": "whsec_forged"}, 401),
        ({"ago": 310}, 401),
        ({"event": b"[]"}, 400),
        ({"event": b'{"id": "evt_1"}'}, 400),
        ({"event": b"\xff"}, 401),
    ],
)
def test_what_is_not_stripes_word_changes_nothing(client: FlaskClient, how: dict[str, Any], status: int) -> None:
    with nothing_appears(but={"inbox_refusals"}):
        assert told(client, how.pop("event", EVENT), **how).status_code == status


@pytest.mark.parametrize("header", [None, "", "junk", "t=1,v1=\u00e9"])
def test_without_a_good_signature_nothing_is_read(client: FlaskClient, header: str | None) -> None:
    headers = {} if header is None else {"Stripe-Signature": header}
    with nothing_appears(but={"inbox_refusals"}):
        assert client.post("/hooks/stripe", data=json.dumps(EVENT), headers=headers).status_code == 401


def test_without_a_secret_stripe_is_asked_to_come_back(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = app.config["SETTINGS"].model_copy(update={"stripe_webhook_secret": None})
    monkeypatch.setitem(app.config, "SETTINGS", bare)
    with nothing_appears():
        assert told(client, EVENT).status_code == 503


def test_the_web_needs_no_key(client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = app.config["SETTINGS"].model_copy(update={"stripe_api_key": None})
    monkeypatch.setitem(app.config, "SETTINGS", bare)
    assert told(client, EVENT).status_code == 200
    assert session.scalar(select(func.count()).select_from(InboxMessage)) == 1
