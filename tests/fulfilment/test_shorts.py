"""What is not on the shelf: said by the picker, decided by somebody, and paid back where the customer does without."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.db import session
from portal.desk.actions import cancel_short
from portal.fulfilment import actions, lists, shorts
from portal.fulfilment.models import Parcel
from portal.fulfilment.shorts import ShortPick
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders import stock
from portal.orders.shelves import StockItem
from portal.orders.timeline import for_customer
from portal.refunds.models import Refund
from portal.returns.goods import read
from portal.tracking import models as tracking
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to, checked, planned
from tests.world import World, sign_in


@pytest.fixture
def parcel(world: World) -> Parcel:
    """Alice's two mugs and her shirt; Cleo picks them."""
    return brought_to("picking", world.alice, world.cleo, world.now)


def missing(world: World, parcel: Parcel, pieces: int = 1, line: int = 0, reason: str = "damaged") -> ShortPick:
    short = shorts.report(parcel.lines[line], pieces, reason, "", by=world.cleo, now=world.now)
    session.commit()
    assert short is not None
    return short


def shelf(world: World, sku: str, count: int, place: str = "main") -> StockItem:
    item = stock.begin_counting(sku, stock.add_place(place, place.title()))
    stock.set_count(item, count, "counted", "", by=world.max, now=world.now)
    session.flush()
    actions.claim_stock(item.id, now=world.now)
    session.commit()
    return item


def contents(parcel: Parcel) -> list[tuple[str, int, int, int]]:
    session.expire_all()
    return [(each.line.sku, each.quantity, each.picked, each.short) for each in parcel.lines]


def pick_the_rest(world: World, parcel: Parcel) -> None:
    for packed in parcel.lines:
        if packed.left:
            actions.pick(packed, packed.left, by=world.cleo)
    session.commit()


# --- saying it ---


def test_what_is_missing_is_no_longer_asked_for(world, parcel):
    short = missing(world, parcel)
    assert (short.state, short.quantity, short.reason, short.reported_by_id) == ("open", 1, "damaged", world.cleo.id)
    assert contents(parcel) == [("MUG-01", 2, 0, 1), ("SHIRT-M", 1, 0, 0)]
    assert parcel.lines[0].left == 1


def test_no_more_is_picked_than_is_there_and_nothing_goes_on_undecided(world, parcel):
    missing(world, parcel)
    pick_the_rest(world, parcel)
    with nothing_appears(), pytest.raises(Refused, match="complete with 1"):
        actions.pick(parcel.lines[0], 1, by=world.cleo)
    with nothing_appears(), pytest.raises(Refused, match="Set it aside"):
        actions.finish_picking(parcel, by=world.cleo, now=world.now)


@pytest.mark.parametrize(("pieces", "reason"), [(0, "damaged"), (3, "damaged"), (-1, "damaged"), (1, "eaten")])
def test_what_can_t_be_missing_is_refused(world, parcel, pieces, reason):
    with nothing_appears(), pytest.raises(Refused):
        shorts.report(parcel.lines[0], pieces, reason, "", by=world.cleo, now=world.now)


def test_nobody_speaks_for_another_picker(world, parcel):
    with nothing_appears(), pytest.raises(Refused, match="not picking"):
        shorts.report(parcel.lines[0], 1, "damaged", "", by=world.dan, now=world.now)


@pytest.mark.parametrize(
    ("reason", "left", "noted"),
    [("damaged", 4, "damaged"), ("expired", 4, "expired"), ("misplaced", 4, "misplaced")],
)
def test_one_bad_piece_is_taken_off_the_count_and_another_is_taken(world, parcel, reason, left, noted):
    item = shelf(world, "MUG-01", 5)
    assert shorts.report(parcel.lines[0], 1, reason, "", by=world.cleo, now=world.now) is None
    session.commit()
    session.refresh(item)
    reasons = set(session.scalars(select(stock.StockMove.reason).where(stock.StockMove.on_hand < 0)))
    assert (item.on_hand, item.reserved, reasons) == (left, 3, {noted})
    assert parcel.lines[0].left == 2


@pytest.mark.parametrize(("reason", "noted"), [("out_of_stock", "counted"), ("not_found", "lost")])
def test_an_empty_shelf_takes_what_was_believed_free_off_the_count_too(world, parcel, reason, noted):
    item = shelf(world, "MUG-01", 9)
    short = missing(world, parcel, 2, reason=reason)
    session.refresh(item)
    assert (short.quantity, item.on_hand, item.reserved) == (2, 1, 1)
    assert noted in set(session.scalars(select(stock.StockMove.reason).where(stock.StockMove.item_id == item.id)))


def test_what_lies_at_another_place_is_taken_from_there(world, parcel):
    shelf(world, "MUG-01", 3)
    session.add(stock.StockItem(sku="MUG-01", place_id=stock.add_place("attic", "Attic").id, on_hand=7, reserved=0))
    session.commit()
    assert shorts.report(parcel.lines[0], 2, "not_found", "", by=world.cleo, now=world.now) is None
    assert parcel.lines[0].left == 2


def test_a_piece_in_the_basket_is_there_whatever_else_is_missing(world, parcel):
    item = shelf(world, "MUG-01", 2)
    actions.pick(parcel.lines[0], 1, by=world.cleo)
    missing(world, parcel, 1, reason="not_found")
    session.refresh(item)
    assert item.on_hand == 1


# --- deciding ---


def test_a_parcel_that_waits_keeps_what_was_picked_and_is_offered_when_the_goods_are_here(world, parcel):
    shelf(world, "MUG-01", 3)
    short = missing(world, parcel, 1, reason="out_of_stock")
    pick_the_rest(world, parcel)
    shorts.wait(short, by=world.pat, now=world.now)
    session.commit()
    assert (parcel.state, parcel.picker_id) == ("to_pick", None)
    assert contents(parcel) == [("MUG-01", 2, 1, 0), ("SHIRT-M", 1, 1, 0)]
    assert lists.next_in("to_pick", now=world.now) is None
    item = session.scalars(select(StockItem).where(StockItem.sku == "MUG-01")).one()
    stock.correct(item, 9, "delivery", seen=item.on_hand, by=world.max, now=world.now)
    session.commit()
    assert lists.next_in("to_pick", now=world.now) == parcel.id


def test_what_is_missing_goes_later_and_the_rest_goes_on(world, parcel):
    short = missing(world, parcel)
    pick_the_rest(world, parcel)
    second = shorts.split(short, by=world.pat, now=world.now)
    session.commit()
    assert contents(parcel) == [("MUG-01", 1, 1, 0), ("SHIRT-M", 1, 1, 0)]
    assert contents(second) == [("MUG-01", 1, 0, 0)]
    actions.finish_picking(parcel, by=world.cleo, now=world.now)
    assert (second.state, lists.next_in("to_pick", now=world.now)) == ("to_pick", None)
    shorts.find(short, by=world.cleo, now=world.now)
    session.commit()
    assert lists.next_in("to_pick", now=world.now) == second.id


def test_a_parcel_of_nothing_else_is_not_split(world):
    parcel = brought_to("picking", world.bob, world.cleo, world.now)
    short = missing(world, parcel)
    with nothing_appears(), pytest.raises(Refused, match="Nothing would be left"):
        shorts.split(short, by=world.pat, now=world.now)
    assert session.get_one(ShortPick, short.id).state == "open"


def test_what_is_found_after_all_is_counted_and_picked(world, parcel):
    item = shelf(world, "MUG-01", 3)
    short = missing(world, parcel, 2, reason="not_found")
    shorts.find(short, by=world.dan, now=world.now)
    session.commit()
    session.refresh(item)
    assert (item.on_hand, item.reserved, parcel.lines[0].left, parcel.lines[0].short) == (3, 3, 2, 0)


def test_what_is_cancelled_is_paid_back_and_told(world, parcel):
    short = missing(world, parcel)
    refund = cancel_short(short, by=world.sam, now=world.now)
    session.commit()
    assert refund is not None
    assert (refund.money, refund.state, refund.requested_by_id) == (Money(2000, "EUR"), "requested", world.sam.id)
    letter = session.scalars(select(Letter)).one()
    assert (letter.kind, letter.to_address) == ("line-cancelled", "alice@example.org")
    assert "Stoneware mug, Moss × 1" in " ".join(letter.text.split())
    assert "€20.00" in letter.text
    assert contents(parcel) == [("MUG-01", 1, 0, 0), ("SHIRT-M", 1, 0, 0)]
    assert "line.cancelled" in [entry.kind for entry in for_customer(world.alice.id)]


def test_nobody_waits_for_what_was_cancelled(world, parcel):
    cancel_short(missing(world, parcel), by=world.sam, now=world.now)
    session.commit()
    assert tracking.read(world.alice.id).waiting == []
    pick_the_rest(world, parcel)
    actions.finish_picking(parcel, by=world.cleo, now=world.now)
    checked(parcel, world.pat, world.now)
    actions.pack(parcel, 500, by=world.pat, now=world.now)
    actions.make_label(parcel, by=world.pat, now=world.now)
    actions.hand_over(parcel, "own", str(parcel.tracking_number), by=world.pat, now=world.now)
    actions.say(parcel, actions.Tracking.delivered, "", by=world.pat, now=world.now)
    session.commit()
    assert world.alice.state == "closed"
    assert read(world.alice, now=world.now).delivered_at == world.now
    assert tracking.read(world.alice.id).delivered_at == world.now


def test_with_the_last_goods_the_order_is_cancelled_and_the_delivery_paid_back(world):
    parcel = brought_to("picking", world.bob, world.cleo, world.now)
    refund = cancel_short(missing(world, parcel), by=world.sam, now=world.now)
    session.commit()
    assert refund is not None
    assert (refund.money, parcel.state, parcel.fate) == (Money(2500, "EUR"), "cancelled", "money_back")
    assert world.bob.state == "cancelled"


def test_the_pieces_of_a_line_add_up_to_what_was_paid_for_it(world, parcel):
    parcel.lines[0].line.paid = 3999
    first = cancel_short(missing(world, parcel), by=world.sam, now=world.now)
    session.commit()
    second = cancel_short(missing(world, parcel), by=world.sam, now=world.now)
    assert first is not None
    assert second is not None
    assert first.amount + second.amount == 3999


def test_money_that_a_channel_holds_is_not_proposed_but_told(world, parcel):
    world.alice.payment.route, world.alice.payment.payment_intent = "channel", None
    assert cancel_short(missing(world, parcel), by=world.sam, now=world.now) is None
    session.commit()
    assert session.scalars(select(Refund)).all() == []
    assert "through the shop where you ordered" in session.scalars(select(Letter)).one().text


@pytest.mark.parametrize("first", ["wait", "split", "find", "cancel"])
@pytest.mark.parametrize("second", ["wait", "split", "find", "cancel"])
def test_it_is_decided_once_and_later_only_ended(world, parcel, first, second):
    short = missing(world, parcel)
    verbs: dict[str, Any] = {"wait": shorts.wait, "split": shorts.split, "find": shorts.find, "cancel": shorts.cancel}
    verbs[first](short, by=world.pat, now=world.now)
    session.commit()
    if (first in ("wait", "split") and second in ("find", "cancel")) or (first, second) == ("wait", "split"):
        verbs[second](short, by=world.pat, now=world.now)
    else:
        with nothing_appears(), pytest.raises(Refused):
            verbs[second](short, by=world.pat, now=world.now)


@pytest.mark.parametrize("verb", [shorts.wait, shorts.split, shorts.find, shorts.cancel])
def test_nothing_is_decided_about_a_parcel_that_was_cancelled(world, parcel, verb):
    short = missing(world, parcel)
    actions.move(parcel, "state", "cancel")
    with nothing_appears(), pytest.raises(Refused, match="gone on"):
        verb(short, by=world.pat, now=world.now)


# --- the desk ---


def test_the_picker_says_it_and_the_others_decide(client, world, parcel):
    desk = sign_in(client, world.cleo)
    page = desk.get(f"/desk/parcels/{parcel.id}").text
    assert all(str(name) in page for name in shorts.REASONS.values())
    where = f"/desk/parcels/{parcel.id}/lines/{parcel.lines[0].id}/short-picks"
    assert desk.post(where, data={"pieces": "1", "reason": "damaged", "note": "cracked"}).status_code == 303
    short = session.scalars(select(ShortPick)).one()
    listed = desk.get("/desk/short-picks").text
    assert "cracked" in listed
    assert "choice" not in listed
    assert desk.post(f"/desk/short-picks/{short.id}/choice", data={"choice": "wait"}).status_code == 403
    assert desk.post(f"/desk/short-picks/{short.id}/cancellation").status_code == 403
    other = sign_in(client, world.max)
    assert all(word in other.get("/desk/short-picks").text for word in ("Wait", "Split", "Cancel it"))
    assert other.post(f"/desk/short-picks/{short.id}/cancellation").status_code == 303
    session.expire_all()
    assert (short.state, session.scalars(select(Refund)).one().amount) == ("cancelled", 2000)
    assert "Nothing to decide" in other.get("/desk/short-picks").text


@pytest.mark.parametrize("choice", ["wait", "split"])
def test_a_choice_at_the_desk_is_done(client, world, parcel, choice):
    short = missing(world, parcel)
    answer = sign_in(client, world.pat).post(f"/desk/short-picks/{short.id}/choice", data={"choice": choice})
    session.expire_all()
    assert (answer.status_code, short.state) == (303, "waiting" if choice == "wait" else "split")
    assert "Waiting for goods" in client.get("/desk/short-picks").text


@pytest.mark.parametrize(
    ("data", "code"),
    [({}, 422), ({"pieces": "x", "reason": "damaged"}, 422), ({"pieces": "1", "reason": "eaten"}, 422),
     ({"pieces": "9", "reason": "damaged"}, 409)],
)  # fmt: skip
def test_nonsense_is_refused_at_the_door(client, world, parcel, data, code):
    desk = sign_in(client, world.cleo)
    with nothing_appears():
        where = f"/desk/parcels/{parcel.id}/lines/{parcel.lines[0].id}/short-picks"
        assert desk.post(where, data=data).status_code == code
        assert desk.post(f"/desk/parcels/{parcel.id}/lines/0/short-picks", data=data).status_code == 404


def test_a_list_says_that_a_parcel_waits(client, world, parcel):
    shorts.wait(missing(world, parcel), by=world.pat, now=world.now)
    planned(world.bob, world.now)
    session.commit()
    assert sign_in(client, world.cleo).get("/desk/parcels").text.count("Waits for goods") == 1
