"""What the customer reads when a parcel leaves and when it arrives."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment.tracking import record_update
from portal.lib import clock
from portal.mail.models import Letter
from tests.fulfilment.hands import brought_to
from tests.world import World

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


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_letters_are_written_in_every_language(world: World, locale: str) -> None:
    world.alice.locale = locale
    brought_to("handed_over", world.alice, world.pat, world.now)
    assert letter("on-its-way").locale == locale
