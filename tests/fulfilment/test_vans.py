"""A courier's van is ordered once for a day, whatever the line does, and sent away again."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment import buying, vans
from portal.fulfilment.jobs import sweep_labels
from portal.fulfilment.models import LabelPurchase, Van
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.world import World, sign_in

HOUR = timedelta(hours=1)


@pytest.fixture
def labelled(selling: Any, world: World, work: Any) -> World:
    """Alice's parcel waits at the ramp with a label of GLS."""
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    purchase = buying.ask_for_rates(parcel, by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.fetch_rates")
    session.refresh(purchase)
    buying.choose_rate(purchase, purchase.offers[0].id, by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.buy_label")
    return world


def ordered(world: World) -> Van:
    now = clock.now()
    van = vans.order_van("gls", now + HOUR, now + 3 * HOUR, note="Ramp 2", by=world.pat, now=now)
    session.commit()
    return van


def fresh(van: Van) -> Van:
    session.expire_all()
    return van


def some_minutes_pass(work: Any) -> None:
    with clock.moved(HOUR):
        sweep_labels()
        work(task="fulfilment.order_van")
        work(task="fulfilment.cancel_van")


def test_the_van_comes_and_its_driver_s_word_is_kept(selling, labelled, work):
    van = ordered(labelled)
    work(task="fulfilment.order_van")
    [pickup] = selling.book.data["pickups"].values()
    assert (fresh(van).state, van.confirmation) == ("booked", pickup["confirmation"])
    assert (pickup["instructions"], pickup["address"]["city"]) == ("Ramp 2", "Berlin")
    assert vans.van_of("gls", clock.now() + HOUR) is van


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["cut", "500", "429", "lie"])
@pytest.mark.parametrize("match", ["POST /v2/pickups/", "GET /v2/pickups/", "POST /v2/pickups"])
def test_it_is_ordered_once_whatever_the_line_does(selling, labelled, work, what, when, match):
    van = ordered(labelled)
    selling.fault(what, when, match=match)
    work(task="fulfilment.order_van")
    assert fresh(van).trouble
    some_minutes_pass(work)
    scheduled = [one for one in selling.book.data["pickups"].values() if one["confirmation"]]
    assert (fresh(van).state, len(scheduled)) == ("booked", 1)


def test_a_no_is_not_believed_when_the_van_was_ordered_already(selling, labelled, work):
    van = ordered(labelled)
    selling.fault("cut", "after", match="POST /v2/pickups/")
    selling.fault("422", "before", match="POST /v2/pickups/")
    work(task="fulfilment.order_van")
    some_minutes_pass(work)
    assert fresh(van).state == "booked"


def test_a_van_that_nobody_can_order_in_time_fails_with_a_word(selling, labelled, work):
    van = ordered(labelled)
    selling.fault("500", match="POST /v2/pickups", times=50)
    work(task="fulfilment.order_van")
    session.execute(update(Van).values(opens_at=clock.now() - 3 * HOUR, closes_at=clock.now() - HOUR))
    session.commit()
    some_minutes_pass(work)
    assert (fresh(van).state, bool(van.trouble)) == ("failed", True)
    assert not [one for one in selling.book.data["pickups"].values() if one["confirmation"]]


def test_a_van_that_can_not_be_called_off_still_comes(selling, labelled, work):
    van = ordered(labelled)
    work(task="fulfilment.order_van")
    selling.fault("422", match="POST /v2/pickups/")
    vans.send_away(fresh(van), now=clock.now())
    session.commit()
    work(task="fulfilment.cancel_van")
    assert (fresh(van).state, bool(van.trouble)) == ("booked", True)


def test_a_second_van_on_the_same_day_is_refused(labelled):
    ordered(labelled)
    with nothing_appears(), pytest.raises(Refused, match="already"):
        ordered(labelled)


def test_without_a_parcel_for_the_courier_no_van_is_ordered(labelled):
    now = clock.now()
    with nothing_appears(), pytest.raises(Refused, match="no parcel"):
        vans.order_van("dhl", now + HOUR, now + 3 * HOUR, by=labelled.pat, now=now)


@pytest.mark.parametrize(("opens", "closes"), [(1, 1.5), (1, 14), (3, 1), (-5, -2)])
def test_a_window_that_is_none_is_refused(labelled, opens, closes):
    now = clock.now()
    with nothing_appears(), pytest.raises(Refused, match="van needs"):
        vans.order_van("gls", now + opens * HOUR, now + closes * HOUR, by=labelled.pat, now=now)


def test_a_van_is_sent_away_and_another_may_come(selling, labelled, work):
    van = ordered(labelled)
    work(task="fulfilment.order_van")
    vans.send_away(fresh(van), now=clock.now())
    session.commit()
    work(task="fulfilment.cancel_van")
    assert fresh(van).state == "cancelled"
    assert next(iter(selling.book.data["pickups"].values()))["status"] == "canceled"
    assert ordered(labelled).state == "wanted"


def test_the_van_is_ordered_at_the_desk(selling, client, labelled, work):
    desk = sign_in(client, labelled.pat)
    page = f"/desk/parcels/{session.scalars(select(LabelPurchase.parcel_id)).one()}"
    assert "Order the van" in desk.get(page).text
    day = (clock.now() + timedelta(days=1)).date().isoformat()
    assert desk.post(f"{page}/van", data={"day": day, "opens": "15:00", "closes": "nonsense"}).status_code == 409
    assert desk.post(f"{page}/van", data={"day": day, "opens": "15:00", "closes": "18:00"}).status_code == 303
    work(task="fulfilment.order_van")
    van = session.scalars(select(Van)).one()
    assert van.confirmation in desk.get(page).text
    assert desk.post(f"{page}/vans/{van.id}/end").status_code == 303
    work(task="fulfilment.cancel_van")
    assert "Order the van" in desk.get(page).text
