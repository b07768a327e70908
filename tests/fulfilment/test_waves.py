"""Many parcels on one walk: single lines together, the others by what is urgent, and never without an owner."""

from dataclasses import replace
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment import actions, handoffs, shorts, walk, wave_lists, wave_paper, waves
from portal.fulfilment.jobs import watch_handoffs
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.waves import Wave
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders import stock
from portal.orders.actions import accept_order
from portal.orders.models import Order, OrderLine
from portal.staff.absences import go_away
from portal.staff.actions import disable_staff
from portal.staff.models import Staff
from tests.conftest import nothing_appears, statements
from tests.fulfilment.hands import planned
from tests.fulfilment.test_labels import codes, words
from tests.world import ALICES_ORDER, BOBS_ORDER, World, sign_in

SHIRT = replace(ALICES_ORDER.lines[1], external_id="L1")


@pytest.fixture
def shop(world: World) -> World:
    """Alice wants two mugs and a shirt; Bob and two others a mug each, one a shirt; the last is the most urgent."""
    planned(world.alice, world.now)
    planned(world.bob, world.now)
    for number, lines in (("1003", BOBS_ORDER.lines), ("1004", (SHIRT,)), ("1005", BOBS_ORDER.lines)):
        incoming = replace(BOBS_ORDER, external_id=number, number=number, lines=lines, payment_intent=f"pi_{number}")
        planned(accept_order(incoming, by="channel", now=world.now)[0], world.now)
    session.execute(update(Order).where(Order.number == "1005").values(promised_on=date(2026, 11, 20)))
    session.commit()
    return world


def numbers(wave: Wave, *states: str) -> list[str]:
    return [parcel.order.number for parcel in waves.still_in(wave, *(states or ("to_pick", "picking")))]


def hold(number: str) -> None:
    session.execute(update(Order).where(Order.number == number).values(state="on_hold"))


def parcel_of(number: str) -> Parcel:
    return session.scalars(select(Parcel).join(Order).where(Order.number == number)).one()


def walked(world: World, kind: str = "singles", most: int = 10) -> Wave:
    """A wave that Cleo walks."""
    wave = waves.make(kind, most, by=world.cleo, now=clock.now())
    waves.release(wave, now=clock.now())
    waves.begin(wave, by=world.cleo, now=clock.now())
    session.commit()
    return wave


def way(wave: Wave) -> list[walk.Stop]:
    return walk.stops(waves.still_in(wave, "picking"), {})


def pick_all(wave: Wave, by: Staff) -> None:
    for stop in way(wave):
        for packed in stop.lines:
            actions.pick(packed, packed.left, by=by)


# --- planning ---------------------------------------------------------------------------------------------------------


def test_single_line_orders_go_together_and_the_most_urgent_lead(shop):
    wave = waves.make("singles", 3, by=shop.dan, now=clock.now())
    assert numbers(wave) == ["1002", "1003", "1005"]
    assert {parcel.basket for parcel in waves.still_in(wave, "to_pick")} == {None}
    assert (wave.state, wave.owner, wave_lists.waiting()) == ("planned", shop.dan, {"singles": 1, "several": 1})


def test_orders_with_several_lines_have_a_basket_each(shop):
    wave = waves.make("several", 8, by=shop.dan, now=clock.now())
    assert [(parcel.order.number, parcel.basket) for parcel in waves.still_in(wave, "to_pick")] == [("1001", 1)]


def test_what_is_held_back_or_waits_for_goods_is_in_no_wave(shop):
    hold("1002")
    stock.begin_counting("SHIRT-M", stock.main_place())
    session.flush()
    stock.reserve_pieces(
        session.scalars(select(OrderLine).join(Order).where(Order.number == "1004")).one(), 1, now=clock.now()
    )
    assert sorted(numbers(waves.make("singles", 9, by=shop.dan, now=clock.now()))) == ["1003", "1005"]


@pytest.mark.parametrize(("kind", "most"), [("singles", 0), ("singles", 41), ("several", 13), ("nonsense", 3)])
def test_it_refuses_a_wave_of_no_such_size_or_kind(shop, kind, most):
    with nothing_appears(), pytest.raises(Refused):
        waves.make(kind, most, by=shop.dan, now=clock.now())


def test_it_refuses_a_wave_with_nothing_in_it(world):
    with nothing_appears(), pytest.raises(Refused, match="Nothing waits"):
        waves.make("singles", 5, by=world.dan, now=clock.now())


def test_a_parcel_left_out_or_taken_singly_is_in_no_wave_any_more(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    waves.leave_out(wave, parcel_of("1003"))
    actions.start_picking(parcel_of("1004"), by=shop.cleo, now=clock.now())
    session.flush()
    assert sorted(numbers(wave)) == ["1002", "1005"]


def test_a_dropped_wave_gives_its_parcels_back_to_the_list(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    waves.drop(wave, now=clock.now())
    assert (numbers(wave), wave_lists.waiting()["singles"], wave_lists.open_waves()) == ([], 4, [])


def test_nobody_walks_a_wave_that_is_only_planned(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    with nothing_appears(), pytest.raises(Refused):
        waves.begin(wave, by=shop.cleo, now=clock.now())


# --- walking ----------------------------------------------------------------------------------------------------------


def test_each_shelf_is_visited_once_in_the_order_of_the_places():
    def line(order: int, sku: str, pieces: int, basket: int | None = None) -> ParcelLine:
        bought = OrderLine(id=order, sku=sku, title=sku.title(), variant="")
        return ParcelLine(id=order, order_line_id=order, quantity=pieces, picked=0, short=0, line=bought)

    parcels = [
        Parcel(basket=1, lines=[line(1, "mug", 2), line(2, "shirt", 1)]),
        Parcel(basket=2, lines=[line(3, "mug", 3), line(4, "", 1)]),
        Parcel(basket=3, lines=[line(5, "MUG", 1)]),
    ]
    found = walk.stops(parcels, {1: [("B2", 2)], 3: [("B2", 3)], 5: [("B2", 1)], 2: [("A1", 1), (None, 1)]})
    assert [(stop.places, stop.first.line.sku, stop.wanted) for stop in found] == [
        ("A1", "shirt", 1),
        ("B2", "mug", 6),
        ("", "", 1),
    ]
    assert found[1].baskets == [(1, 2), (2, 3), (3, 1)]
    assert (found[1].left, found[1].next_line, found[1].last_line) == (6, parcels[0].lines[0], None)


def test_every_scan_counts_for_the_parcel_that_is_served_first(shop):
    wave = walked(shop)
    assert [(stop.first.line.sku, stop.wanted) for stop in way(wave)] == [("MUG-01", 3), ("SHIRT-M", 1)]
    for left in (2, 1, 0):
        actions.pick(walk.scanned(way(wave), " mug-01\n"), 1, by=shop.cleo)
        assert way(wave)[0].left == left


@pytest.mark.parametrize(("code", "said"), [("RUG-07", "not in this wave"), ("MUG-01", "Too many"), ("", "not in")])
def test_it_refuses_what_is_not_wanted_here_and_one_too_many(shop, code, said):
    wave = walked(shop)
    for packed in way(wave)[0].lines:
        actions.pick(packed, 1, by=shop.cleo)
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match=said):
        walk.scanned(way(wave), code)


def test_all_parcels_of_the_cart_come_to_packing_at_once(shop):
    wave = walked(shop)
    with nothing_appears(), pytest.raises(Refused, match="4 pieces are still missing"):
        waves.finish(wave, by=shop.cleo, now=clock.now())
    pick_all(wave, shop.cleo)
    assert waves.finish(wave, by=shop.cleo, now=clock.now()) == 4
    assert (wave.state, len(numbers(wave, "picked"))) == ("done", 4)
    for parcel in waves.still_in(wave, "picked"):
        open_one = handoffs.open_handoff(parcel.id)
        assert open_one
        assert (open_one.department, open_one.state, open_one.owner) == ("packing", "offered", shop.cleo)


def test_what_is_not_there_is_missing_for_who_is_served_last_and_does_not_hold_up_the_rest(shop):
    wave = walked(shop)
    mugs = way(wave)[0]
    assert waves.report(mugs.lines, 2, "not_found", "", by=shop.cleo, now=clock.now()) == 2
    assert [packed.short for packed in mugs.lines] == [0, 1, 1]
    pick_all(wave, shop.cleo)
    assert waves.finish(wave, by=shop.cleo, now=clock.now()) == 2
    left = session.scalars(select(Parcel).where(Parcel.state == "picking")).all()
    assert [(parcel.wave_id, parcel.picker_id) for parcel in left] == [(None, shop.cleo.id)] * 2
    assert len(shorts.listed()) == 2


def test_it_refuses_to_miss_more_than_is_wanted(shop):
    wave = walked(shop)
    with nothing_appears(), pytest.raises(Refused):
        waves.report(way(wave)[0].lines, 4, "not_found", "", by=shop.cleo, now=clock.now())


def test_an_order_that_is_held_meanwhile_is_not_walked(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    waves.release(wave, now=clock.now())
    hold("1003")
    waves.begin(wave, by=shop.cleo, now=clock.now())
    session.flush()
    assert sorted(numbers(wave, "picking")) == ["1002", "1004", "1005"]
    assert parcel_of("1003").wave_id is None


# --- never without an owner -------------------------------------------------------------------------------------------


def test_one_person_walks_one_wave(shop):
    walked(shop, most=2)
    second = waves.make("singles", 2, by=shop.dan, now=clock.now())
    waves.release(second, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="Finish it or give it back"):
        waves.begin(second, by=shop.cleo, now=clock.now())


def test_a_cart_is_taken_over_with_all_that_lies_in_it(shop):
    wave = walked(shop)
    actions.pick(way(wave)[0].first, 1, by=shop.cleo)
    waves.take_over(wave, by=shop.dan)
    session.commit()
    with pytest.raises(Refused, match="Dan is picking"):
        actions.pick(way(wave)[0].lines[1], 1, by=shop.cleo)
    pick_all(wave, shop.dan)
    assert waves.finish(wave, by=shop.dan, now=clock.now()) == 4


def test_what_is_given_back_is_picked_anew_and_belongs_to_who_made_the_wave(shop):
    wave = waves.make("singles", 9, by=shop.max, now=clock.now())
    waves.release(wave, now=clock.now())
    waves.begin(wave, by=shop.cleo, now=clock.now())
    pick_all(wave, shop.cleo)
    waves.give_back(wave, by=shop.cleo, now=clock.now())
    session.commit()
    assert (wave.state, wave.owner, len(numbers(wave, "to_pick"))) == ("released", shop.max, 4)
    assert {packed.picked for parcel in waves.still_in(wave, "to_pick") for packed in parcel.lines} == {0}
    waves.begin(wave, by=shop.dan, now=clock.now())
    assert len(numbers(wave, "picking")) == 4


def test_the_wave_of_somebody_who_is_away_goes_to_the_deputy_with_its_parcels(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    waves.release(wave, now=clock.now())
    waves.begin(wave, by=shop.dan, now=clock.now())
    go_away(shop.dan, shop_day(clock.now()), shop_day(clock.now()), by=shop.dan, now=clock.now())
    assert waves.mend(now=clock.now()) == 1
    assert wave.owner_id == shop.max.id
    assert {parcel.picker_id for parcel in waves.still_in(wave, "picking")} == {shop.max.id}


def test_the_wave_of_somebody_who_is_shut_out_goes_to_who_answers_for_picking(shop):
    wave = waves.make("singles", 9, by=shop.dan, now=clock.now())
    waves.release(wave, now=clock.now())
    waves.begin(wave, by=shop.dan, now=clock.now())
    shop.cleo.password_hash = "none"
    disable_staff(shop.dan, now=clock.now())
    session.commit()
    watch_handoffs()
    session.expire_all()
    assert wave.owner == shop.cleo
    assert {parcel.picker for parcel in waves.still_in(wave, "picking")} == {shop.cleo}
    pick_all(wave, shop.cleo)
    assert waves.finish(wave, by=shop.cleo, now=clock.now()) == 4


def test_a_wave_with_nothing_left_in_it_ends_by_itself(shop):
    wave = waves.make("several", 8, by=shop.dan, now=clock.now())
    actions.start_picking(parcel_of("1001"), by=shop.cleo, now=clock.now())
    session.commit()
    watch_handoffs()
    session.expire_all()
    assert wave.state == "dropped"


# --- at the desk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(client: FlaskClient, shop: World) -> FlaskClient:
    return sign_in(client, shop.cleo)


def test_a_picker_makes_a_wave_and_walks_it_to_the_packing_table(desk, shop):
    assert "4 parcels wait" in desk.get("/desk/waves").text
    answer = desk.post("/desk/waves", data={"kind": "singles", "most": "10", "begin": "1"})
    wave = session.scalars(select(Wave)).one()
    base = f"/desk/waves/{wave.id}"
    assert (answer.status_code, answer.location) == (303, base)
    for code, sound in (("MUG-01", "good"), ("MUG-01", "good"), ("MUG-01", "good"), ("SHIRT-M", "done")):
        counted = desk.post(f"{base}/picks", data={"code": code}, follow_redirects=True)
        assert f'data-sound="{sound}"' in counted.text
    for code, said in (("MUG-01", "Too many"), ("RUG-07", "not in this wave")):
        refused = desk.post(f"{base}/picks", data={"code": code})
        assert (refused.status_code, said in refused.text, 'data-sound="bad"' in refused.text) == (409, True, True)
    line = way(wave)[0].last_line
    undone = desk.post(f"{base}/lines/{line.id}/picks", data={"undo": "1"}, follow_redirects=True)
    assert "Put one back on the shelf" in undone.text
    assert desk.post(f"{base}/completion").status_code == 409
    desk.post(f"{base}/lines/{line.id}/picks")
    done = desk.post(f"{base}/completion", follow_redirects=True)
    assert "4 parcels are at packing" in done.text
    assert "At packing since yesterday" in done.text


def test_a_basket_is_named_with_every_scan(desk, shop):
    wave = walked(shop, "several")
    page = desk.post(f"/desk/waves/{wave.id}/picks", data={"code": "MUG-01"}, follow_redirects=True)
    assert "Into basket 1" in page.text


@pytest.mark.parametrize("path", ["release", "removal", "picking", "takeover", "way-back", "completion"])
def test_what_cannot_be_done_to_a_wave_is_refused_with_its_page(desk, shop, path):
    wave = waves.make("several", 8, by=shop.dan, now=clock.now())
    waves.drop(wave, now=clock.now())
    with nothing_appears():
        answer = desk.post(f"/desk/waves/{wave.id}/{path}")
    assert answer.status_code == 409
    assert f"Wave {wave.id}" in answer.text


def test_the_shelf_that_is_empty_is_reported_for_all_parcels_at_once(desk, shop):
    wave = walked(shop)
    line = way(wave)[0].first
    data = {"pieces": "3", "reason": "out_of_stock", "note": ""}
    page = desk.post(f"/desk/waves/{wave.id}/lines/{line.id}/short-picks", data=data, follow_redirects=True)
    assert "somebody decides about what is missing" in page.text
    assert len(shorts.listed()) == 3
    assert (
        desk.post(f"/desk/waves/{wave.id}/lines/{line.id}/short-picks", data={**data, "pieces": "x"}).status_code == 422
    )
    assert desk.post(f"/desk/waves/{wave.id}/lines/0/short-picks", data=data).status_code == 404


def test_who_may_not_pick_only_looks(client, shop):
    wave = walked(shop)
    desk = sign_in(client, shop.rita)
    assert desk.get("/desk/waves").status_code == desk.get(f"/desk/waves/{wave.id}").status_code == 200
    assert desk.post("/desk/waves", data={"kind": "singles", "most": "1"}).status_code == 403
    assert desk.get("/desk/waves/0").status_code == 404


def test_the_list_on_paper_says_place_article_pieces_and_baskets(app, shop):
    wave = walked(shop, "several")
    paper = wave_paper.pick_list(wave, way(wave), app.config["SETTINGS"])
    assert {f"WAVE-{wave.id}", "MUG-01", "SHIRT-M"} == {text for _, text in codes(paper)}
    assert "Baskets: 1: 2" in words(paper)
    assert {"Stoneware mug, Moss", "Linen shirt, M"} <= set(words(paper).split("\n"))


def test_a_wave_of_many_is_shown_in_as_many_statements_as_one_of_few(desk, shop):
    few, many = (waves.make("singles", most, by=shop.dan, now=clock.now()) for most in (1, 9))
    session.commit()
    desk.get("/desk/waves")
    with statements() as first:
        desk.get(f"/desk/waves/{few.id}")
    with statements() as second:
        desk.get(f"/desk/waves/{many.id}")
    assert len(second) == len(first)
