"""Money at the desk in a real browser: on a phone without scripts, and on a screen by keyboard."""

from dataclasses import replace

import pytest
from flask import Flask
from playwright.sync_api import Page

from portal.db import session
from portal.lib import clock, tokens
from portal.orders.actions import accept_order
from portal.refunds import actions
from portal.refunds.alarms import Trouble, keep_alarms
from portal.refunds.comparison import COMPARED
from portal.refunds.models import Refund
from portal.staff.models import StaffSession
from tests.browser import complaints
from tests.refunds.hands import approved, asked
from tests.world import ALICES_ORDER, World, build

pytestmark = pytest.mark.browser
LONG = replace(
    ALICES_ORDER,
    external_id="A-10045",
    number="10045",
    payment_intent="pi_long",
    name="Bartholomäus Freiherr von Hohenlohe-Waldenburg-Schillingsfürst",
    email="freiherr@example.org",
    lines=(
        replace(
            ALICES_ORDER.lines[0],
            title="Donaudampfschifffahrtskapitänsmützenständer aus geöltem Nussbaum mit Messinghaken",
        ),
        *ALICES_ORDER.lines[1:],
    ),
)


@pytest.fixture
def refund(real: Flask) -> Refund:
    """Rita asks for money for things with long names; some of it was reduced."""
    world: World = build(now=clock.now())
    order, _ = accept_order(LONG, by="channel", now=clock.now())
    approved(world, 500, order=order)
    refund = asked(world, 2000, 3400, order=order)
    refund.lines[1].note = "€5.00 deducted: a stain on the left sleeve, and the collar was worn"
    actions.reduce_refund(refund, {refund.lines[0].id: 1500}, note="a hook is missing", by=world.max, now=clock.now())
    session.commit()
    return refund


def sign_in(page: Page, email: str, served: str) -> None:
    """The person sits down at this browser."""
    token, now = tokens.mint(), clock.now()
    person = session.query(actions.Staff).filter_by(email=email).one()
    session.add(
        StaffSession(digest=tokens.digest(token), staff_id=person.id, created_at=now, seen_at=now, proven_at=now)
    )
    session.commit()
    page.context.add_cookies([{"name": "desk", "value": token, "url": served}])


def test_money_is_approved_on_a_phone_without_scripts(old_phone: Page, served: str, refund: Refund) -> None:
    sign_in(old_phone, "fran@shop.example", served)
    old_phone.goto("/desk/refunds")
    old_phone.get_by_role("link", name="10045").click()
    old_phone.get_by_role("button", name="Approve €49.00").click()
    assert old_phone.get_by_text("€49.00 approved. Stripe is asked now.").is_visible()
    session.expire_all()
    assert session.get_one(Refund, refund.id).state == "approved"


def test_a_mistake_in_a_reduction_is_shown_where_it_was_made(old_phone: Page, served: str, refund: Refund) -> None:
    sign_in(old_phone, "fran@shop.example", served)
    old_phone.goto(f"/desk/refunds/{refund.id}")
    old_phone.get_by_text("Reduce …").click()
    old_phone.get_by_label("Linen shirt", exact=True).fill("99")
    old_phone.locator("#reduction-note").fill("too much")
    old_phone.get_by_role("button", name="Reduce", exact=True).click()
    assert old_phone.locator(".field-error").get_by_text("From nothing up to €34.00.").is_visible()
    assert old_phone.get_by_label("Linen shirt", exact=True).input_value() == "99"
    assert old_phone.locator("#reduction-note").input_value() == "too much"


def test_pages_of_money_can_be_read_on_every_screen_by_day_and_by_night(
    desktop: Page, served: str, refund: Refund
) -> None:
    sign_in(desktop, "fran@shop.example", served)
    keep_alarms(
        [Trouble("differs", "re_1", "1000 EUR succeeded / 1000 EUR pending", refund.order_id)],
        COMPARED,
        now=clock.now(),
    )
    session.commit()
    for path in (
        "/desk/refunds", "/desk/refunds?state=wrong", f"/desk/refunds/{refund.id}", "/desk/refunds/differences",
    ):  # fmt: skip
        assert desktop.goto(path).url.endswith(path)  # type: ignore[union-attr]
        desktop.evaluate("document.querySelectorAll('main details').forEach((fold) => { fold.open = true })")
        assert (path, complaints(desktop)) == (path, [])
