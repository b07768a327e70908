"""The button counts, the link does not; the last answer before closing wins; a bad one opens a case."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, inspect, select

from portal.db import session
from portal.feedback.actions import CHANGES_PER_HOUR, give_answer
from portal.feedback.ask import survey_for
from portal.feedback.case_models import Case
from portal.feedback.models import Answer
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears
from tests.feedback.scenes import case_of, delivered, invitation_of, kinds
from tests.world import open_link


@pytest.fixture
def page(surveyed):
    """The address of Alice's survey, which was sent to her."""
    return f"/orders/{surveyed.alice.ref}/survey"


CHECKED = re.compile(r'value="(\d)" checked')


def chosen(body: str) -> str:
    """The value of the radio button that is checked, or nothing."""
    found = CHECKED.search(body)
    return found[1] if found else ""


def answers() -> list[tuple[int, str]]:
    session.expire_all()
    return [(answer.score, answer.words) for answer in session.scalars(select(Answer))]


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_never_counts(client, world, page, method):
    open_link(client, world.alice, "survey")
    with nothing_appears():
        for score in range(1, 6):
            assert getattr(client, method)(f"{page}?v={score}").status_code == 200
    assert invitation_of(world.alice).state == "sent"


def test_l5_the_link_in_the_mail_only_chooses(client, world, page):
    open_link(client, world.alice, "survey")
    assert chosen(client.get(page).text) == ""
    assert chosen(client.get(f"{page}?v=4").text) == "4"


@pytest.mark.parametrize("score", ["0", "6", "-1", "12", "4.0", "x", "%00", "", "²"])
def test_a_score_that_does_not_exist_is_not_chosen(client, world, page, score):
    open_link(client, world.alice, "survey")
    assert chosen(client.get(page, query_string=f"v={score}").text) == "" or score == "%00"


def test_the_button_counts(client, world, page):
    open_link(client, world.alice, "survey")
    answer = client.post(page, data={"score": "5", "words": " Lovely.\r\nAgain! "})
    assert (answer.status_code, answer.location) == (303, page)
    assert answers() == [(5, "Lovely.\nAgain!")]
    assert invitation_of(world.alice).state == "answered"
    assert kinds(world.alice) == ["survey.sent", "survey.answered"]
    thanks = client.get(page).text
    assert "Thank you for telling us." in thanks
    assert "Very good" in thanks
    assert session.scalar(select(func.count()).select_from(Case)) == 0


@pytest.mark.parametrize("score", ["0", "6", "", "4.5", "three", "５", "99999999999999999999"])
def test_it_refuses_a_score_that_does_not_exist_and_keeps_the_words(client, world, page, score):
    open_link(client, world.alice, "survey")
    with nothing_appears():
        answer = client.post(page, data={"score": score, "words": "kept <b>words</b>"})
    assert answer.status_code == 422
    assert "Choose one of the five." in answer.text
    assert "kept &lt;b&gt;words&lt;/b&gt;" in answer.text


def test_it_refuses_a_novel(client, world, page):
    open_link(client, world.alice, "survey")
    with nothing_appears():
        answer = client.post(page, data={"score": "4", "words": "x" * 4001})
    assert answer.status_code == 422
    assert "at most 4000 characters" in answer.text


def test_a_form_posted_twice_is_one_answer(client, world, page):
    open_link(client, world.alice, "survey")
    client.post(page, data={"score": "1", "words": "Broken."})
    with nothing_appears():
        assert client.post(page, data={"score": "1", "words": "Broken."}).status_code == 303


def test_l5_the_last_answer_wins(client, world, page):
    open_link(client, world.alice, "survey")
    client.post(page, data={"score": "3"})
    client.post(page, data={"score": "4", "words": "It grew on me."})
    assert answers() == [(4, "It grew on me.")]
    assert kinds(world.alice) == ["survey.sent", "survey.answered", "survey.changed"]
    assert chosen(client.get(f"{page}?v=2").text) == "2"


def test_2_4_1_it_refuses_a_flood_of_answers(client, world, page):
    open_link(client, world.alice, "survey")
    for n in range(CHANGES_PER_HOUR):
        assert client.post(page, data={"score": "1", "words": f"{n}"}).status_code == 303
    with nothing_appears():
        assert client.post(page, data={"score": "1", "words": "and more"}).status_code == 409
    assert answers() == [(1, f"{CHANGES_PER_HOUR - 1}")]


def test_it_refuses_an_answer_after_closing(client, world, page):
    later = invitation_of(world.alice).closes_at - clock.now()
    with clock.moved(later):
        open_link(client, world.alice, "track")
        with nothing_appears():
            answer = client.post(page, data={"score": "1"})
        assert answer.status_code == 409
        assert "This question is closed" in answer.text
        assert "This question is closed" in client.get(f"{page}?v=1").text
    with clock.moved(later - timedelta(seconds=5)):
        assert client.post(page, data={"score": "1"}).status_code == 303


def test_a_survey_that_expired_takes_no_answer(world, work, page):
    work(until=invitation_of(world.alice).closes_at, task="feedback.expire")
    with nothing_appears(), pytest.raises(Refused):
        give_answer(world.alice.id, 5, "", now=clock.now())


def test_it_takes_an_answer_from_the_tracking_page_before_the_mail_and_then_sends_none(client, world, work):
    delivered(world.alice, world.pat)
    work()
    open_link(client, world.alice, "track")
    assert client.post(f"/orders/{world.alice.ref}/survey", data={"score": "5"}).status_code == 303
    invitation = invitation_of(world.alice)
    assert (invitation.state, invitation.sent_at) == ("answered", None)
    with nothing_appears():
        give_answer(world.alice.id, 5, "", now=clock.now())
        session.commit()
    work(until=invitation.due_at, task="feedback.send")
    assert kinds(world.alice) == ["survey.answered"]


def test_it_refuses_an_answer_about_an_order_that_was_not_asked_about(client, world):
    open_link(client, world.alice, "track")
    with nothing_appears():
        assert client.post(f"/orders/{world.alice.ref}/survey", data={"score": "1"}).status_code == 404
        with pytest.raises(Refused):
            give_answer(world.alice.id, 1, "", now=clock.now())


def test_somebody_elses_survey_is_not_found(client, world, page):
    open_link(client, world.bob, "survey")
    with nothing_appears():
        assert client.get(page).status_code == 404
        assert client.post(page, data={"score": "1"}).status_code == 404


def test_a_survey_link_does_not_open_the_tracking_page(client, world, page):
    open_link(client, world.alice, "survey")
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404
    assert client.get(f"/orders/{world.alice.ref}/returns/new").status_code == 404


def test_a_post_without_its_token_changes_nothing(app, world, page):
    app.config["WTF_CSRF_ENABLED"] = True
    stranger = open_link(app.test_client(), world.alice, "survey")
    with nothing_appears():
        assert stranger.post(page, data={"score": "1"}).status_code == 400


def test_a_bad_answer_opens_a_case_with_an_owner_and_a_deadline(client, world, page):
    open_link(client, world.alice, "survey")
    client.post(page, data={"score": "2", "words": "The mug came broken."})
    case = session.scalars(select(Case)).one()
    assert (case.order_id, case.state, case.owner_id) == (world.alice.id, "open", world.sam.id)
    assert case.due_at - case.opened_at >= timedelta(hours=48)
    assert [(message.words, message.staff_id) for message in case.messages] == [("The mug came broken.", None)]
    assert kinds(world.alice) == ["survey.sent", "survey.answered", "case.opened"]
    body = client.get(page).text
    assert "We want to make it right." in body
    assert f"/orders/{world.alice.ref}/cases/{case.id}" in body
    assert "The mug came broken." in client.get(f"/orders/{world.alice.ref}/cases/{case.id}").text


def test_a_better_answer_later_is_noted_and_the_case_goes_on(world, page):
    case = case_of(world.alice, 1, "Broken.")
    give_answer(world.alice.id, 5, "Broken.", now=clock.now())
    session.commit()
    assert session.get_one(Case, case.id).state == "open"
    assert kinds(world.alice)[-2:] == ["survey.changed", "case.better_score"]


def test_new_words_in_a_changed_answer_join_the_conversation(world, page):
    case = case_of(world.alice, 1, "Broken.")
    give_answer(world.alice.id, 2, "Both mugs are broken.", now=clock.now())
    session.commit()
    session.expire_all()
    assert [message.words for message in case.messages] == ["Broken.", "Both mugs are broken."]


def test_new_words_about_a_closed_case_change_the_answer_only(world, page):
    case = case_of(world.alice, 1, "Broken.")
    session.execute(Case.__table__.update().values(state="closed"))
    session.commit()
    give_answer(world.alice.id, 3, "Never mind.", now=clock.now())
    session.commit()
    session.expire_all()
    assert answers() == [(3, "Never mind.")]
    assert (case.state, len(case.messages)) == ("closed", 1)


def test_going_up_and_down_again_opens_no_second_case(world, page):
    case_of(world.alice, 1)
    give_answer(world.alice.id, 5, "", now=clock.now())
    give_answer(world.alice.id, 1, "", now=clock.now())
    session.commit()
    assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_an_answer_that_gets_worse_opens_the_case_then(world, page):
    give_answer(world.alice.id, 4, "Fine.", now=clock.now())
    case = case_of(world.alice, 2, "It broke after a week.")
    assert case.answer is not None
    assert case.answer.score == 2


def test_what_the_page_asks_is_told_in_one_read(world, work, page):
    ask = survey_for(world.alice.id, now=clock.now())
    assert ask is not None
    assert (ask.state, ask.score, ask.case_id, ask.is_open) == ("sent", None, None, True)
    case = case_of(world.alice, 2)
    ask = survey_for(world.alice.id, now=clock.now())
    assert ask is not None
    assert (ask.state, ask.score, ask.case_id) == ("answered", 2, case.id)
    assert survey_for(world.bob.id, now=clock.now()) is None


@pytest.mark.parametrize("locale", ["de", "nl-BE", "hu", "it"])
def test_of_the_portals_own_question_only_the_readers_words_are_read(world, page, locale):
    world.alice.locale, alice = locale, world.alice.id
    session.commit()
    session.expunge_all()
    ask = survey_for(alice, now=clock.now())
    assert "texts" in inspect(ask.version).unloaded
    assert ask.said == ask.version.said(locale)
