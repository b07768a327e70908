"""The customer's keys: one purpose, one order, an end; the secret is in no later address."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from portal.db import session
from portal.lib import clock
from portal.lib.tokens import digest
from portal.orders import links
from portal.orders.actions import accept_order
from portal.orders.jobs import sweep_grants
from portal.orders.links import LIVES, OPENS
from portal.orders.models import Grant, Link
from tests.conftest import nothing_appears
from tests.world import ALICES_ORDER, World, open_link, sign_in

PURPOSES = sorted(OPENS)
MONTH = timedelta(days=30)


def minted(world: World, purpose: str = "track", subject: int | None = 7) -> str:
    token = links.mint(world.alice.id, purpose, subject, clock.now())
    session.commit()
    return token


def opens(client: FlaskClient, ref: str, purpose: str) -> bool:
    """Whether this browser may see what links of this purpose are for."""
    return links.opened_order(ref, cookie(client), purpose, now=clock.now(), acts_for=MONTH) is not None


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie("c")
    return found.value if found else ""


def grants() -> int:
    return session.scalar(select(func.count()).select_from(Grant)) or 0


@pytest.mark.parametrize(
    ("purpose", "path"),
    [("track", ""), ("return", "/returns"), ("survey", "/survey"), ("case", "/cases/7")],
)
def test_l4_and_14_2_1_a_link_leads_to_an_address_without_its_secret(
    client: FlaskClient, world: World, purpose: str, path: str
) -> None:
    token = minted(world, purpose)
    answer = client.get(f"/l/{token}")
    assert (answer.status_code, answer.location) == (303, f"/orders/{world.alice.ref}{path}")
    assert token not in answer.text + str(answer.headers)


def test_l4_the_cookie_holds_another_secret_for_a_day(client: FlaskClient, world: World) -> None:
    token = minted(world)
    [said] = [line for line in client.get(f"/l/{token}").headers.getlist("Set-Cookie") if line.startswith("c=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=86400"} <= set(said.split("; "))
    assert cookie(client) != token
    stored = session.execute(
        text("SELECT string_agg(g::text, '') || string_agg(l::text, '') FROM grants g, links l")
    ).scalar_one()
    assert token not in stored
    assert cookie(client) not in stored


@pytest.mark.parametrize("held", PURPOSES)
@pytest.mark.parametrize("wanted", PURPOSES)
def test_l3_a_link_opens_its_purpose_and_its_order_only(
    client: FlaskClient, world: World, held: str, wanted: str
) -> None:
    open_link(client, world.alice, held, 7)
    assert opens(client, world.alice.ref, wanted) is (wanted in OPENS[held])
    assert not opens(client, world.bob.ref, wanted)


def test_a_score_in_the_link_only_preselects(client: FlaskClient, world: World) -> None:
    token = minted(world, "survey")
    with nothing_appears():
        assert client.get(f"/l/{token}?v=4").location == f"/orders/{world.alice.ref}/survey?v=4"


@pytest.mark.parametrize("score", ["", "x", "444", "4&x=1", "4%0d%0aX: 1", "٤", "-1"])
def test_what_is_no_score_is_left_out(client: FlaskClient, world: World, score: str) -> None:
    token = minted(world, "survey")
    answer = client.get("/l/" + token, query_string={"v": score})
    assert answer.location == f"/orders/{world.alice.ref}/survey"
    assert "X" not in answer.headers


def ended(client: FlaskClient, path: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    answer = client.get(path)
    its_own = ("Set-Cookie", "X-Request-ID")
    return answer.status_code, answer.data, [pair for pair in answer.headers if pair[0] not in its_own]


def test_l10_unknown_expired_revoked_and_foreign_links_cannot_be_told_apart(app: Flask, world: World) -> None:
    unknown = ended(app.test_client(), "/l/" + "a" * 28)
    assert unknown[0] == 404
    with clock.moved(LIVES["track"] + timedelta(seconds=1)):
        expired = ended(app.test_client(), "/l/" + minted_before(world))
    revoked = minted(world)
    session.execute(text("UPDATE links SET revoked_at = now()"))
    session.commit()
    others = [ended(app.test_client(), f"/l/{revoked}"), expired, ended(app.test_client(), "/l/short")]
    others += [ended(app.test_client(), "/l/" + minted(world, "unsubscribe"))]
    others += [ended(app.test_client(), f"/orders/{ref}") for ref in (world.alice.ref, world.bob.ref, "nosuchref0")]
    assert others == [unknown] * len(others)


def minted_before(world: World) -> str:
    token = links.mint(world.alice.id, "track", None, clock.now() - LIVES["track"] - timedelta(minutes=1))
    session.commit()
    return token


@pytest.mark.parametrize(
    ("method", "headers"),
    [("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"}), ("GET", {"Sec-Purpose": "prefetch;prerender"})],
)
def test_l18_who_only_looks_ahead_is_not_let_in(
    client: FlaskClient, world: World, method: str, headers: dict[str, str]
) -> None:
    answer = client.open(f"/l/{minted(world)}", method=method, headers=headers)
    assert (answer.status_code, answer.data, cookie(client), grants()) == (204, b"", "", 0)


def test_a_revoked_link_closes_browsers_that_are_in(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    assert opens(client, world.alice.ref, "track")
    session.execute(text("UPDATE links SET revoked_at = now()"))
    assert not opens(client, world.alice.ref, "track")


def test_a_browser_is_let_in_for_a_day_and_never_longer_than_the_link(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    with clock.moved(timedelta(hours=23)):
        assert opens(client, world.alice.ref, "track")
    with clock.moved(timedelta(hours=25)):
        assert not opens(client, world.alice.ref, "track")
    session.scalars(select(Link)).one().expires_at = clock.now() + timedelta(hours=1)
    session.commit()
    with clock.moved(timedelta(hours=2)):
        assert not opens(client, world.alice.ref, "track")


def test_one_browser_may_hold_several_orders(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    first = cookie(client)
    open_link(client, world.bob, "survey")
    assert cookie(client) == first
    assert opens(client, world.alice.ref, "track")
    assert opens(client, world.bob.ref, "survey")
    assert not opens(client, world.bob.ref, "track")


def test_opening_a_link_again_is_one_grant(client: FlaskClient, world: World) -> None:
    token = minted(world)
    assert [client.get(f"/l/{token}").status_code for _ in range(3)] == [303, 303, 303]
    assert grants() == 1


@pytest.mark.parametrize("planted", ["", "x", "a" * 1000])
def test_a_cookie_that_is_none_of_ours_is_replaced(client: FlaskClient, world: World, planted: str) -> None:
    client.set_cookie("c", planted)
    client.get(f"/l/{minted(world)}")
    assert len(cookie(client)) == 28
    assert session.scalars(select(Grant.browser)).one() == digest(cookie(client))


def test_l13_who_guesses_links_is_slowed_down(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands = clock.now()
    monkeypatch.setattr(clock, "now", lambda: stands)
    codes = [client.get(f"/l/{n:028}").status_code for n in range(32)]
    assert codes == [404] * 30 + [429] * 2
    assert client.get(f"/l/{minted(world)}").status_code == 303


def test_what_has_ended_is_forgotten_at_night_and_the_link_is_not(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    sweep_grants()
    assert grants() == 1
    with clock.moved(timedelta(hours=25)):
        sweep_grants()
    assert (grants(), session.scalar(select(func.count()).select_from(Link))) == (0, 1)


@pytest.mark.parametrize("purpose", sorted(LIVES))
def test_l10_every_link_ends(world: World, purpose: str) -> None:
    token = minted(world, purpose)
    later = clock.now() + LIVES[purpose]
    assert links.find(token, now=later - timedelta(minutes=1)) is not None
    assert links.find(token, now=later + timedelta(minutes=1)) is None


@pytest.mark.parametrize("token", ["", "a", "a" * 27, "a" * 29, "é" * 28, "\ud800" * 28])
def test_what_is_no_secret_finds_nothing(world: World, token: Any) -> None:
    assert links.find(token, now=clock.now()) is None


def test_l19_staff_end_all_links_of_an_order_with_the_next_click(client: FlaskClient, app: Flask, world: World) -> None:
    open_link(client, world.alice)
    open_link(other := app.test_client(), world.bob)
    desk = sign_in(app.test_client(), world.sam)
    assert "End all links" in desk.get(f"/desk/orders/{world.alice.id}").text
    assert desk.post(f"/desk/orders/{world.alice.id}/links/revocation").status_code == 303
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404
    assert other.get(f"/orders/{world.bob.ref}").status_code == 200
    assert open_link(client, world.alice).get(f"/orders/{world.alice.ref}").status_code == 200


def test_l19_another_address_ends_what_was_sent_to_the_old_one(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    newer = {"updated_at": clock.now() + timedelta(hours=1), "email": "ally@example.org"}
    accept_order(replace(ALICES_ORDER, **newer), by="channel", now=clock.now())
    session.commit()
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404


def test_l19_unsubscribing_goes_on_working(client: FlaskClient, world: World) -> None:
    token = minted(world, "unsubscribe")
    links.end_all(world.alice.id, by=world.sam, now=clock.now())
    session.commit()
    assert client.get(f"/unsubscribe/{token}").status_code == 200


def test_l19_who_may_not_write_letters_may_not_end_links(client: FlaskClient, world: World) -> None:
    sign_in(client, world.cleo)
    with nothing_appears():
        assert client.post(f"/desk/orders/{world.alice.id}/links/revocation").status_code == 403
