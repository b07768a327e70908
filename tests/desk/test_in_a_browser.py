"""The desk in a real browser: by keyboard, and without scripts."""

import re

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.db import session
from portal.lib import clock, tokens
from portal.staff.guards import cookie_name
from portal.staff.models import Staff, StaffSession
from tests.browser import complaints
from tests.desk.test_letters import a_real_letter
from tests.tracking.scenes import a_parcel, an_order
from tests.world import World, build

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(real: Flask) -> World:
    """The known world with three more orders, all on their way."""
    world = build(now=clock.now())
    for number in ("2001", "2002", "2003"):
        a_parcel(an_order(number))
    return world


def sit_down(page: Page, person: Staff, at: str) -> Page:
    """The person's signed-in browser, at this page."""
    token, now = tokens.mint(), clock.now()
    session.add(
        StaffSession(digest=tokens.digest(token), staff_id=person.id, created_at=now, seen_at=now, proven_at=now)
    )
    session.commit()
    page.goto("/desk/sign-in")
    page.context.add_cookies([{"name": cookie_name(), "value": token, "url": page.url}])
    page.goto(at)
    return page


def test_rows_are_walked_opened_and_come_back_to_by_key(desktop: Page, shop: World) -> None:
    sit_down(desktop, shop.sam, "/desk/search?q=Alice")
    numbers = desktop.locator("main tbody tr td:first-child").all_inner_texts()
    for key in "jjjk":
        desktop.keyboard.press(key)
    chosen = desktop.locator("tr[aria-current]")
    assert chosen.locator("td").first.inner_text() == numbers[1]
    desktop.keyboard.press("Enter")
    expect(desktop.locator("h1")).to_have_text(f"Order {numbers[1]}")
    desktop.go_back()
    assert desktop.locator("tr[aria-current] td").first.inner_text() == numbers[1], "it remembers where they were"


def test_a_slash_searches_and_a_question_mark_shows_the_keys(desktop: Page, shop: World) -> None:
    sit_down(desktop, shop.sam, "/desk/")
    desktop.keyboard.press("?")
    expect(desktop.get_by_role("dialog")).to_be_visible()
    desktop.keyboard.press("Escape")
    expect(desktop.get_by_role("dialog")).to_be_hidden()
    desktop.keyboard.press("/")
    desktop.keyboard.type("j/k 2002")
    assert desktop.get_by_role("searchbox").input_value() == "j/k 2002", "keys are letters while somebody types"
    desktop.get_by_role("searchbox").fill("2002")
    desktop.keyboard.press("Enter")
    expect(desktop.locator("h1")).to_have_text("Order 2002")


def test_it_works_without_scripts(old_phone: Page, shop: World) -> None:
    sit_down(old_phone, shop.sam, "/desk/")
    old_phone.get_by_role("searchbox").fill("2003")
    old_phone.get_by_role("searchbox").press("Enter")
    expect(old_phone.locator("h1")).to_have_text("Order 2003")
    old_phone.get_by_role("button", name="Sign out").click()
    expect(old_phone.locator("h1")).to_have_text(re.compile("Sign in"))


def test_its_pages_can_be_read_on_every_screen_by_day_and_by_night(desktop: Page, shop: World) -> None:
    sit_down(desktop, shop.max, "/desk/")
    for path in ("/desk/", f"/desk/orders/{shop.alice.id}", "/desk/search?q=Alice", "/desk/letters", "/desk/sign-in"):
        desktop.goto(path)
        assert (path, complaints(desktop)) == (path, [])


def test_a_letter_is_read_in_a_frame_without_rights(desktop: Page, shop: World) -> None:
    letter = a_real_letter(shop)
    sit_down(desktop, shop.sam, f"/desk/letters/{letter.id}")
    frame = desktop.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Your new link")
    assert frame.locator("h1").evaluate("e => getComputedStyle(e).fontSize") == "25px", "its own look is let through"
