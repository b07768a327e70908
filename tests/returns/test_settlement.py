"""The amount comes from what was really paid: shares, remainders, deductions, what was given back before."""

from dataclasses import replace

import pytest

from portal.db import session
from portal.lib import clock
from portal.lib.money import Money
from portal.orders.actions import accept_order
from portal.orders.models import Order, Payment
from portal.orders.payments import add_external
from portal.refunds.actions import open_refund, refuse_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, bench, settlement
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.rules import Wish
from portal.returns.settlement import Settlement, expect, total, work_out
from tests.conftest import nothing_appears
from tests.returns.hands import delivered, found, inspected, line_of, page_of, received, requested, wish
from tests.world import ALICES_ORDER, World, sign_in


@pytest.fixture
def thirds(world: World) -> Order:
    """Three mugs for 10.00 together, after a discount, and a shirt that was a present."""
    lines = (
        replace(ALICES_ORDER.lines[0], quantity=3, paid=1000),
        replace(ALICES_ORDER.lines[1], paid=0),
        ALICES_ORDER.lines[2],
    )
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="T", lines=lines, total=1500, captured=1500, payment_intent="pi_t"),
        by="channel",
        now=clock.now(),
    )
    delivered(world, order)
    return order


def settled(ret: Return) -> Settlement:
    session.expire_all()
    return work_out(ret, read(ret.order, now=clock.now(), besides=ret.id))


def propose(world: World, ret: Return) -> Refund:
    refund = actions.propose_refund(ret, settled(ret).total, by=world.rita, now=clock.now())
    session.commit()
    return refund


def preview(order: Order, *wishes: Wish) -> Money:
    facts = read(order, now=clock.now())
    return total(expect(facts, wishes), order.currency)


def test_the_last_piece_takes_the_remainder(world, thirds):
    amounts = [propose(world, inspected(world, thirds, wish(thirds))).amount for _ in range(3)]
    assert amounts == [333, 333, 334]


def test_pieces_together_are_worth_what_they_are_worth_one_by_one(world, thirds):
    assert settled(inspected(world, thirds, wish(thirds, quantity=2))).total == Money(666, "EUR")
    assert settled(inspected(world, thirds, wish(thirds))).total == Money(333, "EUR")


def test_the_preview_says_what_the_bench_works_out(world, thirds):
    for _ in range(3):
        promised = preview(thirds, wish(thirds))
        assert propose(world, inspected(world, thirds, wish(thirds))).money == promised


def test_a_present_comes_back_for_nothing(world, thirds):
    ret = inspected(world, thirds, wish(thirds, "SHIRT-M"))
    assert settled(ret).total == Money(0, "EUR")
    assert settlement.ending_of(ret, read(thirds, now=clock.now(), besides=ret.id)) == "nothing_due"


def test_a_deduction_is_told_with_its_reason(world, thirds):
    ret = inspected(world, thirds, wish(thirds, quantity=2), deduction=200, note="A chip")
    refund = propose(world, ret)
    assert [(line.quantity, line.amount, line.note) for line in refund.lines] == [(2, 466, "€2.00 deducted: A chip")]


def test_what_was_deducted_once_is_not_paid_with_the_next_piece(world, thirds):
    propose(world, inspected(world, thirds, wish(thirds, quantity=2), deduction=200, note="A chip"))
    assert settled(inspected(world, thirds, wish(thirds))).total == Money(334, "EUR")


def test_goodwill_counts_against_what_is_left_of_a_line(world, thirds):
    mugs = line_of(thirds, "MUG-01")
    open_refund(thirds, [RefundPart(mugs.id, 0, 900)], reason="goodwill", by=world.sam, now=clock.now())
    session.commit()
    assert preview(thirds, wish(thirds)) == Money(100, "EUR")
    assert settled(inspected(world, thirds, wish(thirds, quantity=3))).total == Money(100, "EUR")


def test_the_amount_stays_what_it_was_after_it_was_proposed(world, thirds):
    ret = inspected(world, thirds, wish(thirds, quantity=3))
    before = settled(ret)
    propose(world, ret)
    assert settled(ret).total == before.total


def test_money_given_back_elsewhere_is_cut_from_the_last_lines(world):
    delivered(world, world.alice)
    add_external(world.alice.payment, 5000)  # of 84.00
    session.commit()
    ret = inspected(world, world.alice, wish(world.alice, quantity=2), wish(world.alice, "SHIRT-M"))
    result = settled(ret)
    assert [amount.money.amount for amount in result.amounts] == [3400, 0]
    assert (result.total.amount, result.cut.amount) == (3400, 4500)
    refund = propose(world, ret)
    assert [(line.quantity, line.amount) for line in refund.lines] == [(2, 3400), (1, 0)]


def test_where_nothing_is_left_nothing_is_due(world):
    delivered(world, world.alice)
    add_external(world.alice.payment, 8400)
    session.commit()
    ret = inspected(world, world.alice)
    assert settlement.ending_of(ret, read(world.alice, now=clock.now(), besides=ret.id)) == "nothing_due"


def test_a_refund_that_was_refused_frees_the_pieces_and_the_money(world, thirds):
    ret = inspected(world, thirds, wish(thirds, quantity=3))
    refund = propose(world, ret)
    refuse_refund(refund, note="Look again", by=world.fran, now=clock.now())
    session.commit()
    assert settled(ret).total == Money(1000, "EUR")
    assert session.get_one(Payment, thirds.payment.id).left == Money(1500, "EUR")


def test_two_returns_that_counted_too_much_are_paid_once(world, thirds):
    first, second = received(world, thirds, wish(thirds)), received(world, thirds, wish(thirds, quantity=2))
    bench.inspect_return(first, found(first, counted=3), by=world.rita, now=clock.now())
    assert [(a.paid_pieces, a.why) for a in settled(first).amounts] == [(1, "surplus")]
    bench.inspect_return(second, found(second, counted=2), by=world.rita, now=clock.now())
    session.commit()
    assert [(a.paid_pieces, a.why) for a in settled(second).amounts] == [(0, "surplus")]


@pytest.mark.parametrize("currency", ["JPY", "KWD", "HUF"])
def test_other_currencies_have_other_minor_units(world, currency):
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id=currency, currency=currency, payment_intent=f"pi_{currency}"),
        by="channel",
        now=clock.now(),
    )
    delivered(world, order)
    assert settled(inspected(world, order, wish(order, quantity=2))).total == Money(4000, currency)


def test_after_the_channel_gave_part_back_no_more_is_proposed_than_is_left(client, world):
    """70 of 84 euros went back where it was paid: of two mugs 14 euros are left, and then nothing for the shirt."""
    delivered(world, world.alice)
    mugs, shirt = (requested(world.alice, one) for one in (wish(world.alice, quantity=2), wish(world.alice, "SHIRT-M")))
    add_external(world.alice.payment, 7000)
    desk = sign_in(client, world.rita)
    for ret in (mugs, shirt):
        actions.approve_return(ret, by=world.rita, now=clock.now())
        actions.receive_return(ret, by=world.rita, now=clock.now())
        bench.inspect_return(ret, found(ret), by=world.rita, now=clock.now())
        session.commit()
    with nothing_appears():
        assert desk.post(f"/desk/returns/{mugs.id}/refund", data={"amount": "4000"}).status_code == 409
    assert desk.post(f"/desk/returns/{mugs.id}/refund", data={"amount": "1400"}).status_code == 303
    session.expire_all()
    assert (world.alice.payment.left.amount, mugs.money and mugs.money.amount) == (0, 1400)
    assert "No money is due" in page_of(desk, shirt)
