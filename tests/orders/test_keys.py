"""Keys of shops' own systems: made by admins, shown once, taken back with the next request."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.lib import clock
from portal.lib.tokens import digest
from portal.orders.keys import SEEN_AGAIN_AFTER, ApiKey, channel_of, make_key, revoke
from portal.orders.models import Channel
from portal.staff.models import StaffEvent, StaffSession
from portal.staff.rules import Role
from tests.conftest import nothing_appears
from tests.world import World, sign_in


@pytest.fixture
def admin(client: FlaskClient, world: World) -> FlaskClient:
    world.max.role = Role.admin
    return sign_in(client, world.max)


def asked(client: FlaskClient, shop: str = "webshop", name: str = "server-2026") -> tuple[int, str]:
    answer = client.post("/desk/keys", data={"shop": shop, "name": name})
    return answer.status_code, answer.text


def a_key(name: str = "server-2026") -> tuple[str, ApiKey]:
    secret = make_key("webshop", name, by=None, now=clock.now())
    return secret, session.scalars(select(ApiKey).where(ApiKey.digest == digest(secret))).one()


def test_before_the_first_key_the_page_says_who_needs_none(admin: FlaskClient) -> None:
    page = admin.get("/desk/keys").text
    assert "No keys yet" in page
    assert "Shopify" in page


def test_a_key_is_shown_once_and_kept_as_a_hash(admin: FlaskClient, world: World) -> None:
    status, page = asked(admin)
    kept = session.scalars(select(ApiKey)).one()
    [secret] = [word for word in page.replace("<", " ").replace(">", " ").split() if digest(word) == kept.digest]
    assert (status, kept.channel.code, kept.made_by_id) == (201, "api:webshop", world.max.id)
    listed = admin.get("/desk/keys").text
    assert secret not in listed
    assert "server-2026" in listed
    assert session.scalars(select(StaffEvent.detail).where(StaffEvent.kind == "key_made")).all() == [
        "webshop: server-2026"
    ]


def test_a_shop_has_a_new_key_before_its_old_one_is_taken_back(app: object) -> None:
    old, new = a_key("old"), a_key("new")
    assert old[1].channel_id == new[1].channel_id
    assert channel_of(old[0], now=clock.now()) == channel_of(new[0], now=clock.now())


@pytest.mark.parametrize(
    ("shop", "name", "status", "words"),
    [
        ("webshop", "first", 409, "webshop has a key called first already."),
        ("", "second", 422, "Write a name."),
        ("Lädchen", "second", 422, "Use letters from a to z, digits and hyphens."),
        ("webshop", "a b", 422, "Use letters from a to z, digits and hyphens."),
        ("x" * 41, "second", 422, "That is too long."),
    ],
)
def test_it_refuses_what_is_no_name_or_is_taken(
    admin: FlaskClient, shop: str, name: str, status: int, words: str
) -> None:
    a_key("first")
    session.commit()
    with nothing_appears():
        answered, page = asked(admin, shop, name)
    assert (answered, words in page) == (status, True)


def test_a_name_is_free_again_once_its_key_was_taken_back(admin: FlaskClient) -> None:
    secret, key = a_key()
    session.commit()
    assert admin.post(f"/desk/keys/{key.id}/revocation").status_code == 303
    assert channel_of(secret, now=clock.now()) is None
    assert asked(admin)[0] == 201
    assert "Taken back today" in admin.get("/desk/keys").text
    assert "key_revoked" in session.scalars(select(StaffEvent.kind)).all()


def test_it_is_taken_back_once(admin: FlaskClient, world: World) -> None:
    _, key = a_key()
    revoke(key, by=world.max, now=clock.now())
    session.commit()
    with nothing_appears():
        answer = admin.post(f"/desk/keys/{key.id}/revocation")
    assert (answer.status_code, "taken back already" in answer.text) == (409, True)
    assert admin.post("/desk/keys/999999/revocation").status_code == 404


def test_when_it_was_used_is_known_to_ten_minutes(app: object) -> None:
    secret, key = a_key()
    first = clock.now()
    for later in (timedelta(), SEEN_AGAIN_AFTER / 2, SEEN_AGAIN_AFTER * 2):
        assert channel_of(secret, now=first + later)
        session.refresh(key)
        assert key.used_at == (first if later <= SEEN_AGAIN_AFTER else first + later)


def test_no_key_opens_a_channel_that_is_disabled(app: object) -> None:
    secret, _ = a_key()
    session.execute(update(Channel).values(disabled_at=clock.now()))
    assert channel_of(secret, now=clock.now()) is None
    assert channel_of("", now=clock.now()) is None


def test_only_admins_come_here(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.get("/desk/keys").status_code == 403
        assert asked(client)[0] == 403


def test_who_has_not_shown_who_they_are_for_a_while_does_so_first(admin: FlaskClient) -> None:
    session.execute(update(StaffSession).values(proven_at=clock.now() - timedelta(hours=2)))
    session.commit()
    with nothing_appears():
        assert asked(admin)[0] == 401
