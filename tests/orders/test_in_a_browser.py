"""A customer with a phone shows that it is they."""

import re
from email.message import EmailMessage

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.db import session
from portal.lib import clock
from portal.orders import links
from tests.conftest import work_off
from tests.fulfilment.hands import brought_to
from tests.world import build

pytestmark = pytest.mark.browser


def test_a_code_by_mail_opens_address_and_tracking_number(phone: Page, real: Flask, mails: list[EmailMessage]) -> None:
    world = build(now=clock.now())
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    token = links.mint(world.alice.id, "track", None, clock.now())
    session.commit()
    phone.goto(f"/l/{token}")
    phone.get_by_role("link", name="Address and tracking number").click()
    expect(phone.locator("h1")).to_have_text("Is it you?")
    phone.get_by_role("button", name="Send me a code").click()
    phone.get_by_label("Code", exact=True).fill("000 001")
    phone.get_by_role("button", name="Go on").click()
    expect(phone.get_by_text("That is not the code.").first).to_be_visible()
    work_off()
    body = mails[-1].get_body(("plain",))
    assert body is not None
    phone.get_by_label("Code", exact=True).fill(re.findall(r"\b\d{6}\b", body.get_content())[0])
    phone.get_by_role("button", name="Go on").click()
    expect(phone.get_by_text("Lindenstraße 7")).to_be_visible()
    expect(phone.get_by_text(str(parcel.tracking_number))).to_be_visible()
