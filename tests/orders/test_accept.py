"""An order comes in once, whatever the channel sends again."""

from dataclasses import replace
from datetime import timedelta

from portal.db import session
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.models import Order, OrderLine, Payment
from tests.conftest import nothing_appears
from tests.world import ALICES_ORDER, World


def test_an_order_has_lines_a_payment_and_a_promise(world: World) -> None:
    order = world.alice
    assert [line.title for line in order.lines] == ["Stoneware mug", "Linen shirt", "Standard delivery"]
    assert order.payment is not None
    assert order.payment.left.amount == 8400
    assert order.promised_on.isoformat() == "2026-11-25"


def test_the_same_order_twice_is_one_order(world: World) -> None:
    with nothing_appears():
        order, new = accept_order(ALICES_ORDER, by="channel", now=clock.now())
        session.commit()
        assert (order.id, new) == (world.alice.id, False)


def test_an_older_copy_never_overwrites_a_newer_one(world: World) -> None:
    older = replace(ALICES_ORDER, email="old@example.org", updated_at=ALICES_ORDER.updated_at - timedelta(hours=1))
    with nothing_appears():
        accept_order(older, by="channel", now=clock.now())
        session.commit()
        assert session.get_one(Order, world.alice.id).customer.email == "alice@example.org"


def test_a_newer_copy_with_other_lines_asks_for_a_person(world: World) -> None:
    newer = replace(ALICES_ORDER, lines=ALICES_ORDER.lines[1:], updated_at=ALICES_ORDER.updated_at + timedelta(hours=1))
    order, _ = accept_order(newer, by="channel", now=clock.now())
    assert order.attention == "lines_changed"
    assert session.query(OrderLine).filter_by(order_id=order.id).count() == 3
    assert session.query(Payment).filter_by(order_id=order.id).count() == 1
