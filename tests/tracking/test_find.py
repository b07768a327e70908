"""A new link for those who lost theirs: the page says the same to everybody, the worker writes to the right one."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.lib import clock
from portal.lib.tracing import HEADER
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.tracking.jobs import find_order
from tests.conftest import nothing_appears, owed
from tests.world import World

ALICE = {"number": "1001", "email": "alice@example.org"}


def letters() -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == "new-link")))


def test_the_customer_gets_a_link_that_opens_the_order(
    client: FlaskClient, world: World, work: Callable[..., int], mails: list[EmailMessage]
) -> None:
    assert client.post("/find", data={"number": " #1001 ", "email": " Alice@Example.ORG "}).status_code == 202
    work()
    [mail] = mails
    assert mail["To"] == "alice@example.org"
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    path = next(word for word in text.split() if "/l/" in word).removeprefix("http://127.0.0.1:8000")
    assert client.get(path).location == f"/orders/{world.alice.ref}"
    assert client.get(f"/orders/{world.alice.ref}").status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        ALICE,
        {"number": "1001", "email": "bob@example.org"},
        {"number": "9999", "email": "alice@example.org"},
        {"number": "9999", "email": "nobody@example.org"},
    ],
)
def test_l11_the_answer_is_the_same_whatever_matches(client: FlaskClient, world: World, asked: dict[str, str]) -> None:
    known, answer = client.post("/find", data=ALICE), client.post("/find", data=asked)
    for one in (answer, known):
        assert one.headers.pop(HEADER), "each request has a number of its own"
    assert (answer.status_code, answer.data, dict(answer.headers)) == (202, known.data, dict(known.headers))


@pytest.mark.parametrize(
    ("number", "email"), [("1001", "bob@example.org"), ("9999", "alice@example.org"), ("100%", "alice@example.org")]
)
def test_a_number_and_an_address_that_do_not_belong_together_get_no_letter(
    client: FlaskClient, world: World, work: Callable[..., int], number: str, email: str
) -> None:
    assert client.post("/find", data={"number": number, "email": email}).status_code == 202
    work(task="tracking.find_order")
    assert letters() == []
    assert owed("mail.send_letter") == []


def test_a_number_that_its_channel_writes_with_a_hash_is_found_without(world: World) -> None:
    session.execute(update(Order).where(Order.id == world.alice.id).values(number="#1001"))
    session.commit()
    find_order("1001", "alice@example.org")
    assert [letter.order_id for letter in letters()] == [world.alice.id]


def test_l11_asking_writes_nothing_but_the_job(client: FlaskClient, world: World) -> None:
    before = owed()
    client.post("/find", data=ALICE)
    assert owed()[len(before) :] == [("tracking.find_order", {"number": "1001", "email": "alice@example.org"})]
    assert letters() == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"number": "", "email": "alice@example.org"},
        {"number": "1001", "email": ""},
        {"number": "1001", "email": "alice"},
        {"number": "1" * 65, "email": "alice@example.org"},
        {"number": "1001", "email": "a@" + "b" * 330},
    ],
)
def test_what_is_no_number_or_no_address_is_said_beside_the_field(
    client: FlaskClient, world: World, asked: dict[str, str]
) -> None:
    with nothing_appears():
        answer = client.post("/find", data=asked)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_what_was_typed_is_kept(client: FlaskClient, world: World) -> None:
    assert 'value="10&#34;01"' in client.post("/find", data={"number": '10"01', "email": "alice"}).text


def test_l13_and_2_4_1_one_browser_may_ask_five_times_an_hour(client: FlaskClient, world: World) -> None:
    for _ in range(5):
        assert client.post("/find", data=ALICE).status_code == 202
    with nothing_appears():
        assert client.post("/find", data=ALICE).status_code == 429
    with clock.moved(timedelta(hours=1)):
        assert client.post("/find", data=ALICE).status_code == 202


def test_l13_one_address_gets_three_letters_a_day_and_nobody_who_asks_learns_it(world: World) -> None:
    for _ in range(5):
        find_order("1001", "alice@example.org")
    assert len(letters()) == 3
    with clock.moved(timedelta(days=1)):
        find_order("1001", "alice@example.org")
    assert len(letters()) == 4


def test_the_letter_is_not_sent_when_it_is_a_day_old(
    world: World, work: Callable[..., int], mails: list[EmailMessage]
) -> None:
    find_order("1001", "alice@example.org")
    with clock.moved(timedelta(days=2)):
        work(until=clock.now())
    assert mails == []
    assert [letter.state for letter in letters()] == ["suppressed"]


def test_a_form_from_elsewhere_is_refused(client: FlaskClient, world: World) -> None:
    client.application.config["WTF_CSRF_ENABLED"] = True
    with nothing_appears():
        assert client.post("/find", data=ALICE).status_code == 400
