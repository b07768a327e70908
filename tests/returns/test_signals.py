"""Signs for staff: each with its reason, none decides, none is shown to the customer but in their copy."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.db import session
from portal.lib import clock
from portal.orders.models import Order
from portal.privacy.copy import noted_about
from portal.returns.claims_terms import Terms, set_terms
from portal.returns.signals import signals
from tests.conftest import statements
from tests.returns.claim_hands import accepted, claimed
from tests.returns.hands import approved, delivered, inspected, proposed, requested, wish
from tests.uploads.hands import sent
from tests.world import World, open_link, sign_in


def codes(order: Order, days: float = 0) -> list[str]:
    return [sign.code for sign in signals(order, now=clock.now() + timedelta(days=days))]


def whys(order: Order) -> list[str]:
    return [sign.why for sign in signals(order, now=clock.now())]


@pytest.fixture(autouse=True)
def arrived(world: World) -> None:
    delivered(world, world.alice)
    delivered(world, world.bob)


def test_nothing_stands_out_at_first(world: World) -> None:
    approved(world, world.alice)
    assert codes(world.alice) == []


def test_often_and_much(world: World) -> None:
    proposed(world, world.alice, 4000, wish(world.alice, quantity=2))
    requested(world.alice, wish(world.alice, "SHIRT-M"))
    assert codes(world.alice) == []
    session.execute(update(Order).where(Order.id == world.bob.id).values(customer_id=world.alice.customer_id))
    claimed(world.bob)
    session.expire_all()
    assert whys(world.alice) == ["3 returns and claims of 2 orders in a year."]
    session.execute(update(Order).where(Order.id == world.bob.id).values(total=-100, customer_id=world.bob.customer_id))
    assert codes(world.alice, days=366) == []


def test_much(world: World) -> None:
    proposed(world, world.alice, 3900, wish(world.alice, "SHIRT-M"))
    requested(world.alice)
    requested(world.alice)
    session.execute(update(Order).where(Order.id == world.alice.id).values(total=7000))
    session.expire_all()
    assert codes(world.alice) == ["often", "much"]
    assert "€39.00 given back of €70.00 bought in a year." in whys(world.alice)


def test_an_empty_box(world: World) -> None:
    inspected(world, world.alice, counted=0, grade=None, disposition=None)
    assert whys(world.alice) == ["1 parcel came back empty."]
    assert codes(world.bob) == []


def test_worn_things_more_than_once(world: World) -> None:
    inspected(world, world.alice, grade="worn", disposition="recycle")
    assert codes(world.alice) == []
    inspected(world, world.alice, wish(world.alice, "SHIRT-M"), grade="worn", disposition="recycle")
    assert codes(world.alice) == ["worn"]


def test_a_picture_that_another_order_used(world: World) -> None:
    sent(world.bob, "return:1")
    again = sent(world.alice, "return:2")
    [sign] = signals(world.alice, now=clock.now())
    assert (sign.code, sign.why, sign.picture_id) == ("picture", "A picture looks like one of order 1002.", again.id)
    assert codes(world.bob) == []


def test_small_claims_that_stay_below_the_limit_one_by_one(world: World) -> None:
    set_terms("", Terms(stays_up_to={"EUR": 2000}))
    for sku in ("MUG-01", "MUG-01"):
        accepted(world, claimed(world.alice, sku, wish="money"), "keep_money")
    assert "split" not in codes(world.alice)
    session.execute(update(Order).where(Order.id == world.bob.id).values(customer_id=world.alice.customer_id))
    session.expire_all()
    accepted(world, claimed(world.bob, wish="money"), "keep_money")
    [sign] = [sign for sign in signals(world.alice, now=clock.now()) if sign.code == "split"]
    assert sign.why == "3 claims below €20.00 within 90 days, together €60.00."
    assert "split" not in codes(world.alice, days=91)


def test_staff_see_them_on_the_claim_the_return_and_the_order_and_customers_do_not(
    client: FlaskClient, world: World
) -> None:
    sent(world.bob, "return:1")
    sent(world.alice, "return:2")
    claim, ret = claimed(world.alice), requested(world.alice, wish(world.alice, "SHIRT-M"))
    sign_in(client, world.rita)
    for page in (f"claims/{claim.return_id}", f"returns/{ret.id}", f"orders/{world.alice.id}"):
        assert "A picture looks like one of order 1002." in client.get(f"/desk/{page}").text, page
    open_link(client, world.alice)
    for page in ("", f"/claims/{claim.ret.rma}", f"/returns/{ret.rma}"):
        assert "looks like" not in client.get(f"/orders/{world.alice.ref}{page}").text


def test_the_customer_s_copy_tells_them(world: World) -> None:
    assert noted_about([world.alice.id], now=clock.now()) == {}
    sent(world.bob, "return:1")
    sent(world.alice, "return:2")
    [sign] = noted_about([world.alice.id], now=clock.now())["signs"]
    assert sign["why"] == "A picture looks like one of order 1002."


def test_they_decide_nothing(world: World) -> None:
    sent(world.bob, "return:1")
    sent(world.alice, "return:2")
    claim = accepted(world, claimed(world.alice), "replacement")
    assert claim.ret.decision == "approved"


def test_they_cost_a_few_statements(world: World) -> None:
    with statements() as seen:
        signals(world.alice, now=clock.now())
    assert len(seen) <= 5
