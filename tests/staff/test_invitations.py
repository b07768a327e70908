"""How people come to the desk."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import actions
from portal.staff.models import Staff, StaffInvitation
from portal.staff.rules import Role
from tests.conftest import nothing_appears
from tests.world import World

PASSWORD = "four words make one"


@pytest.fixture
def token(world: World) -> str:
    """The secret of Nora's invitation."""
    made = actions.invite_staff("Nora@shop.example ", "Nora", Role.finance, now=clock.now())
    session.commit()
    return made


def nora() -> Staff:
    session.expire_all()
    return session.scalars(select(Staff).where(Staff.email == "nora@shop.example")).one()


def choose(client: FlaskClient, token: str, password: str = PASSWORD, again: str | None = None) -> int:
    data = {"password": password, "again": password if again is None else again}
    return client.post(f"/desk/invitations/{token}", data=data).status_code


def can_sign_in(client: FlaskClient, password: str = PASSWORD) -> bool:
    data = {"email": "nora@shop.example", "password": password}
    return client.post("/desk/sign-in", data=data).status_code == 303


def test_who_is_invited_chooses_a_password_and_signs_in(client: FlaskClient, token: str) -> None:
    assert "Welcome, Nora" in client.get(f"/desk/invitations/{token}").text
    assert choose(client, token) == 303
    assert "Your password is kept." in client.get("/desk/sign-in").text
    assert can_sign_in(client)
    assert nora().role == "finance"


def test_only_a_hash_of_the_secret_is_kept(token: str) -> None:
    kept = session.scalars(select(StaffInvitation)).one()
    assert token.encode() not in kept.digest


def test_an_invitation_works_once(client: FlaskClient, token: str) -> None:
    choose(client, token)
    with nothing_appears():
        assert choose(client, token, "another four words here") == 404
    assert client.get(f"/desk/invitations/{token}").status_code == 404
    assert not can_sign_in(client, "another four words here")


def test_two_who_use_it_at_the_same_time_are_one(token: str) -> None:
    found = actions.find_invitation(token, now=clock.now())
    assert found is not None
    actions.accept_invitation(found, PASSWORD, now=clock.now())
    with pytest.raises(Refused, match="used already"):
        actions.accept_invitation(found, "another four words here", now=clock.now())


def test_an_invitation_ends_after_a_week(client: FlaskClient, token: str) -> None:
    with clock.moved(timedelta(days=7, seconds=1)), nothing_appears():
        assert choose(client, token) == 404
    assert nora().password_hash is None


def test_an_unknown_an_old_and_a_used_invitation_look_the_same(client: FlaskClient, token: str) -> None:
    unknown = client.get("/desk/invitations/" + "a" * 28).data
    with clock.moved(timedelta(days=8)):
        assert client.get(f"/desk/invitations/{token}").data == unknown
    choose(client, token)
    client.get("/desk/sign-in")  # takes the message away
    assert client.get(f"/desk/invitations/{token}").data == unknown


@pytest.mark.parametrize(
    ("password", "again"), [("short", None), ("x" * 1025, None), (PASSWORD, "something else"), ("", "")]
)
def test_a_password_that_will_not_do_is_refused(
    client: FlaskClient, token: str, password: str, again: str | None
) -> None:
    with nothing_appears():
        assert choose(client, token, password, again) == 422
    assert nora().password_hash is None
    assert choose(client, token) == 303


def test_who_is_invited_again_gets_the_new_role_and_both_links_end_together(client: FlaskClient, token: str) -> None:
    second = actions.invite_staff("nora@shop.example", "Nora N.", Role.manager, now=clock.now())
    session.commit()
    assert choose(client, second) == 303
    assert (nora().name, nora().role) == ("Nora N.", "manager")
    assert choose(client, token) == 404


@pytest.mark.parametrize("state", ["signed up", "disabled"])
def test_who_is_here_or_was_shut_out_is_not_invited_again(client: FlaskClient, token: str, state: str) -> None:
    if state == "signed up":
        choose(client, token)
    else:
        actions.disable_staff(nora(), now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="has an account already"):
        actions.invite_staff("nora@shop.example", "Nora", Role.admin, now=clock.now())


def test_shutting_out_ends_the_invitation_too(client: FlaskClient, token: str) -> None:
    actions.disable_staff(nora(), now=clock.now())
    session.commit()
    assert choose(client, token) == 404
    assert session.scalar(select(func.count()).where(StaffInvitation.used_at.is_(None))) == 0
