"""Two tabs, two people, a customer and a bench at the same moment: real commits on real connections."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.db import session
from portal.lib import clock
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders.models import Payment
from portal.refunds.actions import refuse_refund
from portal.refunds.models import Refund
from portal.returns import actions
from portal.returns.models import Return, ReturnLine
from portal.returns.rules import Wish
from portal.staff.models import Staff
from tests.fulfilment.test_two_at_once import at_once
from tests.returns.hands import approved, delivered, inspected, line_of, requested, wish
from tests.world import build


@pytest.fixture
def world(real: Flask) -> Any:
    built = build(now=clock.now())
    delivered(built, built.alice)
    return built


def asking(order_id: int, line_id: int, quantity: int, key: str) -> Callable[[], Return]:
    chosen = [Wish(line_id, quantity, "other")]
    return lambda: actions.request_return(order_id, chosen, key=key, by="customer", now=clock.now())


def with_return(ret: Return, person: Staff, do: Callable[[Return, Staff], Any]) -> Callable[[], Any]:
    return_id, person_id = ret.id, person.id
    return lambda: do(session.get_one(Return, return_id), session.get_one(Staff, person_id))


def count(table: Any, *where: Any) -> int:
    session.expire_all()
    return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


@pytest.mark.parametrize("round", range(3))
def test_two_tabs_never_return_more_than_was_delivered(real, world, round):
    order, mugs = world.alice.id, line_of(world.alice, "MUG-01").id
    answers = at_once(real, *(asking(order, mugs, 1, f"tab-{n}") for n in range(4)))
    assert sorted(answers) == ["Stoneware mug is in a return already."] * 2 + ["done"] * 2
    assert session.scalar(select(func.sum(ReturnLine.quantity))) == 2
    assert count(Letter, Letter.kind == "return-approved") == 2


def test_the_same_form_from_two_tabs_is_one_return(real, world):
    order, mugs = world.alice.id, line_of(world.alice, "MUG-01").id
    assert at_once(real, *(asking(order, mugs, 1, "the same") for _ in range(4))) == ["done"] * 4
    assert count(Return) == 1
    assert count(Letter, Letter.kind == "return-approved") == 1


def test_of_two_who_decide_one_wins(real, world):
    ret = requested(world.alice)
    answers = at_once(
        real,
        with_return(ret, world.rita, lambda r, by: actions.approve_return(r, by=by, now=clock.now())),
        with_return(ret, world.sam, lambda r, by: actions.approve_return(r, by=by, now=clock.now())),
        with_return(ret, world.max, lambda r, by: actions.decline_return(r, note="no", by=by, now=clock.now())),
    )
    assert answers.count("done") == 1
    assert count(Letter, Letter.kind.in_(("return-approved", "return-declined"))) == 1


def test_calling_off_and_receiving_at_once_leaves_a_return_that_can_be_resolved(real, world):
    ret = approved(world, world.alice)
    answers = at_once(
        real,
        with_return(ret, world.rita, lambda r, _by: actions.cancel_return(r, now=clock.now())),
        with_return(ret, world.rita, lambda r, by: actions.receive_return(r, by=by, now=clock.now())),
    )
    assert "done" in answers
    session.expire_all()
    assert (ret.decision, ret.goods) in (
        ("approved", "received"), ("cancelled", "not_expected"), ("cancelled", "received"),
    )  # fmt: skip


def test_two_proposals_hold_the_money_once(real, world):
    ret = inspected(world, world.alice)
    shown = Money(2000, "EUR")
    answers = at_once(
        real,
        *(
            with_return(ret, who, lambda r, by: actions.propose_refund(r, shown, by=by, now=clock.now()))
            for who in (world.rita, world.sam, world.max)
        ),
    )
    assert answers.count("done") == 1
    assert count(Refund) == 1
    assert session.scalars(select(Payment.reserved).where(Payment.order_id == world.alice.id)).one() == 2000


@pytest.mark.parametrize("round", range(4))
def test_a_proposal_and_a_refusal_on_one_payment_do_not_wait_for_each_other(real, world, round):
    first, second = inspected(world, world.alice), inspected(world, world.alice)
    refund_id = actions.propose_refund(first, Money(2000, "EUR"), by=world.rita, now=clock.now()).id
    session.commit()

    def refuse() -> None:
        fran = session.scalars(select(Staff).where(Staff.role == "finance")).one()
        refuse_refund(session.get_one(Refund, refund_id), note="no", by=fran, now=clock.now())

    def propose(ret: Return, by: Staff) -> None:
        actions.propose_refund(ret, Money(2000, "EUR"), by=by, now=clock.now())

    assert at_once(real, refuse, with_return(second, world.rita, propose)) == ["done", "done"]


def test_two_returns_of_one_line_settled_at_once_add_up_to_what_was_paid(real, world):
    world.alice.lines[0].paid = 3999  # 19.99 and 20.00
    session.commit()
    returns = [inspected(world, world.alice, wish(world.alice)) for _ in range(2)]

    def propose(ret: Return, by: Staff) -> None:
        actions.propose_refund(ret, Money(1999, "EUR"), by=by, now=clock.now())

    answers = at_once(real, *(with_return(ret, world.rita, propose) for ret in returns))
    assert sorted(answers) == ["The amount has changed while you looked at it. Look again.", "done"]
    late = session.scalars(select(Return).where(~select(Refund.id).where(Refund.return_id == Return.id).exists())).one()
    actions.propose_refund(late, Money(2000, "EUR"), by=world.rita, now=clock.now())
    session.commit()
    assert session.scalar(select(func.sum(Refund.amount))) == 3999
