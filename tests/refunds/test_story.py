"""One refund's story: who asked, who approved, what was sent, what came back, and under which of Stripe's numbers."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.demo.stripe import Remote
from portal.orders.timeline import for_staff
from portal.refunds.models import RefundAttempt
from tests.refunds.hands import approved, in_the_dashboard, paid_at_stripe, send
from tests.refunds.test_desk import text_of
from tests.world import World, sign_in


def test_every_try_is_told_with_what_came_back_and_stripes_number_for_it(
    shop: Flask, world: World, stripe: Remote, client: FlaskClient
) -> None:
    paid_at_stripe(stripe, world.alice)
    stripe.fault("503")
    refund = send(send(approved(world, 4000)))
    tries = session.scalars(select(RefundAttempt).order_by(RefundAttempt.id)).all()
    told = [(one.source, one.to_state, one.detail, bool(one.request_id)) for one in tries]
    assert told == [
        ("claim", "sending", "", False),
        ("call", "unknown", "503: We're currently unable to take your request.", True),
        ("claim", "sending", "", False),
        ("call", "succeeded", "succeeded", True),
    ]
    page = text_of(sign_in(client, world.fran).get(f"/desk/refunds/{refund.id}").text)
    for number in (*(one.request_id for one in tries), refund.stripe_refund_id, refund.uuid, "pi_alice"):
        assert number is None or number in page


def test_a_refusal_is_told_with_its_number_and_without_it_in_the_reason(
    shop: Flask, world: World, stripe: Remote
) -> None:
    paid_at_stripe(stripe, world.alice)
    in_the_dashboard(stripe, 8000)
    refund = send(approved(world, 4000))
    last = session.scalars(select(RefundAttempt).order_by(RefundAttempt.id.desc())).first()
    assert last is not None
    assert (refund.state, bool(last.request_id)) == ("refused_by_stripe", True)
    assert "req_" not in (refund.failure_reason or "")


def test_the_orders_timeline_tells_who_asked_who_approved_and_what_stripe_said(
    shop: Flask, world: World, stripe: Remote
) -> None:
    paid_at_stripe(stripe, world.alice)
    send(approved(world, 4000))
    told = [(entry.text, entry.by) for entry in reversed(for_staff(world.alice.id)) if "€40.00" in entry.text]
    assert told == [
        ("€40.00 proposed to be given back", "Rita"),
        ("€40.00 approved to be given back", "Fran"),
        ("€40.00 given back, says Stripe", "Stripe"),
    ]
