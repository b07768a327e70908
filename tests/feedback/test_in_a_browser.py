"""A real browser: one that looks ahead and counts nothing, one with scripts off that answers."""

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from portal.db import session
from portal.feedback import cases
from portal.feedback.asking import schedule_survey, send_survey
from portal.feedback.case_models import Case
from portal.feedback.models import Answer
from portal.feedback.questions import current
from portal.lib import clock
from portal.orders import links
from portal.orders.models import Order
from tests.browser import complaints
from tests.conftest import census
from tests.feedback.scenes import case_of, delivered, invitation_of
from tests.world import World, build

pytestmark = pytest.mark.browser


@pytest.fixture
def world(real: Flask) -> World:
    """Alice was asked how it was."""
    world = build(now=clock.now())
    delivered(world.alice, world.pat)
    invitation = schedule_survey(world.alice.id, now=clock.now())
    assert invitation
    send_survey(invitation.id, due=invitation.due_at.isoformat(), now=clock.now())
    session.commit()
    return world


def link_to(order: Order, purpose: str, subject: int | None = None) -> str:
    token = links.mint(order.id, purpose, subject, clock.now())
    session.commit()
    return f"/l/{token}"


@pytest.fixture
def elsewhere() -> Iterator[list[str]]:
    """A page of somebody else that has the browser fetch addresses ahead: first its own, then those put in the list."""
    ahead: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            fetched = "".join(f'<link rel="prefetch" href="{address}">' for address in ahead)
            self.wfile.write(f"<!doctype html><title>Mail</title>{fetched}<p>Read".encode())

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    ahead.append(f"http://127.0.0.1:{server.server_port}/")
    yield ahead
    server.shutdown()


def test_a_browser_that_fetches_ahead_answers_nothing(
    world: World, chromium: Browser, served: str, elsewhere: list[str]
) -> None:
    ahead = {f"{served}{link_to(world.alice, 'survey')}?v={score}" for score in (1, 2, 3, 4, 5)}
    elsewhere.extend(ahead)
    before, reached = census(), set()
    with chromium.new_context() as context:
        page = context.new_page()
        page.on("response", lambda response: reached.add(response.url))
        # our headers forbid others the use of what they fetched: it failed for them, yet it came to us
        page.on(
            "requestfailed", lambda request: reached.add(request.url) if "BLOCKED" in str(request.failure) else None
        )
        page.goto(elsewhere[0])
        page.wait_for_timeout(1500)
    assert reached >= ahead, "the browser fetched nothing ahead: nothing was tried"
    assert census() == before
    assert invitation_of(world.alice).state == "sent"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_scanner_that_follows_every_link_answers_nothing(world: World, served: str, method: str) -> None:
    address, before = f"{served}{link_to(world.alice, 'survey')}?v=1", census()
    scanner = build_opener(HTTPCookieProcessor())
    for _ in range(3):
        with scanner.open(Request(address, method=method)) as answer:
            assert answer.status == (200 if method == "GET" else 204)
    assert census() == before
    assert invitation_of(world.alice).state == "sent"


@pytest.mark.parametrize("kind", ["csat", "nps", "stars"])
def test_a_scanner_that_runs_scripts_and_presses_buttons_counts_for_nothing(
    world: World, chromium: Browser, served: str, kind: str
) -> None:
    invitation_of(world.alice).version = current(kind, now=clock.now())
    links_of_the_mail = [link_to(world.alice, "trap"), f"{link_to(world.alice, 'survey')}?v=1"]
    with chromium.new_context(base_url=served) as context:
        page = context.new_page()
        for address in links_of_the_mail:
            page.goto(address)
        page.evaluate("document.querySelector('form').requestSubmit()")
        expect(page.locator("h1")).to_have_text("Was that you?")
    assert [(answer.score, answer.provisional) for answer in session.query(Answer)] == [(1, True)]
    assert session.query(Case).all() == []
    assert invitation_of(world.alice).state == "sent"


@pytest.mark.parametrize("kind", ["phone", "old_phone"])
def test_one_tap_chooses_and_one_button_sends_with_and_without_scripts(
    world: World, kind: str, request: pytest.FixtureRequest
) -> None:
    page: Page = request.getfixturevalue(kind)
    page.goto(f"{link_to(world.alice, 'survey')}?v=2")
    assert page.url.endswith(f"/orders/{world.alice.ref}/survey?v=2")
    expect(page.get_by_label("Bad", exact=True)).to_be_checked()
    page.get_by_label("What was good, what was not?").fill("The mug came broken.")
    with clock.moved(timedelta(seconds=3)):
        page.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_have_text("Thank you. We want to make it right.")
    page.get_by_role("link", name="See the conversation").click()
    expect(page.locator("h1")).to_have_text("We are making this right")
    expect(page.locator(".talk li")).to_have_count(1)
    assert [(answer.score, answer.words) for answer in session.query(Answer)] == [(2, "The mug came broken.")]


def test_what_is_asked_next_goes_with_the_score_that_is_chosen_without_scripts(world: World, old_phone: Page) -> None:
    invitation_of(world.alice).version = current("nps", now=clock.now())
    page = old_phone
    page.goto(f"{link_to(world.alice, 'survey')}?v=3")
    expect(page.get_by_text("What went wrong?")).to_be_visible()
    page.get_by_label("10").check(force=True)
    expect(page.get_by_text("What did you like most?")).to_be_visible()
    expect(page.get_by_text("What went wrong?")).to_be_hidden()
    with clock.moved(timedelta(seconds=3)):
        page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="What did you like most?")).to_be_visible()
    assert [(answer.score, answer.kind) for answer in session.query(Answer)] == [(10, "nps")]


def test_the_keyboard_alone_answers(world: World, phone: Page) -> None:
    phone.goto(link_to(world.alice, "survey"))
    phone.get_by_label("Very bad").focus()
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("Tab")
    phone.keyboard.type("Fine.")
    phone.keyboard.press("Tab")
    with clock.moved(timedelta(seconds=3)):
        phone.keyboard.press("Enter")
        expect(phone.locator("h1")).to_have_text("Thank you for telling us.")
    assert [answer.score for answer in session.query(Answer)] == [3]


def test_the_customer_says_that_it_is_solved(world: World, old_phone: Page) -> None:
    case = case_of(world.alice)
    cases.reply(case, "A new one is there.", asks=True, seen=case.last_message_id, by=world.sam, now=clock.now())
    page = old_phone
    page.goto(link_to(world.alice, "case", case.id))
    page.get_by_role("button", name="No, not yet").click()
    expect(page.locator("h1")).to_have_text("We are making this right")
    page.get_by_label("Your message").fill("It is broken as well.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".talk li")).to_have_count(3)
    page.get_by_role("button", name="It is solved, thank you").click()
    expect(page.locator("h1")).to_have_text("Solved. Thank you for telling us.")
    session.expire_all()
    assert [(case.state, case.reopened) for case in session.query(Case)] == [("solved", 1)]


def test_every_page_can_be_read_on_every_screen_by_day_and_by_night(world: World, phone: Page) -> None:
    case = case_of(world.alice, 1, "Donaudampfschifffahrtsgesellschaftskapitänsmütze " * 12)
    said = "https://example.org/" + "x" * 200
    cases.reply(case, said, asks=True, seen=case.last_message_id, by=world.sam, now=clock.now())
    stop = link_to(world.alice, "unsubscribe", world.alice.customer_id).replace("/l/", "/unsubscribe/")
    survey, talk = link_to(world.alice, "survey"), link_to(world.alice, "case", case.id)
    for address in (f"{survey}?v=3", survey, talk, stop):
        phone.goto(address)
        assert (address, complaints(phone)) == (address, [])


@pytest.mark.parametrize("kind", ["nps", "stars"])
def test_every_scale_can_be_read_on_every_screen_by_day_and_by_night(world: World, phone: Page, kind: str) -> None:
    invitation_of(world.alice).version = current(kind, now=clock.now())
    for address in (f"{link_to(world.alice, 'survey')}?v=5", link_to(world.alice, "track")):
        phone.goto(address)
        assert (address, complaints(phone)) == (address, [])
