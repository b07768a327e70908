"""What is found at the bench and the money for it; what is odd is never a dead end."""

from html import unescape

import pytest
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.refunds.actions import refuse_refund
from portal.refunds.models import Refund
from portal.returns.models import FOUND, Return
from tests.conftest import nothing_appears
from tests.returns.hands import (
    approved,
    at_the_bench,
    inspected,
    line_of,
    page_of,
    post,
    proposed,
    received,
    requested,
    wish,
)
from tests.world import open_link


def test_what_was_found_stands_beside_what_was_announced(desk, world):
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    answer = post(
        desk, ret, "inspection", **at_the_bench(ret, counted="1", deduction="2,50", note="A chip", grade="worn")
    )
    assert answer.status_code == 303
    found = ret.lines[0].inspections[0]
    assert found is not None
    assert (found.counted, found.grade, found.disposition, found.deduction, found.note) == (
        1,
        "worn",
        "restock",
        250,
        "A chip",
    )
    page = page_of(desk, ret)
    assert "1 counted, 2 announced" in page
    assert "€2.50 deducted: A chip" in page
    assert "Propose €17.50 back" in page


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"counted": ""}, "Count the pieces; none is 0."),
        ({"counted": "-1"}, "Count the pieces; none is 0."),
        ({"counted": "1e3"}, "Not a valid integer value."),
        ({"counted": "99999999999"}, "Count the pieces; none is 0."),
        ({"grade": ""}, "Say in what state it is."),
        ({"grade": "lovely"}, "Not a valid choice."),
        ({"disposition": ""}, "Say what becomes of it."),
        ({"deduction": "5"}, "Say why; the customer reads it."),
        ({"deduction": "20.01", "note": "x"}, "No more than what it is worth: €20.00."),
        ({"deduction": "-1", "note": "x"}, "No more than what it is worth: €20.00."),
        ({"deduction": "much", "note": "x"}, "Write an amount like 4.50."),
        ({"deduction": "0.001", "note": "x"}, "Write an amount like 4.50."),
        ({"deduction": "NaN", "note": "x"}, "Write an amount like 4.50."),
        ({"deduction": "1e400", "note": "x"}, "Write an amount like 4.50."),
        ({"note": "x" * 301}, "Field cannot be longer than 300 characters."),
    ],
)
def test_nonsense_at_the_bench_gets_the_form_again(desk, world, differs, message):
    ret = received(world, world.alice)
    with nothing_appears():
        answer = post(desk, ret, "inspection", **at_the_bench(ret, **differs))
    assert answer.status_code == 422
    assert message in unescape(answer.text)
    assert ret.inspected_at is None


def test_nothing_is_inspected_that_is_not_here(desk, world):
    ret = approved(world, world.alice)
    with nothing_appears():
        answer = post(desk, ret, "inspection", **at_the_bench(ret))
    assert answer.status_code == 409
    assert "Receive the parcel first." in answer.text


def test_counting_again_replaces_what_was_found(desk, world):
    ret = inspected(world, world.alice, wish(world.alice, quantity=2), counted=1)
    post(desk, ret, "inspection", **at_the_bench(ret, counted="2"))
    assert "Propose €40.00 back" in page_of(desk, ret)


def test_after_the_proposal_nothing_is_counted_again(desk, world):
    refund = proposed(world, world.alice, 2000)
    ret = session.get_one(Return, refund.return_id)
    with nothing_appears():
        answer = post(desk, ret, "inspection", **at_the_bench(ret, counted="0"))
    assert answer.status_code == 409
    assert "This return is settled." in answer.text


def test_the_amount_that_was_shown_is_proposed_and_held(desk, world):
    ret = inspected(world, world.alice)
    assert post(desk, ret, "refund", amount=2000).status_code == 303
    refund = session.scalars(select(Refund)).one()
    assert (refund.state, refund.amount, refund.return_id, refund.requested_by_id) == (
        "requested", 2000, ret.id, world.rita.id,
    )  # fmt: skip
    assert [(line.order_line_id, line.quantity, line.amount) for line in refund.lines] == [
        (line_of(world.alice, "MUG-01").id, 1, 2000)
    ]
    assert world.alice.payment.left.amount == 6400
    assert "€20.00: to approve" in page_of(desk, ret)


@pytest.mark.parametrize("amount", ["1999", "2001", "", "all", "-2000", "9" * 40])
def test_an_amount_that_is_not_the_one_worked_out_is_refused(desk, world, amount):
    ret = inspected(world, world.alice)
    with nothing_appears():
        answer = post(desk, ret, "refund", amount=amount)
    assert answer.status_code == 409
    assert "The amount has changed while you looked at it." in answer.text


def test_it_refuses_a_second_proposal(desk, world):
    refund = proposed(world, world.alice, 2000)
    ret = session.get_one(Return, refund.return_id)
    with nothing_appears():
        assert post(desk, ret, "refund", amount=2000).status_code == 409


def test_no_money_is_proposed_before_somebody_has_looked(desk, world):
    for ret in (requested(world.alice), approved(world, world.alice)):
        with nothing_appears():
            assert post(desk, ret, "refund", amount=2000).status_code == 409


def test_what_finance_refused_can_be_proposed_anew(desk, world):
    refund = proposed(world, world.alice, 2000)
    ret = session.get_one(Return, refund.return_id)
    refuse_refund(refund, note="Look at the handle again", by=world.fran, now=clock.now())
    session.commit()
    page = page_of(desk, ret)
    assert "Look at the handle again" in page
    post(desk, ret, "inspection", **at_the_bench(ret, deduction="5", note="The handle"))
    assert post(desk, ret, "refund", amount=1500).status_code == 303
    assert world.alice.payment.left.amount == 6900


def test_a_piece_that_nobody_announced_is_counted_and_paid(desk, world):
    ret = received(world, world.alice)
    shirt = line_of(world.alice, "SHIRT-M")
    assert post(desk, ret, "lines", line=shirt.id).status_code == 303
    assert [(row.quantity, row.reason) for row in ret.lines] == [(1, "changed_mind"), (0, FOUND)]
    post(desk, ret, "inspection", **{**at_the_bench(ret), f"row_{ret.lines[1].id}-counted": "1"})
    assert "Propose €59.00 back" in page_of(desk, ret)


def test_a_line_of_somebody_else_s_order_is_not_found_in_this_parcel(desk, world):
    ret = received(world, world.alice)
    for line_id in (line_of(world.bob, "MUG-01").id, 0, "x", "9" * 30):
        with nothing_appears():
            assert post(desk, ret, "lines", line=line_id).status_code == 422


def test_the_same_line_is_found_once(desk, world):
    ret = received(world, world.alice)
    with nothing_appears():
        assert post(desk, ret, "lines", line=ret.lines[0].order_line_id).status_code == 422


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"counted": "0"}, "Not in the parcel"),
        ({"grade": "wrong_item"}, "Something else was in the parcel"),
        ({"disposition": "back_to_customer"}, "Goes back to the customer"),
        ({"deduction": "20", "note": "in pieces"}, "€20.00 deducted: in pieces"),
    ],
)
def test_where_no_money_is_due_the_return_is_closed_and_the_customer_told_why(desk, world, work, mails, differs, words):
    ret = received(world, world.alice)
    post(desk, ret, "inspection", **at_the_bench(ret, **differs))
    page = page_of(desk, ret)
    assert words in page
    assert "No money is due" in page
    with nothing_appears():
        assert post(desk, ret, "refund", amount=0).status_code == 409
    work()
    mails.clear()
    assert post(desk, ret, "closing", note="The box was empty.").status_code == 303
    assert ret.closed_as == "nothing_due"
    work()
    assert "The box was empty." in mails[0].get_body(("plain",)).get_content()
    open_link(desk, world.alice)
    told = unescape(desk.get(f"/orders/{world.alice.ref}/returns/{ret.rma}").text)
    assert "This return is closed" in told


def test_nobody_closes_a_return_for_which_money_is_due(desk, world):
    ret = inspected(world, world.alice)
    with nothing_appears():
        answer = post(desk, ret, "closing", note="no")
    assert answer.status_code == 409
    assert "Money is due for this return." in answer.text


def test_more_than_announced_is_paid_as_far_as_it_was_bought(desk, world):
    ret = received(world, world.alice)
    post(desk, ret, "inspection", **at_the_bench(ret, counted="5"))
    page = page_of(desk, ret)
    assert "More than was bought: paid as far as it was bought" in page
    assert "Propose €40.00 back" in page


def test_money_with_the_sales_channel_is_given_back_there(desk, world, work):
    world.alice.payment.route = "channel"
    ret = inspected(world, world.alice)
    page = page_of(desk, ret)
    assert "somebody gives it back in the sales channel and writes down where" in page
    with nothing_appears():
        assert post(desk, ret, "closing", note="Done there today.").status_code == 409
    assert post(desk, ret, "refund", amount=2000).status_code == 303
    assert (ret.money.way, ret.money.amount, world.alice.payment.reserved) == ("channel", 2000, 2000)


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        ("requested", "You get €20.00 back"),
        ("approved", "You get €20.00 back"),
        ("pending", "On its way to you: €20.00"),
        ("succeeded", "We have sent you €20.00"),
        ("failed", "We could not send your money yet"),
        ("needs_review", "You get €20.00 back"),
    ],
)
def test_the_customer_reads_where_the_money_is_from_its_refund(desk, world, state, headline):
    refund = proposed(world, world.alice, 2000)
    rma = session.scalars(select(Return.rma).where(Return.id == refund.return_id)).one()
    refund.state, refund.approved_by_id, refund.stripe_refund_id = state, world.fran.id, "re_1"
    session.commit()
    open_link(desk, world.alice)
    assert headline in desk.get(f"/orders/{world.alice.ref}/returns/{rma}").text


def test_before_there_is_a_refund_no_page_says_that_money_was_sent(desk, world):
    ret = inspected(world, world.alice)
    open_link(desk, world.alice)
    page = desk.get(f"/orders/{world.alice.ref}/returns/{ret.rma}").text
    assert "We have looked at everything" in page
    assert "We have sent you" not in page
