"""Who may decide about money, how much, and that "no" leaves nothing behind."""

from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.timeline import for_customer, for_staff
from portal.refunds import actions
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import again, approved, asked, balance, parts
from tests.world import World


def approve(refund: Refund, world: World, by: str = "fran", shown: int | None = None) -> None:
    actions.approve_refund(refund, by=getattr(world, by), now=clock.now(), shown=shown)
    session.commit()


def test_asking_takes_the_amount_from_the_balance_and_owes_no_call(world: World) -> None:
    refund = asked(world, 4000, 0, 500, due_on=date(2026, 12, 1))
    assert (refund.state, refund.amount, refund.currency) == ("requested", 4500, "EUR")
    assert [(line.line.title, line.asked, line.amount) for line in refund.lines] == [
        ("Stoneware mug", 4000, 4000),
        ("Standard delivery", 500, 500),
    ]
    assert balance(world.alice) == (8400, 4500, 0)
    assert owed("refunds.send_refund") == []
    assert for_customer(world.alice.id)[0].text == "We have your order"


def test_approving_freezes_what_stripe_will_be_asked_and_owes_the_call(world: World) -> None:
    refund = asked(world, 4000)
    approve(refund, world)
    assert refund.state == "approved"
    assert refund.params == {
        "payment_intent": "pi_alice", "amount": 4000, "reason": "requested_by_customer",
        "metadata": {"rf": refund.uuid, "return": ""}, "api_version": "2026-10-28.endive",
    }  # fmt: skip
    assert refund.idem_key == f"refund:{refund.uuid}"
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund.id})]
    assert for_customer(world.alice.id)[0].text == "€40.00 is being given back"
    assert for_staff(world.alice.id)[0].by == "Fran"


def test_2_3_5_nobody_approves_money_they_asked_for(world: World) -> None:
    refund = asked(world)
    with nothing_appears(), pytest.raises(Refused, match="second person"):
        approve(refund, world, by="rita")
    assert again(refund).state == "requested"


def test_the_database_refuses_it_too(world: World) -> None:
    refund = asked(world)
    refund.approved_by_id = refund.requested_by_id
    with pytest.raises(IntegrityError, match="four_eyes"):
        session.flush()
    session.rollback()


def test_nobody_approves_twice(world: World) -> None:
    refund = approved(world)
    with nothing_appears(), pytest.raises(Refused, match="already"):
        approve(refund, world, by="max")


def test_an_amount_that_has_changed_since_it_was_shown_is_not_approved(world: World) -> None:
    refund = asked(world, 4000)
    line = refund.lines[0]
    actions.reduce_refund(refund, {line.id: 3000}, note="one cup is chipped", by=world.max, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="€30"):
        approve(refund, world, shown=4000)
    approve(again(refund), world, shown=3000)
    assert again(refund).params == {**(again(refund).params or {}), "amount": 3000}


def test_what_was_approved_can_not_be_changed(world: World) -> None:
    refund = approved(world, 4000)
    refund.amount = 3000
    with pytest.raises(IntegrityError, match="frozen"):
        session.flush()
    session.rollback()


@pytest.mark.parametrize("amounts", [(4001,), (4000, 3901), (0, 0, 501)])
def test_no_line_gets_back_more_than_was_paid_for_it(world: World, amounts: tuple[int, ...]) -> None:
    with nothing_appears(), pytest.raises(Refused, match="more than was paid"):
        asked(world, *amounts)


def test_what_other_refunds_hold_of_a_line_counts(world: World) -> None:
    asked(world, 2500)
    with nothing_appears(), pytest.raises(Refused, match="more than was paid"):
        asked(world, 1501)
    assert asked(world, 1500).amount == 1500


def test_what_was_refused_is_free_again(world: World) -> None:
    refund = asked(world, 4000)
    actions.refuse_refund(refund, note="the mug was not ours", by=world.fran, now=clock.now())
    session.commit()
    assert (refund.state, refund.decision_note) == ("rejected_by_us", "the mug was not ours")
    assert balance(world.alice) == (8400, 0, 0)
    assert asked(world, 4000).state == "requested"


@pytest.mark.parametrize("amounts", [(0,), (-1,)])
def test_nothing_and_less_is_no_refund(world: World, amounts: tuple[int, ...]) -> None:
    with nothing_appears(), pytest.raises(Refused):
        asked(world, *amounts)


def test_a_line_of_another_order_is_none_of_this_one(world: World) -> None:
    strange = [RefundPart(world.bob.lines[0].id, 1, 100)]
    with nothing_appears(), pytest.raises(Refused, match="not part of the order"):
        actions.open_refund(world.alice, strange, reason="", by=world.rita, now=clock.now())


def test_a_line_named_twice_is_a_mistake(world: World) -> None:
    twice = parts(world.alice, 100) * 2
    with nothing_appears(), pytest.raises(Refused, match="twice"):
        actions.open_refund(world.alice, twice, reason="", by=world.rita, now=clock.now())


def test_money_in_the_sales_channel_is_not_ours_to_give(world: World) -> None:
    assert world.alice.payment is not None
    world.alice.payment.route = "channel"
    with nothing_appears(), pytest.raises(Refused, match="sales channel"):
        asked(world, way="card")


def test_reducing_frees_the_difference_and_still_needs_an_approval(world: World) -> None:
    refund = asked(world, 4000, 3900)
    mug, shirt = refund.lines
    actions.reduce_refund(refund, {shirt.id: 2000}, note="worn", by=world.fran, now=clock.now())
    session.commit()
    assert (again(refund).state, refund.amount, refund.asked_for.amount) == ("requested", 6000, 7900)
    assert [(line.asked, line.amount) for line in (mug, shirt)] == [(4000, 4000), (3900, 2000)]
    assert balance(world.alice) == (8400, 6000, 0)
    assert owed("refunds.send_refund") == []


@pytest.mark.parametrize("amount", [4000, 4001, 0, -1])
def test_a_reduction_is_less_and_more_than_nothing(world: World, amount: int) -> None:
    refund = asked(world, 4000)
    with nothing_appears(), pytest.raises(Refused):
        actions.reduce_refund(refund, {refund.lines[0].id: amount}, note="why", by=world.fran, now=clock.now())
    assert again(refund).amount == 4000
    assert balance(world.alice) == (8400, 4000, 0)


@pytest.mark.parametrize("note", ["", "  "])
def test_less_and_nothing_are_given_with_a_reason(world: World, note: str) -> None:
    refund = asked(world, 4000)
    with nothing_appears(), pytest.raises(Refused, match="why"):
        actions.reduce_refund(refund, {refund.lines[0].id: 100}, note=note, by=world.fran, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="why"):
        actions.refuse_refund(refund, note=note, by=world.fran, now=clock.now())


def test_what_was_approved_is_neither_reduced_nor_refused(world: World) -> None:
    refund = approved(world, 4000)
    with nothing_appears(), pytest.raises(Refused, match="already"):
        actions.reduce_refund(refund, {refund.lines[0].id: 100}, note="x", by=world.fran, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="already"):
        actions.refuse_refund(refund, note="x", by=world.fran, now=clock.now())
