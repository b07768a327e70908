"""The day on which something leaked: who could have seen what, and every way in ends at once."""

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.db import session
from portal.lib import clock
from portal.orders import links
from portal.orders.keys import channel_of, make_key
from portal.orders.links import LIVES
from portal.orders.models import Grant, Link, TimelineEntry
from portal.orders.timeline import WORDS
from portal.privacy import breach
from portal.staff import actions
from portal.staff.models import StaffEvent
from portal.staff.rules import Role
from tests.conftest import nothing_appears
from tests.world import World, open_link, show_code, sign_in

A_DAY = timedelta(days=1)


def found(back: int = 1, ahead: int = 1) -> dict[str, breach.Exposed]:
    now = clock.now()
    return {one.number: one for one in breach.exposed(now - back * A_DAY, now + ahead * A_DAY)}


def test_it_says_per_order_which_links_lived_who_typed_a_code_and_who_looked(
    app: Flask, client: FlaskClient, world: World
) -> None:
    show_code(app.test_client(), world.alice)
    open_link(app.test_client(), world.bob, "survey", 1)
    sign_in(client, world.sam).get(f"/desk/orders/{world.alice.id}")
    mine, bobs = found()["1001"], found()["1002"]
    assert (mine.email, mine.links, mine.codes, mine.people) == ("alice@example.org", ("track",), 1, ["Sam (support)"])
    assert (bobs.links, bobs.codes, bobs.people) == (("survey",), 0, [])
    assert list(found()) == ["1001", "1002"]


def test_links_that_did_not_live_then_show_nothing(world: World) -> None:
    now = clock.now()
    links.mint(world.alice.id, "track", None, now - LIVES["track"] - 2 * A_DAY)
    links.mint(world.bob.id, "unsubscribe", world.bob.customer_id, now)
    ended = links.mint(world.bob.id, "track", None, now - 9 * A_DAY)
    row = links.find(ended, now=now)
    assert row
    row.revoked_at = now - 3 * A_DAY
    session.commit()
    assert found() == {}
    assert list(found(back=4)) == ["1001", "1002"]


def test_a_copy_that_was_handed_out_is_a_look(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    assert client.get(f"/desk/privacy/customers/{world.alice.customer_id}/copy.zip").status_code == 200
    assert found()["1001"].people == ["Max (manager)"]


def test_managers_see_it_and_take_the_addresses_with_them(app: Flask, client: FlaskClient, world: World) -> None:
    open_link(app.test_client(), world.alice)
    sign_in(client, world.max)
    page = client.get("/desk/breach").text
    assert ("1 order could be seen." in page, "alice@example.org" in page) == (True, False)
    rows = list(csv.reader(io.StringIO(client.get("/desk/breach/orders.csv").text)))
    assert rows[1:] == [["1001", "alice@example.org", "track", "0", ""]]
    assert "Nobody could see anything" in client.get("/desk/breach?since=2020-01-01&until=2020-01-02").text
    assert client.get("/desk/breach?since=yesterday").status_code == 422


@pytest.fixture
def everywhere(app: Flask, world: World) -> dict[str, FlaskClient]:
    """Browsers that are in: Alice's with a code, Sam's at the desk, a link that nobody opened yet."""
    browsers = {"alice": show_code(app.test_client(), world.alice), "sam": sign_in(app.test_client(), world.sam)}
    assert [browsers["alice"].get(f"/orders/{world.alice.ref}/details").status_code] == [200]
    return browsers


def test_l19_one_button_ends_every_way_in_but_this_one(
    client: FlaskClient, world: World, everywhere: dict[str, FlaskClient]
) -> None:
    world.max.role = "admin"
    unopened = links.mint(world.bob.id, "track", None, clock.now())
    unsubscribes = links.mint(world.bob.id, "unsubscribe", world.bob.customer_id, clock.now())
    invited = actions.invite_staff("nora@shop.example", "Nora", Role.support, now=clock.now())
    sign_in(client, world.max)
    assert client.post("/desk/breach/closure").status_code == 303
    assert "sessions at the desk" in client.get("/desk/breach").text
    assert everywhere["alice"].get(f"/orders/{world.alice.ref}").status_code == 404
    assert everywhere["sam"].get("/desk/").status_code == 303
    assert (links.find(unopened, now=clock.now()), links.find(unsubscribes, now=clock.now()) is not None) == (
        None,
        True,
    )
    assert client.get(f"/desk/invitations/{invited}").status_code == 404
    said = select(TimelineEntry.by).where(TimelineEntry.kind == "links.ended")
    assert (set(session.scalars(said)), "links.ended" in WORDS) == ({"Max"}, True)
    assert session.scalar(select(func.count()).select_from(StaffEvent).where(StaffEvent.kind == "locked_down")) == 1


def test_who_is_no_admin_ends_nothing(client: FlaskClient, world: World, everywhere: dict[str, FlaskClient]) -> None:
    sign_in(client, world.max)
    with nothing_appears():
        assert client.post("/desk/breach/closure").status_code == 403
    assert session.scalar(select(func.count()).select_from(Grant)) == 1
    assert session.scalar(select(Link.revoked_at)) is None


def test_keys_are_made_anew_under_their_names_and_the_old_ones_are_dead(world: World) -> None:
    old = make_key("lantern", "till", by=world.max, now=clock.now())
    [(shop, name, new)] = [key for key in breach.renew_keys(by=None, now=clock.now()) if key[0] == "lantern"]
    assert (shop, name) == ("lantern", "till")
    assert (channel_of(old, now=clock.now()), channel_of(new, now=clock.now()) is not None) == (None, True)
