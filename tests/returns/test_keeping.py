"""Goods that stay with the customer, for their money or part of it: by the policy's leave, or as the desk offers."""

from html import unescape

import pytest
from sqlalchemy import select

from portal.db import session
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.refunds.actions import open_refund, refuse_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, bench, dispatch, withdrawals
from portal.returns.goods import read
from portal.returns.keeping import offer_keeping, take_offer
from portal.returns.models import Return
from portal.returns.rules import Wish
from portal.returns.withdrawal_rules import right_of
from tests.conftest import nothing_appears
from tests.returns.hands import approved, delivered, found, line_of, page_of, requested, saved, wish
from tests.returns.test_asking import filled_in, path
from tests.returns.test_policy import typed
from tests.world import World, open_link, sign_in


@pytest.fixture
def there(at_home: World) -> Order:
    """Alice has her parcel; what is worth up to 25 euros may be kept for 60 percent of it."""
    saved(at_home, choices=("money", "keep"), keep={"EUR": 2500}, keep_share=60)
    return at_home.alice


def keeps(order: Order, quantity: int = 1) -> Wish:
    about = wish(order, quantity=quantity)
    return Wish(about.line_id, quantity, about.reason, choice="keep")


def asked(order: Order, *wishes: Wish) -> Return:
    ret = actions.request_return(order.id, wishes, key=tokens.mint(), by="customer", now=clock.now())
    session.commit()
    return ret


def refunds() -> list[tuple[str, int, list[int]]]:
    rows = session.scalars(select(Refund).order_by(Refund.id)).all()
    return [(one.state, one.amount, [line.quantity for line in one.lines]) for one in rows]


def letters(ret: Return) -> list[str]:
    mine = select(Letter.kind).where(Letter.about == f"return:{ret.id}").order_by(Letter.id)
    return list(session.scalars(mine))


# --- chosen ---


def test_who_keeps_it_sees_the_money_before_and_sends_nothing(client, world, there):
    alice = open_link(client, there)
    form = unescape(alice.post(path(there, "new"), data={**filled_in(there), "step": "how"}).text)
    assert "You keep it, and get 60% of its money back" in form
    preview = unescape(alice.post(path(there, "preview"), data=filled_in(there, choice="keep")).text)
    assert "Paid: €20.00" in preview
    assert "€12.00" in preview
    assert "You need not send anything" in preview
    alice.post(path(there), data=filled_in(there, choice="keep"))
    ret = session.scalars(select(Return)).one()
    assert (ret.decision, ret.goods, ret.send_back_by, letters(ret)) == (
        "approved", "not_expected", None, ["return-kept"],
    )  # fmt: skip
    assert refunds() == [("requested", 1200, [0])]
    page = unescape(alice.get(path(there, ret.rma)).text)
    assert "You get €12.00 back" in page
    assert "Return slip" not in page
    assert alice.get(path(there, ret.rma, "slip.pdf")).status_code == 303


def test_it_is_offered_up_to_the_policy_s_value_only(client, world, there):
    alice = open_link(client, there)
    two = alice.post(path(there, "new"), data={**filled_in(there, quantity="2"), "step": "why"}).text
    assert "Step 2 of 3" in two, "40 euros are too much, so nothing is to be chosen"
    with nothing_appears():
        answer = alice.post(path(there), data=filled_in(there, "SHIRT-M", choice="keep"))
    assert answer.status_code == 422


def test_nobody_waits_for_it_and_nobody_reminds(world, there):
    ret = asked(there, keeps(there))
    later = clock.now()
    assert ret.id not in dispatch.to_remind(later) + dispatch.never_sent(later)
    with nothing_appears(), pytest.raises(Refused, match="called off any more"):
        actions.cancel_return(ret, now=later)


def test_what_is_kept_can_t_come_back_by_the_policy_but_the_law_still_takes_it(client, world, there):
    asked(there, keeps(there, 1))
    alice = open_link(client, there)
    with nothing_appears():
        answer = alice.post(path(there), data=filled_in(there, quantity="2"))
    assert (answer.status_code, "Only one piece can come back." in answer.text) == (422, True)
    mug = line_of(there, "MUG-01").id
    assert right_of(there, now=clock.now()).everything()[mug] == 2
    withdrawals.withdraw(there.id, {mug: 2}, key=tokens.mint(), now=clock.now())
    ret = session.scalars(select(Return).where(Return.kind == "withdrawal")).one()
    dispatch.show_dispatch(ret, "receipt", by=world.rita, now=clock.now())
    assert refunds() == [("requested", 1200, [0]), ("requested", 2800, [2])], "never more than was paid"


def test_something_may_be_wrong_with_what_is_kept(world, there):
    asked(there, keeps(there))
    goods = read(there, now=clock.now()).of(line_of(there, "MUG-01").id)
    assert goods is not None
    assert (goods.there, goods.left) == (2, 1)


def test_what_is_kept_and_what_comes_are_two_returns_of_one_form(client, world, there):
    alice = open_link(client, there)
    data = filled_in(there, choice="keep") | filled_in(there, "SHIRT-M", choice="money")
    answer = alice.post(path(there), data=data)
    assert answer.location == path(there)
    rows = session.scalars(select(Return).order_by(Return.id)).all()
    assert [(ret.goods, [row.choice for row in ret.lines]) for ret in rows] == [
        ("awaited", ["money"]), ("not_expected", ["keep"]),
    ]  # fmt: skip
    with nothing_appears():
        assert alice.post(path(there), data=data).location == path(there, rows[0].rma)


def test_it_waits_for_a_person_where_the_policy_says_so(client, world, there):
    ret = requested(there, keeps(there))
    assert (ret.decision, letters(ret), refunds()) == ("requested", ["return-requested"], [])
    desk = sign_in(client, world.rita)
    desk.post(f"/desk/returns/{ret.id}/approval")
    assert refunds() == [("requested", 1200, [0])]
    assert "It stays with the customer: 60% of the money" in page_of(desk, ret)


def test_what_finance_refused_can_be_proposed_again(client, world, there):
    ret = asked(there, keeps(there))
    refuse_refund(session.scalars(select(Refund)).one(), note="look again", by=world.fran, now=clock.now())
    session.commit()
    session.expire_all()
    desk = sign_in(client, world.rita)
    desk.post(f"/desk/returns/{ret.id}/refund", data={"amount": "1200"})
    assert [state for state, *_ in refunds()] == ["rejected_by_us", "requested"]


def test_when_its_money_was_given_back_before_it_ends_by_itself(world, there):
    mug = line_of(there, "MUG-01")
    ret = requested(there, keeps(there))
    open_refund(there, [RefundPart(mug.id, 0, mug.paid)], reason="goodwill", by=world.rita, now=clock.now())
    actions.approve_return(ret, by=world.max, now=clock.now())
    session.commit()
    assert (ret.closed_as, len(refunds())) == ("nothing_due", 1)


def test_who_sends_it_all_the_same_gets_a_person_and_the_rest_of_the_money(client, world, there):
    ret = asked(there, keeps(there))
    desk = sign_in(client, world.rita)
    answer = desk.post(f"/desk/returns/{ret.id}/receipt")
    other = session.scalars(select(Return).where(Return.id != ret.id)).one()
    assert answer.location == f"/desk/returns/{other.id}"
    assert (ret.goods, other.decision, other.goods) == ("not_expected", "requested", "received")
    desk.post(f"/desk/returns/{other.id}/approval")
    session.expire_all()
    bench.inspect_return(other, found(other), by=world.rita, now=clock.now())
    session.commit()
    assert "Propose €8.00 back" in page_of(desk, other)


def test_what_was_withdrawn_from_meanwhile_comes_with_the_withdrawal(world, there):
    ret = asked(there, keeps(there))
    mug = line_of(there, "MUG-01").id
    withdrawals.withdraw(there.id, {mug: 2}, key=tokens.mint(), now=clock.now())
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="in another return"):
        actions.receive_return(ret, by=world.rita, now=clock.now())


# --- offered ---


def offered(world: World, ret: Return, share: int = 50) -> None:
    offer_keeping(ret, share, by=world.rita, now=clock.now())
    session.commit()


@pytest.fixture
def ret(world: World) -> Return:
    delivered(world, world.alice)
    saved(world, fee={"EUR": 490})
    return approved(world, world.alice)


def test_the_desk_offers_it_and_the_customer_decides(client, world, ret, work, mails):
    desk = sign_in(client, world.rita)
    desk.post(f"/desk/returns/{ret.id}/offers", data={"share": "50"})
    assert "Offered: 50% of the money." in page_of(desk, ret)
    work()
    assert mails[-1]["Subject"] == f"Would you rather keep it? Return {ret.rma}"
    alice = open_link(client, world.alice)
    page = unescape(alice.get(path(world.alice, ret.rma)).text)
    assert "You keep it, and get 50% of its money back: <b>€10.00</b>" in page
    alice.post(path(world.alice, ret.rma, "keeping"), data={"share": "50"})
    session.expire_all()
    assert (ret.goods, ret.send_back_by, ret.lines[0].choice, ret.lines[0].fees) == ("not_expected", None, "keep", [])
    assert refunds() == [("requested", 1000, [0])]


def test_who_does_not_answer_sends_it_back_as_asked(world, ret):
    offered(world, ret)
    actions.receive_return(ret, by=world.rita, now=clock.now())
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="not open any more"):
        take_offer(ret, 50, by="customer", now=clock.now())


def test_what_was_offered_anew_meanwhile_is_not_taken_unseen(client, world, ret):
    offered(world, ret)
    offered(world, ret, 30)
    alice = open_link(client, world.alice)
    with nothing_appears():
        answer = alice.post(path(world.alice, ret.rma, "keeping"), data={"share": "50"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("share", "message"),
    [("0", "Write percent from 1 to 100."), ("101", "Write percent from 1 to 100."), ("", "Write percent")],
)
def test_an_offer_is_percent(client, world, ret, share, message):
    desk = sign_in(client, world.rita)
    with nothing_appears():
        answer = desk.post(f"/desk/returns/{ret.id}/offers", data={"share": share})
    assert (answer.status_code, message in answer.text) == (422, True)


def test_nothing_is_offered_behind_the_law_s_door_nor_once_it_was_sent(world, ret):
    withdrawals.withdraw(world.alice.id, {line_of(world.alice, "SHIRT-M").id: 1}, key="w" * 28, now=clock.now())
    law = session.scalars(select(Return).where(Return.kind == "withdrawal")).one()
    dispatch.show_dispatch(ret, "receipt", by=world.rita, now=clock.now())
    session.commit()
    for one in (law, ret):
        with nothing_appears(), pytest.raises(Refused):
            offer_keeping(one, 50, by=world.rita, now=clock.now())
        session.rollback()


# --- the policy ---


def test_the_policy_says_what_may_be_kept_and_what_is_accepted_by_itself(client, world):
    desk = sign_in(client, world.max)
    money = {"choices": ["money", "keep"], "keep": "25.00 EUR", "keep_share": "60", "accepts_itself": "y"}
    assert desk.post("/desk/return-policy", data={**typed(), **money}).status_code == 303
    page = unescape(desk.get("/desk/return-policy").text)
    assert "25.00 EUR, for 60% of the money" in page
    assert "are accepted by themselves" in page


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"keep": ""}, "Say up to which value goods may be kept"),
        ({"keep": "nice"}, "Write amounts like"),
        ({"keep_share": "0"}, "Write percent from 1 to 100."),
    ],
)
def test_what_of_it_can_t_be_understood_is_not_saved(client, world, differs, message):
    desk = sign_in(client, world.max)
    money = {"choices": ["money", "keep"], "keep": "25.00 EUR", "keep_share": "60", **differs}
    with nothing_appears():
        answer = desk.post("/desk/return-policy", data={**typed(), **money})
    assert (answer.status_code, message in unescape(answer.text)) == (422, True)
