"""Passkeys: a way in by themselves, a second factor, and the answer to "is it you?". Bound to our address."""

import json
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib import clock
from portal.staff import actions
from portal.staff.models import Staff, StaffChallenge, StaffPasskey
from tests.conftest import nothing_appears
from tests.staff.conftest import CHEAP
from tests.staff.device import Device
from tests.world import World, sign_in

PASSWORD = "four words make one"


@pytest.fixture
def sam(world: World) -> Staff:
    """Sam of support, with a password."""
    world.sam.password_hash = CHEAP.hash(PASSWORD)
    session.commit()
    return world.sam


@pytest.fixture
def device(client: FlaskClient, sam: Staff) -> Device:
    """Sam's device, with a passkey that was made at the desk."""
    made = Device()
    sign_in(client, sam)
    assert made_at_the_desk(client, made).status_code == 200
    client.post("/desk/sign-out")
    return made


def options(client: FlaskClient, path: str) -> dict[str, str]:
    told = client.post(f"{path}/options")
    assert told.status_code == 200, told.text
    return dict(told.get_json())


def made_at_the_desk(client: FlaskClient, device: Device) -> TestResponse:
    return client.post(
        "/desk/account/passkeys", data={"credential": device.make(options(client, "/desk/account/passkeys"))}
    )


def shown(client: FlaskClient, device: Device, path: str = "/desk/sign-in/passkey", **more: str) -> TestResponse:
    return client.post(path, data={"credential": device.show(options(client, path)), **more})


def home(client: FlaskClient) -> int:
    return client.get("/desk/").status_code


def kept() -> StaffPasskey:
    session.expire_all()
    return session.scalars(select(StaffPasskey)).one()


def test_a_passkey_opens_the_desk_by_itself(client: FlaskClient, device: Device) -> None:
    assert shown(client, device, next="/desk/letters").location == "/desk/letters"
    assert home(client) == 200


def test_a_passkey_is_a_second_factor(client: FlaskClient, sam: Staff, device: Device) -> None:
    client.post("/desk/sign-in", data={"email": sam.email, "password": PASSWORD})
    assert home(client) == 303
    assert shown(client, device, "/desk/second-factor/passkey").status_code == 303
    assert home(client) == 200


def test_the_first_passkey_comes_with_recovery_codes_and_the_next_without(client: FlaskClient, sam: Staff) -> None:
    sign_in(client, sam)
    assert "Keep these ten codes" in made_at_the_desk(client, Device()).text
    assert made_at_the_desk(client, Device()).status_code == 303


def test_it_can_be_the_first_second_factor_of_all(client: FlaskClient, sam: Staff) -> None:
    client.post("/desk/sign-in", data={"email": sam.email, "password": PASSWORD})
    path, mine = "/desk/second-factor/new-passkey", Device()
    answer = client.post(path, data={"credential": mine.make(options(client, path))})
    assert "Keep these ten codes" in answer.text
    assert home(client) == 200


def test_with_the_password_alone_nobody_adds_a_passkey(client: FlaskClient, sam: Staff, device: Device) -> None:
    client.post("/desk/sign-in", data={"email": sam.email, "password": PASSWORD})
    with nothing_appears():
        assert client.post("/desk/second-factor/new-passkey/options").status_code == 403
        assert client.post("/desk/second-factor/new-passkey", data={"credential": "{}"}).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://aftersale-desk.example"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "https://127.0.0.1:8000"},
        {"site": "aftersale-desk.example"},
        {"verified": False},
        {"count": -1},
    ],
)
def test_a_passkey_shown_to_the_wrong_page_opens_nothing(
    client: FlaskClient, device: Device, change: dict[str, object]
) -> None:
    shown(client, device)
    client.post("/desk/sign-out")
    before = kept().sign_count
    for name, value in change.items():
        setattr(device, name, value)
    with nothing_appears(but={"staff_events", "staff_challenges"}):
        assert shown(client, device).status_code == 422
    assert (home(client), kept().sign_count) == (303, before)


def test_a_passkey_that_was_made_for_another_page_is_not_kept(client: FlaskClient, sam: Staff) -> None:
    sign_in(client, sam)
    for wrong in (Device(origin="https://evil.example"), Device(site="evil.example"), Device(verified=False)):
        assert made_at_the_desk(client, wrong).status_code == 422
    assert session.scalar(select(func.count()).select_from(StaffPasskey)) == 0


def test_the_count_is_kept_and_a_copy_that_lags_behind_is_refused(client: FlaskClient, device: Device) -> None:
    shown(client, device)
    shown(client, device)
    assert kept().sign_count == 2
    device.count = 1  # a copy of the device as it was before: it counts to 2 as well
    assert shown(client, device).status_code == 422


def test_6_5_1_an_answer_works_once(app: Flask, client: FlaskClient, device: Device) -> None:
    answer = device.show(options(client, "/desk/sign-in/passkey"))
    cookie = client.get_cookie("session")
    assert client.post("/desk/sign-in/passkey", data={"credential": answer}).status_code == 303
    thief = app.test_client()
    assert cookie is not None
    thief.set_cookie("session", cookie.value)
    assert thief.post("/desk/sign-in/passkey", data={"credential": answer}).status_code == 422


def test_6_6_2_an_answer_is_bound_to_the_browser_that_was_asked(
    app: Flask, client: FlaskClient, device: Device
) -> None:
    answer = device.show(options(client, "/desk/sign-in/passkey"))
    other = app.test_client()
    options(other, "/desk/sign-in/passkey")
    assert other.post("/desk/sign-in/passkey", data={"credential": answer}).status_code == 422


def test_6_5_5_and_9_2_1_a_challenge_ends_after_five_minutes(client: FlaskClient, device: Device) -> None:
    answer = device.show(options(client, "/desk/sign-in/passkey"))
    with clock.moved(timedelta(minutes=6)):
        assert client.post("/desk/sign-in/passkey", data={"credential": answer}).status_code == 422


def test_9_2_2_a_challenge_for_one_purpose_is_no_good_for_another(
    client: FlaskClient, sam: Staff, device: Device
) -> None:
    client.post("/desk/sign-in", data={"email": sam.email, "password": PASSWORD})
    answer = device.show(options(client, "/desk/sign-in/passkey"))
    assert client.post("/desk/second-factor/passkey", data={"credential": answer}).status_code == 422


def test_somebody_elses_passkey_is_no_second_factor_of_mine(client: FlaskClient, world: World, device: Device) -> None:
    world.rita.password_hash, world.rita.totp_secret = CHEAP.hash(PASSWORD), b"sealed"
    session.commit()
    client.post("/desk/sign-in", data={"email": world.rita.email, "password": PASSWORD})
    assert shown(client, device, "/desk/second-factor/passkey").status_code == 422
    assert home(client) == 303


@pytest.mark.parametrize(
    "credential",
    ["", "x", "[]", "5", "{}", '{"rawId": 5}', '{"rawId": "é"}', '{"rawId": ""}', "[" * 5000, "null",
     '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {}}'],
)  # fmt: skip
def test_what_is_no_passkey_is_refused(client: FlaskClient, device: Device, credential: str) -> None:
    options(client, "/desk/sign-in/passkey")
    assert client.post("/desk/sign-in/passkey", data={"credential": credential}).status_code == 422


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_a_known_passkey_with_strange_bytes_is_refused(client: FlaskClient, device: Device, part: str) -> None:
    for strange in ("", "AAAA", "é", None, 5):
        answer = json.loads(device.show(options(client, "/desk/sign-in/passkey")))
        answer["response"][part] = strange
        assert client.post("/desk/sign-in/passkey", data={"credential": json.dumps(answer)}).status_code == 422


def test_who_was_shut_out_is_not_let_in_by_a_passkey(client: FlaskClient, sam: Staff, device: Device) -> None:
    actions.disable_staff(session.get_one(Staff, sam.id), now=clock.now())
    session.commit()
    assert shown(client, device).status_code == 422


def test_7_5_3_a_passkey_answers_whether_it_is_you(client: FlaskClient, sam: Staff, device: Device) -> None:
    with clock.moved(timedelta(minutes=-11)):
        sign_in(client, sam)
    assert client.post("/desk/account/recovery-codes").status_code == 401
    done = shown(client, device, "/desk/account/confirmation", **{"confirm-target": "/desk/account/recovery-codes"})
    assert (done.status_code, done.location) == (307, "/desk/account/recovery-codes")
    assert client.post("/desk/account/recovery-codes").status_code == 200


def test_6_3_1_a_wrong_passkey_is_used_up_and_counted_and_the_form_is_kept(
    client: FlaskClient, sam: Staff, device: Device
) -> None:
    with clock.moved(timedelta(minutes=-11)):
        sign_in(client, sam)
    path, kept_form = "/desk/account/confirmation", {"confirm-target": "/desk/account/recovery-codes", "note": "six"}
    device.origin = "https://evil.example"
    answers = [shown(client, device, path, **kept_form) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert 'name="note" value="six"' in answers[0].text
    assert session.scalar(select(func.count()).select_from(StaffChallenge)) == 1  # the one that nobody looked at
    assert client.post("/desk/account/recovery-codes").status_code == 401


def test_7_5_1_a_passkey_is_added_by_who_has_just_shown_who_they_are(client: FlaskClient, sam: Staff) -> None:
    with clock.moved(timedelta(minutes=-11)):
        sign_in(client, sam)
    with nothing_appears():
        assert client.post("/desk/account/passkeys/options").status_code == 401
        assert client.post("/desk/account/passkeys", data={"credential": "{}"}).status_code == 401


def test_a_removed_passkey_opens_nothing_and_the_last_one_stays(
    client: FlaskClient, sam: Staff, device: Device
) -> None:
    sign_in(client, sam)
    with nothing_appears():
        assert client.post(f"/desk/account/passkeys/{kept().id}/removal").status_code == 409
    first = kept().id
    made_at_the_desk(client, Device())
    assert client.post(f"/desk/account/passkeys/{first}/removal").status_code == 303
    client.post("/desk/sign-out")
    assert shown(client, device).status_code == 422


def test_8_2_2_nobody_removes_somebody_elses_passkey(client: FlaskClient, world: World, device: Device) -> None:
    sign_in(client, world.pat)
    with nothing_appears():
        assert client.post(f"/desk/account/passkeys/{kept().id}/removal").status_code in (404, 409)


def test_one_passkey_belongs_to_one_person(client: FlaskClient, world: World, device: Device) -> None:
    sign_in(client, world.pat)
    assert made_at_the_desk(client, device).status_code == 422
    assert kept().staff_id == world.sam.id


def test_challenges_that_nobody_answered_are_removed_by_night(client: FlaskClient, world: World) -> None:
    options(client, "/desk/sign-in/passkey")
    with clock.moved(timedelta(hours=1)):
        actions.forget_what_ended(now=clock.now())
    assert session.scalar(select(func.count()).select_from(StaffChallenge)) == 0
