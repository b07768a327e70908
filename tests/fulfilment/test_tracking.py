"""What couriers say is a set: late, doubled and shuffled scans end in the same state."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment import actions, tracking
from portal.fulfilment.models import CourierEvent, Parcel
from portal.fulfilment.rules import MILESTONES, conclude
from portal.fulfilment.tracking import record_update
from portal.mail.models import Letter
from portal.orders import actions as orders
from portal.orders import timeline
from portal.orders.models import Order
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to, checked, planned

NUMBER = "00340434161094042557"
T = Tracking


@pytest.fixture
def parcel(world: Any) -> Parcel:
    """Alice's parcel, handed over to the courier."""
    return brought_to("handed_over", world.alice, world.pat, world.now)


def scan(parcel: Parcel, status: str, hours: float = 0, **more: Any) -> TrackingEvent:
    assert parcel.handed_over_at
    return TrackingEvent(at=parcel.handed_over_at + timedelta(hours=hours), status=T(status), **more)


def says(*events: TrackingEvent, **more: Any) -> TrackingUpdate:
    return TrackingUpdate(number=more.pop("number", NUMBER), carrier="DHL", events=events, **more)


def kinds(order: Order) -> list[str]:
    return [entry.kind for entry in timeline.for_staff(order.id)]


def test_a_scan_moves_the_parcel(parcel, world):
    assert record_update(says(scan(parcel, "in_transit", 2, place="Köln")), now=world.now)
    assert (parcel.tracking_status, parcel.last_event_at) == ("in_transit", world.now + timedelta(hours=2))
    assert kinds(world.alice)[0] == "parcel.in_transit"


def test_delivered_closes_the_order_tells_the_customer_and_those_who_follow(parcel, world, monkeypatch):
    announced: list[Any] = []
    for feature in (tracking, orders):
        monkeypatch.setattr(
            feature, "announce", lambda fact, order_id, parcel_id=None: announced.append((fact, parcel_id))
        )
    record_update(says(scan(parcel, "delivered", 20)), now=world.now + timedelta(hours=21))
    session.commit()
    assert (world.alice.state, world.alice.closed_at) == ("closed", world.now + timedelta(hours=20))
    assert {letter.kind for letter in session.scalars(select(Letter))} == {"on-its-way", "delivered"}
    assert {"parcel.delivered", "order.delivered"} <= set(kinds(world.alice))
    assert announced == [("parcel.delivered", parcel.id), ("order.delivered", None), ("parcel.arrived", None)]


def test_the_order_waits_for_its_last_parcel(world):
    first = brought_to("picked", world.alice, world.pat, world.now)
    second = actions.split(first, {first.lines[0].id: 1}, by=world.pat, now=world.now)
    for parcel, number in ((first, "AAA111"), (second, "BBB222")):
        checked(parcel, world.pat, world.now)
        actions.pack(parcel, 500, by=world.pat, now=world.now)
        actions.hand_over(parcel, "dhl", number, by=world.pat, now=world.now)
    record_update(says(scan(first, "delivered", 5), number="AAA111"), now=world.now)
    assert world.alice.state == "accepted"
    record_update(says(scan(second, "delivered", 3), number="BBB222"), now=world.now)
    assert (world.alice.state, world.alice.closed_at) == ("closed", world.now + timedelta(hours=5))


def test_the_same_message_twice_changes_nothing(parcel, world):
    told = says(scan(parcel, "in_transit", 2), scan(parcel, "delivered", 20))
    record_update(told, now=world.now)
    with nothing_appears():
        record_update(told, now=world.now)
        session.commit()


def test_a_delivery_told_days_later_writes_no_letter(parcel, world):
    record_update(says(scan(parcel, "delivered", 20)), now=world.now + timedelta(days=8))
    assert [letter.kind for letter in session.scalars(select(Letter))] == ["on-its-way"]
    assert parcel.delivered_at == world.now + timedelta(hours=20)


def test_a_delivery_scanned_by_mistake_opens_the_order_again(parcel, world):
    record_update(says(scan(parcel, "delivered", 20)), now=world.now)
    record_update(says(scan(parcel, "out_for_delivery", 30)), now=world.now)
    assert (parcel.tracking_status, parcel.delivered_at, world.alice.state) == ("out_for_delivery", None, "accepted")
    record_update(says(scan(parcel, "delivered", 40)), now=world.now)
    assert (parcel.delivered_at, world.alice.state) == (world.now + timedelta(hours=40), "closed")
    assert len([letter for letter in session.scalars(select(Letter)) if letter.kind == "delivered"]) == 1


def test_delivered_after_it_turned_round_is_delivered_to_us(parcel, world):
    record_update(says(scan(parcel, "returning", 30), scan(parcel, "delivered", 60)), now=world.now)
    assert (parcel.tracking_status, parcel.delivered_at, world.alice.state) == ("returned", None, "accepted")


def test_the_newest_words_of_the_same_scan_count_whenever_they_come(parcel, world):
    hours = {"On its way": 1, "On its way to Köln": 3, "Departed": 2}
    for words, hour in hours.items():
        told = says(scan(parcel, "in_transit", 1, message=words), as_of=world.now + timedelta(hours=hour))
        record_update(told, now=world.now)
    assert session.scalars(select(CourierEvent.message)).all() == ["On its way to Köln"]


def test_of_two_couriers_with_the_same_number_each_speaks_of_its_own_parcel(parcel, world):
    other = brought_to("handed_over", world.bob, world.pat, world.now, courier="dpd")
    for carrier, status in (("DHLExpress", "in_transit"), ("dpd-uk", "out_for_delivery")):
        record_update(replace(says(scan(parcel, status, 2)), carrier=carrier), now=world.now)
    assert (parcel.tracking_status, other.tracking_status) == ("in_transit", "out_for_delivery")


def test_a_courier_under_a_strange_name_is_heard_all_the_same(parcel, world):
    assert record_update(replace(says(scan(parcel, "in_transit", 2)), carrier="Deutsche Post DHL GmbH"), now=world.now)


@pytest.mark.parametrize(
    ("first", "second", "hours", "status"),
    [
        (False, False, 1, "out_for_delivery"),
        (True, True, 1, "out_for_delivery"),
        (True, False, 1, "delivered"),
        (False, True, 13, "delivered"),
        (False, True, 15, "out_for_delivery"),
    ],
)
def test_a_time_without_an_offset_does_not_undo_a_delivery_it_may_precede(first, second, hours, status):
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    scans = [
        TrackingEvent(at, T.delivered, offset_assumed=first),
        TrackingEvent(at + timedelta(hours=hours), T.out_for_delivery, offset_assumed=second),
    ]
    assert conclude(scans).status == status


def test_an_unknown_number_is_nobody_s(parcel, world):
    with nothing_appears():
        assert not record_update(says(scan(parcel, "delivered"), number="ZZZ999"), now=world.now)
        session.commit()


def test_our_own_label_s_number_is_not_the_couriers_business(world):
    mine = brought_to("handed_over", world.alice, world.pat, world.now, courier="own")
    with nothing_appears():
        assert not record_update(says(scan(mine, "delivered"), number=str(mine.tracking_number)), now=world.now)
        session.commit()


def test_of_a_recycled_number_each_parcel_gets_its_own_scans(world):
    old = brought_to("handed_over", world.alice, world.pat, world.now - timedelta(days=30))
    old.created_at = world.now - timedelta(days=30)
    new = brought_to("handed_over", world.bob, world.pat, world.now)
    told = says(
        TrackingEvent(world.now - timedelta(days=29), T.delivered),
        TrackingEvent(world.now + timedelta(hours=1), T.in_transit),
    )
    assert record_update(told, now=world.now)
    assert (old.tracking_status, new.tracking_status) == ("delivered", "in_transit")


def test_scans_of_a_former_life_of_the_number_do_not_deliver_the_new_parcel(parcel, world):
    with nothing_appears():
        assert not record_update(says(TrackingEvent(world.now - timedelta(days=200), T.delivered)), now=world.now)
        session.commit()
    assert parcel.tracking_status == "unknown"


def test_a_number_s_next_life_does_not_touch_the_old_parcel(parcel, world):
    assert not record_update(says(TrackingEvent(world.now + timedelta(days=200), T.in_transit)), now=world.now)


def test_the_newer_estimate_counts_whenever_it_comes(parcel, world):
    moments = [world.now + timedelta(hours=n) for n in range(3)]
    for n in (1, 2, 0):
        told = says(scan(parcel, "in_transit", 1), as_of=moments[n], estimate_on=date(2026, 12, 1 + n))
        record_update(told, now=world.now)
    assert parcel.estimate_on == date(2026, 12, 3)


def test_an_order_on_hold_is_not_closed_by_a_delivery(parcel, world):
    world.alice.state = "on_hold"
    record_update(says(scan(parcel, "delivered", 20)), now=world.now)
    assert (parcel.tracking_status, world.alice.state) == ("delivered", "on_hold")


def test_missed_and_waiting_parcels_ask_the_customer_to_act(parcel, world):
    record_update(says(scan(parcel, "attempt_failed", 20)), now=world.now)
    assert parcel.action_required
    record_update(says(scan(parcel, "delivered", 44)), now=world.now)
    assert not parcel.action_required


events = st.lists(
    st.builds(
        TrackingEvent,
        at=st.integers(0, 40).map(lambda hours: datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(hours=hours)),
        status=st.sampled_from(list(T)),
        code=st.sampled_from(["", "AR", "DL"]),
        place=st.sampled_from(["", "Köln"]),
        message=st.sampled_from(["", "On its way", "On its way, soon there"]),
        offset_assumed=st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@given(events, st.randoms())
def test_the_conclusion_does_not_depend_on_the_order(scans, chance):
    shuffled = [*scans, *chance.sample(scans, len(scans) // 2)]
    chance.shuffle(shuffled)
    assert conclude(shuffled) == conclude(scans)


@given(events)
def test_delivered_and_only_delivered_has_a_day(scans):
    found = conclude(scans)
    assert (found.delivered_at is not None) == (found.status is T.delivered)
    assert found.last_event_at == max(one.at for one in scans)


@given(events)
def test_what_came_back_stays_back(scans):
    back = TrackingEvent(max(one.at for one in scans) + timedelta(hours=15), T.returned)
    late = [replace(one, at=one.at + timedelta(days=9)) for one in scans]
    assert conclude([*scans, back, *late]).status is T.returned


def test_every_status_has_its_place():
    assert set(MILESTONES) == set(T)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scans=events, chance=st.randoms())
def test_any_order_and_any_cut_of_messages_end_in_the_same_state(world, scans, chance):
    def arrive(messages: list[TrackingUpdate]) -> Any:
        whole = session.begin_nested()
        parcel = planned(world.alice, world.now)
        for message in messages:
            record_update(message, now=world.now)
        found = (state_of(parcel), state_of(world.alice), events_of(parcel))
        whole.rollback()
        session.expire_all()
        return found

    def state_of(row: Any) -> Any:
        names = [
            "tracking_status",
            "delivered_at",
            "last_event_at",
            "action_required",
            "estimate_on",
            "state",
            "closed_at",
        ]
        return {name: getattr(row, name, None) for name in names}

    def events_of(parcel: Parcel) -> Any:
        rows = session.scalars(select(CourierEvent).where(CourierEvent.parcel_id == parcel.id))
        return sorted((row.at, row.code, row.place, row.status, row.message) for row in rows)

    if planned(world.alice, world.now).state == "to_pick":
        brought_to("handed_over", world.alice, world.pat, datetime(2026, 11, 23, 12, tzinfo=UTC))
        planned(world.alice, world.now).created_at = datetime(2026, 11, 23, 12, tzinfo=UTC)
        session.commit()
    days = [date(2026, 12, 1 + n % 3) for n in range(len(scans))]
    single = [says(one, as_of=one.at, estimate_on=day) for one, day in zip(scans, days, strict=True)]
    shuffled = [*single, *single[: len(single) // 2]]
    chance.shuffle(shuffled)
    assert arrive(shuffled) == arrive(single)
