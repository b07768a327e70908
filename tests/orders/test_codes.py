"""A leaked link shows no name, no address, no number; a code sent to the customer's own mail does (L6 to L9, L16)."""

import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from portal.db import session
from portal.lib import clock
from portal.orders.codes import MOST_PER_DAY, MOST_TRIES
from portal.orders.jobs import sweep_grants
from portal.orders.models import Code
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.world import World, open_link

Work = Callable[..., int]
ALICES = ("Alice Ångström", "Lindenstraße 7", "10115", "alice@example.org")


def address(world: World, page: str = "code") -> str:
    return f"/orders/{world.alice.ref}/{page}"


def ask(client: FlaskClient, world: World) -> int:
    return client.post(address(world, "codes"), data={"then": address(world, "details")}).status_code


def mailed(mails: list[EmailMessage]) -> str:
    body = mails[-1].get_body(("plain",))
    assert body is not None
    return str(re.search(r"\b\d{6}\b", body.get_content())[0])  # type: ignore[index]


def typed(client: FlaskClient, world: World, digits: str, then: str = "") -> int:
    return client.post(address(world), data={"code": digits, "then": then}).status_code


@pytest.fixture
def alices(client: FlaskClient, world: World, work: Work, mails: list[EmailMessage]) -> FlaskClient:
    """Alice's browser; she has asked for a code, and the mail has come."""
    open_link(client, world.alice)
    assert ask(client, world) == 303
    work()
    return client


def test_l6_and_8_2_3_a_link_alone_leads_to_the_code_and_shows_none_of_it(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    answer = client.get(address(world, "details"))
    assert (answer.status_code, answer.location) == (303, f"{address(world)}?then={address(world, 'details')}")
    for page in ("", "/code", "/returns/new"):
        shown = client.get(f"/orders/{world.alice.ref}{page}").text
        assert [fact for fact in (*ALICES, str(parcel.tracking_number)) if fact in shown] == []


def test_l6_the_code_shows_the_address_the_numbers_and_what_we_wrote(
    alices: FlaskClient, world: World, mails: list[EmailMessage]
) -> None:
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    answer = alices.post(address(world), data={"code": mailed(mails), "then": address(world, "details")})
    assert (answer.status_code, answer.location) == (303, address(world, "details"))
    shown = alices.get(answer.location).text
    assert [fact for fact in (*ALICES, str(parcel.tracking_number)) if fact not in shown] == []
    assert "Your code for order 1001" in shown


def test_l16_the_couriers_page_is_linked_behind_the_code_only(
    alices: FlaskClient, world: World, mails: list[EmailMessage]
) -> None:
    brought_to("handed_over", world.alice, world.pat, world.now)
    assert "dhl.com" not in alices.get(f"/orders/{world.alice.ref}").text
    typed(alices, world, mailed(mails))
    assert re.search(
        r'href="https://www\.dhl\.com[^"]*" rel="noreferrer noopener"', alices.get(address(world, "details")).text
    )


def test_l8_no_code_is_stored(alices: FlaskClient, world: World, mails: list[EmailMessage]) -> None:
    stored = session.execute(text("SELECT string_agg(c::text, '') || string_agg(l::text, '') FROM codes c, letters l"))
    assert mailed(mails) not in stored.scalar_one()


def test_l8_a_code_works_once(alices: FlaskClient, world: World, mails: list[EmailMessage]) -> None:
    assert typed(alices, world, mailed(mails)) == 303
    assert typed(alices, world, mailed(mails)) == 422


def test_l8_a_code_from_another_browser_is_refused(
    alices: FlaskClient, app: Flask, world: World, mails: list[EmailMessage]
) -> None:
    thief = open_link(app.test_client(), world.alice)
    assert typed(thief, world, mailed(mails)) == 422
    assert thief.get(address(world, "details")).status_code == 303
    assert ALICES[0] not in thief.get(address(world, "details"), follow_redirects=True).text


def test_l8_it_refuses_a_code_after_ten_minutes(alices: FlaskClient, world: World, mails: list[EmailMessage]) -> None:
    with clock.moved(timedelta(minutes=10, seconds=1)):
        assert typed(alices, world, mailed(mails)) == 422


def test_l8_after_five_wrong_ones_the_right_one_is_refused_too(
    alices: FlaskClient, world: World, mails: list[EmailMessage]
) -> None:
    wrong = f"{(int(mailed(mails)) + 1) % 1_000_000:06}"
    said = [alices.post(address(world), data={"code": wrong}).text for _ in range(MOST_TRIES)]
    assert "You have 4 more tries." in said[0]
    assert "This code does not work any more." in said[-1]
    with nothing_appears():
        assert typed(alices, world, mailed(mails)) == 422
    assert alices.get(address(world, "details")).status_code == 303


def test_l8_a_new_code_ends_the_one_before(
    alices: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    first = mailed(mails)
    ask(alices, world)
    work()
    assert typed(alices, world, first) == 422 or first == mailed(mails)
    assert typed(alices, world, mailed(mails)) == 303


def test_l8_five_codes_a_day_per_order_whatever_the_browser(client: FlaskClient, app: Flask, world: World) -> None:
    for _ in range(MOST_PER_DAY):
        assert ask(open_link(app.test_client(), world.alice), world) == 303
    open_link(client, world.alice)
    with nothing_appears():
        answer = client.post(address(world, "codes"))
        assert (answer.status_code, "Please try again tomorrow" in answer.text) == (409, True)


def test_l8_a_code_that_waited_too_long_for_the_mail_is_not_sent(
    client: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    open_link(client, world.alice)
    ask(client, world)
    with clock.moved(timedelta(minutes=11)):
        work()
    assert mails == []


def test_an_order_without_an_address_has_no_code(client: FlaskClient, world: World) -> None:
    world.alice.customer.email = None
    open_link(client, world.alice)
    with nothing_appears():
        answer = client.post(address(world, "codes"))
        assert (answer.status_code, "Please write to us." in answer.text) == (409, True)


@pytest.mark.parametrize("digits", ["", "12345", "abcdef", "1234567", "１２３４５x"])
def test_what_is_no_code_costs_no_try(alices: FlaskClient, world: World, digits: str) -> None:
    assert typed(alices, world, digits) == 422
    assert session.scalar(select(Code.tries)) == 0


def test_blanks_between_the_digits_do_not_matter(alices: FlaskClient, world: World, mails: list[EmailMessage]) -> None:
    digits = mailed(mails)
    assert typed(alices, world, f" {digits[:3]} {digits[3:]} ") == 303


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example", "/desk", "/orders/other/details", "\\\\evil"]
)
def test_it_leads_on_only_within_the_order(
    alices: FlaskClient, world: World, mails: list[EmailMessage], then: str
) -> None:
    answer = alices.post(address(world), data={"code": mailed(mails), "then": then})
    assert answer.location == address(world, "details")


def test_the_code_opens_this_order_for_a_day(alices: FlaskClient, world: World, mails: list[EmailMessage]) -> None:
    typed(alices, world, mailed(mails))
    open_link(alices, world.bob)
    assert alices.get(f"/orders/{world.bob.ref}/details").status_code == 303
    with clock.moved(timedelta(hours=24, seconds=1)):
        open_link(alices, world.alice)
        assert alices.get(address(world, "details")).status_code == 303


def test_l6_an_old_link_shows_how_far_it_is_and_lets_nobody_act(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    client_cookie = client.get_cookie("c")
    session.execute(text("UPDATE links SET created_at = created_at - interval '31 days'"))
    assert client_cookie is not None
    assert client.get(f"/orders/{world.alice.ref}").status_code == 200
    with nothing_appears():
        for page in ("returns/new", "returns"):
            assert client.get(address(world, page)).location == f"{address(world)}?then={address(world, page)}"
        assert client.post(address(world, "returns"), data={"key": "k"}).location == address(world)


def test_a_conversation_is_read_by_its_own_link_or_with_a_code(client: FlaskClient, app: Flask, world: World) -> None:
    open_link(client, world.alice)
    assert client.get(address(world, "cases/1")).location == f"{address(world)}?then={address(world, 'cases/1')}"
    for purpose in ("survey", "case"):
        own = open_link(app.test_client(), world.alice, purpose, 1)
        assert own.get(address(world, "cases/1")).status_code == 404


def test_codes_are_forgotten_when_they_open_nothing_any_more(alices: FlaskClient, world: World) -> None:
    sweep_grants()
    assert session.scalar(select(func.count()).select_from(Code)) == 1
    with clock.moved(timedelta(hours=25)):
        sweep_grants()
    assert session.scalar(select(func.count()).select_from(Code)) == 0
