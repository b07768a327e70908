"""Odd parcels: each becomes a decision with its choices, and each choice does what it says."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders import stock, workshop
from portal.orders.models import INSTEAD, Order
from portal.orders.shelves import StockItem, counted
from portal.refunds.actions import approve_refund, open_refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, bench, deciding, dispatch, oddities, settlement
from portal.returns.bench import Finding
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.oddities import Oddity
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.returns.hands import approved, delivered, found, line_of, post, received, requested, wish
from tests.returns.test_dispatch import withdrawn
from tests.world import World, sign_in


def counted_as(world: World, ret: Return, *findings: Finding) -> Return:
    bench.inspect_return(ret, findings, by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()
    return ret


def odd(ret: Return) -> list[str]:
    return [one.kind for one in oddities.of_return(ret.id)]


def decide(world: World, ret: Return, kind: str, choice: str, note: str = "Because.", **more: str) -> None:
    [mine] = [one for one in oddities.of_return(ret.id) if one.kind == kind]
    deciding.decide(mine, choice, note, by=world.rita, now=clock.now(), **more)
    session.commit()
    session.expire_all()


def due(ret: Return) -> int:
    return settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total.amount


@pytest.fixture
def desk_of(client: FlaskClient, world: World) -> FlaskClient:
    """Rita sits at the returns desk."""
    return sign_in(client, world.rita)


@pytest.fixture(autouse=True)
def arrived(at_home: World) -> None:
    """Alice's parcel is with her in all of these."""


@pytest.mark.parametrize(
    ("announced", "count", "grade", "kinds"),
    [(2, 2, "as_new", []), (2, 1, "as_new", ["less"]), (2, 0, None, ["empty"]), (1, 2, "as_new", ["more"]),
     (1, 1, "wrong_item", ["other"])],
)  # fmt: skip
def test_what_the_count_says_is_noted_once_and_put_right_by_counting_again(world, announced, count, grade, kinds):
    ret = received(world, world.alice, wish(world.alice, quantity=announced))
    row, put = ret.lines[0].id, "restock" if grade else None
    for _ in range(2):
        counted_as(world, ret, Finding(row, count, grade, put))
        assert odd(ret) == kinds
    counted_as(world, ret, Finding(row, announced, "as_new", "restock"))
    assert odd(ret) == []


def test_who_proposes_the_money_goes_by_the_count(world):
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    counted_as(world, ret, Finding(ret.lines[0].id, 1, "as_new", "restock"))
    actions.propose_refund(ret, settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total,
                           by=world.rita, now=clock.now())  # fmt: skip
    assert odd(ret) == []
    assert session.scalars(select(Oddity.choice)).all() == ["by_count"]


def test_an_empty_box_is_no_dead_end(world):
    """The customer is believed, and reads why; or nothing is due and the return is closed."""
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    counted_as(world, ret, Finding(ret.lines[0].id, 0))
    assert due(ret) == 0
    with nothing_appears(), pytest.raises(Refused, match="Say why"):
        decide(world, ret, "empty", "believe", note=" ")
    session.rollback()
    decide(world, ret, "empty", "believe", note="The box was slit open on the way.")
    assert due(ret) == 4000
    [letter] = session.scalars(select(Letter).where(Letter.kind == "return-decided")).all()
    assert "slit open" in letter.text


def test_more_than_announced_goes_back_when_somebody_decides_so(world, work):
    ret = received(world, world.alice, wish(world.alice, quantity=1))
    counted_as(world, ret, Finding(ret.lines[0].id, 2, "as_new", "restock"))
    assert due(ret) == 4000
    decide(world, ret, "more", "send_back")
    assert due(ret) == 2000
    assert [(one.counted, one.disposition) for one in ret.lines[0].inspections] == [
        (1, "restock"), (1, "back_to_customer"),
    ]  # fmt: skip


def test_something_else_may_be_taken_in_its_place(world):
    ret = received(world, world.alice)
    counted_as(world, ret, Finding(ret.lines[0].id, 1, "wrong_item", "discard"))
    assert due(ret) == 0
    decide(world, ret, "other", "believe", note="We had sent the wrong one.")
    assert due(ret) == 2000


def test_what_goes_back_is_packed_and_followed_like_any_order(world, work):
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    row = ret.lines[0].id
    counted_as(world, ret, Finding(row, 1, "as_new", "restock"), Finding(row, 1, "worn", "back_to_customer"))
    actions.propose_refund(ret, settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total,
                           by=world.rita, now=clock.now())  # fmt: skip
    session.commit()
    work(task="fulfilment.plan")
    [back] = session.scalars(select(Order).where(Order.channel == INSTEAD)).all()
    assert [(line.title, line.quantity, line.paid) for line in back.lines] == [("Stoneware mug", 1, 0)]
    parcel = session.scalars(select(Parcel).where(Parcel.order_id == back.id)).one()
    assert parcel.state == "to_pick"


# --- abuse and accidents ---


@pytest.mark.parametrize("end", ["declined", "cancelled"])
def test_a_return_that_was_called_off_arrives_anyway(world, end):
    ret = requested(world.alice)
    if end == "declined":
        actions.decline_return(ret, note="Too late.", by=world.rita, now=clock.now())
    else:
        actions.cancel_return(ret, now=clock.now())
    session.commit()
    actions.receive_return(ret, by=world.rita, now=clock.now())
    session.commit()
    assert odd(ret) == ["unwanted"]
    decide(world, ret, "unwanted", "accept", note="")
    assert ret.decision == "approved"
    counted_as(world, ret, *found(ret))
    assert due(ret) == 2000


def test_what_nobody_wants_can_go_back(world, work):
    ret = requested(world.alice)
    actions.decline_return(ret, note="Too late.", by=world.rita, now=clock.now())
    actions.receive_return(ret, by=world.rita, now=clock.now())
    session.commit()
    decide(world, ret, "unwanted", "send_back", note="")
    assert session.scalars(select(Order.number).where(Order.channel == INSTEAD)).all() == ["1001-R1"]


def test_somebody_else_s_number_in_the_parcel_receives_the_other_only_when_a_person_says_so(desk_of, world):
    delivered(world, world.bob)
    mine, bobs = received(world, world.alice), approved(world, world.bob)
    with nothing_appears():
        assert post(desk_of, mine, "second-number", code="nonsense").status_code == 409
    assert post(desk_of, mine, "second-number", code=bobs.rma.lower()).status_code == 303
    assert (odd(mine), bobs.goods) == (["second_number"], "awaited")
    decide(world, mine, "second_number", "both", note="")
    assert bobs.goods == "received"


def test_a_parcel_without_any_number_waits_until_somebody_knows_whose_it_is(desk_of, world):
    ret = approved(world, world.alice)
    with nothing_appears():
        assert desk_of.post("/desk/oddities", data={"detail": ""}).status_code == 422
    assert desk_of.post("/desk/oddities", data={"detail": "A. Ångström, Berlin: one mug"}).status_code == 303
    [stranger] = session.scalars(select(Oddity)).all()
    assert "A. Ångström" in desk_of.get("/desk/oddities").text
    path = f"/desk/oddities/{stranger.id}/decision"
    with nothing_appears():
        assert desk_of.post(path, data={"choice": "belongs", "number": "nonsense"}).status_code == 409
        assert desk_of.post(path, data={"choice": "sell"}).status_code == 409
        assert desk_of.post(path, data={}).status_code == 422
    assert desk_of.post(path, data={"choice": "belongs", "number": ret.rma}).status_code == 303
    session.expire_all()
    assert (ret.goods, stranger.state) == ("received", "settled")
    with nothing_appears():
        assert desk_of.post(path, data={"choice": "not_ours", "note": "x"}).status_code == 409


def test_what_was_scanned_and_is_no_return_s_goes_to_the_odd_parcels_with_the_order_it_names(desk_of, world):
    """The customer used our box again: its label is that of the parcel which we had sent."""
    number = session.scalars(select(Parcel.ref).where(Parcel.order_id == world.alice.id)).one()
    for code, said in ((number, "Nobody announced a return of it."), ("1001", "Alice"), ("JUNK-1", "JUNK-1")):
        page = desk_of.get("/desk/returns/bench", query_string={"code": code})
        assert (page.status_code, said in page.text) == (404, True)
    assert desk_of.post("/desk/oddities", data={"code": number, "detail": "Scanned: it"}).status_code == 303
    [stranger] = session.scalars(select(Oddity)).all()
    assert stranger.order_id == world.alice.id
    assert 'value="1001"' in desk_of.get(f"/desk/oddities/{stranger.id}").text


def test_goods_of_an_order_without_a_return_are_taken_counted_and_paid(desk_of, world, work, mails):
    desk_of.post("/desk/oddities", data={"code": "1001", "detail": "one mug"})
    [stranger] = session.scalars(select(Oddity)).all()
    path = f"/desk/oddities/{stranger.id}/decision"
    for number in ("", "nonsense", "1002"):
        with nothing_appears():
            assert desk_of.post(path, data={"choice": "unasked", "number": number}).status_code == 409
    taken = desk_of.post(path, data={"choice": "unasked", "number": "1001"})
    session.expire_all()
    [ret] = session.scalars(select(Return)).all()
    assert (taken.location, ret.decision, ret.goods, ret.decided_by_id) == (
        f"/desk/returns/{ret.id}", "approved", "received", world.rita.id,
    )  # fmt: skip
    work()
    assert mails[-1]["Subject"].startswith("Your parcel")
    assert "What was in the parcel?" in desk_of.get(taken.location).text
    with nothing_appears():
        assert post(desk_of, ret, "inspection").status_code == 409
    post(desk_of, ret, "lines", line=line_of(world.alice, "MUG-01").id)
    counted_as(world, ret, Finding(ret.lines[0].id, 1, "as_new", "restock"))
    assert due(ret) == 2000


def test_a_return_that_waits_is_asked_for_before_a_new_one_is_made(desk_of, world):
    ret = requested(world.alice)
    desk_of.post("/desk/oddities", data={"code": "1001", "detail": "one mug"})
    [stranger] = session.scalars(select(Oddity)).all()
    with nothing_appears():
        answer = desk_of.post(f"/desk/oddities/{stranger.id}/decision", data={"choice": "unasked", "number": "1001"})
    assert (answer.status_code, f"Return {ret.rma} of this order is not here yet." in answer.text) == (409, True)


def test_an_order_over_two_parcels_of_which_one_is_lost_takes_back_what_arrived(world):
    """Bob's second parcel never comes: what arrived can come back, what was lost is no part of it."""
    order = world.bob
    parcel = brought_to("handed_over", order, world.max, clock.now() - timedelta(days=9), number="LOST12345")
    parcel.fate = "lost"
    session.commit()
    facts = read(order, now=clock.now())
    assert [one.left for one in facts.goods if one.line.kind == "item"] == [0]
    assert facts.delivered_at is None


def test_a_return_after_part_of_the_money_was_given_back_pays_no_more_than_was_paid(world):
    """Twenty of forty euros for the mugs went back before; the two that come back bring the other twenty."""
    mug = line_of(world.alice, "MUG-01")
    before = open_refund(world.alice, [RefundPart(mug.id, 0, 2000)], reason="goodwill", by=world.sam, now=clock.now())
    approve_refund(before, by=world.fran, now=clock.now())
    session.commit()
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    counted_as(world, ret, *found(ret))
    assert due(ret) == 2000


def test_money_that_the_channel_gave_back_is_not_given_twice(world):
    world.alice.payment.external = 7000
    session.commit()
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    counted_as(world, ret, *found(ret))
    assert due(ret) == 1400


def test_loss_of_value_that_was_paid_already_is_for_a_person(world):
    ret = withdrawn(world)
    dispatch.show_dispatch(ret, "A receipt.", by=world.rita, now=clock.now())
    session.expire_all()
    assert ret.money
    approve_refund(ret.money, by=world.fran, now=clock.now())
    actions.receive_return(ret, by=world.rita, now=clock.now())
    counted_as(world, ret, *found(ret, deduction=100, note="worn", grade="worn"))
    assert odd(ret) == ["paid_before"]
    decide(world, ret, "paid_before", "ask_back", note="The shirt was worn: please send us 1 euro.")
    assert odd(ret) == []


# --- what becomes of the goods ---


def shelf(world: World, sku: str = "MUG-01") -> StockItem:
    item = stock.begin_counting(sku, stock.main_place(), title="Stoneware mug")
    stock.set_count(item, 5, "counted", "", by=world.max, now=clock.now())
    session.commit()
    return item


@pytest.mark.parametrize(
    ("disposition", "sold", "repaired"),
    [("restock", 1, 0), ("refurbish", 0, 1), ("recycle", 0, 0), ("discard", 0, 0), ("back_to_customer", 0, 0)],
)
def test_each_place_does_what_it_says_to_the_stock(world, disposition, sold, repaired):
    item = shelf(world)
    before = item.on_hand
    ret = received(world, world.alice)
    counted_as(world, ret, *found(ret, disposition=disposition))
    session.refresh(item)
    assert (item.on_hand - before, sum(one.on_hand for one in workshop.waiting())) == (sold, repaired)
    assert {row.place.code for row in counted({"MUG-01"})["MUG-01"]} == {"main"}


def test_what_is_repaired_is_sold_again_and_what_is_not_is_gone(world):
    item = shelf(world)
    before = item.on_hand
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    counted_as(world, ret, *found(ret, disposition="refurbish"))
    [waits] = workshop.waiting()
    workshop.finish(waits.id, 1, True, by=world.rita, now=clock.now())
    workshop.finish(waits.id, 1, False, by=world.rita, now=clock.now())
    session.refresh(item)
    assert (item.on_hand, list(workshop.waiting())) == (before + 1, [])
    with nothing_appears(), pytest.raises(Refused, match="not so many"):
        workshop.finish(waits.id, 1, True, by=world.rita, now=clock.now())


def test_counting_again_takes_it_out_of_the_workshop(world):
    shelf(world)
    ret = received(world, world.alice)
    counted_as(world, ret, *found(ret, disposition="refurbish"))
    counted_as(world, ret, *found(ret, disposition="recycle"))
    assert list(workshop.waiting()) == []


def test_something_else_does_not_lie_among_its_like(world):
    item = shelf(world)
    before = item.on_hand
    ret = received(world, world.alice)
    counted_as(world, ret, *found(ret, grade="wrong_item", disposition="restock"))
    session.refresh(item)
    assert item.on_hand == before
