"""The one sentence, the five steps and what each parcel tells, without a database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.adapters.couriers import Tracking
from portal.lib.money import Money
from portal.tracking.models import Item, MoneyBack, Scan, Tracked, TrackedCase, TrackedParcel, TrackedReturn
from portal.tracking.words import STEPS, Words, case_words, money_words, returned

NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY, TUESDAY, THURSDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 26)
BERLIN = ZoneInfo("Europe/Berlin")
MUG = Item("Stoneware mug", "Moss", 2)

pytestmark = pytest.mark.usefixtures("shared_context")


@pytest.fixture
def shared_context(shared_app: Flask) -> Any:
    with shared_app.test_request_context():
        yield


def a_parcel(status: str = "in_transit", *scans: str, **changes: Any) -> TrackedParcel:
    handed_over = NOW - timedelta(days=1)
    values: dict[str, Any] = {
        "id": 1, "status": Tracking(status), "action_required": status in ("attempt_failed", "ready_for_pickup"),
        "estimate_on": None, "packed_at": handed_over - timedelta(hours=2), "handed_over_at": handed_over,
        "delivered_at": NOW - timedelta(hours=1) if status == "delivered" else None, "items": [MUG],
        "scans": [Scan(NOW - timedelta(hours=n), Tracking(name), "") for n, name in enumerate(scans)],
    }  # fmt: skip
    return TrackedParcel(**{**values, **changes})


def an_order(*parcels: TrackedParcel, **changes: Any) -> Tracked:
    values: dict[str, Any] = {
        "ref": "abc", "number": "1001", "state": "accepted", "country": "DE", "guarantee": 24,
        "placed_at": NOW - timedelta(days=3), "promised_on": TUESDAY, "survey": None, "survey_closes_at": None,
        "parcels": list(parcels),
    }  # fmt: skip
    return Tracked(**{**values, **changes})


def says(tracked: Tracked) -> tuple[str, str]:
    headline = Words(tracked, NOW, BERLIN).headline()
    return headline.title, headline.lead


def test_an_order_that_nobody_packed_yet_says_the_promised_day() -> None:
    assert says(an_order(waiting=[MUG], promised_on=THURSDAY)) == ("Arriving Thursday, 26 November", "")


@pytest.mark.parametrize(
    ("day", "words"),
    [(TODAY, "Arriving today"), (TUESDAY, "Arriving tomorrow"), (THURSDAY, "Arriving Thursday, 26 November")],
)
def test_it_says_when_the_parcel_comes(day: date, words: str) -> None:
    assert says(an_order(a_parcel(estimate_on=day), promised_on=day)) == (words, "")


def test_a_parcel_that_comes_earlier_is_told_beside_the_promise() -> None:
    tracked = an_order(a_parcel(estimate_on=TUESDAY), promised_on=THURSDAY)
    assert says(tracked) == ("Arriving tomorrow", "We promised Thursday, 26 November.")


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (TODAY, "Delayed: it comes today. Sorry."),
        (TUESDAY, "Delayed: now tomorrow. Sorry."),
        (THURSDAY, "Delayed: now Thursday, 26 November. Sorry."),
    ],
)
def test_a_later_day_is_said_with_the_promise_and_a_sorry(day: date, words: str) -> None:
    promised = TODAY - timedelta(days=3)
    tracked = an_order(a_parcel("delayed", estimate_on=day), promised_on=promised)
    assert says(tracked) == (words, "We promised Friday, 20 November.")


def test_a_promise_that_passed_without_a_new_day_is_admitted() -> None:
    title, lead = says(an_order(a_parcel(), promised_on=TODAY - timedelta(days=1)))
    assert title == "Delayed. Sorry."
    assert lead == "We promised Sunday, 22 November. We tell you the new day as soon as we know it."


def test_a_courier_that_is_late_without_a_new_day_breaks_no_second_promise() -> None:
    told = Words(an_order(a_parcel("delayed")), NOW, BERLIN)
    assert told.headline().title == "Delayed. Sorry."
    assert told.due(told.tracked.parcels[0]) == ""


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 11, 23, 8, 5, tzinfo=UTC), "Delivered today at 09:05"),
        (datetime(2026, 11, 22, 13, 5, tzinfo=UTC), "Delivered yesterday at 14:05"),
        (datetime(2026, 11, 17, 13, 5, tzinfo=UTC), "Delivered on Tuesday, 17 November at 14:05"),
        (datetime(2026, 11, 21, 23, 30, tzinfo=UTC), "Delivered yesterday at 00:30"),
    ],
)
def test_it_says_when_it_was_delivered_in_the_shops_zone(at: datetime, words: str) -> None:
    assert says(an_order(a_parcel("delivered", delivered_at=at))) == (words, "")


def test_a_late_delivery_is_not_passed_over() -> None:
    tracked = an_order(a_parcel("delivered"), promised_on=TODAY - timedelta(days=4))
    assert says(tracked)[1] == "We promised Thursday, 19 November. Sorry that it took longer."


def test_an_order_is_delivered_when_its_last_parcel_is() -> None:
    tracked = an_order(a_parcel("delivered"), a_parcel())
    assert tracked.delivered_at is None
    assert says(tracked) == ("Arriving tomorrow", "1 of 2 parcels has arrived.")


def test_goods_that_wait_for_a_parcel_keep_the_order_open() -> None:
    assert an_order(a_parcel("delivered"), waiting=[MUG]).delivered_at is None


def test_several_parcels_arrive_by_the_day_of_the_last() -> None:
    tracked = an_order(a_parcel(estimate_on=TUESDAY), a_parcel(estimate_on=THURSDAY), promised_on=THURSDAY)
    assert says(tracked)[0] == "Arriving Thursday, 26 November"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ready_for_pickup", "Ready for you to collect"),
        ("attempt_failed", "The courier could not hand over your parcel"),
        ("returning", "Your parcel is coming back to us"),
        ("returned", "Your parcel is coming back to us"),
        ("exception", "Something is holding up your parcel"),
        ("expired", "Something is holding up your parcel"),
    ],
)
def test_trouble_comes_before_dates(status: str, words: str) -> None:
    assert says(an_order(a_parcel(status, estimate_on=TUESDAY)))[0] == words


def test_a_cancelled_order_and_one_on_hold_say_so() -> None:
    assert says(an_order(state="cancelled"))[0] == "This order was cancelled"
    title, lead = says(an_order(a_parcel(), state="on_hold"))
    assert title == "We are checking your order"
    assert "don't have to do anything" in lead


def test_the_steps_end_where_the_slowest_parcel_is() -> None:
    fast, slow = a_parcel("out_for_delivery", "out_for_delivery"), a_parcel(handed_over_at=None, status="unknown")
    steps = Words(an_order(fast, slow), NOW, BERLIN).steps()
    assert [step.state for step in steps] == ["done", "current", "todo", "todo", "todo"]
    assert [bool(step.at) for step in steps] == [True, True, False, False, False]


def test_a_delivered_order_has_done_all_five_steps() -> None:
    steps = Words(an_order(a_parcel("delivered")), NOW, BERLIN).steps()
    assert [step.label for step in steps] == [str(label) for label in STEPS.values()]
    assert {step.state for step in steps} == {"done"}


@pytest.mark.parametrize(
    ("tracked", "words"),
    [
        (an_order(waiting=[MUG]), "Next: we pack your order."),
        (an_order(a_parcel(handed_over_at=None)), "Next: the courier collects it."),
        (an_order(a_parcel()), "Next: it goes on the delivery van. We write to you when something changes."),
        (an_order(a_parcel("out_for_delivery", "out_for_delivery")), "Next: the courier brings it to you."),
        (an_order(a_parcel("ready_for_pickup", "ready_for_pickup")), "Next: you collect it."),
        (an_order(a_parcel("delivered")), ""),
        (an_order(a_parcel("exception")), ""),
        (an_order(a_parcel("attempt_failed", "attempt_failed")), ""),
    ],
)
def test_what_comes_next_is_said(tracked: Tracked, words: str) -> None:
    assert Words(tracked, NOW, BERLIN).next() == words


def test_a_courier_that_repeats_itself_is_heard_once_and_first_things_come_last() -> None:
    told = Words(an_order(), NOW, BERLIN)
    story = told.story(a_parcel("out_for_delivery", "out_for_delivery", "in_transit", "in_transit", "picked_up"))
    assert [entry.text for entry in story] == [
        "On the delivery van",
        "On its way",
        "The courier has the parcel",
        "Handed to the courier",
        "Packed",
    ]
    assert story[1].at == NOW - timedelta(hours=2), "the first of the two counts"


def test_a_detail_that_says_more_than_the_status_is_told() -> None:
    words = Words(an_order(), NOW, BERLIN)
    assert words.scan_words(Scan(NOW, Tracking.in_transit, "arrived_at_destination")) == "Arrived in your region"
    assert words.scan_words(Scan(NOW, Tracking.in_transit, "X9")) == "On its way"
    assert words.scan_words(Scan(NOW, Tracking.delivered, "arrived_at_destination")) == "Delivered"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("requested", "Being processed."),
        ("approved", "Being processed."),
        ("sending", "Being processed."),
        ("unknown", "Being processed."),
        ("needs_review", "Being processed."),
        ("pending", "Waiting for your bank."),
        ("succeeded", "Sent. It takes five to ten days until your bank shows it."),
        ("failed", "We could not send it. We will write to you."),
        ("refused_by_stripe", "We could not send it. We will write to you."),
    ],
)
def test_money_is_sent_only_when_stripe_says_so(state: str, words: str) -> None:
    assert money_words(MoneyBack(Money(100, "EUR"), state, None)) == words


@pytest.mark.parametrize(
    ("decision", "goods", "ending", "words"),
    [
        ("requested", "not_expected", None, "We have your request and answer soon."),
        ("approved", "awaited", None, "Accepted. Now send it back to us."),
        ("approved", "in_transit", None, "On its way to us."),
        ("approved", "received", None, "It has arrived with us."),
        ("approved", "lost", None, "It was lost on the way. We are looking into it."),
        ("approved", "not_expected", None, "Accepted. You don't have to send anything back."),
        ("approved", "received", "in_channel", "You get your money back where you paid."),
        ("approved", "received", "nothing_due", "It is closed. We wrote to you why."),
        ("declined", "not_expected", None, "We could not accept it. We wrote to you why."),
        ("cancelled", "awaited", None, "It was called off."),
    ],
)
def test_a_return_is_told_in_plain_words(decision: str, goods: str, ending: str | None, words: str) -> None:
    assert returned(TrackedReturn("R1", "return", decision, goods, None, NOW, ending))[0] == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("open", "We are making this right"),
        ("waiting_for_customer", "We have an answer for you"),
    ],
)
def test_a_case_is_told_in_plain_words(state: str, words: str) -> None:
    assert case_words(TrackedCase(1, state, NOW))[0] == words


def test_the_window_for_returns_counts_from_the_last_parcel(shared_app: Flask) -> None:
    settings = shared_app.config["SETTINGS"]
    tracked = an_order(a_parcel("delivered", delivered_at=NOW - timedelta(days=20)), a_parcel("delivered"))
    assert tracked.may_return(settings, NOW + timedelta(days=30))
    assert not tracked.may_return(settings, NOW + timedelta(days=31))


def test_what_came_may_go_back_while_the_rest_is_on_its_way(shared_app: Flask) -> None:
    settings = shared_app.config["SETTINGS"]
    assert an_order(a_parcel("delivered"), a_parcel()).may_return(settings, NOW + timedelta(days=300))
    assert not an_order(a_parcel()).may_return(settings, NOW)


def test_what_was_sent_long_ago_may_come_back_though_no_courier_said_that_it_arrived(shared_app: Flask) -> None:
    settings = shared_app.config["SETTINGS"]
    assert an_order(a_parcel()).may_return(settings, NOW + timedelta(days=14))
    assert not an_order(a_parcel("returned")).may_return(settings, NOW + timedelta(days=14))


def test_the_question_is_asked_after_delivery_until_it_closes() -> None:
    asked = an_order(a_parcel("delivered"), survey="sent", survey_closes_at=NOW + timedelta(days=1))
    assert asked.may_answer(NOW)
    assert not asked.may_answer(NOW + timedelta(days=2))
    assert not an_order(a_parcel(), survey="scheduled").may_answer(NOW)
    assert not an_order(a_parcel("delivered"), survey="answered").may_answer(NOW)
