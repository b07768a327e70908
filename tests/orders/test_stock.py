"""Stock: kept back, given free, taken away, brought back, counted; an article nobody counts is always there."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from portal.adapters.channels import IncomingLine
from portal.db import session, transaction
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders import shelves, stock
from portal.orders.actions import accept_order
from portal.orders.models import Order, OrderLine
from portal.orders.shelves import StockClaim, StockItem, StockMove
from tests.conftest import nothing_appears, owed, statements, work_off
from tests.fulfilment import hands
from tests.world import ALICES_ORDER, World, build


def lie(sku: str, pieces: int, place: str = "main") -> StockItem:
    """So many pieces lie at the place."""
    item = stock.begin_counting(sku, stock.add_place(place, place.title()))
    stock.set_count(item, pieces, "delivery", "", by="system", now=clock.now())
    session.commit()
    return item


def buys(sku: str, pieces: int, *, minutes: int = 0) -> Order:
    """Somebody buys, so many minutes after Alice."""
    paid = ALICES_ORDER.paid_at + timedelta(minutes=minutes)
    line = IncomingLine("L1", "Vase", pieces, 1000, 1000 * pieces, sku=sku)
    number = f"N{session.scalar(text('SELECT count(*) FROM orders'))}"
    incoming = replace(
        ALICES_ORDER, external_id=number, number=number, paid_at=paid, lines=(line,), payment_intent=None
    )
    order = accept_order(incoming, by="channel", now=clock.now())[0]
    session.commit()
    return order


def count(item: StockItem) -> tuple[int, int, int]:
    """On hand, reserved, available."""
    session.expire_all()
    kept = session.scalars(select(StockClaim.quantity).where(StockClaim.item_id == item.id)).all()
    assert item.reserved == sum(kept)
    return item.on_hand, item.reserved, item.available


def waits(order: Order) -> int:
    return shelves.missing([order.id]).get(order.id, 0)


def test_an_accepted_order_keeps_back_what_it_needs(world: World) -> None:
    vases = lie("VASE", 5)
    order = buys("VASE", 2)
    assert count(vases) == (5, 2, 3)
    assert waits(order) == 0
    assert shelves.claims_on([order.lines[0].id]) == {order.lines[0].id: [("Main", 2)]}


def test_an_article_that_nobody_counts_is_always_there(world: World) -> None:
    with statements() as seen:
        assert stock.reserve(world.alice, now=clock.now()) == 0
    assert session.scalars(select(StockClaim)).all() == []
    assert sum("stock_" in statement for statement in seen) == 1
    stock.take({line: line.quantity for line in world.alice.lines}, "parcel:X", by="system", now=clock.now())
    assert stock.bring_back("MUG-01", 1, "restock", "return-line:1", by=world.rita, now=clock.now()) == 0
    assert session.scalars(select(StockMove)).all() == []


def test_what_is_not_there_is_waited_for_and_the_oldest_order_is_served_first(world: World) -> None:
    vases = lie("VASE", 1)
    later = buys("VASE", 2, minutes=30)
    earlier = buys("VASE", 2, minutes=10)
    assert (waits(later), waits(earlier)) == (1, 2)
    stock.correct(vases, 4, "delivery", seen=1, by=world.max, now=clock.now())
    assert (waits(later), waits(earlier), count(vases)) == (0, 0, (4, 4, 0))


def test_new_goods_go_to_the_order_paid_first(world: World) -> None:
    vases = lie("VASE", 0)
    later, earlier = buys("VASE", 1, minutes=30), buys("VASE", 1, minutes=10)
    stock.correct(vases, 1, "found", seen=0, by=world.max, now=clock.now())
    assert (waits(earlier), waits(later)) == (0, 1)


def test_pieces_are_kept_back_at_the_first_place_and_then_at_the_next(world: World) -> None:
    near, far = lie("VASE", 1, "near"), lie("VASE", 5, "far")
    line = buys("VASE", 3).lines[0]
    assert (count(near), count(far)) == ((1, 1, 0), (5, 2, 3))
    assert shelves.claims_on([line.id])[line.id] == [("Near", 1), ("Far", 2)]


def test_what_a_cancelled_order_gives_free_goes_to_who_waits(world: World) -> None:
    vases = lie("VASE", 2)
    first, second = buys("VASE", 2), buys("VASE", 1, minutes=5)
    stock.release_order(first, "cancelled", now=clock.now())
    assert (waits(second), count(vases)) == (0, (2, 1, 1))


def test_a_line_gives_free_what_it_waits_for_before_what_it_has(world: World) -> None:
    vases = lie("VASE", 2)
    order = buys("VASE", 3)
    stock.release(order.lines[0], 1, "fewer", now=clock.now())
    assert (waits(order), count(vases)) == (0, (2, 2, 0))
    stock.release(order.lines[0], 9, "fewer", now=clock.now())
    assert count(vases) == (2, 0, 2)


def test_what_is_handed_over_lies_here_no_longer(world: World) -> None:
    mugs, shirts = lie("MUG-01", 10), lie("SHIRT-M", 1)
    work_off(task="fulfilment.claim")
    hands.brought_to("handed_over", world.alice, world.pat, clock.now())
    assert (count(mugs), count(shirts)) == ((8, 1, 7), (0, 0, 0))  # Bob's mug is still kept back
    moves = shelves.moves_of(mugs)
    assert (moves[0].reason, moves[0].on_hand, moves[0].cause[:7]) == ("handed_over", -2, "parcel:")


def test_goods_that_left_although_the_count_had_none_are_taken_as_far_as_it_goes(world: World) -> None:
    vases = lie("VASE", 1)
    order = buys("VASE", 3)
    stock.take({order.lines[0]: 3}, "parcel:X", by=world.pat, now=clock.now())
    assert (waits(order), count(vases)) == (0, (0, 0, 0))


def test_orders_that_are_here_get_their_claim_when_counting_begins(world: World) -> None:
    mugs = lie("MUG-01", 2)
    assert [args for _, args in owed("fulfilment.claim")] == [{"item_id": mugs.id}]
    work_off(task="fulfilment.claim")
    assert (waits(world.alice), waits(world.bob), count(mugs)) == (0, 1, (2, 2, 0))
    lie("MUG-01", 5, "cellar")
    assert owed("fulfilment.claim") == []


def test_a_picker_who_finds_fewer_puts_the_count_right(world: World) -> None:
    near, far = lie("VASE", 2, "near"), lie("VASE", 1, "far")
    line = buys("VASE", 2).lines[0]
    assert stock.not_there(line, 2, "damaged", by=world.cleo, now=clock.now()) == 1
    assert (count(near), count(far)) == ((0, 0, 0), (1, 1, 0))
    assert shelves.moves_of(near)[0].reason == "damaged"


@pytest.mark.parametrize(("disposition", "lies"), [("restock", 4), ("refurbish", 2), ("discard", 2), ("", 2)])
def test_only_what_is_sold_again_comes_back_to_the_shelf(world: World, disposition: str, lies: int) -> None:
    vases = lie("VASE", 2)
    stock.bring_back("VASE", 2, disposition, "return-line:7", by=world.rita, now=clock.now())
    assert count(vases) == (lies, 0, lies)


def test_an_inspection_that_is_corrected_counts_once(world: World) -> None:
    vases = lie("VASE", 0)
    order = buys("VASE", 2)
    found = [
        stock.bring_back("VASE", n, what, "return-line:7", by=world.rita, now=clock.now())
        for n, what in ((2, "restock"), (2, "restock"), (1, "restock"), (1, "discard"))
    ]
    assert found == [2, 0, -1, -1]
    assert (waits(order), count(vases)) == (2, (0, 0, 0))


def test_a_lower_count_lets_the_orders_that_came_last_wait(world: World) -> None:
    vases = lie("VASE", 3)
    first, last = buys("VASE", 2), buys("VASE", 1, minutes=9)
    stock.correct(vases, 2, "lost", seen=3, by=world.max, now=clock.now(), note="Shelf 4")
    assert (waits(first), waits(last), count(vases)) == (0, 1, (2, 2, 0))
    assert shelves.moves_of(vases)[0].note == "Shelf 4"


@pytest.mark.parametrize(("pieces", "reason", "seen"), [(2, "found", 3), (-1, "found", 1), (2, "because", 1)], ids=str)
def test_a_count_that_is_stale_or_makes_no_sense_is_refused(world: World, pieces: int, reason: str, seen: int) -> None:
    vases = lie("VASE", 1)
    with nothing_appears(), pytest.raises(Refused):
        stock.correct(vases, pieces, reason, seen=seen, by=world.max, now=clock.now())


def test_an_exchange_keeps_back_its_variant_or_is_refused(world: World) -> None:
    vases = lie("VASE", 2)
    stock.reserve_variant("VASE", 2, "exchange:5", now=clock.now())
    assert count(vases) == (2, 2, 0)
    with pytest.raises(Refused, match="not so many of VASE"):
        stock.reserve_variant("VASE", 1, "exchange:6", now=clock.now())
    order = buys("VASE", 1)
    stock.release_variant("exchange:5", now=clock.now())
    assert (waits(order), count(vases)) == (0, (2, 1, 1))


@pytest.mark.parametrize("change", ["UPDATE stock_moves SET note = ''", "DELETE FROM stock_moves"])
def test_what_moved_is_never_changed(world: World, change: str) -> None:
    lie("VASE", 1)
    with pytest.raises(DBAPIError, match="permission denied for table stock_moves"):
        session.execute(text(change))


def test_the_database_itself_refuses_to_promise_what_is_not_there(world: World) -> None:
    lie("VASE", 1)
    with pytest.raises(DBAPIError, match="ck_stock_items_reserved"):
        session.execute(text("UPDATE stock_items SET reserved = 2"))


def test_the_moves_add_up_to_the_count(world: World) -> None:
    vases = lie("VASE", 3)
    order = buys("VASE", 2)
    stock.take({order.lines[0]: 1}, "parcel:X", by=world.pat, now=clock.now())
    stock.correct(vases, 7, "counted", seen=2, by=world.max, now=clock.now())
    moves = shelves.moves_of(vases)
    assert (sum(m.on_hand for m in moves), sum(m.reserved for m in moves)) == count(vases)[:2] == (7, 1)


@pytest.mark.processes
def test_of_many_orders_at_once_only_as_many_keep_something_back_as_there_is(real: Flask) -> None:
    build(now=clock.now())
    vases, glasses = lie("VASE", 3), lie("GLASS", 2)
    orders = [buys("NONE", 1) for _ in range(8)]
    lines = [
        OrderLine(
            order_id=order.id, external_id=f"X{n}", sku=sku, title=sku, quantity=1, unit_price=1, paid=1, kind="item"
        )
        for order in orders
        for n, sku in enumerate(("GLASS", "VASE") if order.id % 2 else ("VASE", "GLASS"))
    ]
    session.add_all(lines)
    session.commit()
    ids = [order.id for order in orders]
    session.remove()

    def keep(order_id: int) -> None:
        with real.app_context(), transaction():
            stock.reserve(session.get_one(Order, order_id), now=clock.now())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, ids))
    session.add_all([vases, glasses])
    assert (count(vases), count(glasses)) == ((3, 3, 0), (2, 2, 0))
    assert sum(shelves.missing(ids).values()) == 5 + 6
