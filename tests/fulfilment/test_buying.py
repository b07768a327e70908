"""A label is money: asked, chosen, bought exactly once, printed, given back; whatever the line does."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.adapters import web
from portal.db import session
from portal.fulfilment import actions, buying, promises
from portal.fulfilment.jobs import buy_label, sweep_labels
from portal.fulfilment.models import LabelPurchase, Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders import timeline
from tests.conftest import nothing_appears, owed
from tests.fulfilment.hands import brought_to
from tests.world import World, sign_in


@pytest.fixture
def parcel(world: World) -> Parcel:
    return brought_to("packed", world.alice, world.pat, world.now)


def quoted(parcel: Parcel, world: World, work: Any) -> LabelPurchase:
    purchase = buying.ask_for_rates(parcel, by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.fetch_rates")
    return fresh(purchase.id)


def chosen(parcel: Parcel, world: World, work: Any) -> LabelPurchase:
    purchase = quoted(parcel, world, work)
    buying.choose_rate(purchase, purchase.rates[0]["id"], by=world.pat, now=clock.now())
    session.commit()
    return purchase


def bought(parcel: Parcel, world: World, work: Any) -> LabelPurchase:
    purchase = chosen(parcel, world, work)
    work(task="fulfilment.buy_label")
    work(task="fulfilment.fetch_paper")
    return fresh(purchase.id)


def fresh(purchase_id: int) -> LabelPurchase:
    session.expire_all()
    return session.get_one(LabelPurchase, purchase_id)


def some_time_passes(work: Any, hours: float = 1) -> None:
    """Leases run out, and the sweep looks again."""
    with clock.moved(timedelta(hours=hours)):
        sweep_labels()
        work(task="fulfilment.buy_label")
        work(task="fulfilment.void_label")
    session.expire_all()


def kinds(parcel: Parcel) -> list[str]:
    return [entry.kind for entry in timeline.for_staff(parcel.order_id) if entry.kind.startswith("label.")]


def test_the_rates_are_shown_and_nothing_is_bought(selling, world, parcel, work):
    purchase = quoted(parcel, world, work)
    assert (purchase.state, [rate.carrier for rate in purchase.offers]) == ("quoted", ["GLS", "DHL", "DPD"])
    assert purchase.offers[0].cost == Money(549, "EUR")
    assert selling.bought() == []


def test_the_courier_is_told_who_sends_what_to_whom(selling, world, parcel, work):
    quoted(parcel, world, work)
    [shipment] = selling.book.data["shipments"].values()
    assert shipment["to_address"] | {"phone": ""} == {
        "name": "Alice Ångström", "company": "", "street1": "Lindenstraße 7", "street2": "", "city": "Berlin",
        "state": "", "zip": "10115", "country": "DE", "phone": "", "email": "",
    }  # fmt: skip
    sender = shipment["from_address"]
    assert (sender["street1"], sender["zip"], sender["city"]) == ("Weidenweg 3", "10249", "Berlin")
    assert shipment["parcel"] == {"weight": 43.8}, "1,240 g in ounces, rounded up"
    assert shipment["reference"].startswith(parcel.ref)


def test_a_bought_label_is_the_parcel_s_and_its_paper_is_kept(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    [shipment] = selling.bought()
    assert (purchase.state, purchase.price) == ("bought", Money(549, "EUR"))
    assert (parcel.courier, parcel.tracking_number) == ("gls", shipment["tracking_code"])
    assert purchase.paper.startswith(b"%PDF")
    assert (purchase.paper_kind, len(purchase.paper_digest)) == ("application/pdf", 64)
    assert kinds(parcel) == ["label.bought"]
    assert not any(name == "mail.send_letter" for name, _ in owed()), "a label alone is no news for the customer"


@pytest.mark.parametrize(("step", "ends"), [(bought, "voided"), (quoted, "dropped")])
def test_the_label_of_an_order_that_is_cancelled_goes_back(selling, world, parcel, work, step, ends):
    purchase = step(parcel, world, work)
    promises.cancel_order(world.alice, by="channel", now=clock.now())
    session.commit()
    work(task="fulfilment.void_label")
    assert fresh(purchase.id).state == ends


def test_a_second_label_for_the_same_parcel_is_refused(selling, world, parcel, work):
    quoted(parcel, world, work)
    with nothing_appears(), pytest.raises(Refused, match="already being bought"):
        buying.ask_for_rates(parcel, by=world.pat, now=clock.now())


def test_a_parcel_that_is_not_packed_gets_no_label(selling, world):
    open_box = brought_to("picked", world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused, match="packed"):
        buying.ask_for_rates(open_box, by=world.pat, now=clock.now())


def test_a_parcel_without_a_street_gets_no_label(selling, world, parcel):
    world.alice.ship_to = {**world.alice.ship_to, "street": ""}
    session.flush()
    with nothing_appears(), pytest.raises(Refused, match="address"):
        buying.ask_for_rates(parcel, by=world.pat, now=clock.now())


def test_a_rate_that_was_not_offered_is_refused(selling, world, parcel, work):
    purchase = quoted(parcel, world, work)
    with nothing_appears(), pytest.raises(Refused, match="did not offer"):
        buying.choose_rate(purchase, "rate_of_another", by=world.pat, now=clock.now())


def test_two_clicks_buy_one_label(selling, world, parcel, work):
    purchase = chosen(parcel, world, work)
    with nothing_appears(), pytest.raises(Refused):
        buying.choose_rate(purchase, purchase.rates[0]["id"], by=world.pat, now=clock.now())
    work(task="fulfilment.buy_label")
    buy_label(purchase.id)
    assert len(selling.bought()) == 1


TROUBLE = [
    ("500", "before"), ("500", "after"), ("503", "after"), ("cut", "before"), ("cut", "after"), ("lie", "before"),
    ("lie", "after"), ("hang", "before"), ("hang", "after"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "when"), TROUBLE)
def test_whatever_the_line_does_the_label_is_bought_exactly_once(selling, world, parcel, work, monkeypatch, what, when):
    monkeypatch.setattr(web, "TIMEOUT", (1, 0.2))
    purchase = chosen(parcel, world, work)
    selling.fault(what, when, seconds=0.4)
    work(task="fulfilment.buy_label")
    assert fresh(purchase.id).state == "unknown"
    assert parcel.tracking_number is None
    some_time_passes(work)
    after = selling.requests[len(selling.requests) - selling.requests[::-1].index(buys(selling)[0]) :]
    assert fresh(purchase.id).state == "bought"
    assert len(selling.bought()) == 1
    assert parcel.tracking_number == selling.bought()[0]["tracking_code"]
    assert len(buys(selling)) == (1 if when == "after" else 2), "what was bought is found, not asked for again"
    assert when == "before" or after[0].startswith("GET /v2/shipments/"), "it looked before it did anything"


def buys(selling: Any) -> list[str]:
    return [line for line in selling.requests if line.endswith("/buy")]


def test_it_stays_unknown_while_nobody_lets_us_look(selling, world, parcel, work, app, monkeypatch):
    purchase = chosen(parcel, world, work)
    selling.fault("cut", "after")
    work(task="fulfilment.buy_label")
    locked_out = app.config["SETTINGS"].model_copy(update={"easypost_api_key": "a wrong one"})
    with monkeypatch.context() as wrong:
        wrong.setitem(app.config, "SETTINGS", locked_out)
        some_time_passes(work)
    assert fresh(purchase.id).state == "unknown"
    some_time_passes(work, 3)
    assert (fresh(purchase.id).state, len(selling.bought()), len(buys(selling))) == ("bought", 1, 1)


def test_a_label_whose_buying_was_lost_twice_is_still_bought_once(selling, world, parcel, work):
    chosen(parcel, world, work)
    selling.fault("cut", "after")
    selling.fault("500", match="GET /v2/shipments/", times=2)
    work(task="fulfilment.buy_label")
    for hours in (1, 2, 3):
        some_time_passes(work, hours)
    assert (len(selling.bought()), len(buys(selling))) == (1, 1)


def test_what_surely_was_not_executed_waits_as_before(selling, world, parcel, work):
    purchase = chosen(parcel, world, work)
    selling.fault("429")
    work(task="fulfilment.buy_label")
    assert (fresh(purchase.id).state, purchase.first_sent_at) == ("requested", None)
    assert "label.unknown" not in kinds(parcel)
    some_time_passes(work)
    assert fresh(purchase.id).state == "bought"


def test_a_no_is_a_no_and_a_person_decides_anew(selling, world, parcel, work):
    purchase = chosen(parcel, world, work)
    selling.book.data["shipments"][purchase.shipment_id]["rates"] = []
    work(task="fulfilment.buy_label")
    assert (fresh(purchase.id).state, purchase.trouble) == ("failed", "This rate is no longer there.")
    assert kinds(parcel) == ["label.refused"]
    assert quoted(parcel, world, work).state == "quoted"


def test_an_address_the_courier_does_not_know_is_said(selling, world, parcel, work):
    world.alice.ship_to = {**world.alice.ship_to, "city": ""}
    session.commit()
    purchase = quoted(parcel, world, work)
    assert (purchase.state, purchase.trouble) == ("failed", "Missing in to_address: city")


def test_rates_that_nobody_wants_are_left_and_can_be_asked_for_again(selling, world, parcel, work):
    buying.drop(quoted(parcel, world, work))
    assert quoted(parcel, world, work).state == "quoted"


def test_a_label_that_was_bought_is_not_left_by_a_click(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    with nothing_appears(), pytest.raises(Refused):
        buying.drop(purchase)


def test_a_label_is_given_back(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    buying.void(purchase, now=clock.now())
    session.commit()
    work(task="fulfilment.void_label")
    assert (fresh(purchase.id).state, parcel.courier, parcel.tracking_number) == ("voided", None, None)
    assert selling.bought()[0]["refund_status"] == "submitted"
    assert kinds(parcel) == ["label.voided", "label.bought"]


def test_giving_back_is_asked_again_until_there_is_an_answer(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    buying.void(purchase, now=clock.now())
    session.commit()
    selling.fault("500", "after", match="POST /v2/shipments/")
    with pytest.raises(Exception, match="Try again"):
        work(task="fulfilment.void_label")
    session.rollback()
    assert fresh(purchase.id).state == "voiding"
    some_time_passes(work)
    assert fresh(purchase.id).state == "voided"


def test_a_label_that_the_courier_keeps_stays_the_parcel_s(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    selling.book.data["shipments"][purchase.shipment_id]["refund_status"] = "rejected"
    buying.void(purchase, now=clock.now())
    session.commit()
    work(task="fulfilment.void_label")
    assert (fresh(purchase.id).state, parcel.tracking_number) == ("bought", purchase.tracking_number)
    assert kinds(parcel)[0] == "label.not_voided"


def test_the_label_of_a_parcel_that_left_is_not_given_back(selling, world, parcel, work):
    purchase = bought(parcel, world, work)
    actions.hand_over(parcel, "gls", str(parcel.tracking_number), by=world.pat, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="courier has this parcel"):
        buying.void(purchase, now=clock.now())


def test_a_parcel_that_left_under_another_number_keeps_it(selling, world, parcel, work):
    purchase = chosen(parcel, world, work)
    actions.hand_over(parcel, "dhl", "00340434161094042557", by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.buy_label")
    assert (fresh(purchase.id).state, parcel.tracking_number) == ("bought", "00340434161094042557")
    buying.void(purchase, now=clock.now())
    session.commit()
    work(task="fulfilment.void_label")
    assert (fresh(purchase.id).state, parcel.tracking_number) == ("voided", "00340434161094042557")


def test_the_whole_way_at_the_desk(selling, client, world, parcel, work):
    sign_in(client, world.pat)
    page = f"/desk/parcels/{parcel.id}"
    assert "Show the rates" in client.get(page).text
    assert client.post(f"{page}/rates").status_code == 303
    assert "asking what it costs" in client.get(page).text
    work(task="fulfilment.fetch_rates")
    [purchase] = session.scalars(select(LabelPurchase)).all()
    assert "€5.49" in client.get(page).text
    choice = f"{page}/rates/{purchase.id}/choice"
    assert client.post(choice, data={"rate": purchase.rates[0]["id"]}).status_code == 303
    assert "is being bought" in client.get(page).text
    work(task="fulfilment.buy_label")
    assert client.get(f"{page}/bought-label").status_code == 303, "not here yet"
    work(task="fulfilment.fetch_paper")
    paper = client.get(f"{page}/bought-label")
    assert (paper.mimetype, paper.data[:4]) == ("application/pdf", b"%PDF")
    assert "Print the label" in client.get(page).text
    assert client.post(f"{page}/collection").status_code == 303
    session.expire_all()
    assert (parcel.state, parcel.courier) == ("handed_over", "gls")


@pytest.mark.parametrize(("follows", "numbers"), [(True, ["00340434161094042557"]), (False, [])])
def test_easypost_follows_strange_numbers_when_it_may(selling, app, world, work, monkeypatch, follows, numbers):
    changed = app.config["SETTINGS"].model_copy(update={"easypost_tracks": follows})
    monkeypatch.setitem(app.config, "SETTINGS", changed)
    brought_to("handed_over", world.alice, world.pat, world.now)
    brought_to("handed_over", world.bob, world.pat, world.now, courier="own")
    work(task="fulfilment.follow_number")
    assert [one["tracking_code"] for one in selling.book.data["trackers"].values()] == numbers


def test_its_own_labels_need_no_asking(selling, app, world, parcel, work, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update={"easypost_tracks": True}))
    bought(parcel, world, work)
    actions.hand_over(parcel, "gls", str(parcel.tracking_number), by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.follow_number")
    assert selling.book.data["trackers"] == {}


def test_without_a_key_nothing_is_offered(client, world, parcel):
    sign_in(client, world.pat)
    assert "Show the rates" not in client.get(f"/desk/parcels/{parcel.id}").text
    with nothing_appears():
        assert client.post(f"/desk/parcels/{parcel.id}/rates").status_code == 404


def test_who_does_not_ship_buys_no_labels(selling, client, world, parcel):
    sign_in(client, world.cleo)
    with nothing_appears():
        assert client.post(f"/desk/parcels/{parcel.id}/rates").status_code == 403


@pytest.mark.parametrize(
    ("address", "postcode", "city"),
    [
        ("Weidenweg 3, 10249 Berlin", "10249", "Berlin"),
        ("12 High Street, SW1A 1AA London", "SW1A 1AA", "London"),
        ("Keizersgracht 1, 1015 CJ Amsterdam", "1015 CJ", "Amsterdam"),
        ("Rue 1, L-1234 Luxembourg", "L-1234", "Luxembourg"),
        ("Somewhere, Galway", "", "Galway"),
        ("", "", ""),
    ],
)
def test_the_shop_s_address_is_read(app, address, postcode, city):
    sender = buying.sender(app.config["SETTINGS"].model_copy(update={"ship_from": address}))
    assert (sender.postcode, sender.city) == (postcode, city)
