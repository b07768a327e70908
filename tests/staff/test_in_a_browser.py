"""The front door in a real browser: invited, signed in and out, by keyboard, on a phone, with and without scripts."""

import os
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import update

from portal.db import session
from portal.lib import clock
from portal.staff import actions, sessions
from portal.staff.models import Staff, StaffSession
from portal.staff.rules import Role
from tests.browser import complaints

pytestmark = pytest.mark.browser
PASSWORD = "four words make one"
PICTURES = os.environ.get("PICTURES")


@pytest.fixture
def invitation(real: Flask) -> str:
    """The way to Nora's invitation."""
    token = actions.invite_staff("nora@shop.example", "Nora Szabó-Németh", Role.support, now=clock.now())
    session.commit()
    return f"/desk/invitations/{token}"


def check(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"door-{name}-{page.viewport_size['width']}.png")  # type: ignore[index]
    assert complaints(page) == []


def test_a_person_comes_in_by_keyboard_alone(desktop: Page, invitation: str) -> None:
    desktop.goto(invitation)
    check(desktop, "invitation")
    desktop.keyboard.type("short")
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("alert")).to_contain_text("A password has at least 12 characters.")
    check(desktop, "invitation-error")
    desktop.get_by_label("New password").fill(PASSWORD)
    desktop.keyboard.press("Tab")
    desktop.keyboard.type(PASSWORD)
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_text("Your password is kept.")).to_be_visible()
    check(desktop, "kept")
    desktop.keyboard.type("nora@shop.example")
    desktop.keyboard.press("Tab")
    desktop.keyboard.type(PASSWORD)
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", name="A second lock on your door")).to_be_visible()
    check(desktop, "set-up")
    secret = desktop.locator(".code").inner_text().replace(" ", "")
    desktop.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("heading", name="Keep these ten codes")).to_be_visible()
    check(desktop, "codes")
    with desktop.expect_download() as kept:
        desktop.get_by_role("link", name="Download").click()
    spare = Path(kept.value.path()).read_text().split()[-1]
    assert desktop.get_by_text(spare).is_visible()
    desktop.get_by_role("link", name="I have kept them").click()
    confirmed_after_a_while(desktop, spare)
    desktop.get_by_role("button", name="Sign out").click()
    expect(desktop.get_by_role("heading", name="Sign in to the desk")).to_be_visible()
    desktop.go_back()
    desktop.reload()
    expect(desktop.get_by_role("heading", name="Sign in to the desk")).to_be_visible()


def confirmed_after_a_while(page: Page, spare: str) -> None:
    """A quarter of an hour later the password is changed: both factors are asked for, what was typed is kept."""
    session.execute(update(StaffSession).values(proven_at=clock.now() - timedelta(minutes=15)))
    session.commit()
    page.get_by_role("link", name="Nora Szabó-Németh").click()
    check(page, "keys")
    page.get_by_label("New password").fill("velvet giraffe tunnel")
    page.get_by_label("Repeat the password").fill("velvet giraffe tunnel")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    check(page, "confirmation")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code").fill(spare)
    page.get_by_role("button", name="It is me, go on").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()


def test_a_passkey_is_made_and_opens_the_desk(desktop: Page, real: Flask, served: str, invitation: str) -> None:
    """With Chromium's own authenticator, whose owner is always there."""
    here = served.replace("127.0.0.1", "localhost")
    real.config["SETTINGS"] = real.config["SETTINGS"].model_copy(update={"base_url": here})
    devices = desktop.context.new_cdp_session(desktop)
    devices.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**kind, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    desktop.goto(here + invitation)
    desktop.get_by_label("New password").fill(PASSWORD)
    desktop.get_by_label("Repeat the password").fill(PASSWORD)
    desktop.get_by_role("button", name="Save password").click()
    desktop.get_by_label("E-mail").fill("nora@shop.example")
    desktop.get_by_label("Password").fill(PASSWORD)
    desktop.get_by_role("button", name="Sign in", exact=True).click()
    check(desktop, "first-passkey")
    desktop.get_by_role("button", name="Use this device: make a passkey").click()
    expect(desktop.get_by_role("heading", name="Keep these ten codes")).to_be_visible()
    desktop.get_by_role("link", name="I have kept them").click()
    desktop.get_by_role("link", name="Nora Szabó-Németh").click()
    expect(desktop.get_by_text("Chrome, Linux").or_(desktop.get_by_text("Safari, Linux")).first).to_be_visible()
    check(desktop, "passkeys")
    desktop.get_by_role("button", name="Sign out", exact=True).click()
    check(desktop, "sign-in-passkey")
    desktop.get_by_role("button", name="Sign in with a passkey").click()
    expect(desktop.get_by_role("link", name="Nora Szabó-Németh")).to_be_visible()
    session.execute(update(StaffSession).values(proven_at=clock.now() - timedelta(minutes=15)))
    session.commit()
    desktop.get_by_role("link", name="Nora Szabó-Németh").click()
    desktop.get_by_role("button", name="Make ten new ones").click()
    expect(desktop.get_by_role("heading", name="Is it you?")).to_be_visible()
    check(desktop, "confirmation-passkey")
    desktop.get_by_role("button", name="Use a passkey").click()
    expect(desktop.get_by_role("heading", name="Keep these ten codes")).to_be_visible()


def test_an_admin_invites_somebody_and_looks_at_the_journal(phone: Page, real: Flask) -> None:
    ada = Staff(email="ada@shop.example", name="Ada", role="admin", created_at=clock.now())
    session.add(ada)
    session.commit()
    token = sessions.open_session(ada, browser="", proven=True, now=clock.now())
    session.commit()
    phone.goto("/desk/sign-in")
    phone.context.add_cookies([{"name": "desk", "value": token, "url": phone.url}])
    phone.goto("/desk/people")
    check(phone, "people")
    phone.get_by_label("Name", exact=True).fill("Nora Szabó-Németh")
    phone.get_by_label("E-mail").fill("nora@shop.example")
    phone.get_by_label("Role").select_option("support")
    phone.get_by_role("button", name="Invite").click()
    expect(phone.get_by_text("gets a letter with a link")).to_be_visible()
    phone.get_by_role("link", name="Nora Szabó-Németh").click()
    check(phone, "person")
    phone.get_by_role("link", name="Everybody").click()
    phone.get_by_role("link", name="Journal").click()
    expect(phone.get_by_role("table")).to_contain_text("Invited")
    check(phone, "journal")


def test_a_wrong_password_is_told_and_what_was_typed_is_kept(old_phone: Page, invitation: str) -> None:
    old_phone.goto(invitation)
    check(old_phone, "invitation")
    old_phone.goto("/desk/orders/1")
    old_phone.get_by_label("E-mail").fill("nora@shop.example")
    old_phone.get_by_label("Password").fill("wrong")
    old_phone.get_by_role("button", name="Sign in").click()
    expect(old_phone.get_by_role("alert")).to_contain_text("E-mail and password do not match.")
    assert old_phone.get_by_label("E-mail").input_value() == "nora@shop.example"
    check(old_phone, "sign-in")
