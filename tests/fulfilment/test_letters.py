"""What the customer reads when a parcel leaves and when it arrives."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment.tracking import record_update
from portal.lib import clock
from portal.mail.models import Letter
from portal.tracking.models import read
from portal.tracking.words import Words
from tests.fulfilment.hands import brought_to
from tests.world import World

NUMBER = "00340434161094042557"
LANGUAGES = ("en", "de", "fr", "nl", "es", "hu")


def letter(kind: str) -> Letter:
    return session.scalars(select(Letter).where(Letter.kind == kind)).one()


def test_on_its_way_names_the_goods_the_courier_and_the_day(world: World) -> None:
    world.alice.promised_on = (world.now + timedelta(days=2)).date()
    brought_to("handed_over", world.alice, world.pat, world.now)
    written = letter("on-its-way")
    assert written.subject == "Your order 1001 is on its way"
    for part in (written.text, written.html):
        assert all(
            word in part for word in ("Stoneware mug, Moss", "× 2", "Linen shirt, M", "DHL", "00340434161094042557")
        )
        assert "It should be with you by" in part
        assert "track~" in part
        assert "84.00" not in part


def test_a_broken_promise_is_said(world: World) -> None:
    world.alice.promised_on = (world.now - timedelta(days=2)).date()
    brought_to("handed_over", world.alice, world.pat, world.now)
    assert "later than we promised, and we are sorry" in letter("on-its-way").text


def test_our_own_courier_is_not_called_by_a_brand(world: World) -> None:
    parcel = brought_to("handed_over", world.alice, world.pat, world.now, courier="own")
    assert f"Our own courier brings it. Its number: {parcel.tracking_number}" in letter("on-its-way").text


def test_arrived_says_when_and_what_to_do_if_not(world: World) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    at = clock.now() + timedelta(hours=1)
    record_update(TrackingUpdate("00340434161094042557", "DHL", (TrackingEvent(at, Tracking.delivered),)), now=at)
    written = letter("delivered")
    assert written.subject == "Your parcel has arrived: order 1001"
    assert "The courier delivered it on" in written.text
    assert "Not there?" in written.text


def test_a_product_s_name_is_text_and_nothing_else(world: World) -> None:
    world.alice.lines[0].title = 'Mug <img src="x"> & </mj-text> {{ 7 * 7 }} ~abc.track~'
    brought_to("handed_over", world.alice, world.pat, world.now)
    written = letter("on-its-way")
    assert '<img src="x">' not in written.html
    assert "&lt;img src=" in written.html
    assert "{{ 7 * 7 }}" in written.html
    assert 'Mug <img src="x"> & </mj-text>' in written.text


NEWS = {
    "out_for_delivery": ("out-for-delivery", "Arriving today"),
    "attempt_failed": ("missed-delivery", "The courier could not hand over your parcel"),
    "ready_for_pickup": ("ready-for-pickup", "Ready for you to collect"),
    "delayed": ("delayed", "Delayed"),
    "delivered": ("delivered", "Delivered today"),
}


def told(status: str, at: datetime, now: datetime | None = None, **more: Any) -> None:
    update = TrackingUpdate(NUMBER, "DHL", (TrackingEvent(at, Tracking(status)),), as_of=at, **more)
    record_update(update, now=now or at)
    session.commit()


def kinds() -> list[str]:
    return list(session.scalars(select(Letter.kind).where(Letter.kind != "on-its-way").order_by(Letter.id)))


@pytest.mark.parametrize("status", NEWS)
def test_what_matters_is_told_once_and_the_page_says_the_same(world: World, status: str) -> None:
    world.alice.promised_on = (world.now + timedelta(days=2)).date()
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    kind, headline = NEWS[status]
    told(status, clock.now())
    told("in_transit", clock.now() + timedelta(seconds=1))
    told(status, clock.now() + timedelta(seconds=2))
    assert kinds() == [kind]
    says = Words(read(world.alice.id), clock.now(), ZoneInfo("Europe/Berlin")).headline().title
    assert parcel.tracking_status == status
    assert says.startswith(headline)
    if status != "delivered":
        assert headline in letter(kind).text
        assert headline in letter(kind).html


@pytest.mark.parametrize("status", ["unknown", "label_created", "picked_up", "in_transit", "cancelled", "expired"])
def test_the_rest_is_for_the_page_only(world: World, status: str) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    told(status, clock.now())
    assert kinds() == []


@pytest.mark.parametrize("status", NEWS)
def test_nothing_is_told_three_days_late(world: World, status: str) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    told(status, world.now + timedelta(minutes=1), now=world.now + timedelta(days=3, minutes=2))
    assert kinds() == []


@pytest.mark.parametrize("status", NEWS)
def test_a_letter_that_waited_too_long_never_leaves(world: World, status: str, work: Any, mails: Any) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    told(status, clock.now())
    with clock.moved(timedelta(days=3, minutes=1)):
        work(task="mail.send_letter")
    session.expire_all()
    assert letter(NEWS[status][0]).state == "suppressed"
    assert mails == []


def test_of_a_whole_history_at_once_only_the_end_is_told(world: World) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    now = clock.now()
    steps = ("delayed", "out_for_delivery", "attempt_failed", "out_for_delivery", "delivered")
    scans = tuple(TrackingEvent(now + timedelta(minutes=n), Tracking(status)) for n, status in enumerate(steps))
    record_update(TrackingUpdate(NUMBER, "DHL", scans), now=now)
    assert kinds() == ["delivered"]


def test_a_delay_says_the_new_day_when_there_is_one(world: World) -> None:
    world.alice.promised_on = (world.now + timedelta(days=1)).date()
    brought_to("handed_over", world.alice, world.pat, world.now)
    day = (world.now + timedelta(days=4)).date()
    told("delayed", clock.now(), estimate_on=day)
    page = Words(read(world.alice.id), clock.now(), ZoneInfo("Europe/Berlin")).headline()
    assert page.title == f"Delayed: now {day:%A}, {day.day} {day:%B}. Sorry."
    assert f"Delayed: now {day:%A}, {day:%B} {day.day}, {day.year}. Sorry." in letter("delayed").text


def test_on_the_van_is_today_whatever_was_promised(world: World) -> None:
    world.alice.promised_on = (world.now - timedelta(days=1)).date()
    brought_to("handed_over", world.alice, world.pat, world.now)
    told("out_for_delivery", clock.now())
    page = Words(read(world.alice.id), clock.now(), ZoneInfo("Europe/Berlin")).headline()
    assert page.title == "Delayed: it comes today. Sorry."
    assert page.title in letter("out-for-delivery").text


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_letters_are_written_in_every_language(world: World, locale: str) -> None:
    world.alice.locale = locale
    brought_to("handed_over", world.alice, world.pat, world.now)
    assert letter("on-its-way").locale == locale
