"""The shop chooses what is asked and when, makes forms of its own, and looks at all of it before anybody is asked."""

import re

import pytest
from sqlalchemy import select

from portal.config import LANGUAGES
from portal.db import session
from portal.feedback.asking import schedule_survey
from portal.feedback.built_in import BUILT_IN
from portal.feedback.questions import QuestionVersion, SurveyOccasion, SurveyQuestion, occasions
from portal.feedback.reviews import ReviewOffer, offered
from portal.lib import clock
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import delivered, invited
from tests.feedback.test_kinds import SHOPS_OWN, own_form
from tests.world import open_link, sign_in

DESK = "/desk/surveys/questions"
NEW = {"name": "Gift wrap", "scale": "eleven", **SHOPS_OWN, "choices": "Blue\r\n\r\nGreen "}
OCCASIONS = {"delivered": "nps", "return_settled": "ces", "case_closed": "csat"}
REVIEWS = {"address": "https://www.trustpilot.com/evaluate/lantern.example", "checked": "unchecked"}


@pytest.fixture
def max_(client, world):
    return sign_in(client, world.max)


def test_the_manager_chooses_which_question_goes_with_which_occasion(max_, world):
    assert max_.post(f"{DESK}/occasions", data=OCCASIONS).status_code == 303
    assert dict(occasions()) == OCCASIONS
    delivered(world.alice, world.pat)
    assert schedule_survey(world.alice.id, now=clock.now()).version.kind == "nps"
    assert schedule_survey(world.alice.id, now=clock.now(), reason="return_settled").version.kind == "ces"
    assert '<option selected value="nps">' in max_.get(DESK).text


def test_a_question_that_there_is_not_goes_with_no_occasion(max_):
    with nothing_appears():
        assert max_.post(f"{DESK}/occasions", data={**OCCASIONS, "delivered": "form-x"}).status_code == 422
    assert session.scalars(select(SurveyOccasion)).all() == []


def test_a_form_is_made_put_otherwise_and_asked_no_more(max_, world):
    made = max_.post(DESK, data=NEW)
    assert made.status_code == 303
    code = session.scalars(select(SurveyQuestion.code)).one()
    first = session.scalars(select(QuestionVersion)).one()
    assert (first.low, first.high, first.bad_to, first.good_from) == (0, 10, 6, 9)
    assert first.texts["en"]["choices"] == ["Blue", "Green"]
    page = max_.get(f"{made.location}?language=de").text
    assert "Texts are missing in German" in page
    german = {"ask": "Wie war die Verpackung?", "choices": "Blau\nGrün", "seen": "1"}
    assert max_.post(f"{DESK}/{code}/versions?language=de", data=german).status_code == 303
    versions = session.scalars(select(QuestionVersion).order_by(QuestionVersion.number)).all()
    assert [(each.number, each.made_by_id, each.said("de").ask) for each in versions] == [
        (1, world.max.id, "How was the gift wrap?"),
        (2, world.max.id, "Wie war die Verpackung?"),
    ]
    assert "How was the gift wrap?" in max_.get(f"{made.location}?language=de&version=1").text
    max_.post(f"{DESK}/occasions", data={**OCCASIONS, "delivered": code})
    assert "Gift wrap" in max_.get(DESK).text
    assert max_.post(f"{DESK}/{code}/retirement").status_code == 303
    assert "delivered" not in occasions()
    with nothing_appears():
        assert max_.post(f"{DESK}/{code}/retirement").status_code == 409
        assert max_.post(f"{DESK}/{code}/versions?language=en", data={**NEW, "seen": "2"}).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"name": ""}, 422, "Give it a name."),
        ({"ask": ""}, 409, "Write the question and both ends of its scale."),
        ({"scale": "nine"}, 422, "Not a valid choice"),
        ({"choices": "Only one"}, 409, "One answer is no choice"),
        ({"choices": "\n".join("abcdefghi")}, 409, "At most 8 answers"),
        ({"good": "x" * 201}, 422, "at most 200 characters"),
    ],
)
def test_a_form_that_nobody_could_answer_is_refused_with_all_that_was_typed(max_, wrong, status, said):
    with nothing_appears():
        refused = max_.post(DESK, data={**NEW, **wrong})
    assert (refused.status_code, said in refused.text) == (status, True)
    assert "What was torn?" in refused.text


def test_a_translation_that_does_not_fit_and_a_stale_form_are_refused(max_, world):
    code = own_form(world)
    with nothing_appears():
        unfitting = max_.post(f"{DESK}/{code}/versions?language=de", data={"choices": "Blau", "seen": "1"})
        stale = max_.post(f"{DESK}/{code}/versions?language=de", data={"ask": "Wie?", "seen": "0"})
    assert (unfitting.status_code, "There are 2 answers to choose from" in unfitting.text) == (409, True)
    assert (stale.status_code, "Somebody changed this form" in stale.text, "Wie?" in stale.text) == (409, True, True)


@pytest.mark.parametrize("code", [*BUILT_IN, "own"])
def test_each_question_is_seen_in_each_language_before_anybody_is_asked(max_, world, code):
    code = own_form(world) if code == "own" else code
    with nothing_appears():
        for language in LANGUAGES:
            letter = max_.get(f"{DESK}/{code}/letter?language={language}")
            form = max_.get(f"{DESK}/{code}/form?language={language}&v=1")
            assert (letter.status_code, form.status_code) == (200, 200)
            assert f'lang="{language}"' in letter.text
            assert f'lang="{language}"' in form.text
            assert "~" not in letter.text
            assert form.text.count(" checked") == 1
            assert "sandbox" in letter.headers["Content-Security-Policy"]
            assert "form-action 'none'" in form.headers["Content-Security-Policy"]
        assert max_.get(f"{DESK}/{code}?language=hu&v=2").status_code == 200
        assert max_.get(f"{DESK}/{code}?language=xx").status_code == 404
        assert max_.get(f"{DESK}/{code}/form?version=99").status_code == 404
    assert max_.get(f"{DESK}/nothing").status_code == 404


def test_the_page_needs_few_statements_and_others_get_none(client, max_, world):
    for _ in range(3):
        own_form(world)
    with statements() as seen:
        assert max_.get(DESK).text.count("Gift wrap") >= 3
    assert len(seen) < 14
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.get(DESK).status_code == 403
        assert client.post(DESK, data=NEW).status_code == 403
        assert client.post(f"{DESK}/reviews", data=REVIEWS).status_code == 403


@pytest.mark.parametrize("score", ["1", "5"])
def test_a_public_review_is_offered_to_the_unhappy_and_the_happy_alike(client, max_, world, score):
    invited(world.alice)
    session.commit()
    open_link(client, world.alice, "survey")
    here = f"/orders/{world.alice.ref}/survey"
    client.post(here, data={"score": score})
    assert "Would you also say it in public?" not in client.get(here).text
    assert max_.post(f"{DESK}/reviews", data=REVIEWS).status_code == 303
    thanks = client.get(here).text
    assert f'href="{REVIEWS["address"]}"' in thanks
    assert "Reviews there are not checked" in thanks
    assert max_.post(f"{DESK}/reviews", data={**REVIEWS, "address": ""}).status_code == 303
    assert "Would you also say it in public?" not in client.get(here).text
    assert [row.address for row in session.scalars(select(ReviewOffer).order_by(ReviewOffer.id))] == [
        REVIEWS["address"],
        "",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://www.trustpilot.com/x", "https://trustpilot.com.evil.example/x", "https://eviltrustpilot.com/",
        "javascript:alert(1)", "https://user@trustpilot.com/", "https://trustpilot.com:8443/", "https://[::1",
        "https://trustpilot.com/\"onclick=", "//trustpilot.com/x", "trustpilot.com",
    ],
)  # fmt: skip
def test_no_other_place_is_offered(max_, address):
    with nothing_appears():
        refused = max_.post(f"{DESK}/reviews", data={**REVIEWS, "address": address})
    assert (refused.status_code, "Only pages that begin with https://" in refused.text) == (409, True)
    assert offered() is None


def test_there_is_no_way_to_choose_who_is_asked_for_a_review(max_):
    page = max_.get(DESK).text
    assert "Either everybody who answers is offered your review page, or nobody is." in page
    form = page[page.index('id="review"') :].split("</form>")[0]
    assert set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', form)) - {"csrf_token"} == {"address", "checked"}
