"""The whole main road of the running demo, in a real browser, with the letters read on the way."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from portal.demo.mailbox import Mail, Mailbox
from portal.demo.stripe import Remote
from tests.browser import DESKTOP, PHONE
from tests.running import Demo, stop

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PATIENCE = 60.0
PLACED = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
"""A promise of today can't be broken yet, whatever day it is."""
ROSA = "rosa.kowalski@example.org"
ORDER = {
    "external_id": "road-1",
    "number": "R-2001",
    "placed_at": PLACED,
    "currency": "EUR",
    "total": 10290,
    "name": "Rosa Kowalski",
    "email": ROSA,
    "locale": "en",
    "address": {"street": "Weserstraße 40", "postcode": "12045", "city": "Berlin", "country": "DE"},
    "lines": [
        {"external_id": "1", "sku": "MUG-STONE", "title": "Stoneware mug", "quantity": 3, "unit_price": 1800},
        {"external_id": "2", "sku": "LANT-SM", "title": "Storm lantern, small", "quantity": 1, "unit_price": 4400},
        {"external_id": "3", "kind": "shipping", "title": "Standard delivery", "quantity": 1, "unit_price": 490},
    ],
    "payment": {"captured": 10290, "payment_intent": "pi_road1"},
}


@pytest.fixture
def road(demo: Demo, chromium: Browser) -> Iterator["Road"]:
    """The demo is open, and asks customers a second after the parcel arrived."""
    process, _ = demo.open("--survey-after", "PT1S")
    guide = json.loads((demo.var / "guide.json").read_text())
    travelled = Road(demo, chromium, guide)
    yield travelled
    travelled.close()
    stop(process)


@dataclass
class Road:
    """What a person at each place sees and does; every page is watched for errors."""

    demo: Demo
    chromium: Browser
    guide: dict[str, Any]
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def stripe(self) -> Remote:
        return Remote(self.demo.address("", 3))

    def close(self) -> None:
        for context in self.contexts:
            context.close()

    def browser(self, size: dict[str, int], home: str) -> Page:
        context = self.chromium.new_context(base_url=home, viewport={"width": size["width"], "height": size["height"]})
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", lambda answer: self.complaints.append(answer.url) if answer.status >= 400 else None)
        return page

    def customer(self) -> Page:
        return self.browser(PHONE, self.demo.address(""))

    def outside(self, path: str) -> Page:
        page = self.browser(DESKTOP, self.demo.address("", 1))
        page.goto(path)
        return page

    def at_the_desk(self, name: str) -> Page:
        page = self.browser(DESKTOP, self.demo.address(""))
        page.goto("/desk/sign-in")
        page.get_by_label("E-mail").fill(f"{name}@lantern-loom.example")
        page.get_by_label("Password").fill(self.guide["password"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/desk/")
        return page

    def letters(self) -> list[Mail]:
        """All that Rosa got, the newest first."""
        return list(Mailbox(self.demo.var / "mail").newest(to=ROSA))

    def letter(self, subject: str) -> Mail:
        """Rosa's newest letter with these words in its subject, once it is there."""
        eventually(lambda: any(subject in mail.subject for mail in self.letters()), f"no letter says {subject!r}")
        return next(mail for mail in self.letters() if subject in mail.subject)

    def link(self, mail: Mail) -> str:
        """The link in a letter, as its text tells it."""
        found = re.findall(re.escape(self.demo.address("/l/")) + r"[a-z2-7]+", mail.text)
        assert found, mail.text
        return str(found[0])


def eventually(true: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.3)


def comes(page: Page, text: str) -> None:
    """The page says so, after some reloads: the worker needs its moment."""

    def there() -> bool:
        page.reload()
        return page.get_by_text(text).first.is_visible()

    eventually(there, f"{page.url} never says {text!r}")


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label).first.click()
    page.wait_for_load_state()


def test_the_whole_main_road(road: Road) -> None:
    order_comes_in(road)
    parcel = pick_and_pack(road)
    number = hand_over(road, parcel)
    phone = follow(road, number)
    say_how_it_was(road, phone)
    make_it_right(road)
    say_it_is_solved(road)
    ask_to_send_back(road)
    accept_the_return(road)
    receive_and_inspect(road)
    approve_the_money(road)
    see_the_money(road)
    assert road.complaints == []


def order_comes_in(road: Road) -> None:
    """A shop sends a paid order, and sends it again because it was not sure."""
    road.stripe.pay(10290, "eur", id="pi_road1", payment_method="pm_card_pendingRefund")
    headers = {"Authorization": f"Bearer {road.guide['api_key']}", "Content-Type": "application/json"}
    answers = []
    for _ in range(2):
        request = Request(road.demo.address("/api/v1/orders"), json.dumps(ORDER).encode(), headers)
        with urlopen(request, timeout=20) as answer:
            answers.append((answer.status, json.load(answer)))
    assert [status for status, _ in answers] == [201, 200]
    assert answers[0][1]["ref"] == answers[1][1]["ref"]
    assert answers[0][1]["problems"] == []


def pick_and_pack(road: Road) -> str:
    """Pia scans each piece, one wrongly; Paul weighs. The parcel's path."""
    desk = road.at_the_desk("pia")
    desk.goto("/desk/parcels?state=to_pick")
    comes(desk, "R-2001")
    desk.get_by_role("link", name="R-2001").click()
    press(desk, "Start picking")
    for code in ("MUG-STONE", "mug-stone", "MUG-STONE", "LANT-SM"):
        desk.locator("[name=code]").fill(code)
        desk.keyboard.press("Enter")
        desk.wait_for_load_state()
    press(desk, "Picked, on to packing")
    path = desk.url.removeprefix(road.demo.address("")).partition("?")[0]
    packing = road.at_the_desk("paul")
    packing.goto(path)
    for code in ("MUG-STONE", "mug-stone", "MUG-STONE", "LANT-SM"):
        packing.locator("[name=code]").fill(code)
        packing.keyboard.press("Enter")
        packing.wait_for_load_state()
    packing.locator("[name=grams]").fill("1850")
    press(packing, "Packed")
    return path


def hand_over(road: Road, parcel: str) -> str:
    """Sven gives it to DHL; that very moment owes Rosa a letter. The tracking number."""
    number = "JD0146000062812300"
    desk = road.at_the_desk("sven")
    desk.goto(parcel)
    desk.locator("[name=courier]").select_option("dhl")
    desk.locator("[name=number]").fill(number)
    press(desk, "Handed over")
    return number


def follow(road: Road, number: str) -> Page:
    """Rosa opens the link in her letter; the courier moves the parcel, signed as EasyPost signs."""
    letter = road.letter("is on its way")
    assert letter.html
    assert number in letter.text
    phone = road.customer()
    phone.goto(road.link(letter))
    assert "/orders/" in phone.url
    courier = road.outside("/courier/")
    for step, seen in (
        ("Picked up", "On its way"),
        ("Out for delivery", "Arriving today"),
        ("Delivered", "Delivered today"),
    ):
        courier.locator("article", has_text=number).get_by_role("button", name=step).click()
        courier.get_by_role("status").get_by_text("It answered 200").wait_for()
        comes(phone, seen)
    road.letter("has arrived")
    return phone


def say_how_it_was(road: Road, phone: Page) -> None:
    """Some days later (here: a second) she is asked, and is not happy."""
    link = road.link(road.letter("How was it?"))
    phone.goto(f"{link}?v=2")
    assert phone.locator("[name=score][value='2']").is_checked()
    phone.locator("[name=words]").press_sequentially("One mug has a crack.", delay=60)
    press(phone, "Send")
    phone.get_by_text("We want to make it right").wait_for()


def make_it_right(road: Road) -> None:
    """Sam owns the case and answers in time."""
    desk = road.at_the_desk("sam")
    desk.goto("/desk/cases")
    desk.get_by_role("link", name="Rosa Kowalski").or_(desk.get_by_role("link", name="R-2001")).first.click()
    desk.locator(".talk").get_by_text("One mug has a crack.").wait_for()
    desk.locator("[name=words]").fill("We are sorry, Rosa. Please send it back, we pay for it.")
    desk.locator("[name=asks]").check()
    press(desk, "Send the answer")


def say_it_is_solved(road: Road) -> None:
    letter = road.letter("Is it solved?")
    assert "Please send it back" in letter.text
    phone = road.customer()
    phone.goto(road.link(letter))
    press(phone, "Yes, it is solved")
    phone.get_by_text("Solved. Thank you").wait_for()


def ask_to_send_back(road: Road) -> None:
    """One of the three mugs."""
    phone = road.customer()
    phone.goto(road.link(road.letter("is on its way")))
    phone.get_by_role("link", name="Send something back").click()
    mug = phone.locator("select[name$=quantity]").first
    mug.select_option("1")
    press(phone, "Continue")
    phone.locator("select[name$=reason]").first.select_option("damaged")
    press(phone, "Continue")
    phone.get_by_role("heading", name="Can you show it to us?").wait_for()
    press(phone, "Continue")
    phone.get_by_label("My money back").check()
    press(phone, "Continue")
    phone.get_by_text("€18.00").first.wait_for()
    press(phone, "Send the request")
    road.letter("We have your return request")


def accept_the_return(road: Road) -> None:
    desk = road.at_the_desk("sam")
    open_return(desk, "requested")
    press(desk, "Approve")
    phone = road.customer()
    phone.goto(road.link(road.letter("Please send it back")))
    phone.get_by_role("link", name="Return slip (PDF)").wait_for()


def open_return(desk: Page, state: str) -> None:
    desk.goto(f"/desk/returns?state={state}")
    desk.get_by_role("row", name=re.compile("R-2001")).get_by_role("link").first.click()


def receive_and_inspect(road: Road) -> None:
    """Rita counts, grades, and asks for the money; approving it is not hers."""
    desk = road.at_the_desk("rita")
    open_return(desk, "awaited")
    press(desk, "It is here")
    desk.locator("[name$=counted]").first.fill("1")
    desk.locator("[name$=grade]").first.select_option("damaged")
    desk.locator("[name$=disposition]").first.select_option("discard")
    press(desk, "Inspected")
    press(desk, "Propose €18.00 back")
    road.letter("Your parcel is here")
    desk.goto("/desk/refunds")
    desk.get_by_role("link", name="R-2001").click()
    desk.get_by_text("Somebody from finance approves it.").wait_for()
    assert desk.get_by_role("button", name="Approve").count() == 0


def approve_the_money(road: Road) -> None:
    """Fran is the second pair of eyes; the worker asks Stripe, once."""
    before = len(road.stripe.requests("POST /v1/refunds"))
    desk = road.at_the_desk("fran")
    desk.goto("/desk/refunds")
    desk.get_by_role("link", name="R-2001").click()
    press(desk, "Approve €18.00")
    comes(desk, "waits for the bank")
    assert len(road.stripe.requests("POST /v1/refunds")) == before + 1


def see_the_money(road: Road) -> None:
    """Only when Stripe's webhook says that it went through, the page says so and Rosa gets a letter."""
    phone = road.customer()
    phone.goto(road.link(road.letter("is on its way")))
    comes(phone, "Waiting for your bank.")
    assert not [mail for mail in road.letters() if "Your money" in mail.subject]
    road.stripe.forward(60)
    comes(phone, "It takes five to ten days until your bank shows it.")
    assert "€18.00" in road.letter("Your money is on its way back").text
