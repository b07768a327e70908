"""The warehouse's pages: the right list, the right step, a clear sentence for every no."""

from datetime import timedelta
from typing import Any

import pypdfium2
import pytest
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.db.paging import PAGE
from portal.fulfilment import actions, lists, rules
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.tracking import record_update
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from tests.conftest import nothing_appears, statements
from tests.fulfilment.hands import STEPS, brought_to, checked, planned
from tests.world import ALICES_ORDER, World, neighbour, replace, sign_in

LISTS_OF_STEPS = {
    "to_pick": "to_pick",
    "picking": "to_pick",
    "picked": "to_pack",
    "packed": "to_ship",
    "handed_over": "under_way",
}


def more_orders(world: World, count: int) -> None:
    for n in range(count):
        incoming = replace(ALICES_ORDER, external_id=f"M-{n}", number=f"{5000 + n}", payment_intent=f"pi_m{n}")
        order, _ = accept_order(incoming, by="channel", now=world.now)
        planned(order, world.now)
    session.commit()


def now_in_state(parcel: Parcel) -> str:
    session.expire_all()
    return parcel.state


@pytest.mark.parametrize("step", STEPS)
def test_a_parcel_is_in_the_list_of_its_step_and_in_no_other(client, world, step):
    parcel = brought_to(step, world.alice, world.max, world.now)
    desk = sign_in(client, world.max)
    found = {
        name
        for name in lists.LISTS
        if f'href="/desk/parcels/{parcel.id}"' in desk.get(f"/desk/parcels?state={name}").text
    }
    assert found == {LISTS_OF_STEPS[step]}


def test_the_most_urgent_parcel_is_first_and_is_offered_next(client, world):
    late, early = planned(world.alice, world.now), planned(world.bob, world.now)
    world.bob.promised_on = world.alice.promised_on - timedelta(days=3)
    session.commit()
    page = sign_in(client, world.cleo).get("/desk/parcels").text
    assert page.index(f'"/desk/parcels/{early.id}"') < page.rindex(f'"/desk/parcels/{late.id}"')
    assert lists.next_in("to_pick", now=world.now) == early.id


def test_a_parcel_that_is_held_back_is_never_offered_next(world):
    planned(world.alice, world.now)
    world.alice.state = "on_hold"
    session.flush()
    assert lists.next_in("to_pick", now=world.now) is None


@pytest.mark.parametrize("name", lists.LISTS)
def test_a_list_takes_as_many_statements_however_long_it_is(client, world, name):
    desk = sign_in(client, world.max)
    planned(world.alice, world.now)
    session.commit()
    desk.get("/desk/parcels")
    with statements() as short:
        assert desk.get(f"/desk/parcels?state={name}").status_code == 200
    more_orders(world, 30)
    with statements() as long:
        assert desk.get(f"/desk/parcels?state={name}").status_code == 200
    assert len(long) == len(short)
    assert len([one for one in long if "FROM parcels" in one]) <= 4


def test_a_parcel_s_page_takes_as_many_statements_however_much_is_in_it(client, world):
    desk = sign_in(client, world.max)
    small = brought_to("handed_over", world.bob, world.max, world.now, number="SMALL1")
    lines = tuple(replace(ALICES_ORDER.lines[0], external_id=f"L{n}", sku=f"SKU-{n}") for n in range(25))
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="B-1", payment_intent="pi_b1", lines=lines), by="channel", now=world.now
    )
    big = brought_to("handed_over", order, world.max, world.now, number="BIG001")
    scans = tuple(TrackingEvent(world.now + timedelta(hours=n), Tracking.in_transit) for n in range(40))
    record_update(TrackingUpdate("BIG001", "DHL", scans), now=world.now)
    session.commit()
    desk.get("/desk/parcels")
    counts = []
    for parcel in (small, big):
        with statements() as sent:
            assert desk.get(f"/desk/parcels/{parcel.id}").status_code == 200
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_pages_of_a_long_list_lead_to_each_other(client, world):
    more_orders(world, PAGE + 3)
    desk = sign_in(client, world.max)
    first = desk.get("/desk/parcels?state=to_pick").text
    second = desk.get(neighbour(first, "next")).text
    assert second.count("<tr>") - 1 == 3
    assert desk.get(neighbour(second, "prev")).text.count("<tr>") == first.count("<tr>")


@pytest.mark.parametrize("query", ["state=nonsense", "state="])
def test_there_is_no_list_of_that_name(client, world, query):
    assert sign_in(client, world.max).get(f"/desk/parcels?{query}").status_code == 404


@pytest.mark.parametrize(
    ("person", "path", "code"),
    [
        ("fran", "/desk/parcels", 403),
        ("sam", "/desk/parcels", 200),
        ("cleo", "/desk/parcels", 200),
    ],
)
def test_who_may_look(client, world, person, path, code):
    assert sign_in(client, getattr(world, person)).get(path).status_code == code


@pytest.mark.parametrize(
    ("person", "path"),
    [
        ("sam", "picking"),
        ("cleo", "packing"),
        ("cleo", "hand-over"),
        ("cleo", "label"),
        ("cleo", "events"),
        ("rita", "picks"),
    ],
)
def test_who_may_not_touch(client, world, person, path):
    parcel = brought_to("picked", world.alice, world.max, world.now)
    desk = sign_in(client, getattr(world, person))
    with nothing_appears():
        assert desk.post(f"/desk/parcels/{parcel.id}/{path}").status_code == 403
    assert now_in_state(parcel) == "picked"


def test_a_parcel_that_does_not_exist(client, world):
    assert sign_in(client, world.max).get("/desk/parcels/999999").status_code == 404


def test_a_picker_s_way_through_an_order(client, world):
    parcel = planned(world.alice, world.now)
    session.commit()
    desk, base = sign_in(client, world.cleo), f"/desk/parcels/{parcel.id}"
    assert desk.post(f"{base}/picking").status_code == 303
    for code in ("MUG-01", "mug-01", "SHIRT-M"):
        assert desk.post(f"{base}/picks", data={"code": code}).status_code == 303
    assert "Everything is here" in desk.get(base).text
    assert desk.post(f"{base}/completion").headers["Location"] == base
    assert now_in_state(parcel) == "picked"


def test_a_wrong_article_turns_the_page_red_and_counts_nothing(client, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    desk = sign_in(client, world.cleo)
    with nothing_appears():
        answer = desk.post(f"/desk/parcels/{parcel.id}/picks", data={"code": "RUG-<07>"})
    assert answer.status_code == 409
    assert '<section class="scan bad"' in answer.text
    assert "RUG-&lt;07&gt; does not belong in this parcel. Put it back." in answer.text
    assert session.scalars(select(ParcelLine.picked).where(ParcelLine.parcel_id == parcel.id)).all() == [0, 0]


def test_one_too_many_turns_the_page_red(client, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    desk = sign_in(client, world.cleo)
    desk.post(f"/desk/parcels/{parcel.id}/picks", data={"code": "SHIRT-M"})
    answer = desk.post(f"/desk/parcels/{parcel.id}/picks", data={"code": "SHIRT-M"})
    assert (answer.status_code, "Too many: Linen shirt is complete with 1." in answer.text) == (409, True)


def test_an_empty_scan_is_asked_for_again(client, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    answer = sign_in(client, world.cleo).post(f"/desk/parcels/{parcel.id}/picks", data={"code": ""})
    assert (answer.status_code, "Scan an article first." in answer.text) == (422, True)


def test_pieces_are_counted_and_taken_back_by_hand(client, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    mug = parcel.lines[0].id
    desk, url = sign_in(client, world.cleo), f"/desk/parcels/{parcel.id}/lines/{mug}/picks"
    for data in ({}, {}, {"undo": "1"}):
        assert desk.post(url, data=data).status_code == 303
    session.expire_all()
    assert session.get_one(ParcelLine, mug).picked == 1


def test_a_line_of_another_parcel_is_not_here(client, world):
    parcel, other = (
        brought_to("picking", world.alice, world.cleo, world.now),
        brought_to("picking", world.bob, world.cleo, world.now),
    )
    with nothing_appears():
        url = f"/desk/parcels/{parcel.id}/lines/{other.lines[0].id}/picks"
        assert sign_in(client, world.cleo).post(url).status_code == 404


def test_the_second_who_starts_reads_that_somebody_was_quicker(client, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    answer = sign_in(client, world.dan).post(f"/desk/parcels/{parcel.id}/picking")
    assert answer.status_code == 409
    assert "somebody else was quicker" in answer.text
    assert "Cleo is picking" in answer.text


@pytest.mark.parametrize(
    ("step", "path", "data", "words"),
    [
        ("picked", "packing", {"grams": ""}, "Weigh the parcel."),
        ("picked", "packing", {"grams": "a lot"}, "Not a valid integer value."),
        ("picked", "packing", {"grams": "0"}, "A parcel weighs between 1 and 70000 grams."),
        ("packed", "hand-over", {"courier": "dhl", "number": ""}, "Scan the number on the label."),
        ("packed", "hand-over", {"courier": "dhl", "number": "12"}, "That is too short or too long."),
        ("packed", "hand-over", {"courier": "pigeon", "number": "12345"}, "Not a valid choice"),
    ],
)
def test_what_is_typed_wrong_is_asked_for_again_beside_its_field(client, world, step, path, data, words):
    parcel = brought_to(step, world.alice, world.max, world.now)
    desk = sign_in(client, world.max)
    if step == "picked":
        checked(parcel, world.max, world.now)
    with nothing_appears():
        answer = desk.post(f"/desk/parcels/{parcel.id}/{path}", data=data)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert now_in_state(parcel) == step


def test_packing_and_handing_over_write_one_letter(client, world):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    desk, base = sign_in(client, world.pat), f"/desk/parcels/{parcel.id}"
    for code in ("MUG-01", "mug-01", "SHIRT-M"):
        assert desk.post(f"{base}/contents", data={"code": code}).status_code == 303
    assert desk.post(f"{base}/packing", data={"grams": "1240"}).status_code == 303
    form = {"courier": "gls", "number": "gls 12345"}
    assert desk.post(f"{base}/hand-over", data=form).status_code == 303
    assert desk.post(f"{base}/hand-over", data=form).status_code == 409
    session.expire_all()
    assert (parcel.courier, parcel.tracking_number, parcel.weight_grams) == ("gls", "GLS12345", 1240)
    assert [letter.kind for letter in session.scalars(select(Letter))] == ["on-its-way"]


def test_the_last_courier_is_offered_first(client, world):
    brought_to("handed_over", world.bob, world.pat, world.now, courier="gls", number="GLS1")
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    assert '<option selected value="gls">' in sign_in(client, world.pat).get(f"/desk/parcels/{parcel.id}").text


def test_our_own_label_is_made_printed_and_goes(client, world):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    desk, base = sign_in(client, world.pat), f"/desk/parcels/{parcel.id}"
    assert desk.get(f"{base}/label.pdf").status_code == 404
    assert desk.post(f"{base}/label").status_code == 303
    paper = desk.get(f"{base}/label.pdf")
    assert (paper.mimetype, paper.data[:5]) == ("application/pdf", b"%PDF-")
    assert desk.post(f"{base}/collection").status_code == 303
    assert desk.post(f"{base}/events", data={"status": "delivered", "place": "Hof"}).status_code == 303
    session.expire_all()
    assert (parcel.tracking_status, world.alice.state) == ("delivered", "closed")


def test_the_packing_slip_has_no_prices(client, world):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    paper = sign_in(client, world.pat).get(f"/desk/parcels/{parcel.id}/packing-slip.pdf")
    words = pypdfium2.PdfDocument(paper.data)[0].get_textpage().get_text_bounded()
    assert "Stoneware mug" in words
    assert not {"20.00", "39.00", "84.00", "€", "EUR"} & set(words.split())


def test_a_second_parcel_is_made_from_the_form(client, world):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    mug = parcel.lines[0].id
    desk, url = sign_in(client, world.pat), f"/desk/parcels/{parcel.id}/second-parcel"
    assert desk.post(url, data={f"line_{mug}": "1"}).status_code == 303
    assert desk.post(url, data={f"line_{mug}": "9"}).status_code == 409
    assert desk.post(url, data={f"line_{mug}": "many"}).status_code == 422
    parcels = session.scalars(select(Parcel).where(Parcel.order_id == world.alice.id).order_by(Parcel.id)).all()
    assert [[(packed.title, packed.quantity) for packed in one.lines] for one in parcels] == [
        [("Stoneware mug", 1), ("Linen shirt", 1)],
        [("Stoneware mug", 1)],
    ]


DAY = timedelta(days=1)


@pytest.mark.parametrize("status", list(Tracking))
@pytest.mark.parametrize("age", [timedelta(hours=3), 3 * DAY, 6 * DAY])
@pytest.mark.parametrize("silence", [timedelta(hours=1), 5 * DAY])
def test_the_list_and_the_page_agree_on_what_is_stuck(world, status, age, silence):
    parcel = brought_to("handed_over", world.alice, world.pat, world.now - age)
    parcel.tracking_status, parcel.last_event_at = status, max(world.now - silence, world.now - age)
    parcel.delivered_at = parcel.last_event_at if status == "delivered" else None
    session.flush()
    rows = [row for name in ("stuck", "came_back") for row in lists.page_of(name, "", now=world.now).rows]
    why = lists.why_stuck(parcel, world.now)
    assert [row.parcel.id for row in rows] == ([parcel.id] if why else [])
    assert why is None or {why} <= set(rules.ADVICE) & set(rules.REASONS)


def test_a_label_that_never_left_is_stuck(client, world):
    parcel = brought_to("packed", world.alice, world.pat, world.now - 3 * DAY)
    actions.make_label(parcel, by=world.pat, now=world.now - 3 * DAY)
    session.commit()
    page = sign_in(client, world.pat).get("/desk/parcels?state=stuck").text
    assert "No first scan" in page
    assert lists.why_stuck(parcel, clock.now()) == "forgotten"


def test_the_counts_are_those_of_the_lists(world):
    for step, order in (("picked", world.alice), ("handed_over", world.bob)):
        brought_to(step, order, world.max, world.now)
    found = lists.counts(now=world.now)
    assert found == {"to_pick": 0, "to_pack": 1, "to_ship": 0, "at_risk": 0, "stuck": 0, "came_back": 0, "under_way": 1}
    listed: dict[str, Any] = {name: len(lists.page_of(name, "", now=world.now).rows) for name in lists.LISTS}
    assert listed == found
