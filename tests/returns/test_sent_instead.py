"""Goods that go out anew for those of a return: an order of its own, with nothing to pay."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.db import move, session
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders import stock
from portal.orders.flags import open_flags
from portal.orders.models import Order
from portal.orders.promise import promise
from portal.orders.shelves import StockItem
from portal.refunds.actions import open_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, bench, settlement, withdrawals
from portal.returns.exchanges import Substitute, return_behind, send_instead
from portal.returns.goods import read
from portal.returns.models import Return
from tests.conftest import nothing_appears
from tests.returns.claim_hands import accepted, claimed
from tests.returns.hands import approved, delivered, found, inspected, line_of, page_of, requested, wish
from tests.world import World, open_link, sign_in


@pytest.fixture
def ret(at_home: World) -> Return:
    """Alice sends both mugs back, and we said yes."""
    return approved(at_home, at_home.alice, wish(at_home.alice, quantity=2))


def sent(world: World, ret: Return, quantity: int = 2, key: str = "1", **differs: str) -> Order:
    order = send_instead(ret, [Substitute(ret.lines[0], quantity, **differs)], key=key, by=world.rita, now=clock.now())
    session.commit()
    return order


def test_it_is_an_order_to_the_same_address_with_nothing_to_pay_that_is_picked(world, ret, work):
    order = sent(world, ret)
    assert (order.number, order.total, order.payment, order.ship_to) == ("1001-R1", 0, None, world.alice.ship_to)
    assert [(line.sku, line.variant, line.quantity) for line in order.lines] == [("MUG-01", "Moss", 2)]
    assert order.promised_on == promise(order.paid_at, "DE")
    work()
    assert session.scalars(select(Parcel.state).where(Parcel.order_id == order.id)).all() == ["to_pick"]


def test_another_variant_may_go_out(world, ret):
    order = sent(world, ret, quantity=1, sku="MUG-02", variant="Ash")
    assert [(line.sku, line.title, line.variant) for line in order.lines] == [("MUG-02", "Stoneware mug", "Ash")]


def test_the_customer_gets_a_letter_that_opens_the_new_order(client, world, ret, work, mails):
    sent(world, ret)
    work()
    letter = next(mail for mail in mails if mail["Subject"] == f"We send you something for return {ret.rma}")
    assert "1001-R1" in letter.get_body(("plain",)).get_content()


def test_the_same_key_is_the_same_order(world, ret):
    first = sent(world, ret)
    with nothing_appears():
        assert sent(world, ret) is first


def test_both_orders_pages_tell_of_each_other(client, world, ret):
    order = sent(world, ret)
    assert "we send you order 1001-R1" in open_link(client, world.alice).get(f"/orders/{world.alice.ref}").text
    new = open_link(client, order).get(f"/orders/{order.ref}").text
    assert f"for return {ret.rma} of order 1001" in new
    desk = sign_in(client, world.sam)
    assert f"/desk/orders/{order.id}" in desk.get(f"/desk/orders/{world.alice.id}").text
    assert f"/desk/returns/{ret.id}" in desk.get(f"/desk/orders/{order.id}").text
    assert return_behind(order) is ret


def test_what_was_kept_back_for_it_is_the_order_s_and_nobody_comes_between(world, ret):
    item = stock.begin_counting("MUG-02", stock.main_place())
    stock.set_count(item, 1, "counted", "", by=world.max, now=clock.now())
    stock.reserve_variant("MUG-02", 1, "exchange:1", now=clock.now())
    order = sent(world, ret, quantity=1, sku="MUG-02", kept_under="exchange:1")
    session.refresh(item)
    assert (item.reserved, item.available) == (1, 0)
    stock.release_order(order, "cancelled", now=clock.now())
    assert session.scalars(select(StockItem.reserved).where(StockItem.sku == "MUG-02")).one() == 0


def test_it_brings_no_money_as_well(world):
    delivered(world, world.alice)
    ret = inspected(world, world.alice, wish(world.alice, quantity=2))
    sent(world, ret, quantity=1)
    facts = read(world.alice, now=clock.now(), besides=ret.id)
    settled = settlement.work_out(ret, facts)
    assert (settled.total.amount, settled.amounts[0].why) == (2000, "sent_instead")


def test_what_was_sent_instead_and_cancelled_is_money_again(world):
    delivered(world, world.alice)
    ret = inspected(world, world.alice, wish(world.alice, quantity=2))
    move(sent(world, ret), "state", "cancel")
    session.expire_all()
    assert settlement.work_out(ret, read(world.alice, now=clock.now(), besides=ret.id)).total.amount == 4000


def test_it_stands_for_what_was_really_paid(world, ret):
    assert [line.paid for line in sent(world, ret).lines] == [4000]


@pytest.mark.parametrize(
    ("quantity", "message"), [(0, "Choose how many pieces."), (3, "Stoneware mug: that is more than comes back.")]
)
def test_it_refuses_more_than_comes_back(world, ret, quantity, message):
    with nothing_appears(), pytest.raises(Refused) as refused:
        sent(world, ret, quantity=quantity)
    assert refused.value.message == message


def test_the_same_pieces_are_not_replaced_twice(world, ret):
    sent(world, ret)
    with nothing_appears(), pytest.raises(Refused, match="more than comes back"):
        sent(world, ret, quantity=1, key="2")


def test_it_refuses_when_money_was_proposed_already(world):
    delivered(world, world.alice)
    ret = inspected(world, world.alice)
    actions.propose_refund(ret, settlement.work_out(ret, read(world.alice, now=clock.now(), besides=ret.id)).total,
                           by=world.rita, now=clock.now())  # fmt: skip
    session.commit()
    session.expire_all()
    with nothing_appears(), pytest.raises(Refused, match="settled"):
        sent(world, ret, quantity=1)


def test_it_refuses_when_the_address_was_forgotten(world, ret):
    world.alice.erased_at = clock.now()
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="no longer know the address"):
        sent(world, ret)


def test_lines_of_another_return_are_not_taken(world, ret):
    other = requested(world.alice, wish(world.alice, "SHIRT-M"))
    with nothing_appears(), pytest.raises(Refused, match="not part of the return"):
        send_instead(ret, [Substitute(other.lines[0], 1)], key="1", by=world.rita, now=clock.now())


def test_a_second_one_has_the_next_number(world, ret):
    sent(world, ret, quantity=1)
    assert sent(world, ret, quantity=1, key="2").number == "1001-R2"
    assert session.scalar(select(func.count()).select_from(Order).where(Order.number.startswith("1001-R"))) == 2


def test_while_it_is_not_back_nothing_is_inspected_for_it(world, ret):
    """The order goes out whether or not the goods have come."""
    order = sent(world, ret)
    actions.receive_return(ret, by=world.rita, now=clock.now() + timedelta(days=1))
    bench.inspect_return(ret, found(ret), by=world.rita, now=clock.now() + timedelta(days=1))
    session.commit()
    facts = read(world.alice, now=clock.now(), besides=ret.id)
    assert settlement.ending_of(ret, facts) == "nothing_due"
    assert order.state == "accepted"


def test_when_what_was_sent_comes_back_too_its_money_goes_back_where_it_was_paid(client, world, ret):
    order = sent(world, ret)
    delivered(world, order)
    again = inspected(world, order, wish(order, quantity=2))
    desk = sign_in(client, world.rita)
    page = page_of(desk, again)
    assert f"These goods went out for return {ret.rma} of order 1001. Their money was paid there" in page
    assert "Propose €40.00 back" in page
    desk.post(f"/desk/returns/{again.id}/refund", data={"amount": "4000"})
    [refund] = session.scalars(select(Refund)).all()
    mugs = line_of(world.alice, "MUG-01").id
    assert (refund.order_id, refund.return_id) == (world.alice.id, again.id)
    assert [(line.order_line_id, line.quantity, line.amount) for line in refund.lines] == [(mugs, 2, 4000)]
    assert "You get €40.00 back" in open_link(client, order).get(f"/orders/{order.ref}/returns/{again.rma}").text


def test_of_what_was_sent_in_its_place_twice_over_never_more_goes_back_than_was_paid(world, ret):
    """An exchange of an exchange; of the first order's money a part was given back meanwhile."""
    first = sent(world, ret)
    delivered(world, first)
    second = sent(world, approved(world, first, wish(first, quantity=2)))
    delivered(world, second)
    mugs = line_of(world.alice, "MUG-01")
    open_refund(world.alice, [RefundPart(mugs.id, 0, 1500)], reason="goodwill", by=world.rita, now=clock.now())
    session.commit()
    last = inspected(world, second, wish(second, quantity=2))
    settled = settlement.work_out(last, read(second, now=clock.now(), besides=last.id))
    assert settled.total.amount == mugs.paid - 1500
    refund = actions.propose_refund(last, settled.total, by=world.rita, now=clock.now())
    assert (refund.order_id, [line.order_line_id for line in refund.lines]) == (world.alice.id, [mugs.id])


def test_a_claim_about_what_was_sent_is_paid_where_it_was_paid_too(world, ret):
    order = sent(world, ret)
    delivered(world, order)
    accepted(world, claimed(order, wish="money"), "keep_money")
    [refund] = session.scalars(select(Refund)).all()
    assert (refund.order_id, refund.amount) == (world.alice.id, 2000)


def test_who_withdraws_before_it_leaves_gets_a_person_who_gives_the_money_back(world, ret):
    order = sent(world, ret)
    withdrawals.withdraw(order.id, {order.lines[0].id: 2}, key="w" * 28, now=clock.now())
    assert [flag.code for flag in open_flags(order.id)] == ["refund_by_hand"]
