"""Who works here, as admins see and change it."""

import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.staff import codes, people
from portal.staff.models import Staff, StaffEvent, StaffInvitation
from portal.staff.rules import PERMISSIONS, Role
from tests.conftest import nothing_appears, owed, statements
from tests.staff.conftest import CHEAP
from tests.world import World, sign_in

PASSWORD = "four words make one"
Work = Callable[..., int]


@pytest.fixture
def ada(world: World) -> Staff:
    """Ada, who manages the people."""
    person = Staff(email="ada@shop.example", name="Ada", role="admin", created_at=world.now)
    person.password_hash = CHEAP.hash(PASSWORD)
    session.add(person)
    session.commit()
    return person


@pytest.fixture
def admin(client: FlaskClient, ada: Staff) -> FlaskClient:
    return sign_in(client, ada)


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def person(name: str) -> Staff:
    session.expire_all()
    return session.scalars(select(Staff).where(Staff.email == f"{name}@shop.example")).one()


def link_in(mails: list[EmailMessage]) -> str:
    body: Any = mails[-1].get_body(("plain",))
    [path] = re.findall(r"/desk/invitations/[a-z2-7]{28}", body.get_content())
    return str(path)


def events() -> list[str]:
    return list(session.scalars(select(StaffEvent.kind).order_by(StaffEvent.id)))


def invite(client: FlaskClient, **change: str) -> int:
    return client.post(
        "/desk/people", data={"name": "Nora Berg", "email": "nora@shop.example", "role": "support", **change}
    ).status_code


def test_who_is_invited_gets_a_letter_and_comes_in(
    admin: FlaskClient, app: Flask, work: Work, mails: list[EmailMessage]
) -> None:
    assert invite(admin) == 303
    work()
    browser = app.test_client()
    path = link_in(mails)
    assert "Welcome, Nora Berg" in browser.get(path).text
    assert browser.post(path, data={"password": PASSWORD, "again": PASSWORD}).status_code == 303
    assert (person("nora").role, events()) == ("support", ["invited", "password_changed"])


def test_the_secret_of_the_link_is_in_no_table(admin: FlaskClient, work: Work, mails: list[EmailMessage]) -> None:
    invite(admin)
    work()
    token = link_in(mails).rpartition("/")[2]
    letter = session.scalars(select(Letter)).one()
    assert token not in letter.html + letter.text
    assert token.encode() not in session.scalars(select(StaffInvitation.digest)).one()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"email": "no address"}, 422),
        ({"name": ""}, 422),
        ({"role": "boss"}, 422),
        ({"email": "ada@shop.example"}, 409),
        ({"email": " ADA@shop.example "}, 409),
    ],
)
def test_it_refuses_whom_it_can_not_invite(admin: FlaskClient, change: dict[str, str], said: int) -> None:
    with nothing_appears():
        assert invite(admin, **change) == said


def test_8_3_2_a_role_taken_away_is_gone_with_the_next_click(admin: FlaskClient, app: Flask, world: World) -> None:
    sams = sign_in(app.test_client(), world.sam)
    assert sams.get("/desk/letters").status_code == 200
    assert admin.post(f"/desk/people/{world.sam.id}/role", data={"role": "picker"}).status_code == 303
    assert sams.get("/desk/letters").status_code == 403
    assert events() == ["role_changed"]


def test_7_4_2_who_is_shut_out_is_out_and_comes_back_when_let_in(admin: FlaskClient, app: Flask, world: World) -> None:
    sams = sign_in(app.test_client(), world.sam)
    assert admin.post(f"/desk/people/{world.sam.id}/closure").status_code == 303
    assert home(sams) == 303
    assert admin.post(f"/desk/people/{world.sam.id}/reinstatement").status_code == 303
    assert home(sams) == 303
    assert person("sam").disabled_at is None


def test_7_4_5_an_admin_signs_somebody_out_everywhere(admin: FlaskClient, app: Flask, world: World) -> None:
    sams = [sign_in(app.test_client(), world.sam) for _ in range(2)]
    admin.post(f"/desk/people/{world.sam.id}/sessions/closure")
    assert [home(admin), *map(home, sams)] == [200, 303, 303]


@pytest.mark.parametrize("what", ["role", "closure", "second-factor/reset"])
def test_nobody_does_it_to_themselves(admin: FlaskClient, ada: Staff, what: str) -> None:
    with nothing_appears():
        answer = admin.post(f"/desk/people/{ada.id}/{what}", data={"role": "picker"})
    assert (answer.status_code, home(admin)) == (409, 200)
    assert (person("ada").role, person("ada").disabled_at) == ("admin", None)


def test_the_last_admin_stays(ada: Staff, world: World) -> None:
    for act in (lambda: people.shut_out(ada, by=None, now=clock.now()), lambda: demote(ada, world.max)):
        with nothing_appears(), pytest.raises(Refused, match="only admin"):
            act()
    world.max.role, world.max.password_hash = "admin", ada.password_hash
    people.shut_out(ada, by=None, now=clock.now())
    assert person("ada").disabled_at is not None


def demote(person: Staff, by: Staff) -> None:
    people.change_role(person, Role.picker, by=by, now=clock.now())


@pytest.mark.parametrize(
    "what", ["role", "closure", "reinstatement", "sessions/closure", "link", "second-factor/reset"]
)
def test_what_changes_people_wants_both_factors_of_the_last_minutes(
    client: FlaskClient, ada: Staff, world: World, what: str
) -> None:
    with clock.moved(timedelta(minutes=-11)):
        sign_in(client, ada)
    with nothing_appears():
        answer = client.post(f"/desk/people/{world.sam.id}/{what}", data={"role": "admin"})
    assert answer.status_code == 401


# --- lost keys ---


@pytest.fixture
def sam(world: World) -> Staff:
    """Sam, with a password and an app."""
    world.sam.password_hash, world.sam.totp_secret = CHEAP.hash(PASSWORD), b"sealed"
    codes.new_recovery_codes(world.sam)
    session.commit()
    return world.sam


def test_a_lost_second_factor_is_reset_by_an_admin_and_the_person_is_told(
    admin: FlaskClient, app: Flask, sam: Staff, work: Work, mails: list[EmailMessage]
) -> None:
    sams = sign_in(app.test_client(), sam)
    assert admin.post(f"/desk/people/{sam.id}/second-factor/reset").status_code == 303
    assert home(sams) == 303
    work()
    assert (mails[-1]["To"], mails[-1]["Subject"]) == ("sam@shop.example", "Your way into the desk has changed")
    sams.post("/desk/sign-in", data={"email": sam.email, "password": PASSWORD})
    assert "A second lock on your door" in sams.get("/desk/", follow_redirects=True).text
    row = session.scalars(select(StaffEvent).where(StaffEvent.kind == "second_factor_reset")).one()
    assert (row.staff.name if row.staff else "", row.by.name if row.by else "") == ("Sam", "Ada")


def ask_reset(client: FlaskClient, email: str = "sam@shop.example") -> Any:
    return client.post("/desk/password-reset", data={"email": email})


def test_6_4_3_a_new_password_does_not_skip_the_second_factor(
    client: FlaskClient, app: Flask, sam: Staff, work: Work, mails: list[EmailMessage]
) -> None:
    before = sign_in(app.test_client(), sam)
    ask_reset(client)
    work()
    path, new = link_in(mails), "velvet giraffe tunnel"
    assert client.post(path, data={"password": new, "again": new}).status_code == 303
    assert (home(before), home(client)) == (303, 303)
    client.post("/desk/sign-in", data={"email": sam.email, "password": new})
    assert client.get("/desk/").location.startswith("/desk/second-factor")
    assert "One more step" in client.get("/desk/second-factor").text
    assert client.post(path, data={"password": PASSWORD, "again": PASSWORD}).status_code == 404
    work()
    assert mails[-1]["Subject"] == "Your way into the desk has changed"


def test_6_3_8_who_asks_for_a_new_password_learns_nothing(client: FlaskClient, sam: Staff, world: World) -> None:
    known, unknown = ask_reset(client), ask_reset(client, "nobody@shop.example")
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    assert len(owed("staff.send_reset")) == 2


@pytest.mark.parametrize("state", ["unknown", "invited", "shut out"])
def test_whoever_can_not_use_one_gets_no_letter(client: FlaskClient, sam: Staff, work: Work, state: str) -> None:
    if state == "invited":
        sam.password_hash = None
    if state == "shut out":
        sam.disabled_at = clock.now()
    session.commit()
    ask_reset(client, "nobody@shop.example" if state == "unknown" else sam.email)
    work()
    assert session.scalars(select(Letter)).all() == []


def test_6_3_1_three_letters_a_day_are_enough(client: FlaskClient, sam: Staff, work: Work) -> None:
    for _ in range(5):
        assert ask_reset(client).status_code == 200
    work(task="staff.send_reset")
    assert len(session.scalars(select(Letter)).all()) == 3


def test_6_3_1_one_address_may_not_ask_for_ever(client: FlaskClient, sam: Staff) -> None:
    assert [ask_reset(client, f"name{n}@shop.example").status_code for n in range(11)] == [200] * 10 + [429]


def test_a_reset_link_ends_after_an_hour(
    client: FlaskClient, sam: Staff, work: Work, mails: list[EmailMessage]
) -> None:
    ask_reset(client)
    work()
    with clock.moved(timedelta(minutes=61)):
        assert client.get(link_in(mails)).status_code == 404


def test_a_letter_that_is_no_longer_true_leads_nowhere(sam: Staff, client: FlaskClient) -> None:
    now = clock.now()
    dead = [people.mint_invitation(sam.id, now)]
    sam.disabled_at = now
    dead.append(people.mint_reset(sam.id, now))
    session.commit()
    assert [client.get(f"/desk/invitations/{token}").status_code for token in dead] == [404, 404]


# --- what is shown ---


def test_the_list_is_one_statement_however_many_there_are(admin: FlaskClient, world: World) -> None:
    admin.get("/desk/people")
    with statements() as few:
        admin.get("/desk/people")
    session.add_all(
        Staff(email=f"p{n}@x.example", name=f"P{n}", role="picker", created_at=world.now) for n in range(20)
    )
    session.commit()
    with statements() as many:
        page = admin.get("/desk/people")
    assert "P19" in page.text
    assert len(many) == len(few)


def test_the_journal_shows_who_did_what(admin: FlaskClient, world: World) -> None:
    invite(admin)
    admin.post(f"/desk/people/{world.sam.id}/role", data={"role": "picker"})
    page = admin.get("/desk/people/journal").text
    assert all(words in page for words in ("Nora Berg", "Role changed", "support → picker", "Ada"))
    assert "support → picker" in admin.get(f"/desk/people/{world.sam.id}").text


# --- every route, every role ---

WHO = {
    "desk.see": set(Role),
    "parcels.see": set(Role) - {"finance"},
    "parcels.pick": {"picker", "packer", "manager", "admin"},
    "parcels.pack": {"packer", "shipper", "manager", "admin"},
    "parcels.ship": {"shipper", "manager", "admin"},
    "orders.see": {"returns", "support", "finance", "manager", "admin"},
    "returns.see": {"returns", "support", "finance", "manager", "admin"},
    "returns.decide": {"returns", "support", "manager", "admin"},
    "returns.receive": {"returns", "manager", "admin"},
    "refunds.see": {"returns", "support", "finance", "manager", "admin"},
    "refunds.request": {"returns", "support", "finance", "manager", "admin"},
    "refunds.approve": {"finance", "manager", "admin"},
    "cases.see": {"support", "manager", "admin"},
    "cases.work": {"support", "manager", "admin"},
    "letters.see": {"support", "finance", "manager", "admin"},
    "letters.send": {"support", "manager", "admin"},
    "staff.manage": {"admin"},
}
"""Who may what, written down a second time: a role that gains something by accident differs from this."""


def test_8_2_1_roles_may_what_is_written_down() -> None:
    written = {role: {what for what, roles in WHO.items() if role in roles} for role in Role}
    known = {role: set(PERMISSIONS[role]) & set(WHO) for role in Role}
    assert known == written
