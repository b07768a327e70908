"""Parcels that need a person: forgotten, silent, delayed, in trouble, back or lost; and what people do about them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.desk.actions import give_up_parcel
from portal.fulfilment import lists, watching
from portal.fulfilment.models import Lane, Parcel
from portal.fulfilment.tracking import record_update
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders import timeline
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.world import World, sign_in

DAY = timedelta(days=1)
NUMBER = "00340434161094042557"


@pytest.fixture
def parcel(world: World) -> Parcel:
    """Alice's parcel, with the courier for six days."""
    return brought_to("handed_over", world.alice, world.pat, world.now - 6 * DAY)


def says(world: World, status: str, ago: timedelta = timedelta(), now: Any = None) -> None:
    event = TrackingEvent(world.now - ago, Tracking(status))
    record_update(TrackingUpdate(NUMBER, "DHL", (event,)), now=now or world.now)
    session.commit()


def listed(name: str, world: World, later: timedelta = timedelta()) -> list[int]:
    return [row.parcel.id for row in lists.page_of(name, "", now=world.now + later).rows]


def kinds(parcel: Parcel) -> list[str]:
    return [entry.kind for entry in timeline.for_staff(parcel.order_id)]


def test_a_courier_that_was_asked_has_two_days_to_answer(parcel, world):
    assert listed("stuck", world) == [parcel.id]
    watching.ask_courier(parcel, "They look for it", by=world.sam, now=world.now)
    assert listed("stuck", world) == []
    assert lists.why_stuck(parcel, world.now) is None
    assert listed("stuck", world, 2 * DAY) == [parcel.id]
    assert kinds(parcel)[0] == "parcel.asked"


def test_a_parcel_rests_for_a_reason_until_there_is_news(parcel, world):
    watching.let_rest(parcel, 5, "Strike until Friday", by=world.pat, now=world.now)
    assert listed("stuck", world, 4 * DAY) == []
    says(world, "exception")
    assert listed("stuck", world) == [parcel.id]


@pytest.mark.parametrize(("days", "note"), [(0, "x"), (15, "x"), (-1, "x"), (2, "  ")])
def test_it_does_not_rest_for_ever_or_without_a_reason(parcel, world, days, note):
    with nothing_appears(), pytest.raises(Refused, match="how many days"):
        watching.let_rest(parcel, days, note, by=world.pat, now=world.now)


@pytest.mark.parametrize("later", [DAY, 400 * DAY])
def test_nobody_looks_for_it_any_more_for_a_reason_until_there_is_news(parcel, world, later):
    watching.stop_watching(parcel, "The customer bought another one elsewhere", by=world.sam, now=world.now)
    assert listed("stuck", world, later) == []
    assert kinds(parcel)[0] == "parcel.unwatched"
    says(world, "exception")
    assert listed("stuck", world, later) == [parcel.id]


def test_without_a_reason_it_stays_on_the_list(client, parcel, world):
    with nothing_appears(), pytest.raises(Refused, match="Say why"):
        watching.stop_watching(parcel, "  ", by=world.sam, now=world.now)
    desk, page = sign_in(client, world.sam), f"/desk/parcels/{parcel.id}"
    for door in ("dismissal", "rest"):
        assert desk.post(f"{page}/{door}", data={"note": " ", "days": "2"}).status_code == 409
    assert listed("stuck", world) == [parcel.id]


def test_a_parcel_that_arrived_needs_nobody(parcel, world):
    says(world, "delivered")
    for act in (watching.ask_courier, watching.count_as_lost):
        with nothing_appears(), pytest.raises(Refused):
            act(parcel, "x", by=world.pat, now=world.now)


def test_what_came_back_leaves_the_stuck_and_waits_for_a_decision(parcel, world):
    says(world, "returning", 2 * DAY)
    assert (listed("stuck", world), listed("came_back", world)) == ([parcel.id], [])
    says(world, "returned", DAY)
    assert (listed("stuck", world), listed("came_back", world)) == ([], [parcel.id])


def test_what_is_lost_waits_for_a_decision_too_and_may_turn_up(parcel, world):
    watching.count_as_lost(parcel, "The courier says so", by=world.pat, now=world.now)
    assert (listed("stuck", world), listed("came_back", world)) == ([], [parcel.id])
    says(world, "delivered")
    assert (parcel.fate, listed("came_back", world), world.alice.state) == (None, [], "closed")


def test_nothing_is_lost_twice_or_before_it_left(parcel, world):
    watching.count_as_lost(parcel, "gone", by=world.pat, now=world.now)
    here = brought_to("packed", world.bob, world.pat, world.now)
    for one in (parcel, here):
        with nothing_appears(), pytest.raises(Refused, match="only once"):
            watching.count_as_lost(one, "gone", by=world.pat, now=world.now)


def test_it_is_sent_again_as_a_new_parcel_and_the_customer_hears_of_it(parcel, world):
    says(world, "returned")
    second = watching.send_again(parcel, goods_are_fine=True, by=world.pat, now=world.now)
    session.commit()
    assert (second.state, second.replaces_id, parcel.state, parcel.fate) == (
        "to_pick",
        parcel.id,
        "cancelled",
        "sent_again",
    )
    assert [(row.title, row.quantity) for row in second.lines] == [(row.title, row.quantity) for row in parcel.lines]
    assert listed("came_back", world) == []
    assert listed("to_pick", world) == [second.id]
    assert session.scalars(select(Letter.kind).order_by(Letter.id)).all()[-1] == "sent-again"
    assert world.alice.state == "accepted"


def test_the_second_parcel_alone_closes_the_order(parcel, world):
    watching.count_as_lost(parcel, "gone", by=world.pat, now=world.now)
    watching.send_again(parcel, goods_are_fine=True, by=world.pat, now=world.now)
    session.commit()
    second = session.scalars(select(Parcel).where(Parcel.replaces_id == parcel.id)).one()
    for verb in ("start_picking", "finish_picking", "pack"):
        session.execute(select(1))
        watching.move(second, "state", verb)
    watching.move(second, "state", "hand_over", courier="dhl", tracking_number=NUMBER, handed_over_at=world.now)
    says(world, "delivered", now=world.now)
    assert (second.delivered_at, parcel.delivered_at, world.alice.state) == (world.now, None, "closed")


@pytest.mark.parametrize("status", ["in_transit", "out_for_delivery", "returning", "attempt_failed", "delayed"])
def test_what_the_courier_still_has_is_neither_sent_again_nor_given_up(parcel, world, status):
    says(world, status)
    for act in (watching.send_again, give_up_parcel):
        with nothing_appears(), pytest.raises(Refused, match="still has this parcel"):
            act(parcel, goods_are_fine=True, by=world.max, now=world.now)


def test_it_is_not_sent_again_twice(parcel, world):
    says(world, "returned")
    watching.send_again(parcel, goods_are_fine=True, by=world.pat, now=world.now)
    with nothing_appears(), pytest.raises(Refused):
        watching.send_again(parcel, goods_are_fine=True, by=world.pat, now=world.now)


def test_money_is_proposed_for_all_of_it_with_the_delivery(parcel, world):
    says(world, "returned")
    refund = give_up_parcel(parcel, goods_are_fine=False, by=world.sam, now=world.now)
    session.commit()
    assert refund is not None
    assert (refund.money, refund.state) == (Money(8400, "EUR"), "requested")
    assert (parcel.fate, world.alice.state) == ("money_back", "cancelled")


def test_for_a_part_of_the_order_the_delivery_is_not_given_back(parcel, world):
    mug = parcel.lines[0]
    mug.quantity = mug.picked = mug.boxed = 1
    session.flush()
    says(world, "returned")
    refund = give_up_parcel(parcel, goods_are_fine=True, by=world.sam, now=world.now)
    assert refund is not None
    assert refund.money == Money(2000 + 3900, "EUR")


def test_money_that_a_channel_holds_is_proposed_to_be_given_back_there(parcel, world):
    world.alice.payment.route, world.alice.payment.payment_intent = "channel", None
    session.flush()
    says(world, "returned")
    refund = give_up_parcel(parcel, goods_are_fine=True, by=world.sam, now=world.now)
    assert refund is not None
    assert (refund.way, refund.state, parcel.fate) == ("channel", "requested", "money_back")


def test_the_buttons_at_the_desk_do_it(client, parcel, world):
    desk, page = sign_in(client, world.max), f"/desk/parcels/{parcel.id}"
    assert "I asked the courier" in desk.get(page).text
    assert desk.post(f"{page}/inquiry", data={"note": "They look for it"}).status_code == 303
    assert desk.post(f"{page}/rest", data={"note": "Strike", "days": "3"}).status_code == 303
    assert desk.post(f"{page}/dismissal", data={"note": "No use"}).status_code == 303
    assert desk.post(f"{page}/rest", data={"note": "Strike", "days": "300"}).status_code == 409
    assert desk.post(f"{page}/loss", data={"note": "Nobody knows"}).status_code == 303
    shown = desk.get(page).text
    assert "Send it again" in shown
    assert "Give the money back" in shown
    assert "Lost" in desk.get("/desk/parcels?state=came_back").text
    assert desk.post(f"{page}/successor", data={"fine": "1"}).status_code == 303
    assert "Sent again" in desk.get(page).text


def test_money_back_at_the_desk_leads_to_the_order(client, parcel, world):
    says(world, "returned")
    answer = sign_in(client, world.sam).post(f"/desk/parcels/{parcel.id}/money-back", data={"fine": "1"})
    assert (answer.status_code, answer.location) == (303, f"/desk/orders/{world.alice.id}")


@pytest.mark.parametrize("door", ["inquiry", "rest", "dismissal", "loss", "successor", "money-back"])
def test_pickers_do_not_decide_over_parcels(client, parcel, world, door):
    with nothing_appears():
        assert sign_in(client, world.cleo).post(f"/desk/parcels/{parcel.id}/{door}").status_code == 403


def travelled(parcel: Parcel, world: World, pause: timedelta, scans: int) -> None:
    """Its courier said something after each pause; the last scan delivers it."""
    first = world.now - scans * pause
    parcel.created_at = parcel.handed_over_at = first
    statuses = [Tracking.in_transit] * scans + [Tracking.delivered]
    events = tuple(TrackingEvent(first + n * pause, status) for n, status in enumerate(statuses))
    record_update(TrackingUpdate(NUMBER, "DHL", events), now=world.now)


def test_a_lane_s_silence_is_learnt_from_parcels_that_arrived(parcel, world):
    travelled(parcel, world, timedelta(hours=30), 20)
    session.commit()
    assert watching.learn_lanes(now=world.now) == 1
    assert watching.learn_lanes(now=world.now) == 1, "again changes nothing"
    [lane] = session.scalars(select(Lane)).all()
    assert (lane.courier, lane.country, lane.silent_after, lane.gaps) == ("dhl", "DE", timedelta(hours=30), 20)

    quiet = brought_to("handed_over", world.bob, world.pat, world.now - 5 * DAY, number="QUIET123")
    quiet.tracking_status, quiet.last_event_at = "in_transit", world.now - timedelta(hours=31)
    session.flush()
    assert listed("stuck", world) == [quiet.id], "four days is the default, this lane is faster"
    assert lists.why_stuck(quiet, world.now, lists.silent_after(quiet)) == "silent"


def test_of_a_few_scans_nothing_is_learnt(parcel, world):
    travelled(parcel, world, timedelta(hours=30), 19)
    assert watching.learn_lanes(now=world.now) == 0
    assert lists.silent_after(parcel) == timedelta(days=4)


@pytest.mark.parametrize(("pause", "learnt"), [(timedelta(minutes=5), DAY), (timedelta(days=5), 5 * DAY)])
def test_what_is_learnt_stays_within_reason(parcel, world, pause, learnt):
    travelled(parcel, world, pause, 20)
    watching.learn_lanes(now=world.now)
    assert session.scalars(select(Lane.silent_after)).all() == [learnt]
