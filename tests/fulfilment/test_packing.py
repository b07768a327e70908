"""What was picked is checked while it goes into the box; the smallest box that surely holds it is suggested."""

from itertools import product

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.db import session
from portal.fulfilment import actions, boxes, handoffs, packing, waves
from portal.fulfilment.boxes import Advice, ArticleSize, Box, advise, packs
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to, checked, planned
from tests.world import World, sign_in


@pytest.fixture
def parcel(world: World) -> Parcel:
    """Two mugs and a shirt, picked by Cleo."""
    return brought_to("picked", world.alice, world.cleo, world.now)


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    return sign_in(client, world.pat)


# --- checking ---------------------------------------------------------------------------------------------------------


def test_each_piece_is_counted_and_who_begins_has_taken_it_over(world, parcel):
    packing.put_in(packing.line_to_box(parcel, " mug-01\t"), 1, by=world.pat, now=clock.now())
    handoff = handoffs.open_handoff(parcel.id)
    assert handoff
    assert (handoff.department, handoff.state, handoff.owner) == ("packing", "accepted", world.pat)
    assert [packed.to_box for packed in parcel.lines] == [1, 1]


def test_it_refuses_what_does_not_belong_in_the_parcel(parcel):
    with nothing_appears(), pytest.raises(Refused, match="does not belong"):
        packing.line_to_box(parcel, "RUG-07")


def test_it_refuses_one_too_many_and_one_taken_out_of_an_empty_box(world, parcel):
    shirt, now = parcel.lines[1], clock.now()
    with nothing_appears(), pytest.raises(Refused, match="Nothing of this line"):
        packing.put_in(shirt, -1, by=world.pat, now=now)
    packing.put_in(shirt, 1, by=world.pat, now=now)
    with nothing_appears(), pytest.raises(Refused, match="Too many"):
        packing.put_in(shirt, 1, by=world.pat, now=now)


def test_it_refuses_to_close_a_box_that_lacks_something(world, parcel):
    packing.put_in(parcel.lines[0], 2, by=world.pat, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="One piece is not in the box"):
        actions.pack(parcel, 900, by=world.pat, now=clock.now())


@pytest.mark.parametrize("step", ["to_pick", "picking", "packed"])
def test_nothing_is_put_into_what_is_not_being_packed(world, step):
    parcel = brought_to(step, world.alice, world.cleo, world.now)
    with nothing_appears(), pytest.raises(Refused, match="not being packed"):
        packing.put_in(parcel.lines[0], -1 if step == "packed" else 1, by=world.pat, now=clock.now())


def test_when_the_box_is_full_the_rest_goes_into_a_second_parcel(world, parcel):
    packing.put_in(parcel.lines[0], 1, by=world.pat, now=clock.now())
    second = packing.close_here(parcel, by=world.pat, now=clock.now())
    session.commit()
    session.expire_all()
    assert [(packed.title, packed.quantity, packed.boxed) for packed in parcel.lines] == [("Stoneware mug", 1, 1)]
    assert [(packed.title, packed.quantity, packed.boxed) for packed in second.lines] == [
        ("Stoneware mug", 1, 0),
        ("Linen shirt", 1, 0),
    ]
    actions.pack(parcel, 500, by=world.pat, now=clock.now())
    checked(second, world.pat, clock.now())
    actions.pack(second, 600, by=world.pat, now=clock.now())


def test_an_empty_box_is_not_closed(world, parcel):
    with nothing_appears(), pytest.raises(Refused):
        packing.close_here(parcel, by=world.pat, now=clock.now())


@pytest.mark.parametrize("department", ["packing", "shipping"])
def test_what_is_sent_back_is_checked_again(world, parcel, department):
    checked(parcel, world.pat, clock.now())
    if department == "shipping":
        actions.pack(parcel, 900, by=world.pat, now=clock.now())
    handoff = handoffs.open_handoff(parcel.id)
    assert handoff
    handoffs.refuse(handoff, "other", "Dented", by=world.pat, now=clock.now())
    session.expire_all()
    assert [packed.boxed for packed in parcel.lines] == [0, 0]


# --- which box --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "inner", "fits"),
    [
        ([], (10, 10, 10), True),
        ([(10, 10, 10)], (10, 10, 10), True),
        ([(11, 10, 10)], (10, 10, 12), True),
        ([(11, 11, 1)], (10, 10, 100), False),
        ([(5, 5, 5)] * 8, (10, 10, 10), True),
        ([(5, 5, 5)] * 9, (10, 10, 10), False),
        ([(10, 10, 4), (10, 6, 10)], (10, 10, 10), True),
        ([(9, 9, 9), (2, 2, 2)], (10, 10, 10), False),
        ([(30, 5, 5), (5, 30, 5), (5, 5, 30)], (5, 15, 30), True),
    ],
)
def test_what_fits_is_laid_out(pieces, inner, fits):
    assert packs(pieces, inner) is fits


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.integers(1, 9)] * 3), max_size=8), st.tuples(*[st.integers(1, 12)] * 3))
def test_nothing_is_said_to_fit_that_has_more_volume_or_a_longer_side(pieces, inner):
    if packs(pieces, inner):
        assert sum(x * y * z for x, y, z in pieces) <= inner[0] * inner[1] * inner[2]
        assert all(a <= b for piece in pieces for a, b in zip(sorted(piece), sorted(inner), strict=True))


def box(name: str, side: int, holds: int = 5000) -> Box:
    return Box(name=name, length=side, width=side, height=side, own_grams=100, holds_grams=holds)


SMALL, LARGE = box("S", 100), box("L", 200)
MUG = {"MUG-01": ArticleSize(sku="MUG-01", length=90, width=90, height=100, grams=400)}


@pytest.mark.parametrize(
    ("wanted", "kept", "advice"),
    [
        ({"MUG-01": 1}, [LARGE, SMALL], Advice(SMALL, 500)),
        ({"MUG-01": 2}, [LARGE, SMALL], Advice(LARGE, 900)),
        ({"MUG-01": 1}, [box("weak", 100, holds=450), LARGE], Advice(LARGE, 500)),
        ({"MUG-01": 9}, [LARGE, SMALL], Advice()),
        ({"MUG-01": 1, "RUG": 1}, [LARGE], Advice(unknown=("RUG",))),
        ({}, [LARGE], Advice()),
        ({"MUG-01": 1}, [], Advice()),
        ({"MUG-01": 201}, [box("hall", 3000, holds=10**9)], Advice()),
    ],
)
def test_the_smallest_box_that_surely_holds_it_and_nothing_without_sizes(wanted, kept, advice):
    assert advise(wanted, MUG, kept) == advice


def test_a_box_is_not_filled_beyond_what_it_may_weigh(world, parcel):
    kept = boxes.keep("S", (300, 200, 100), 120, 1000)
    checked(parcel, world.pat, clock.now())
    with nothing_appears(), pytest.raises(Refused, match="holds 1000 g"):
        actions.pack(parcel, 1001, kept, by=world.pat, now=clock.now())
    actions.pack(parcel, 1000, kept, by=world.pat, now=clock.now())
    assert parcel.box_id == kept.id


# --- at the desk ------------------------------------------------------------------------------------------------------


def test_the_packer_hears_right_and_wrong_and_sees_what_is_left(desk, world, parcel):
    base = f"/desk/parcels/{parcel.id}"
    for code, sound in (("MUG-01", "good"), ("MUG-01", "good"), ("SHIRT-M", "done")):
        page = desk.post(f"{base}/contents", data={"code": code}, follow_redirects=True).text
        assert f'data-sound="{sound}"' in page
    for code, said in (("RUG-07", "does not belong"), ("MUG-01", "Too many")):
        answer = desk.post(f"{base}/contents", data={"code": code})
        assert (answer.status_code, said in answer.text, 'data-sound="bad"' in answer.text) == (409, True, True)
    line = parcel.lines[0].id
    page = desk.post(f"{base}/lines/{line}/contents", data={"undo": "1"}, follow_redirects=True).text
    assert "Taken out of the box again" in page
    assert desk.post(f"{base}/packing", data={"grams": "900"}).status_code == 409
    desk.post(f"{base}/lines/{line}/contents")
    assert desk.post(f"{base}/packing", data={"grams": "0"}).status_code == 422
    assert desk.post(f"{base}/packing", data={"grams": "900"}).status_code == 303
    assert desk.post(f"{base}/label").status_code == 303


def test_the_box_is_suggested_once_everything_is_measured(desk, world, parcel):
    page = f"/desk/parcels/{parcel.id}"
    assert "No box can be suggested" not in desk.get(page).text, "a shop without boxes is not bothered"
    boxes.keep("Carton M", (300, 200, 150), 120, 8000)
    session.commit()
    assert "Not measured yet: MUG-01, SHIRT-M" in desk.get(page).text
    boxes.measure("MUG-01", (90, 90, 100), 400)
    boxes.measure("SHIRT-M", (300, 200, 30), 250)
    session.commit()
    assert "Take box Carton M" in desk.get(page).text
    assert "about 1170 g" in desk.get(page).text
    boxes.measure("SHIRT-M", (301, 200, 30), 250)
    session.commit()
    assert "None of the boxes is sure to hold all of it" in desk.get(page).text


def test_the_rest_goes_into_a_second_parcel_by_one_button(desk, parcel):
    base = f"/desk/parcels/{parcel.id}"
    desk.post(f"{base}/contents", data={"code": "SHIRT-M"})
    assert desk.post(f"{base}/second-parcel", data={"rest": "1"}).status_code == 303
    assert session.scalar(select(ParcelLine.quantity).where(ParcelLine.parcel_id == parcel.id)) == 1


def test_a_shop_keeps_its_boxes_and_measures_what_it_sells(client, world, parcel):
    desk = sign_in(client, world.max)
    assert "No boxes are written down" in desk.get("/desk/boxes").text
    good = {
        "name": "M",
        "inner_length": 300,
        "inner_width": 200,
        "inner_height": 100,
        "own_grams": 90,
        "holds_grams": 5000,
    }
    assert desk.post("/desk/boxes", data=good).status_code == 303
    for wrong, status in ((good, 409), ({**good, "name": "X", "own_grams": 5000}, 409), ({**good, "name": ""}, 422)):
        with nothing_appears():
            assert desk.post("/desk/boxes", data=wrong).status_code == status
    size = {"sku": "MUG-01", "length": 90, "width": 90, "height": 100, "grams": 400}
    assert desk.post("/desk/boxes/sizes", data=size).status_code == 303
    assert desk.post("/desk/boxes/sizes", data={**size, "grams": 410}).status_code == 303
    with nothing_appears():
        assert desk.post("/desk/boxes/sizes", data={**size, "grams": 0}).status_code == 422
    assert [(one.sku, one.grams) for one in boxes.measured()] == [("MUG-01", 410)]
    assert boxes.unmeasured() == [("SHIRT-M", "Linen shirt")]
    [kept] = boxes.kept()
    desk.post(f"/desk/boxes/{kept.id}/removal")
    assert boxes.kept() == []
    assert desk.post("/desk/boxes", data=good).status_code == 303, "the name is free again"


def test_who_packs_looks_at_boxes_and_changes_none(desk):
    assert desk.get("/desk/boxes").status_code == 200
    assert desk.post("/desk/boxes", data={}).status_code == desk.post("/desk/boxes/sizes", data={}).status_code == 403


@pytest.mark.parametrize("list_of", ["to_pick", "to_pack", "to_ship"])
def test_a_scan_on_a_list_opens_the_parcel(desk, world, parcel, list_of):
    planned(world.bob, world.now)
    wave = waves.make("singles", 1, by=world.cleo, now=clock.now())
    session.commit()
    for code in (parcel.ref, "1001", "shirt-m", "MUG-01"):
        answer = desk.get("/desk/parcels/scanned", query_string={"code": code, "state": list_of})
        assert (answer.status_code, answer.location) == (303, f"/desk/parcels/{parcel.id}")
    assert desk.get(f"/desk/parcels/scanned?code=wave-{wave.id}").location == f"/desk/waves/{wave.id}"
    assert desk.get("/desk/parcels/scanned").status_code == 200
    for code in ("RUG-07", "WAVE-x", "WAVE-99999", "%"):
        answer = desk.get("/desk/parcels/scanned", query_string={"code": code, "state": list_of})
        assert (answer.status_code, "Nothing here is called" in answer.text) == (404, True)


def test_boxes_of_every_shape_are_worked_out_quickly():
    pieces = [(x, y, z) for x, y, z in product((10, 20, 30), repeat=3)] * 4
    assert packs(pieces, (400, 400, 400))
