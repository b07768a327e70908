"""What the channel changes: taken over while nobody has begun, else held until a person decides."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.adapters.channels import IncomingAddress, IncomingLine
from portal.db import session
from portal.fulfilment import changes
from portal.fulfilment.actions import finish_picking, hand_over, pack, pick, start_picking
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.actions import accept_order
from portal.orders.flags import open_flags, problems
from portal.orders.models import Order, OrderChange, OrderFlag
from portal.orders.shelves import StockClaim
from portal.orders.stock import begin_counting, main_place, set_count
from portal.orders.timeline import for_staff
from tests.conftest import nothing_appears
from tests.fulfilment.hands import checked
from tests.world import ALICES_ORDER, World, sign_in

Work = Callable[..., int]
MUGS, SHIRT, SHIPPING = ALICES_ORDER.lines
BOWL = IncomingLine("L3", "Serving bowl", 1, 3000, 3000, sku="BOWL-01")
MOVED = IncomingAddress("Alice Ångström", "", "Rosenweg 1", "", "80331", "München", "", "DE")


def newer(hours: int = 1, **differs: Any) -> Any:
    return replace(ALICES_ORDER, updated_at=ALICES_ORDER.updated_at + timedelta(hours=hours), **differs)


def tell(work: Work, hours: int = 1, **differs: Any) -> None:
    """The channel sends a newer copy, and the worker is done with it."""
    work()
    accept_order(newer(hours, **differs), by="channel", now=clock.now())
    session.commit()
    work()
    session.expire_all()


@pytest.fixture
def order(world: World) -> Order:
    return world.alice


@pytest.fixture
def begun(world: World, work: Work) -> Parcel:
    """Cleo has taken Alice's parcel."""
    work()
    parcel = parcels(world.alice)[0]
    start_picking(parcel, by=world.cleo, now=clock.now())
    session.commit()
    return parcel


def parcels(order: Order) -> list[Parcel]:
    return list(session.scalars(select(Parcel).where(Parcel.order_id == order.id).order_by(Parcel.id)))


def inside(parcel: Parcel) -> dict[str, int]:
    return {packed.line.sku: packed.quantity for packed in parcel.lines}


def test_before_picking_lines_follow_the_channel_and_so_does_the_parcel(order: Order, work: Work) -> None:
    promised = order.promised_on
    tell(work, lines=(replace(MUGS, quantity=1, paid=2000), BOWL, SHIPPING), total=5500)
    [parcel] = parcels(order)
    assert inside(parcel) == {"MUG-01": 1, "BOWL-01": 1}
    assert [(line.sku, line.paid) for line in order.lines if line.kind == "item"] == [
        ("MUG-01", 2000),
        ("BOWL-01", 3000),
    ]
    assert (order.total, order.promised_on, order.attention, order.state) == (5500, promised, False, "accepted")


def test_the_timeline_tells_what_differed_but_nothing_about_the_customer(order: Order, work: Work) -> None:
    tell(work, lines=(replace(MUGS, quantity=1), SHIRT, SHIPPING), address=MOVED)
    told = [entry.text for entry in for_staff(order.id)]
    assert "The channel changed it: Stoneware mug: 2 × MUG-01 → 1 × MUG-01, Address" in told
    assert not [text for text in told if "Rosenweg" in text]
    assert (order.ship_to["street"], order.country) == ("Rosenweg 1", "DE")


def test_stock_follows_the_lines(order: Order, work: Work) -> None:
    item = begin_counting("MUG-01", main_place())
    set_count(item, 10, "counted", "", by="system", now=clock.now())
    tell(work, lines=(replace(MUGS, quantity=1), SHIRT, SHIPPING))
    assert claimed(order) == 1
    tell(work, 2, lines=(replace(MUGS, quantity=5), SHIRT, SHIPPING))
    assert claimed(order) == 5
    tell(work, 3, lines=(SHIRT, SHIPPING))
    assert claimed(order) == 0


def claimed(order: Order) -> int:
    found = select(StockClaim.quantity).where(StockClaim.cause == f"order:{order.id}")
    return sum(session.scalars(found))


def test_a_cancellation_before_picking_cancels_parcels_and_frees_stock(order: Order, work: Work) -> None:
    item = begin_counting("MUG-01", main_place())
    set_count(item, 10, "counted", "", by="system", now=clock.now())
    tell(work, cancelled=True)
    assert (order.state, [parcel.state for parcel in parcels(order)], claimed(order)) == ("cancelled", ["cancelled"], 0)


@pytest.mark.parametrize(
    ("differs", "code"),
    [({"cancelled": True}, "cancelled"), ({"lines": (SHIRT, SHIPPING)}, "changed"), ({"address": MOVED}, "changed")],
)
def test_after_picking_began_nothing_is_replanned_and_nothing_leaves(
    world: World, begun: Parcel, work: Work, differs: dict[str, Any], code: str
) -> None:
    tell(work, **differs)
    order = world.alice
    assert (order.state, order.attention, problems(order.id)) == ("on_hold", True, [code])
    assert inside(begun) == {"MUG-01": 2, "SHIRT-M": 1}
    assert order.ship_to["street"] == "Lindenstraße 7"
    box(begun, world)
    with nothing_appears(), pytest.raises(Refused, match="on hold"):
        hand_over(begun, "dhl", "00340434161094042557", by=world.pat, now=clock.now())


def box(parcel: Parcel, world: World) -> None:
    for packed in parcel.lines:
        pick(packed, packed.quantity, by=world.cleo)
    finish_picking(parcel, by=world.cleo, now=clock.now())
    checked(parcel, world.cleo, clock.now())
    pack(parcel, 900, by=world.cleo, now=clock.now())
    session.commit()


def flag(order: Order) -> OrderFlag:
    return open_flags(order.id)[0]


def settle(order: Order, answer: str, world: World) -> None:
    changes.settle(flag(order), answer, "asked Alice", by=world.sam, now=clock.now())
    session.commit()
    session.expire_all()


def test_taking_it_over_after_all_plans_one_new_parcel(world: World, begun: Parcel, work: Work) -> None:
    tell(work, lines=(MUGS, BOWL, SHIPPING))
    settle(world.alice, "take_over", world)
    old, new = parcels(world.alice)
    assert (old.state, new.state, inside(new)) == ("cancelled", "to_pick", {"MUG-01": 2, "BOWL-01": 1})
    assert (world.alice.state, problems(world.alice.id)) == ("accepted", [])


def test_a_new_address_is_taken_over_into_the_box_that_is_there(world: World, begun: Parcel, work: Work) -> None:
    tell(work, address=MOVED)
    settle(world.alice, "take_over", world)
    assert [parcel.state for parcel in parcels(world.alice)] == ["picking"]
    assert world.alice.ship_to["city"] == "München"


def test_what_was_left_aside_is_not_asked_again_and_something_new_is(world: World, begun: Parcel, work: Work) -> None:
    tell(work, lines=(SHIRT, SHIPPING))
    settle(world.alice, "leave", world)
    tell(work, 2, lines=(SHIRT, SHIPPING))
    assert (world.alice.state, problems(world.alice.id)) == ("accepted", [])
    tell(work, 3, lines=(MUGS, SHIPPING))
    assert (world.alice.state, problems(world.alice.id)) == ("on_hold", ["changed"])


def test_a_change_that_the_channel_takes_back_is_no_question_any_more(world: World, begun: Parcel, work: Work) -> None:
    tell(work, lines=(SHIRT, SHIPPING))
    tell(work, 2)
    assert (world.alice.state, problems(world.alice.id)) == ("accepted", [])
    assert session.scalars(select(OrderChange.state)).all() == ["overtaken"]


def test_cancelling_by_hand_cancels_what_was_picked_too(world: World, begun: Parcel, work: Work) -> None:
    tell(work, cancelled=True)
    settle(world.alice, "take_over", world)
    assert (world.alice.state, problems(world.alice.id)) == ("cancelled", [])
    assert [parcel.state for parcel in parcels(world.alice)] == ["cancelled"]


def test_what_has_left_can_only_be_left_as_it_is(world: World, begun: Parcel, work: Work) -> None:
    box(begun, world)
    hand_over(begun, "dhl", "00340434161094042557", by=world.pat, now=clock.now())
    tell(work, cancelled=True)
    assert (world.alice.state, problems(world.alice.id)) == ("accepted", ["cancelled"])
    with nothing_appears(), pytest.raises(Refused, match="left the house already"):
        changes.settle(flag(world.alice), "take_over", "", by=world.sam, now=clock.now())
    settle(world.alice, "leave", world)
    assert problems(world.alice.id) == []


def test_what_the_channel_calls_sent_while_it_lies_here_is_asked_about_once(
    world: World, begun: Parcel, work: Work
) -> None:
    tell(work, sent=True, problems=("already_sent",))
    assert problems(world.alice.id) == ["already_sent"]
    changes.settle(flag(world.alice), "done", "", by=world.sam, now=clock.now())
    tell(work, 2, sent=True, problems=("already_sent",))
    assert problems(world.alice.id) == []


def test_what_we_sent_ourselves_is_no_question_when_the_channel_repeats_it(
    world: World, begun: Parcel, work: Work
) -> None:
    box(begun, world)
    hand_over(begun, "dhl", "00340434161094042557", by=world.pat, now=clock.now())
    tell(work, sent=True, problems=("already_sent",))
    assert problems(world.alice.id) == []


def test_two_people_do_not_settle_the_same_thing(world: World, begun: Parcel, work: Work) -> None:
    tell(work, cancelled=True)
    asked = flag(world.alice)
    settle(world.alice, "leave", world)
    with nothing_appears(), pytest.raises(Refused, match="Somebody else"):
        changes.settle(asked, "take_over", "", by=world.max, now=clock.now())


def test_an_unpaid_order_may_be_accepted_by_hand(world: World, work: Work) -> None:
    unpaid = replace(
        ALICES_ORDER, external_id="A-9", number="9", payment_intent=None, captured=0, problems=("not_paid",)
    )
    order, _ = accept_order(unpaid, by="channel", now=clock.now())
    session.commit()
    work()
    assert (order.state, parcels(order)) == ("on_hold", [])
    settle(order, "take_over", world)
    work()
    session.expire_all()
    assert (order.state, [parcel.state for parcel in parcels(order)]) == ("accepted", ["to_pick"])


def test_the_queue_shows_it_and_the_page_settles_it(
    client: FlaskClient, world: World, begun: Parcel, work: Work
) -> None:
    tell(work, lines=(SHIRT, SHIPPING))
    sign_in(client, world.sam)
    assert "The channel changed the order" in client.get("/desk/attention?state=changed").text
    assert "1001" not in client.get("/desk/attention?state=odd").text
    page = client.get(f"/desk/attention/{world.alice.id}").text
    assert "2 × MUG-01" in page
    answer = {"answer": "leave", "note": "She keeps the mugs"}
    settled = client.post(f"/desk/attention/flags/{flag(world.alice).id}/settlement", data=answer)
    assert settled.status_code == 303
    session.expire_all()
    assert problems(world.alice.id) == []
    assert "She keeps the mugs" in client.get(f"/desk/orders/{world.alice.id}").text


@pytest.mark.parametrize(("who", "data", "status"), [("cleo", {"answer": "leave"}, 403), ("sam", {"answer": "?"}, 422)])
def test_only_who_may_settles_and_only_with_a_decision(
    client: FlaskClient, world: World, begun: Parcel, work: Work, who: str, data: dict[str, str], status: int
) -> None:
    tell(work, cancelled=True)
    sign_in(client, getattr(world, who))
    with nothing_appears():
        answer = client.post(f"/desk/attention/flags/{flag(world.alice).id}/settlement", data=data)
        assert answer.status_code == status
    assert problems(world.alice.id) == ["cancelled"]
