"""The customer's page in a real browser: a phone, a bad day, no scripts."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.db import session
from portal.lib import clock
from portal.orders import links
from portal.orders.models import Order
from tests.browser import complaints, overflow
from tests.feedback.scenes import invited
from tests.tracking.scenes import a_parcel, an_order
from tests.world import build

pytestmark = pytest.mark.browser
DELIVERED = ("picked_up", "in_transit", "delayed", "in_transit", "out_for_delivery", "delivered")


@pytest.fixture
def order(real: Flask) -> Order:
    """An order in two parcels, one delivered, one that waits to be collected; long words in it."""
    build(now=clock.now())
    order = an_order("2001", lines=4)
    a_parcel(order, share=(0, 2), scans=DELIVERED)
    a_parcel(order, share=(1, 2), scans=("picked_up", "in_transit", "ready_for_pickup"))
    return order


def link_to(order: Order) -> str:
    token = links.mint(order.id, "track", None, clock.now())
    session.commit()
    return f"/l/{token}"


def headline(page: Page) -> str:
    return page.locator("h1").inner_text()


@pytest.mark.parametrize("kind", ["phone", "old_phone"])
def test_the_link_in_the_mail_opens_the_page_with_and_without_scripts(
    order: Order, kind: str, request: pytest.FixtureRequest
) -> None:
    page: Page = request.getfixturevalue(kind)
    page.goto(link_to(order))
    assert page.url.endswith(f"/orders/{order.ref}")
    assert headline(page) == "Ready for you to collect"
    box = page.locator("h1").bounding_box()
    assert box
    assert box["y"] + box["height"] < 300, "the answer is in the first line they see"
    oldest = page.get_by_text("The courier has the parcel").first
    assert not oldest.is_visible()
    page.get_by_text(re.compile("older entries")).first.click()
    expect(oldest).to_be_visible()


def test_it_can_be_read_on_every_screen_by_day_and_by_night(phone: Page, order: Order) -> None:
    phone.goto(link_to(order))
    assert complaints(phone) == []
    phone.goto("/find")
    phone.get_by_role("button").click()
    assert "need another look" in phone.inner_text("main")
    assert complaints(phone) == []


def test_it_fits_at_twice_the_letter_size(phone: Page, order: Order) -> None:
    phone.goto(link_to(order))
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(phone) == 0


def test_everything_is_reached_by_keyboard_in_the_order_it_is_read(phone: Page, order: Order) -> None:
    phone.goto(link_to(order))
    reached: list[str] = []
    for _ in range(30):
        phone.keyboard.press("Tab")
        name = phone.evaluate("document.activeElement.innerText.trim().split('\\n')[0]")
        if phone.evaluate("document.activeElement === document.body"):
            break
        reached.append(name)
        assert phone.evaluate("getComputedStyle(document.activeElement).boxShadow !== 'none'"), name
    assert reached[0] == "Skip to the content"
    texts = phone.locator("a[href], summary").all_inner_texts()
    assert reached == [text.strip().split("\n")[0] for text in texts]
    assert {"Ask us where it is", "Send something back", "Ask a question"} <= set(reached)


def test_a_face_leads_to_the_survey_and_votes_for_nothing(phone: Page, real: Flask) -> None:
    build(now=clock.now())
    order = an_order("2001")
    a_parcel(order, scans=DELIVERED)
    invitation = invited(order, closes_at=clock.now() + timedelta(days=9))
    session.commit()
    phone.goto(link_to(order))
    assert headline(phone).startswith("Delivered")
    phone.get_by_role("link", name="Very good").click()
    assert phone.url.endswith(f"/orders/{order.ref}/survey?v=5")
    session.refresh(invitation)
    assert invitation.state == "sent"


@pytest.mark.parametrize("kind", ["phone", "old_phone"])
def test_a_lost_link_is_asked_for_with_what_was_typed_kept(
    order: Order, kind: str, request: pytest.FixtureRequest
) -> None:
    page: Page = request.getfixturevalue(kind)
    page.goto("/find")
    page.get_by_label("Order number").fill("2001")
    page.get_by_label("E-mail").fill("alice")
    page.get_by_role("button", name="Send me a new link").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter an address like name@example.com.")
    page.get_by_role("link", name="Enter an address like name@example.com.").click()
    assert page.get_by_label("Order number").input_value() == "2001"
    page.get_by_label("E-mail").fill("alice@example.org")
    page.get_by_label("E-mail").press("Enter")
    assert headline(page) == "Look into your mail"
