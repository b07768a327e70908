"""What customers choose for their goods: money, another variant, store credit; and what the policy takes."""

from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.db import session
from portal.fulfilment.models import BackParcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders import stock
from portal.orders.models import Order
from portal.orders.shelves import StockClaim, StockItem
from portal.refunds.actions import approve_refund
from portal.refunds.credit import StoreCredit, take_back
from portal.refunds.models import Refund
from portal.returns import actions, bench, dispatch, settlement, withdrawals
from portal.returns.articles import import_articles
from portal.returns.easing import ease, taken_from
from portal.returns.exchanges import orders_for
from portal.returns.fees import fees_for
from portal.returns.goods import read
from portal.returns.models import Return, ReturnFee
from portal.returns.overrides import overrides_of
from portal.returns.policy import Policy, current_policy
from portal.returns.policy_facts import read_under
from portal.returns.rules import Wish
from tests.conftest import nothing_appears
from tests.returns.hands import found, inspected, page_of, received, requested, saved, wish
from tests.returns.test_asking import filled_in, path, the_return
from tests.returns.test_policy import typed
from tests.world import World, open_link, sign_in

MUGS = ("MUG-01", "MUG-02", "MUG-03", "MUG-XL")


@pytest.fixture
def there(at_home: World) -> Order:
    """Alice has her mugs; there are others: one in ash, none in sand, and a dearer one."""
    prices = dict(zip(MUGS, ("20", "20", "20", "25"), strict=True))
    names = dict(zip(MUGS, ("Moss", "Ash", "Sand", "Large"), strict=True))
    blank = {"type": "", "title": ""}
    import_articles([{"sku": s, "product": "mug", "variant": names[s], "price": prices[s], **blank} for s in MUGS])
    for sku, pieces in (("MUG-02", 1), ("MUG-03", 0)):
        item = stock.begin_counting(sku, stock.main_place())
        stock.set_count(item, pieces, "counted", "", by="system", now=clock.now())
    session.commit()
    return at_home.alice


def offering(world: World, *choices: str, **more: object) -> Policy:
    return saved(world, choices=choices, **more)


def ash(order: Order, quantity: int = 1) -> Wish:
    about = wish(order, quantity=quantity)
    return Wish(about.line_id, quantity, about.reason, choice="exchange", variant="MUG-02")


def credit(order: Order, sku: str = "MUG-01") -> Wish:
    about = wish(order, sku)
    return Wish(about.line_id, 1, about.reason, choice="credit")


def free(sku: str = "MUG-02") -> int:
    session.expire_all()
    item = session.scalars(select(StockItem).where(StockItem.sku == sku)).one()
    return item.available


# --- exchange ---


def test_the_form_offers_what_costs_the_same_and_is_there(client, world, there):
    offering(world, "money", "exchange")
    alice = open_link(client, there)
    page = unescape(alice.post(path(there, "new"), data={**filled_in(there), "step": "how"}).text)
    assert "What would you like instead?" in page
    assert '<option value="MUG-02">Ash</option>' in page
    assert "MUG-03" not in page
    assert "MUG-XL" not in page
    two = alice.post(path(there, "new"), data={**filled_in(there, quantity="2"), "step": "how"}).text
    assert "MUG-02" not in two, "there is one"


def test_what_is_exchanged_is_kept_back_when_it_is_asked_for(client, world, there):
    offering(world, "money", "exchange")
    alice = open_link(client, there)
    preview = alice.post(path(there, "preview"), data=filled_in(there, choice="exchange", variant="MUG-02"))
    assert "In exchange: Ash" in preview.text
    alice.post(path(there), data=filled_in(there, choice="exchange", variant="MUG-02"))
    row = the_return().lines[0]
    assert (row.choice, row.variant_sku, row.variant) == ("exchange", "MUG-02", "Ash")
    assert free() == 0
    assert "In exchange: Ash" in alice.get(path(there, the_return().rma)).text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"choice": ""}, "Choose what you would like instead."),
        ({"choice": "keep"}, "Choose what you would like instead."),
        ({"choice": "exchange"}, "Choose what you would like to have instead."),
        ({"choice": "exchange", "variant": "MUG-XL"}, "Choose what you would like to have instead."),
        ({"choice": "exchange", "variant": "MUG-03"}, "Sand is gone meanwhile."),
    ],
)
def test_only_what_is_offered_can_be_chosen(client, world, there, fields, message):
    offering(world, "money", "exchange")
    alice = open_link(client, there)
    with nothing_appears():
        answer = alice.post(path(there), data=filled_in(there, **fields))
    assert answer.status_code == 422
    assert message in answer.text


def test_a_variant_that_is_gone_meanwhile_is_said_and_nothing_is_half_done(client, world, there):
    offering(world, "money", "exchange")
    stock.reserve_variant("MUG-02", 1, "exchange:0", now=clock.now())
    session.commit()
    alice = open_link(client, there)
    with nothing_appears():
        answer = alice.post(path(there), data=filled_in(there, choice="exchange", variant="MUG-02"))
        with pytest.raises(Refused):
            requested(there, ash(there))
        session.rollback()
    assert answer.status_code == 422


def test_nobody_is_asked_where_there_is_no_choice(client, world, there):
    page = open_link(client, there).post(path(there, "new"), data={**filled_in(there), "step": "why"}).text
    assert "Step 2 of 3" in page
    assert f'action="{path(there, "preview")}"' in page


@pytest.mark.parametrize("ends", ["declined", "cancelled", "called off", "expired"])
def test_what_comes_to_nothing_is_free_again(world, there, ends):
    offering(world, "money", "exchange")
    ret, now = requested(there, ash(there)), clock.now()
    if ends == "declined":
        actions.decline_return(ret, note="worn", by=world.rita, now=now)
    elif ends == "cancelled":
        actions.cancel_return(ret, now=now)
    else:
        actions.approve_return(ret, by=world.rita, now=now)
        if ends == "called off":
            actions.call_off_return(ret, note="keep it", by=world.rita, now=now)
        else:
            dispatch.expire(ret.id, now=now)
    session.commit()
    assert free() == 1


def test_it_leaves_when_the_goods_are_back_and_fine_and_the_return_ends(client, world, there, work, mails):
    offering(world, "money", "exchange")
    ret = inspected(world, there, ash(there))
    [(_id, order)] = orders_for([ret.id])
    assert [(line.sku, line.variant, line.quantity, line.paid) for line in order.lines] == [("MUG-02", "Ash", 1, 2000)]
    assert (order.total, order.payment) == (0, None)
    assert session.scalars(select(StockClaim.cause).where(StockClaim.sku == "MUG-02")).all() == [f"order:{order.id}"]
    assert (ret.closed_as, ret.closing_note) == ("nothing_due", ""), "it ended by itself"
    work()
    assert any(mail["Subject"] == f"Your return {ret.rma} is closed" for mail in mails)
    assert "Your exchange is done" in open_link(client, there).get(path(there, ret.rma)).text


def test_an_exchange_of_which_something_is_odd_waits_for_a_person(world, there):
    offering(world, "money", "exchange")
    ret = inspected(world, there, ash(there), counted=2)
    assert (len(orders_for([ret.id])), ret.closed_as) == (1, None)


def test_it_leaves_at_once_where_the_policy_says_so_and_then_can_t_be_called_off(world, there):
    offering(world, "money", "exchange", sends_at_once=True)
    ret = requested(there, ash(there))
    actions.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()
    assert len(orders_for([ret.id])) == 1
    with nothing_appears(), pytest.raises(Refused, match="called off any more"):
        actions.cancel_return(ret, now=clock.now())


def test_an_empty_box_exchanges_nothing(world, there):
    offering(world, "money", "exchange")
    ret = inspected(world, there, ash(there), counted=0)
    assert orders_for([ret.id]) == []


# --- store credit ---


def proposed(world: World, ret: Return) -> Refund:
    total = settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total
    refund = actions.propose_refund(ret, total, by=world.rita, now=clock.now())
    session.commit()
    return refund


def test_credit_brings_its_bonus_and_costs_the_payment_only_what_it_gave(world, there):
    offering(world, "money", "credit", bonus=10)
    refund = proposed(world, inspected(world, there, credit(there)))
    assert (refund.way, refund.amount, refund.bonus) == ("credit", 2000, 10)
    approve_refund(refund, by=world.fran, now=clock.now())
    session.commit()
    given = session.scalars(select(StoreCredit)).one()
    assert (given.left, given.issued) == (Money(2200, "EUR"), Money(2200, "EUR"))
    session.refresh(there.payment)
    assert there.payment is not None
    assert there.payment.reserved == 2000
    take_back(given, note="They want the money.", by=world.fran, now=clock.now())
    session.expire_all()
    assert (given.left.amount, there.payment.reserved) == (0, 0)


def test_a_reduced_credit_has_a_smaller_bonus(world, there):
    offering(world, "money", "credit", bonus=10)
    refund = proposed(world, inspected(world, there, credit(there)))
    refund.amount = refund.lines[0].amount = 1000
    session.flush()
    approve_refund(refund, by=world.fran, now=clock.now())
    assert session.scalars(select(StoreCredit)).one().issued == Money(1100, "EUR")


def test_one_return_may_bring_money_for_one_thing_and_credit_for_another(world, there):
    offering(world, "money", "credit")
    ret = inspected(world, there, credit(there), wish(there, "SHIRT-M"))
    proposed(world, ret)
    session.expire_all()
    assert sorted((part.way, part.amount) for part in ret.parts) == [("card", 3900), ("credit", 2000)]


# --- fees ---


def test_fees_are_shown_before_anything_is_sent_and_taken_exactly_so(client, world, there):
    offering(world, "money", fee={"EUR": 490}, restocking={"changed_mind": 10, "opened": 5}, accepts_itself=False)
    alice = open_link(client, there)
    fields = filled_in(there, quantity="2", reason="changed_mind", condition="opened")
    preview = unescape(alice.post(path(there, "preview"), data=fields).text)
    assert "− Restocking fee: €4.00" in preview
    assert "− Return fee: €4.90" in preview
    assert "€31.10" in preview
    alice.post(path(there), data=fields)
    ret = the_return()
    saved(world)
    actions.approve_return(ret, by=world.rita, now=clock.now())
    actions.receive_return(ret, by=world.rita, now=clock.now())
    from_bench(world, ret)
    refund = proposed(world, ret)
    assert refund.amount == 3110
    assert refund.lines[0].note == "Restocking fee: €4.00; Return fee: €4.90"
    assert "− Restocking fee: €4.00" in page_of(sign_in(client, world.rita), ret)


def from_bench(world: World, ret: Return, **differs: object) -> None:
    bench.inspect_return(ret, found(ret, **differs), by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()


def test_of_fewer_pieces_as_much_of_the_fee_is_taken(world, there):
    offering(world, "money", restocking={"changed_mind": 10})
    ret = received(world, there, wish(there, quantity=2))
    from_bench(world, ret, counted=1)
    assert proposed(world, ret).amount == 1800


def test_where_the_mistake_was_ours_nothing_is_taken(world, there):
    policy = offering(world, "money", fee={"EUR": 490}, restocking={"damaged": 50})
    facts = read_under(policy, there, now=clock.now())
    assert fees_for(facts, [wish(there, reason="damaged")]) == []


def test_an_exchange_costs_nothing(world, there):
    offering(world, "money", "exchange", fee={"EUR": 490})
    requested(there, ash(there))
    assert session.scalar(select(func.count()).select_from(ReturnFee)) == 0


def test_a_fee_is_never_more_than_the_line_brings_and_taken_once(world, there):
    policy = offering(world, "money", fee={"EUR": 2500, "GBP": 100})
    facts = read_under(policy, there, now=clock.now())
    fees = fees_for(facts, [wish(there), wish(there, "SHIRT-M")])
    assert [(fee.kind, fee.money.amount) for fee in fees] == [("return", 2000), ("return", 500)]


def test_a_withdrawal_has_no_fee_whatever_the_policy_says(world, there):
    offering(world, "credit", fee={"EUR": 490}, restocking={"opened": 50})
    items = {line.id: line.quantity for line in there.lines if line.kind == "item"}
    withdrawals.withdraw(there.id, items, key="k" * 28, now=clock.now())
    session.commit()
    ret = session.scalars(select(Return)).one()
    assert (ret.policy_id, [row.choice for row in ret.lines]) == (None, ["money", "money"])
    assert session.scalar(select(func.count()).select_from(ReturnFee)) == 0


@pytest.fixture
def labels(change_settings, world: World, there: Order) -> Order:
    """The shop buys labels, and takes 3.50 for one."""
    change_settings(return_labels="bought")
    offering(world, "money", label={"EUR": 350})
    return there


def test_our_label_s_fee_is_shown_before_and_taken_when_it_was_used(client, world, labels):
    preview = unescape(open_link(client, labels).post(path(labels, "preview"), data=filled_in(labels)).text)
    assert "− Our return label: €3.50" in preview
    assert "You get a label from us for the way back." in preview
    ret = received(world, labels, wish(labels))
    from_bench(world, ret)
    assert settled(ret).total.amount == 2000, "no label was bought"
    session.add(BackParcel(**labelled(ret), tracking_number="EZ1"))
    session.expire_all()
    assert settled(ret).total.amount == 1650
    session.add(BackParcel(**{**labelled(ret), "ref": "two", "source": "typed"}, tracking_number="MY1"))
    session.expire_all()
    assert settled(ret).total.amount == 2000, "it came another way"


def labelled(ret: Return) -> dict[str, Any]:
    return {"ref": "one", "order_id": ret.order_id, "return_id": ret.id, "source": "bought", "courier": "dhl",
            "since": clock.now(), "created_at": clock.now()}  # fmt: skip


def settled(ret: Return) -> settlement.Settlement:
    return settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id))


def test_without_labels_of_ours_nobody_pays_for_one(world, there):
    policy = offering(world, "money", label={"EUR": 350})
    assert fees_for(read_under(policy, there, now=clock.now()), [wish(there)]) == []


# --- taking less ---


def test_a_person_may_take_less_with_their_name_and_reason(client, world, there):
    offering(world, "money", fee={"EUR": 490})
    ret = received(world, there, wish(there))
    from_bench(world, ret, deduction=300, note="a scratch", grade="worn")
    keys = [one.key for one in taken_from(ret)]
    support = sign_in(client, world.sam)
    data = dict(zip(keys, ("0", "1.00"), strict=True)) | {"because": "A good customer."}
    assert support.post(f"/desk/returns/{ret.id}/reductions", data=data).status_code == 303
    session.expire_all()
    assert settled(ret).total.amount == 1900
    assert [(one.rule, one.said) for one in overrides_of(ret)] == [
        ("taken:return", "Stoneware mug, Moss: Return fee: €4.90, now €0.00"),
        ("taken:loss", "Stoneware mug, Moss: Loss of value: €3.00, now €1.00"),
    ]
    assert "A good customer." in page_of(support, ret)


@pytest.mark.parametrize(
    ("amount", "because", "status"),
    [("4.90", "x", 409), ("5", "x", 409), ("-1", "x", 409), ("no", "x", 422), ("", "x", 409), ("1", "", 422)],
)
def test_less_is_less_and_has_a_reason(client, world, there, amount, because, status):
    offering(world, "money", fee={"EUR": 490})
    ret = requested(there)
    [one] = taken_from(ret)
    support = sign_in(client, world.sam)
    with nothing_appears():
        data = {one.key: amount, "because": because}
        assert support.post(f"/desk/returns/{ret.id}/reductions", data=data).status_code == status


def test_once_money_was_proposed_nothing_is_taken_back_from_it(world, there):
    offering(world, "money", fee={"EUR": 490})
    ret = inspected(world, there)
    proposed(world, ret)
    session.expire_all()
    [one] = taken_from(ret)
    with nothing_appears(), pytest.raises(Refused, match="settled"):
        ease(ret, {one.key: 0}, note="late", by=world.sam, now=clock.now())


# --- at the desk ---


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    return sign_in(client, world.max)


def test_what_may_be_chosen_and_what_it_costs_is_set_with_the_policy(desk):
    money = {"choices": ["money", "credit"], "bonus": "10", "fee": "4.90 EUR, 4.50 gbp", "restocking": "opened: 10"}
    assert desk.post("/desk/return-policy", data={**typed(), **money}).status_code == 303
    policy = current_policy()
    assert (policy.choices, policy.bonus, policy.fee, policy.restocking) == (
        ("money", "credit"), 10, {"EUR": 490, "GBP": 450}, {"opened": 10},
    )  # fmt: skip
    page = unescape(desk.get("/desk/return-policy").text)
    assert "My money back · Store credit" in page
    assert "4.90 EUR, 4.50 GBP" in page


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"choices": []}, "Customers have to have a choice"),
        ({"bonus": "101"}, "Write percent from 0 to 100."),
        ({"bonus": "-1"}, "Write percent from 0 to 100."),
        ({"fee": "4.90"}, "Write amounts like 4.90 EUR, 4.50 GBP."),
        ({"restocking": "nice: 10"}, "Write states or reasons with percent"),
        ({"restocking": "opened: 101"}, "Write states or reasons with percent"),
    ],
)
def test_what_can_t_be_understood_is_not_saved(desk, differs, message):
    with nothing_appears():
        answer = desk.post("/desk/return-policy", data={**typed(), "choices": ["money"], **differs})
    assert answer.status_code == 422
    assert message in unescape(answer.text)
