"""Numbers for the trade: eighteen digits from an unbroken count, printed as GS1-128, read back and compared."""

import re

import pytest
import zxingcpp

from portal.db import session
from portal.fulfilment import actions, labels, sscc, zpl
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.fulfilment.test_labels import pages, parcel, picture, words
from tests.fulfilment.test_zpl import FIELD, data
from tests.world import sign_in

PREFIX = "0614141"


@pytest.fixture
def numbered(world):
    """The shop is a member of GS1, and 41 numbers were used elsewhere."""
    sscc.choose(PREFIX, 41, by=world.max, now=clock.now())
    session.commit()
    return world


@pytest.mark.parametrize(
    ("prefix", "number", "code"),
    [
        ("0614141", 1234567890, "106141412345678908"),
        ("0614141", 1, "006141410000000012"),
        ("614141", 1, "061414100000000012"),
        ("061414199999", 99999, "906141419999999990"),
    ],
)
def test_extension_prefix_serial_and_check_digit_stand_in_their_places(prefix, number, code):
    made = sscc.written(prefix, number)
    assert (made[1 : len(prefix) + 1], len(made), sscc.read(made)) == (prefix, 18, made)
    assert made[:17] == code[:17]


def test_the_check_digit_is_that_of_the_standard_s_own_example():
    assert sscc.written("0614141", 1234567890) == "106141412345678908"


@pytest.mark.parametrize(
    "typed", ["106141412345678908", "00106141412345678908", "]C100106141412345678908", "(00) 106141412345678908"]
)
def test_a_scan_is_read_with_and_without_what_stands_before_it(typed):
    assert sscc.read(typed) == "106141412345678908"


@pytest.mark.parametrize("typed", ["", "106141412345678907", "10614141234567890", "MUG-01", "١٠٦١٤١٤١٢٣٤٥٦٧٨٩٠٨"])
def test_what_is_no_such_number_is_none(typed):
    assert sscc.read(typed) == ""


def test_the_count_goes_on_without_gaps_and_a_refusal_leaves_none(numbered):
    first = sscc.take_next()
    session.commit()
    assert sscc.take_next() != first
    session.rollback()
    second = sscc.take_next()
    assert [first, second] == [sscc.written(PREFIX, 42), sscc.written(PREFIX, 43)]


def test_a_label_gets_one_number_and_keeps_it(numbered):
    made = brought_to("packed", numbered.alice, numbered.pat, numbered.now)
    actions.make_label(made, by=numbered.pat, now=clock.now())
    actions.make_label(made, by=numbered.pat, now=clock.now())
    assert made.sscc == sscc.written(PREFIX, 42)
    assert sscc.in_use().last_number == 42


def test_without_a_prefix_a_label_has_no_such_number(world):
    made = brought_to("packed", world.alice, world.pat, world.now)
    actions.make_label(made, by=world.pat, now=clock.now())
    assert made.sscc is None


@pytest.mark.parametrize(
    ("prefix", "last"),
    [
        ("061414", 40),
        (PREFIX, 40),
        ("12345", 0),
        ("1234567890123", 0),
        ("06141x1", 0),
        ("061414100000", 99999),
        ("0614142", -1),
    ],
)
def test_it_refuses_what_is_no_prefix_and_to_count_back(numbered, prefix, last):
    sscc.choose("061414", 50, by=numbered.max, now=clock.now())
    sscc.choose(PREFIX, 41, by=numbered.max, now=clock.now())
    with nothing_appears(), pytest.raises(Refused):
        sscc.choose(prefix, last, by=numbered.max, now=clock.now())
    assert sscc.in_use().prefix == PREFIX


def test_a_count_that_is_used_up_is_refused(world):
    sscc.choose("061414100000", 99998, by=world.max, now=clock.now())
    sscc.take_next()
    with nothing_appears(), pytest.raises(Refused, match="used up"):
        sscc.take_next()


# --- on paper ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def paper(app):
    made = parcel()
    made.sscc = "106141412345678908"
    return made, app.config["SETTINGS"]


@pytest.mark.parametrize("scale", [203 / 72, 300 / 72, 4])
def test_the_bars_are_gs1_and_the_qr_code_says_our_own_number(paper, scale):
    made, settings = paper
    [page] = pages(labels.shipping_label(made, settings))
    found = {one.symbology_identifier: one for one in zxingcpp.read_barcodes(picture(page, scale))}
    bars = found.pop("]C1")
    assert (bars.content_type, bars.bytes) == (zxingcpp.ContentType.GS1, f"00{made.sscc}".encode())
    assert [one.text for one in found.values()] == [made.tracking_number]


def test_people_read_both_numbers(paper):
    made, settings = paper
    printed = words(labels.shipping_label(made, settings))
    assert f"(00) {made.sscc}" in printed
    assert made.tracking_number in printed


def test_the_bars_are_as_thick_and_tall_as_the_standard_asks(paper):
    made, settings = paper
    image = picture(pages(labels.shipping_label(made, settings))[0], scale=4).point(lambda grey: 255 * (grey > 127))
    [bars] = [one for one in zxingcpp.read_barcodes(image) if one.symbology_identifier == "]C1"]
    width = (bars.position.top_right.x - bars.position.top_left.x) / 4 / 72 * 25.4
    assert width / 156 >= 0.495


@pytest.mark.parametrize("dots", [6, 8, 12, 24])
def test_the_printer_s_commands_say_the_same(paper, dots):
    made, settings = paper
    label = zpl.shipping_label(made, settings.model_copy(update={"label_printer_dots": dots})).decode()
    [(left, thin, digits)] = re.findall(r"\^FO(\d+),\d+\^BY(\d+)\^BCN,\d+,N,N,N,N\^FD>;>8(\d+)\^FS", label)
    assert digits == f"00{made.sscc}"
    assert int(left) + int(thin) * 156 <= 100 * dots - 10 * int(thin)
    assert {f"(00) {made.sscc}", made.tracking_number} <= {data(one) for one in FIELD.findall(label)}


# --- at the desk ------------------------------------------------------------------------------------------------------


def test_a_manager_sets_the_prefix_and_takes_it_back(client, world):
    desk = sign_in(client, world.max)
    assert "Labels bear our own number" in desk.get("/desk/label-numbers").text
    for wrong, status in (({"prefix": "", "last_number": "0"}, 422), ({"prefix": "12", "last_number": "0"}, 409)):
        with nothing_appears():
            assert desk.post("/desk/label-numbers", data=wrong).status_code == status
    assert desk.post("/desk/label-numbers", data={"prefix": PREFIX, "last_number": "41"}).status_code == 303
    assert sscc.spelled(sscc.written(PREFIX, 42)) in desk.get("/desk/label-numbers").text
    desk.post("/desk/label-numbers/removal")
    assert sscc.in_use() is None


def test_who_ships_sets_no_prefix(client, world):
    assert sign_in(client, world.pat).post("/desk/label-numbers", data={"prefix": PREFIX}).status_code == 403


def test_a_scan_of_the_number_opens_the_parcel(client, numbered):
    made = brought_to("packed", numbered.alice, numbered.pat, numbered.now)
    actions.make_label(made, by=numbered.pat, now=clock.now())
    session.commit()
    desk = sign_in(client, numbered.pat)
    assert (
        desk.get("/desk/parcels/scanned", query_string={"code": f"]C100{made.sscc}"}).location
        == f"/desk/parcels/{made.id}"
    )
    assert made.sscc in desk.get(f"/desk/parcels/{made.id}").text
