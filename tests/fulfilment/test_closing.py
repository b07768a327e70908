"""A courier's day is closed once: one list to sign, and what missed it is on the next."""

from datetime import date, datetime, time, timedelta

import pytest
from flask.testing import FlaskClient

from portal.db import session
from portal.fulfilment import actions, closing, closing_paper, vans
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears, statements
from tests.fulfilment.hands import brought_to
from tests.fulfilment.test_labels import codes, words
from tests.world import World, sign_in

FIRST, SECOND = "00340434161094042557", "00340434161094042564"
DAY = timedelta(days=1)


@pytest.fixture
def handed(world: World) -> Parcel:
    return brought_to("handed_over", world.alice, world.pat, clock.now(), number=FIRST)


def close(world: World) -> closing.Closing:
    made = closing.close_day("dhl", by=world.pat, now=clock.now())
    session.commit()
    return made


def today() -> closing.Day | None:
    return next((one for one in closing.days(now=clock.now()) if one.courier == "dhl"), None)


def test_all_that_was_handed_over_is_on_one_list(handed, world):
    assert (today().ready, today().grams) == (1, 1240)
    made = close(world)
    assert [parcel.id for parcel in closing.parcels_on(made)] == [handed.id]
    assert (today().ready, today().closing.id) == (0, made.id)


def test_the_list_says_what_is_in_the_database(handed, world, app):
    made = close(world)
    pdf = closing_paper.hand_over_list(made, closing.parcels_on(made), app.config["SETTINGS"])
    assert codes(pdf) == [("Code128", made.ref)]
    said = words(pdf)
    for word in (FIRST, "1001", "10115 Berlin", "1.24 kg", "DHL", "Lantern & Loom", "Signature"):
        assert word in said


def test_a_long_list_has_as_many_pages_as_it_needs_and_signs_once(handed, world, app):
    made = close(world)
    pdf = closing_paper.hand_over_list(made, [handed] * 100, app.config["SETTINGS"])
    assert words(pdf).count(FIRST) == 100
    assert [words(pdf).count(word) for word in ("1 / 3", "3 / 3", "Signature")] == [1, 1, 1]


def test_a_day_is_closed_once_and_what_missed_it_is_on_the_next_list(handed, world):
    close(world)
    late = brought_to("handed_over", world.bob, world.pat, clock.now(), number=SECOND)
    with nothing_appears(), pytest.raises(Refused, match="closed already"):
        closing.close_day("dhl", by=world.pat, now=clock.now())
    with clock.moved(DAY):
        assert [parcel.id for parcel in closing.parcels_on(close(world))] == [late.id]
    with clock.moved(2 * DAY), nothing_appears(), pytest.raises(Refused, match="nothing"):
        closing.close_day("dhl", by=world.pat, now=clock.now())


def test_what_was_forgotten_for_days_is_on_the_next_list_too(handed, world):
    close(world)
    with clock.moved(DAY):
        brought_to("handed_over", world.bob, world.pat, clock.now(), number=SECOND)
    with clock.moved(5 * DAY):
        assert len(closing.parcels_on(close(world))) == 1


@pytest.mark.parametrize("courier", ["dhl", "gls", ""])
def test_without_anything_handed_over_no_day_is_closed(world, courier):
    brought_to("packed", world.alice, world.pat, clock.now())
    with nothing_appears(), pytest.raises(Refused, match="nothing"):
        closing.close_day(courier, by=world.pat, now=clock.now())


def test_what_left_before_the_first_list_is_on_none(handed, world):
    handed.handed_over_at = clock.now() - 3 * DAY
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="nothing"):
        closing.close_day("dhl", by=world.pat, now=clock.now())


def test_after_the_agreed_cut_off_no_van_is_ordered_for_the_same_day(world):
    closing.agree("gls", "Ramp 2", time(12), time(15), time(18))
    noon = datetime(2026, 11, 25, 11, 1, tzinfo=clock.now().tzinfo)  # 12:01 in Berlin
    day = date(2026, 11, 25)
    with nothing_appears(), pytest.raises(Refused, match="GLS takes orders for the same day until 12:00"):
        vans.refuse_after_cut_off("gls", day, noon)
    assert vans.refuse_after_cut_off("gls", day, noon - timedelta(minutes=2)).place == "Ramp 2"
    assert vans.refuse_after_cut_off("gls", day + DAY, noon) is not None
    assert vans.refuse_after_cut_off("dhl", day, noon) is None


@pytest.mark.parametrize(
    ("courier", "place", "until", "opens", "closes"),
    [
        ("nobody", "Ramp", 12, 15, 18), ("dhl", " ", 12, 15, 18), ("dhl", "Ramp", 12, 18, 15),
        ("dhl", "Ramp", 19, 15, 18),
    ],
)  # fmt: skip
def test_what_can_not_have_been_agreed_is_refused(world, courier, place, until, opens, closes):
    with nothing_appears(), pytest.raises(Refused):
        closing.agree(courier, place, time(until), time(opens), time(closes))


def test_the_day_is_closed_at_the_desk(client: FlaskClient, handed: Parcel, world: World):
    desk = sign_in(client, world.pat)
    assert "Close the day" in desk.get("/desk/couriers").text
    assert desk.post("/desk/couriers/closings", data={"courier": "dhl"}).status_code == 303
    assert desk.post("/desk/couriers/closings", data={"courier": "dhl"}).status_code == 409
    shown = desk.get("/desk/couriers").text
    assert "Close the day" not in shown
    made = closing.latest()[0]
    answer = desk.get(f"/desk/couriers/closings/{made.id}/list.pdf")
    assert (answer.mimetype, answer.data[:5]) == ("application/pdf", b"%PDF-")
    assert desk.get("/desk/couriers/closings/999/list.pdf").status_code == 404


def test_managers_write_down_what_was_agreed(client: FlaskClient, world: World):
    given = {"courier": "dhl", "place": "Ramp 1", "order_until": "11:30", "opens": "14:00", "closes": "17:00"}
    desk = sign_in(client, world.max)
    assert desk.post("/desk/couriers/terms", data=given | {"opens": "nonsense"}).status_code == 409
    assert desk.post("/desk/couriers/terms", data=given).status_code == 303
    assert desk.post("/desk/couriers/terms", data=given | {"place": "Ramp 3"}).status_code == 303
    shown = desk.get("/desk/couriers").text
    assert "Ramp 3" in shown
    assert "Ramp 1" not in shown
    with nothing_appears():
        assert sign_in(client, world.pat).post("/desk/couriers/terms", data=given).status_code == 403


def test_pickers_close_no_day(client: FlaskClient, handed: Parcel, world: World):
    desk = sign_in(client, world.cleo)
    with nothing_appears():
        assert desk.post("/desk/couriers/closings", data={"courier": "dhl"}).status_code == 403
    assert "Close the day" not in desk.get("/desk/couriers").text


def test_the_page_takes_as_many_statements_for_many_couriers_as_for_one(client, handed, world):
    desk = sign_in(client, world.pat)
    desk.get("/desk/couriers")
    with statements() as short:
        desk.get("/desk/couriers")
    second = brought_to("packed", world.bob, world.pat, clock.now())
    actions.make_label(second, by=world.pat, now=clock.now())
    session.commit()
    with statements() as long:
        desk.get("/desk/couriers")
    assert len(long) == len(short)
