"""Who does not want to be asked says so once, from the mail, and is never asked again."""

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback.asking import remind
from portal.feedback.models import SurveyObjection
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders import links, timeline
from tests.conftest import nothing_appears
from tests.feedback.scenes import asked, html_of, kinds, text_of, written
from tests.world import open_link


@pytest.fixture
def stop(world, work, mails):
    """The address in the header of Alice's letter."""
    asked(world.alice, world.pat, work)
    (mail,) = written(mails, "How was it?")
    return str(mail["List-Unsubscribe"]).strip(" <>").removeprefix("http://127.0.0.1:8000")


def test_the_letter_carries_the_one_click_headers_and_the_same_address(world, work, mails, stop):
    (mail,) = written(mails, "How was it?")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert stop.startswith("/unsubscribe/")
    assert stop in text_of(mail)
    assert stop in html_of(mail)
    for other in mails:
        assert ("List-Unsubscribe" in other) == ("How was it?" in str(other["subject"]))


def test_l20_the_mail_programs_one_click_works_without_a_cookie_and_without_a_redirect(app, world, stop):
    app.config["WTF_CSRF_ENABLED"] = True
    machine = app.test_client(use_cookies=False)
    answer = machine.post(stop, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert session.scalars(select(SurveyObjection)).one()
    assert kinds(world.alice)[-1] == "survey.objected"
    assert "Does not want to be asked how it was" in [entry.text for entry in timeline.for_staff(world.alice.id)]


@pytest.mark.parametrize("method", ["get", "head"])
def test_l20_looking_unsubscribes_nobody(client, stop, method):
    with nothing_appears():
        assert getattr(client, method)(stop).status_code == 200


def test_a_person_sees_a_button_and_then_that_it_worked(client, stop):
    assert "Shall we stop asking?" in client.get(stop).text
    assert "We won't ask you again" in client.post(stop).text


def test_clicking_twice_is_clicking_once(client, stop):
    client.post(stop)
    with nothing_appears():
        assert client.post(stop).status_code == 200


def test_other_letters_still_come(world, work, mails, client, stop):
    client.post(stop)
    mails.clear()
    asked(world.bob, world.pat, work)
    assert written(mails, "How was it?")


@pytest.mark.parametrize("purpose", ["track", "survey", "case"])
def test_a_link_for_something_else_unsubscribes_nobody(client, world, purpose):
    token = links.mint(world.alice.id, purpose, world.alice.customer_id, clock.now())
    with nothing_appears():
        assert client.get(f"/unsubscribe/{token}").status_code == 404
        assert client.post(f"/unsubscribe/{token}").status_code == 404
        assert client.post("/unsubscribe/nonsense").status_code == 404


def test_the_unsubscribe_link_opens_nothing_else(client, world, stop):
    token = stop.removeprefix("/unsubscribe/")
    assert client.get(f"/l/{token}").status_code == 404
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404


def test_an_erased_customer_may_still_press_the_button(client, world, stop):
    world.alice.customer.email = None
    session.commit()
    with nothing_appears():
        assert client.post(stop).status_code == 200


def test_the_page_speaks_the_orders_language(app, client, world, stop, monkeypatch):
    world.alice.locale = "de"
    session.commit()
    assert '<html lang="de"' in client.get(stop, headers={"Accept-Language": "fr"}).text


def test_the_survey_still_takes_the_answer_of_who_objected(client, world, stop):
    client.post(stop)
    open_link(client, world.alice, "survey")
    assert client.post(f"/orders/{world.alice.ref}/survey", data={"score": "4"}).status_code == 303


def test_rfc_8058_the_question_and_its_reminder_both_carry_the_one_click(world, work):
    invitation = asked(world.alice, world.pat, work)
    assert remind(invitation.id, now=clock.now())
    sent = session.scalars(select(Letter).where(Letter.kind.in_(("how-was-it", "how-was-it-again")))).all()
    assert {letter.kind for letter in sent} == {"how-was-it", "how-was-it-again"}
    for letter in sent:
        assert letter.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert letter.headers["List-Unsubscribe"].startswith("<http")
