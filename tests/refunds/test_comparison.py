"""Three books that must agree: our refunds, Stripe's, and each payment's balance."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Payment
from portal.refunds import jobs
from portal.refunds.alarms import Trouble, keep_alarms
from portal.refunds.comparison import COMPARED, WATCHED, overdue
from portal.refunds.models import MoneyAlarm, Refund
from portal.refunds.words import alarm
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import (
    again,
    alarms_told,
    approved,
    balance,
    in_the_dashboard,
    letters,
    open_alarms,
    paid_at_stripe,
)
from tests.refunds.test_desk import text_of
from tests.refunds.test_webhooks import told
from tests.world import World, sign_in

Work = Callable[..., int]


@pytest.fixture
def refund(shop: Flask, world: World, stripe: Remote) -> Refund:
    """Ten euros, sent, and Stripe says so."""
    paid_at_stripe(stripe, world.alice)
    sent = approved(world, 1000)
    jobs.send_refund(sent.id)
    return again(sent)


def change(refund: Refund, **columns: object) -> None:
    session.execute(update(Refund).where(Refund.id == refund.id).values(**columns))
    session.commit()


def test_books_that_agree_raise_nothing(refund: Refund) -> None:
    with nothing_appears():
        jobs.reconcile()
    assert open_alarms() == []


def test_a_refund_made_elsewhere_whose_webhook_was_lost_is_adopted_by_night(
    refund: Refund, world: World, stripe: Remote
) -> None:
    in_the_dashboard(stripe, 500)
    jobs.reconcile()
    assert balance(world.alice) == (8400, 1000, 500)
    assert open_alarms() == []


def test_a_late_failure_whose_webhook_was_lost_is_found_by_night(refund: Refund, world: World, stripe: Remote) -> None:
    stripe.change_refund(str(refund.stripe_refund_id), status="failed", failure_reason="declined")
    jobs.reconcile()
    assert again(refund).state == "failed"
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == ["refund-on-its-way", "refund-corrected"]


def test_a_balance_that_is_not_the_sum_of_its_refunds_is_told_until_it_fits_again(refund: Refund) -> None:
    session.execute(update(Payment).where(Payment.id == refund.payment_id).values(reserved=1234))
    session.commit()
    jobs.reconcile()
    jobs.reconcile()
    assert open_alarms() == [("balance", "1234+0 / 1000+0 EUR")]
    session.execute(update(Payment).where(Payment.id == refund.payment_id).values(reserved=1000))
    session.commit()
    jobs.reconcile()
    assert open_alarms() == []


def test_a_refund_that_stripe_does_not_list_is_told(refund: Refund) -> None:
    earlier = clock.now() - timedelta(hours=2)
    change(refund, stripe_refund_id="re_gone", first_sent_at=earlier, uuid="another", requested_at=earlier)
    jobs.reconcile()
    assert ("missing_at_stripe", "1000 EUR succeeded") in open_alarms()


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("1234+0 / 1000+50 EUR", "€12.34+€0.00 / €10.00+€0.50"),
        ("700 JPY succeeded", "¥700 succeeded"),
        ("1000 EUR pending / 1000 USD pending", "€10.00 pending / $10.00 pending"),
        ("1000 QQQ pending", "1000 QQQ pending"),
        ("Invalid API key: 401", "Invalid API key: 401"),
    ],
)
def test_figures_of_an_alarm_are_told_as_money(app: Flask, detail: str, told: str) -> None:
    assert told in alarm("differs", detail)[1]


def test_more_back_than_was_paid_is_told(refund: Refund) -> None:
    session.execute(update(Payment).where(Payment.id == refund.payment_id).values(captured=900, reserved=900))
    session.commit()
    jobs.reconcile()
    assert ("too_much", "1000 / 900 EUR") in open_alarms()


def test_without_a_key_nothing_is_compared(app: Flask, world: World) -> None:
    with nothing_appears():
        jobs.reconcile()


def test_events_that_never_reached_us_come_in_by_the_hour(refund: Refund, stripe: Remote, work: Work) -> None:
    stripe.change_refund(str(refund.stripe_refund_id), status="failed", failure_reason="declined")
    session.commit()
    jobs.fetch_undelivered()
    work()
    assert again(refund).state == "failed"
    session.commit()
    jobs.fetch_undelivered()
    assert owed("refunds.work_off_stripe") == []


@pytest.mark.parametrize(
    ("state", "ago", "kinds"),
    [
        ("unknown", timedelta(minutes=59), []),
        ("unknown", timedelta(minutes=61), ["unknown_long"]),
        ("sending", timedelta(minutes=61), ["unknown_long"]),
        ("pending", timedelta(days=2, hours=23), []),
        ("pending", timedelta(days=3, minutes=1), ["pending_long"]),
    ],
)
def test_what_waits_too_long_is_told(refund: Refund, state: str, ago: timedelta, kinds: list[str]) -> None:
    change(refund, state=state, first_sent_at=clock.now() - ago, settled_at=None)
    assert [one.kind for one in overdue(clock.now())] == kinds


def test_a_stripe_that_is_silent_on_a_day_with_refunds_is_told(refund: Refund) -> None:
    assert overdue(clock.now()) == []
    change(refund, settled_at=clock.now() - timedelta(hours=5))
    jobs.watch_money()
    assert [kind for kind, _detail in open_alarms()] == ["silent"]


def test_events_that_we_had_to_fetch_do_not_break_the_silence(refund: Refund, work: Work) -> None:
    session.commit()
    jobs.fetch_undelivered()
    work()
    change(refund, settled_at=clock.now() - timedelta(hours=5))
    assert [one.kind for one in overdue(clock.now())] == ["silent"]


def test_wrong_signatures_are_told_and_settled_an_hour_after_the_last(client: FlaskClient, world: World) -> None:
    for _ in range(2):
        assert told(client, {}, secret="whsec_other").status_code == 401
        assert client.post("/hooks/stripe", data=b"{}").status_code == 401
    assert overdue(clock.now()) == [], "two, and two that were not signed, may be anybody's"
    assert told(client, {}, secret="whsec_other").status_code == 401
    jobs.watch_money()
    assert [kind for kind, _detail in open_alarms()] == ["bad_signature"]
    with clock.moved(timedelta(minutes=61)):
        jobs.watch_money()
        assert open_alarms() == []
        told(client, {}, secret="whsec_other")
        assert overdue(clock.now()) == [], "it counts anew"


def test_an_alarm_is_told_once_to_all_who_may_approve_money(world: World) -> None:
    for person in (world.fran, world.max, world.rita):
        person.password_hash = "set"
    world.max.disabled_at = clock.now()
    two = [TROUBLE, Trouble("differs", "re_1", "1 EUR failed / 1 EUR succeeded")]
    for _ in range(2):
        keep_alarms(two, COMPARED, now=clock.now())
    assert alarms_told() == [
        ("fran@shop.example", "Money needs a look: The payment's balance is not the sum of its refunds")
    ]
    letter = session.scalars(select(Letter).where(Letter.kind == "money-alarm")).one()
    figures = ("Balance / refunds: €0.01 / €0.02.", "Ours / Stripe's: €0.01 failed / €0.01 succeeded.")
    for said in (*figures, "/desk/refunds/"):
        assert said in letter.text
        assert said in unescape(letter.html)


def test_an_alarm_is_settled_and_told_anew_when_it_happens_again(world: World) -> None:
    world.fran.password_hash = "set"
    for found in ([TROUBLE], [], [TROUBLE]):
        keep_alarms(found, COMPARED, now=clock.now())
    assert len(alarms_told()) == 2
    assert open_alarms() == [("balance", "1 / 2 EUR")]


TROUBLE = Trouble("balance", "7", "1 / 2 EUR")


def test_what_was_explained_does_not_come_back_until_its_figures_change(client: FlaskClient, world: World) -> None:
    keep_alarms([TROUBLE], COMPARED, now=clock.now())
    session.commit()
    alarm, fran = session.scalars(select(MoneyAlarm)).one(), sign_in(client, world.fran)
    page = text_of(fran.get("/desk/refunds/differences").text)
    assert "The payment's balance is not the sum of its refunds Balance / refunds: €0.01 / €0.02." in page
    address = f"/desk/refunds/differences/{alarm.id}/explanation"
    assert fran.post(address, data={"note": " "}).status_code == 422
    assert fran.post(address, data={"note": "Paid out by bank."}).status_code == 303
    assert fran.post(address, data={"note": "Once more."}).status_code == 409
    page = text_of(fran.get("/desk/refunds/differences").text)
    assert "Everything fits" in page
    assert "Fran Fox: Paid out by bank." in page or ": Paid out by bank." in page
    assert keep_alarms([TROUBLE], COMPARED, now=clock.now()) == 0
    assert keep_alarms([Trouble("balance", "7", "1 / 3 EUR")], COMPARED, now=clock.now()) == 1


def test_one_look_leaves_alone_what_another_found(world: World) -> None:
    keep_alarms([TROUBLE], COMPARED, now=clock.now())
    keep_alarms([], WATCHED, now=clock.now())
    assert open_alarms() == [("balance", "1 / 2 EUR")]


def test_the_desk_asks_stripe_when_told_to(client: FlaskClient, refund: Refund, world: World) -> None:
    fran = sign_in(client, world.fran)
    assert fran.post("/desk/refunds/differences/comparison").status_code == 303
    assert fran.post(f"/desk/refunds/{refund.id}/look").status_code == 303
    assert owed("refunds.reconcile") == [("refunds.reconcile", {})]
    assert owed("refunds.look_at_refund") == [("refunds.look_at_refund", {"refund_id": refund.id})]


def test_who_may_not_approve_explains_nothing(client: FlaskClient, world: World) -> None:
    keep_alarms([TROUBLE], COMPARED, now=clock.now())
    session.commit()
    alarm, sam = session.scalars(select(MoneyAlarm)).one(), sign_in(client, world.sam)
    assert "It is right as it is" not in sam.get("/desk/refunds/differences").text
    with nothing_appears():
        assert sam.post(f"/desk/refunds/differences/{alarm.id}/explanation", data={"note": "no"}).status_code == 403
        assert sam.post("/desk/refunds/differences/comparison").status_code == 403
    assert open_alarms() == [("balance", "1 / 2 EUR")]
