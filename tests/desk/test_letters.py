"""Letters at the desk: as the customer saw them, and sent once more."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import mail
from portal.db import session
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.timeline import for_customer, for_staff
from tests.conftest import nothing_appears, owed, statements
from tests.desk.test_desk import a_letter
from tests.world import World, sign_in


def a_real_letter(world: World) -> Letter:
    letter_id = mail.queue(
        "new-link", to="alice@example.org", locale="en", now=clock.now(), order_id=world.alice.id, number="1001"
    )
    session.commit()
    return session.get_one(Letter, letter_id)


def test_the_list_shows_what_failed_first_when_asked(client: FlaskClient, world: World) -> None:
    session.add_all([a_letter(world.alice, "dead"), a_letter(world.bob, "sent")])
    session.commit()
    sign_in(client, world.sam)
    everything, failed = client.get("/desk/letters").text, client.get("/desk/letters?state=failed").text
    assert "About 1001" in everything
    assert "About 1002" in everything
    assert "About 1001" in failed
    assert "About 1002" not in failed
    assert client.get("/desk/letters?state=nonsense").status_code == 404


def test_fifty_letters_fill_a_page_and_older_ones_follow_at_the_same_cost(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    session.add_all(a_letter(world.alice, "sent", message_id=f"<{n}@x>", subject=f"Letter no. {n};") for n in range(60))
    session.commit()
    with statements() as sent:
        first = client.get("/desk/letters?state=sent").text
    assert len(sent) <= 5
    assert first.count("Letter no.") == 50
    older = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = client.get(older).text
    assert second.count("Letter no.") == 10
    assert "Letter no. 0;" in second
    assert 'rel="prev"' in second


def test_a_letter_is_shown_as_the_customer_saw_it_without_its_secret_links(client: FlaskClient, world: World) -> None:
    letter = a_real_letter(world)
    sign_in(client, world.sam)
    page, body = client.get(f"/desk/letters/{letter.id}"), client.get(f"/desk/letters/{letter.id}/body")
    assert f'src="/desk/letters/{letter.id}/body" sandbox' in page.text
    assert "http://127.0.0.1:8000/l/…" in page.text
    assert "Your new link" in body.text
    assert letter.mark not in page.text + body.text
    assert "sandbox" in body.headers["Content-Security-Policy"]
    assert "default-src 'none'" in body.headers["Content-Security-Policy"]


def test_a_letter_that_failed_is_tried_again(
    client: FlaskClient, world: World, work: Callable[..., int], mails: list[EmailMessage]
) -> None:
    letter = a_letter(world.alice, "dead", error="550 no such box", attempts=8)
    session.add(letter)
    session.commit()
    letter_id = letter.id
    sign_in(client, world.sam)
    assert "550 no such box" in client.get(f"/desk/letters/{letter_id}").text
    assert client.post(f"/desk/letters/{letter_id}/sending").status_code == 303
    work()
    session.expire_all()
    assert session.get_one(Letter, letter_id).state == "sent"
    assert [mail["To"] for mail in mails] == ["alice@example.org"]


def test_of_a_letter_that_left_a_copy_goes_out_with_links_of_its_own(
    client: FlaskClient, world: World, work: Callable[..., int], mails: list[EmailMessage]
) -> None:
    letter = a_real_letter(world)
    work()
    sign_in(client, world.sam)
    assert client.post(f"/desk/letters/{letter.id}/sending").status_code == 303
    work()
    first, second = (mail.get_body(("plain",)).get_content() for mail in mails)  # type: ignore[union-attr]
    assert first.split("/l/")[0] == second.split("/l/")[0]
    assert first.split("/l/")[1] != second.split("/l/")[1]
    assert mails[0]["Message-ID"] != mails[1]["Message-ID"]
    path = "/l/" + second.split("/l/")[1].split()[0]
    assert client.get(path).location == f"/orders/{world.alice.ref}"


def test_sending_again_is_in_the_orders_history_for_staff_alone(client: FlaskClient, world: World) -> None:
    letter = a_letter(world.alice, "sent")
    session.add(letter)
    session.commit()
    sign_in(client, world.sam).post(f"/desk/letters/{letter.id}/sending")
    assert for_staff(world.alice.id)[0].text == 'Letter sent again: "About 1001"'
    assert for_staff(world.alice.id)[0].by == "Sam"
    assert all(entry.kind != "letter.resent" for entry in for_customer(world.alice.id))


@pytest.mark.parametrize("state", ["queued", "sending", "suppressed"])
def test_it_refuses_to_send_what_waits_already_or_is_no_longer_true(
    client: FlaskClient, world: World, state: str
) -> None:
    letter = a_letter(world.alice, state)
    session.add(letter)
    session.commit()
    path = f"/desk/letters/{letter.id}/sending"
    sign_in(client, world.sam)
    with nothing_appears():
        answer = client.post(path)
    assert answer.status_code == 409
    assert "Nothing was sent" in answer.text
    assert owed("mail.send_letter") == []


def test_who_may_only_read_letters_cannot_send_them(client: FlaskClient, world: World) -> None:
    letter = a_letter(world.alice, "sent")
    session.add(letter)
    session.commit()
    path = f"/desk/letters/{letter.id}"
    sign_in(client, world.fran)
    assert "Send a copy" not in client.get(path).text
    with nothing_appears():
        assert client.post(f"{path}/sending").status_code == 403


def test_two_clicks_on_try_again_send_one_letter(client: FlaskClient, world: World) -> None:
    letter = a_letter(world.alice, "failed")
    session.add(letter)
    session.commit()
    path = f"/desk/letters/{letter.id}/sending"
    sign_in(client, world.sam)
    assert client.post(path).status_code == 303
    with nothing_appears():
        assert client.post(path).status_code == 409
    assert len(owed("mail.send_letter")) == 1
    assert len(session.scalars(select(Letter)).all()) == 1


def test_a_letter_that_is_not_there_is_not_found(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    for path in ("/desk/letters/99999", "/desk/letters/99999/body"):
        assert client.get(path).status_code == 404


def test_a_copy_never_carries_the_first_ones_end(client: FlaskClient, world: World) -> None:
    letter = a_letter(world.alice, "sent", not_after=clock.now() - timedelta(days=1), once="on-its-way:1")
    session.add(letter)
    session.commit()
    sign_in(client, world.sam).post(f"/desk/letters/{letter.id}/sending")
    [copy] = session.scalars(select(Letter).where(Letter.id != letter.id))
    assert (copy.not_after, copy.once, copy.state) == (None, None, "queued")
