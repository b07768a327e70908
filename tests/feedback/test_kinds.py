"""Every kind of question: one tap chooses, the button sends, the answer keeps the question that it answered."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.db import session
from portal.feedback import built_in, own_forms
from portal.feedback.actions import Said, answer
from portal.feedback.asking import schedule_survey, send_survey
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation
from portal.feedback.own_forms import choose_question, make_form, put_otherwise
from portal.feedback.timing import set_terms
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders import links
from portal.orders.models import Order
from portal.privacy import retention
from portal.returns.models import Return, ReturnLine
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import delivered, invitation_of, invited, kinds
from tests.feedback.test_machines import trapped
from tests.world import open_link, sign_in

AN_HOUR = timedelta(hours=2)
SHOPS_OWN = {
    "ask": "How was the gift wrap?",
    "low": "Poor",
    "high": "Lovely",
    "bad": "What was torn?",
    "good": "Who got it?",
    "choice": "Which paper?",
    "choices": ["Blue", "Green"],
}


def page_of(order: Order) -> str:
    return f"/orders/{order.ref}/survey"


def given() -> Answer:
    session.expire_all()
    return session.scalars(select(Answer)).one()


def own_form(world, **more) -> str:
    made = make_form("Gift wrap", "five", {**SHOPS_OWN, **more}, by=world.max, now=clock.now())
    session.commit()
    return made.question.code


def ask(order: Order, code: str, **more) -> SurveyInvitation:
    invitation = invited(order, code=code, **more)
    session.commit()
    return invitation


def asked_for_stars(world) -> list[int]:
    """Alice's mug and shirt arrived, and she was asked for stars; her lines."""
    delivered(world.alice, world.pat)
    ask(world.alice, "stars")
    return [line.id for line in world.alice.lines if line.kind == "item"]


def chosen(body: str) -> list[tuple[str, str]]:
    return re.findall(r'name="(\w+)" value="(\d+)" checked', body)


@pytest.mark.parametrize(
    ("code", "score", "mood"),
    [
        ("nps", 9, "good"),
        ("nps", 0, "bad"),
        ("nps", 7, "middle"),
        ("ces", 3, "bad"),
        ("ces", 5, "good"),
        ("csat", 3, "middle"),
    ],
)
def test_one_tap_chooses_on_each_scale_and_the_button_sends(client, world, code, score, mood):
    invitation = ask(world.alice, code)
    open_link(client, world.alice, "survey")
    page = client.get(f"{page_of(world.alice)}?v={score}").text
    assert chosen(page) == [("score", str(score))]
    assert f'data-mood="{mood}">' in page
    assert page.count('type="radio"') == len(invitation.version.values)
    assert client.post(page_of(world.alice), data={"score": str(score), "words": "So."}).status_code == 303
    told = given()
    assert (told.kind, told.score, told.mood, told.question) == (code, score, mood, invitation.version.said("en").ask)
    assert told.bad == (mood == "bad") == bool(session.scalar(select(func.count()).select_from(Case)))
    thanks = client.get(page_of(world.alice)).text
    assert told.question in thanks
    assert ("So-so" if code == "csat" else f"{score} of {invitation.version.high}") in thanks


@pytest.mark.parametrize(("code", "score"), [("nps", "11"), ("nps", "-1"), ("ces", "0"), ("ces", "8"), ("csat", "10")])
def test_a_score_beyond_its_scale_is_refused_with_the_words_kept(client, world, code, score):
    ask(world.alice, code)
    open_link(client, world.alice, "survey")
    with nothing_appears():
        answered = client.post(page_of(world.alice), data={"score": score, "words": "Keep <me>."})
        with pytest.raises(Refused):
            answer(world.alice.id, Said(int(score)), now=clock.now())
    assert answered.status_code == 422
    assert "Choose one of the five." in answered.text or "Choose a number from" in answered.text
    assert "Keep &lt;me&gt;." in answered.text
    assert chosen(client.get(f"{page_of(world.alice)}?v={score}").text) == []


def test_the_timeline_tells_a_score_with_the_end_of_its_scale(client, world):
    ask(world.alice, "nps")
    answer(world.alice.id, Said(7), now=clock.now())
    answer(world.alice.id, Said(8), now=clock.now())
    session.commit()
    page = sign_in(client, world.max).get(f"/desk/orders/{world.alice.id}").text
    assert "Answered: 7 of 10" in page
    assert "Changed the answer from 7 to 8 of 10" in page
    assert "Would you recommend us to a friend?" in page
    assert "8 of 10</b>" in page


def test_a_better_score_later_is_told_on_its_own_scale_beside_the_case(client, world):
    ask(world.alice, "nps")
    answer(world.alice.id, Said(2, "Late."), now=clock.now())
    answer(world.alice.id, Said(9, "Late."), now=clock.now())
    session.commit()
    case = session.scalars(select(Case)).one()
    page = sign_in(client, world.sam).get(f"/desk/cases/{case.id}").text
    assert "A better score came later: 9 of 10. The case goes on." in page
    assert "Would you recommend us to a friend?" in page
    assert "(changed later)" in page


@pytest.mark.parametrize("code", ["nps", "ces", "stars", "form"])
def test_looking_and_fetching_ahead_count_nothing_on_any_scale(client, world, code):
    if code == "stars":
        asked_for_stars(world)
    else:
        ask(world.alice, own_form(world) if code == "form" else code)
    link = f"/l/{links.mint(world.alice.id, 'survey', None, clock.now())}"
    opened = client.get(link).location
    with nothing_appears():
        for score in invitation_of(world.alice).version.values:
            assert client.head(f"{link}?v={score}").status_code == 204
            assert client.get(f"{link}?v={score}", headers={"Sec-Purpose": "prefetch"}).status_code == 204
            assert client.get(f"{opened}?v={score}").status_code == 200
    assert invitation_of(world.alice).state == "sent"


@pytest.mark.parametrize("code", ["nps", "ces", "stars", "form"])
def test_what_a_machine_answers_is_provisional_on_every_scale(client, world, code):
    stars = {f"stars_{line}": "1" for line in asked_for_stars(world)} if code == "stars" else {"score": "1"}
    if code != "stars":
        ask(world.alice, own_form(world) if code == "form" else code)
    open_link(client, world.alice, "survey")
    trapped(client, world.alice)
    client.post(page_of(world.alice), data=stars)
    assert given().provisional
    assert session.scalars(select(Case)).all() == []
    assert invitation_of(world.alice).state == "sent"
    page = client.get(page_of(world.alice)).text
    assert "Was that you?" in page
    assert len(chosen(page)) == len(stars)


# --- stars ---


def test_each_article_gets_its_stars_and_the_worst_counts(client, world):
    mug, shirt = asked_for_stars(world)
    open_link(client, world.alice, "survey")
    page = client.get(f"{page_of(world.alice)}?v=4&a={mug}").text
    assert chosen(page) == [(f"stars_{mug}", "4")]
    assert "Stoneware mug, Moss" in page
    client.post(page_of(world.alice), data={f"stars_{mug}": "5", f"stars_{shirt}": "2"})
    told = given()
    assert [(row.sku, row.stars) for row in told.stars] == [("MUG-01", 5), ("SHIRT-M", 2)]
    assert (told.score, told.mood) == (2, "bad")
    assert session.scalars(select(Case.order_id)).all() == [world.alice.id]
    assert "2 stars of five" in client.get(page_of(world.alice)).text


def test_stars_can_be_changed_and_an_article_left_out(client, world):
    mug, shirt = asked_for_stars(world)
    answer(world.alice.id, Said(stars={mug: 5, shirt: 4}), now=clock.now())
    answer(world.alice.id, Said(stars={shirt: 3}), now=clock.now())
    session.commit()
    assert [(row.order_line_id, row.stars) for row in given().stars] == [(shirt, 3)]
    assert session.scalar(select(func.count()).select_from(AnswerStars)) == 1


def test_stars_are_for_what_is_in_the_order_only(client, world):
    mug, _shirt = asked_for_stars(world)
    bobs = next(line.id for line in world.bob.lines)
    open_link(client, world.alice, "survey")
    with nothing_appears():
        for wrong in (bobs, 999999999, mug + 10**12):
            refused = client.post(
                page_of(world.alice), data={f"stars_{mug}": "5", f"stars_{wrong}": "1", "words": "Kept."}
            )
            assert refused.status_code == 409
            assert "Stars are for what arrived and what you kept." in refused.text
            assert "Kept." in refused.text


@pytest.mark.parametrize(
    ("stars", "status", "said"),
    [("6", 422, "one to five stars"), ("0", 422, "one to five stars"), ("", 409, "at least one article")],
)
def test_stars_that_there_are_not_are_refused(client, world, stars, status, said):
    mug, _shirt = asked_for_stars(world)
    open_link(client, world.alice, "survey")
    with nothing_appears():
        refused = client.post(page_of(world.alice), data={f"stars_{mug}": stars})
    assert (refused.status_code, said in refused.text) == (status, True)


def test_who_is_asked_next_after_an_article_went_back_is_not_refused_for_it(client, world):
    mug, shirt = asked_for_stars(world)
    answer(world.alice.id, Said(stars={mug: 5, shirt: 4}), now=clock.now())
    sent_back(world, mug)
    open_link(client, world.alice, "survey")
    thanks = client.get(page_of(world.alice)).text
    assert f'type="hidden" name="stars_{shirt}" value="4"' in thanks
    assert f"stars_{mug}" not in thanks
    assert client.post(page_of(world.alice), data={f"stars_{shirt}": "4", "words": "Fits."}).status_code == 303
    assert given().words == "Fits."


def sent_back(world, *lines: int) -> None:
    ret = Return(rma="R-1", order_id=world.alice.id, requested_at=clock.now(), decision="approved", goods="awaited")
    ret.lines = [ReturnLine(order_line_id=line, quantity=2, reason="other") for line in lines]
    session.add(ret)
    session.commit()


def test_what_goes_back_gets_no_stars(client, world):
    mug, shirt = asked_for_stars(world)
    sent_back(world, mug)
    open_link(client, world.alice, "survey")
    page = client.get(f"{page_of(world.alice)}?v=4&a={mug}").text
    assert "Stoneware mug" not in page
    assert chosen(page) == []
    with nothing_appears():
        assert client.post(page_of(world.alice), data={f"stars_{mug}": "1"}).status_code == 409
    assert client.post(page_of(world.alice), data={f"stars_{shirt}": "5"}).status_code == 303


def test_who_kept_nothing_is_not_asked_for_stars(world):
    delivered(world.alice, world.pat)
    choose_question("delivered", "stars", now=clock.now())
    invitation = schedule_survey(world.alice.id, now=clock.now())
    sent_back(world, *(line.id for line in world.alice.lines if line.kind == "item"))
    session.execute(Return.__table__.update().values(goods="received", inspected_at=clock.now()))
    session.commit()
    due = invitation.due_at
    assert send_survey(invitation.id, due=due.isoformat(), now=due) is None
    assert invitation_of(world.alice).suppressed_because == "nothing_kept"


# --- versions, and the shop's own form ---


def test_what_was_asked_in_one_version_is_answered_in_it(client, world):
    code = own_form(world)
    ask(world.alice, code)
    put_otherwise(code, "en", {**SHOPS_OWN, "ask": "How did you like the wrap?"}, seen=1, by=world.max, now=clock.now())
    session.commit()
    open_link(client, world.alice, "survey")
    page = client.get(page_of(world.alice)).text
    assert "How was the gift wrap?" in page
    client.post(page_of(world.alice), data={"score": "5", "choice": "2"})
    told = given()
    assert (told.question, told.version.number, told.choice) == ("How was the gift wrap?", 1, 2)
    at_the_desk = sign_in(client, world.max).get(f"/desk/orders/{world.alice.id}").text
    assert "How was the gift wrap?" in at_the_desk
    assert "Green" in at_the_desk
    ask(world.bob, code)
    assert invitation_of(world.bob).version.number == 2


def test_a_form_of_another_version_is_refused_with_the_words_kept(client, world):
    invitation = ask(world.alice, "csat")
    open_link(client, world.alice, "survey")
    with nothing_appears():
        stale = {"score": "1", "words": "Kept.", "version": str(invitation.version_id + 1)}
        refused = client.post(page_of(world.alice), data=stale)
    assert refused.status_code == 409
    assert "We ask this differently now." in refused.text
    assert "Kept." in refused.text
    assert f'name="version" type="hidden" value="{invitation.version_id}"' in refused.text


@pytest.mark.parametrize("choice", ["0", "3", "x"])
def test_a_choice_that_does_not_stand_there_is_refused(client, world, choice):
    ask(world.alice, own_form(world))
    open_link(client, world.alice, "survey")
    with nothing_appears():
        refused = client.post(page_of(world.alice), data={"score": "4", "choice": choice})
    assert refused.status_code == 422
    assert "Choose one of the answers that stand there." in refused.text


@pytest.mark.parametrize(("score", "next_question"), [("1", "What was torn?"), ("5", "Who got it?")])
def test_what_is_asked_next_depends_on_the_score_and_needs_no_scripts(client, world, score, next_question):
    ask(world.alice, own_form(world))
    open_link(client, world.alice, "survey")
    client.post(page_of(world.alice), data={"score": score, "choice": "1"})
    thanks = client.get(page_of(world.alice)).text
    assert f"<h2>{next_question}</h2>" in thanks
    client.post(page_of(world.alice), data={"score": score, "choice": "1", "words": "The corner."})
    assert (given().words, given().choice) == ("The corner.", 1)
    assert f"<h2>{next_question}</h2>" not in client.get(page_of(world.alice)).text


def test_a_form_without_a_question_for_a_score_asks_nothing_next(client, world):
    ask(world.alice, own_form(world))
    open_link(client, world.alice, "survey")
    client.post(page_of(world.alice), data={"score": "3"})
    assert 'name="words"' not in client.get(page_of(world.alice)).text


def test_a_text_that_is_missing_stands_in_the_shops_language(client, world):
    code = own_form(world)
    german = {"ask": "Wie war die Verpackung?", "low": "Schlecht", "high": "Schön", "choices": ["Blau", "Grün"]}
    version = put_otherwise(code, "de", german, seen=1, by=world.max, now=clock.now())
    said = version.said("de-AT")
    assert (said.ask, said.bad, said.choice, said.choices) == (
        "Wie war die Verpackung?", "What was torn?", "Which paper?", ("Blau", "Grün"),
    )  # fmt: skip
    assert version.said("fr").ask == "How was the gift wrap?"
    assert list(own_forms.missing(version)["de"]) == ["bad", "good", "choice"]
    assert own_forms.missing(version)["en"] == []


def test_new_answers_to_choose_from_leave_their_old_translations_out(world):
    code = own_form(world)
    put_otherwise(code, "de", {"choices": ["Blau", "Grün"]}, seen=1, by=world.max, now=clock.now())
    changed = {**SHOPS_OWN, "choices": ["Green", "Red", "Blue"]}
    version = put_otherwise(code, "en", changed, seen=2, by=world.max, now=clock.now())
    assert version.said("de").choices == ("Green", "Red", "Blue")


def test_the_portals_own_question_put_otherwise_becomes_a_new_version(world, monkeypatch):
    before = ask(world.alice, "csat").version
    texts = {**before.texts, "en": {**before.texts["en"], "ask": "How was all of it?"}}
    monkeypatch.setattr(built_in, "texts", lambda _code: texts)
    after = ask(world.bob, "csat").version
    assert (before.number, after.number, after.said("en").ask) == (1, 2, "How was all of it?")
    assert invitation_of(world.alice).version.said("en").ask == "How was it?"


# --- without name and order ---


def unnamed(world) -> None:
    set_terms(after_days=5, hour=9, working_days=False, remind_days=0, quiet_days=90, anonymous=True)
    delivered(world.alice, world.pat)
    schedule_survey(world.alice.id, now=clock.now())
    session.commit()


def test_an_answer_without_name_loses_its_order_and_its_moment(client, world):
    unnamed(world)
    open_link(client, world.alice, "survey")
    assert "without your name and your order" in client.get(page_of(world.alice)).text
    assert client.post(page_of(world.alice), data={"score": "1", "words": "Broken."}).status_code == 303
    told = given()
    assert (told.score, told.words, told.invitation_id) == (1, "Broken.", None)
    assert (told.answered_at.hour, told.answered_at.minute, told.answered_at.second) == (0, 0, 0)
    assert [kind for kind in kinds(world.alice) if kind.startswith(("survey.answered", "case."))] == []
    assert session.scalars(select(Case)).all() == []
    assert invitation_of(world.alice).closes_at is None
    thanks = client.get(page_of(world.alice)).text
    assert "nobody can show or change it" in thanks
    assert "Broken." not in thanks


def test_who_answered_without_name_in_another_tab_answers_no_second_time(client, world):
    unnamed(world)
    open_link(client, world.alice, "survey")
    client.post(page_of(world.alice), data={"score": "5"})
    with nothing_appears():
        refused = client.post(page_of(world.alice), data={"score": "1"})
    assert refused.status_code == 409
    assert "You have answered already." in refused.text


def test_stars_without_name_know_the_article_and_not_the_line(world):
    lines = asked_for_stars(world)
    session.execute(SurveyInvitation.__table__.update().values(anonymous=True))
    session.commit()
    answer(world.alice.id, Said(stars=dict.fromkeys(lines, 4)), now=clock.now())
    session.commit()
    assert [(row.sku, row.order_line_id) for row in given().stars] == [("MUG-01", None), ("SHIRT-M", None)]


def test_a_machine_gives_nobodys_answer_away(client, world):
    unnamed(world)
    open_link(client, world.alice, "survey")
    trapped(client, world.alice)
    client.post(page_of(world.alice), data={"score": "1"})
    assert given().provisional
    assert [kind for kind in kinds(world.alice) if "doubted" in kind] == []


def test_words_without_name_are_let_go_like_all_others(world):
    unnamed(world)
    answer(world.alice.id, Said(1, "Broken."), now=clock.now())
    session.commit()
    for days, left in ((729, "Broken."), (731, "")):
        retention.apply("answers", now=clock.now() + timedelta(days=days))
        assert given().words == left


# --- where it stands ---


@pytest.mark.parametrize(("code", "signs"), [("csat", 5), ("nps", 11), ("ces", 7), ("stars", 5)])
def test_the_orders_page_asks_in_one_row_whatever_the_kind(client, world, code, signs):
    delivered(world.alice, world.pat)
    ask(world.alice, code, closes_at=None)
    open_link(client, world.alice)
    with statements() as seen, clock.moved(AN_HOUR):
        page = client.get(f"/orders/{world.alice.ref}").text
    assert page.count(f"/orders/{world.alice.ref}/survey?") == signs
    assert invitation_of(world.alice).version.said("en").ask in page
    assert len(seen) <= (5 if code == "stars" else 4)
