"""A scanner types and presses Enter, in a real browser: colour and sound, with scripts and without."""

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.lib import clock
from tests.browser import nameless, overflow, pale_texts
from tests.desk.test_in_a_browser import sit_down
from tests.fulfilment.hands import brought_to
from tests.world import World, build

pytestmark = pytest.mark.browser


@pytest.fixture
def world(real: Flask) -> World:
    return build(now=clock.now())


def scan(page: Page, code: str) -> None:
    """What a scanner does: it types where the cursor is."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


SOUNDED = "document.documentElement.dataset.sounded"


def test_right_and_wrong_are_heard_and_seen_and_the_cursor_waits_for_the_next(desktop: Page, world: World) -> None:
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    sit_down(desktop, world.cleo, f"/desk/parcels/{parcel.id}")
    for code, sound, said in (
        ("MUG-01", "good", "Counted"),
        ("RUG-07", "bad", "does not belong in this parcel"),
        ("MUG-01", "good", "Counted"),
        ("MUG-01", "bad", "Too many"),
        ("SHIRT-M", "done", "Counted"),
    ):
        scan(desktop, code)
        expect(desktop.locator(".scan-said")).to_contain_text(said)
        expect(desktop.locator(f".scan.{'bad' if sound == 'bad' else 'good'}")).to_be_visible()
        desktop.wait_for_function(f"{SOUNDED} === '{sound}'")
    expect(desktop.get_by_role("button", name="Picked, on to packing")).to_be_visible()
    assert (pale_texts(desktop), overflow(desktop), nameless(desktop)) == ([], 0, [])


def test_it_works_without_scripts_too(old_phone: Page, world: World) -> None:
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    sit_down(old_phone, world.cleo, f"/desk/parcels/{parcel.id}")
    scan(old_phone, "MUG-01")
    expect(old_phone.locator(".scan.good")).to_be_visible()
    scan(old_phone, "RUG-07")
    expect(old_phone.locator(".scan.bad")).to_be_visible()
    assert (pale_texts(old_phone), overflow(old_phone), nameless(old_phone)) == ([], 0, [])
