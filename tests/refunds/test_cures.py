"""Each thing that does not fit has a button that mends it, and none of them decides about money."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.db import session
from portal.lib import clock
from portal.orders.models import Payment
from portal.orders.timeline import for_staff
from portal.refunds.alarms import Trouble, keep_alarms
from portal.refunds.cures import CURES
from portal.refunds.models import ALARMS, MoneyAlarm
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import approved, asked, balance, open_alarms, paid
from tests.world import World, sign_in


def alarmed(world: World, kind: str, key: str, refund_id: int | None = None) -> str:
    """An alarm of this kind; the address of its cure."""
    keep_alarms([Trouble(kind, key, "1 / 2 EUR", world.alice.id, refund_id)], ALARMS, now=clock.now())
    session.commit()
    alarm = session.query(MoneyAlarm).filter_by(kind=kind, closed_at=None).one()
    return f"/desk/refunds/differences/{alarm.id}/cure"


@pytest.mark.parametrize(
    ("kind", "job"),
    [
        ("unknown_here", "reconcile"), ("too_much", "reconcile"), ("silent", "fetch_undelivered"),
        ("missing_at_stripe", "look_at_refund"), ("differs", "look_at_refund"), ("pending_long", "look_at_refund"),
        ("unknown_long", "send_refund"),
    ],
)  # fmt: skip
def test_stripe_is_asked_for_what_mends_it(client: FlaskClient, world: World, kind: str, job: str) -> None:
    refund = asked(world)
    about = {} if job in ("reconcile", "fetch_undelivered") else {"refund_id": refund.id}
    cure = alarmed(world, kind, "re_1", refund.id)
    desk = sign_in(client, world.fran)
    assert str(CURES[kind]) in desk.get("/desk/refunds/differences").text
    assert desk.post(cure).status_code == 303
    assert owed(f"refunds.{job}") == [(f"refunds.{job}", about)]


def test_a_balance_becomes_the_sum_of_its_refunds(client: FlaskClient, world: World) -> None:
    approved(world, 1000)
    payment = paid(world.alice)
    session.execute(update(Payment).where(Payment.id == payment.id).values(reserved=1234, external=50))
    session.commit()
    assert sign_in(client, world.fran).post(alarmed(world, "balance", str(payment.id))).status_code == 303
    assert (balance(world.alice), open_alarms()) == ((8400, 1000, 0), [])
    assert [entry.text for entry in for_staff(world.alice.id)].count(
        "The payment's balance was set to the sum of its refunds: €12.84 became €10.00"
    ) == 1


def test_a_sum_that_is_more_than_was_paid_is_not_written_down(client: FlaskClient, world: World) -> None:
    approved(world, 1000)
    payment = paid(world.alice)
    session.execute(update(Payment).where(Payment.id == payment.id).values(captured=900, reserved=800))
    session.commit()
    cure, desk = alarmed(world, "balance", str(payment.id)), sign_in(client, world.fran)
    with nothing_appears():
        assert desk.post(cure).status_code == 409
    assert balance(world.alice) == (900, 800, 0)


@pytest.mark.parametrize("kind", ["bad_signature", "disputed", "key_refused"])
def test_what_no_button_cures_is_said(client: FlaskClient, world: World, kind: str) -> None:
    cure, desk = alarmed(world, kind, "stripe"), sign_in(client, world.fran)
    assert cure not in desk.get("/desk/refunds/differences").text
    with nothing_appears():
        assert desk.post(cure).status_code == 409


def test_what_is_closed_is_not_mended_again_and_not_by_who_may_not(client: FlaskClient, world: World) -> None:
    cure = alarmed(world, "silent", "stripe")
    assert sign_in(client, world.rita).post(cure).status_code == 403
    keep_alarms([], ALARMS, now=clock.now())
    session.commit()
    desk = sign_in(client, world.fran)
    with nothing_appears():
        assert desk.post(cure).status_code == 409
