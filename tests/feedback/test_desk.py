"""Support finds the most urgent case first, answers it, hands it on."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback import cases
from portal.feedback.case_models import Case, CaseMessage
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Order
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import another_order_of_alices, answered, case_of, invited, kinds
from tests.world import neighbour, sign_in


@pytest.fixture
def case(surveyed):
    return case_of(surveyed.alice)


@pytest.fixture
def sam(client, world):
    return sign_in(client, world.sam)


def a_case(order: Order, due_in: timedelta, **more: object) -> Case:
    """A case of this order, as if its customer had answered."""
    now = clock.now()
    answer = answered(invited(order, "answered"), 1, "Late.")
    case = Case(order_id=order.id, answer_id=answer.id, opened_at=now, due_at=now + due_in, **more)
    case.messages.append(CaseMessage(words="Late.", at=now))
    session.add(case)
    session.commit()
    return case


def test_the_list_has_the_most_urgent_case_first_and_marks_what_is_overdue(sam, world):
    a_case(world.alice, timedelta(hours=30))
    a_case(world.bob, timedelta(hours=-2))
    body = sam.get("/desk/cases").text
    assert body.index(">1002<") < body.index(">1001<")
    assert body.count("Overdue") == 1


def test_each_list_holds_its_cases(sam, world):
    mine = a_case(world.alice, timedelta(hours=30), owner_id=world.sam.id)
    waiting = a_case(world.bob, timedelta(hours=2), owner_id=world.max.id, state="waiting_for_customer")
    a_case(another_order_of_alices(), timedelta(0), state="solved", solved_at=clock.now())
    shown = {
        view: [n for n in ("1001", "1002", "1003") if f">{n}<" in sam.get(f"/desk/cases?state={view}").text]
        for view in ("open", "mine", "waiting", "solved")
    }
    assert shown == {"open": ["1001"], "mine": ["1001"], "waiting": ["1002"], "solved": ["1003"]}
    assert (mine.state, waiting.state) == ("open", "waiting_for_customer")


@pytest.mark.parametrize("query", ["state=all", "state=", "page=0", "page=-1", "page=99999999999999999999"])
def test_a_list_that_does_not_exist_is_not_found(sam, query):
    assert sam.get(f"/desk/cases?{query}").status_code == 404


def test_an_empty_list_says_so(sam):
    assert "Nobody waits for an answer." in sam.get("/desk/cases").text


def test_the_list_takes_as_many_statements_for_fifty_cases_as_for_one(sam, world):
    a_case(world.alice, timedelta(hours=1), owner_id=world.sam.id)
    sam.get("/desk/cases")
    with statements() as for_one:
        sam.get("/desk/cases")
    for n in range(55):
        a_case(another_order_of_alices(f"2{n:03}"), timedelta(hours=n), owner_id=world.sam.id)
    with statements() as for_many:
        body = sam.get("/desk/cases").text
    assert len(re.findall(r"/desk/cases/\d", body)) == 50
    assert len(for_many) == len(for_one)
    assert len(for_one) <= 8
    assert len(re.findall(r"/desk/cases/\d", sam.get(neighbour(body, "next")).text)) == 6


def test_the_case_takes_as_many_statements_for_a_long_conversation_as_for_a_short_one(sam, world, case):
    sam.get(f"/desk/cases/{case.id}")
    with statements() as short:
        sam.get(f"/desk/cases/{case.id}")
    for n in range(20):
        staff_id = (world.sam.id, world.max.id, None)[n % 3]
        session.add(CaseMessage(case_id=case.id, staff_id=staff_id, words=f"Message {n}", at=clock.now()))
    session.commit()
    with statements() as long:
        assert "Message 19" in sam.get(f"/desk/cases/{case.id}").text
    assert len(long) == len(short)


def test_the_case_shows_the_orders_story_beside_it(sam, world, case):
    body = sam.get(f"/desk/cases/{case.id}").text
    for told in ("Alice Ångström", "The mug came broken.", "Very bad", "Promised", "Delivered", "Case opened", "Sam"):
        assert told in body


def test_support_answers_and_the_customer_is_told(sam, world, case):
    answer = sam.post(
        f"/desk/cases/{case.id}/messages",
        data={"words": "Sorry! A new mug leaves today.", "asks": "y", "seen": case.last_message_id},
    )
    assert answer.location == f"/desk/cases/{case.id}"
    session.expire_all()
    assert case.state == "waiting_for_customer"
    assert case.asks_if_solved
    letter = session.scalars(select(Letter).where(Letter.kind == "case-reply")).one()
    assert letter.subject == "Is it solved? Your order 1001"
    assert "Sorry! A new mug leaves today." in letter.text
    assert kinds(world.alice)[-1] == "case.asked"


def test_an_answer_that_missed_the_news_is_refused_and_kept(sam, world, case):
    seen = case.last_message_id
    cases.write_to_shop(case, "Do not send a new one, I want my money.", now=clock.now())
    session.commit()
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data={"words": "A new mug leaves today.", "seen": seen})
    assert answer.status_code == 409
    assert "Something was written here a moment ago." in answer.text
    assert "Do not send a new one, I want my money." in answer.text
    assert "A new mug leaves today.</textarea>" in answer.text
    session.expire_all()
    assert f'name="seen" type="hidden" value="{case.last_message_id}"' in answer.text


def test_an_answer_posted_twice_is_one_answer(sam, case):
    form = {"words": "A new mug leaves today.", "seen": case.last_message_id}
    assert sam.post(f"/desk/cases/{case.id}/messages", data=form).status_code == 303
    with nothing_appears():
        assert sam.post(f"/desk/cases/{case.id}/messages", data=form).status_code == 409


def test_it_refuses_an_answer_without_words(sam, case):
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data={"words": " ", "seen": case.last_message_id})
    assert answer.status_code == 422
    assert "Write a few words." in answer.text


def test_it_refuses_an_answer_to_a_case_that_is_solved(sam, case):
    cases.say_solved(case, now=clock.now())
    session.commit()
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data={"words": "Hello?", "seen": case.last_message_id})
    assert answer.status_code == 409


def test_a_customer_without_an_address_reads_the_answer_on_the_page(sam, world, case):
    world.alice.customer.email = None
    session.commit()
    form = {"words": "A new mug leaves today.", "seen": case.last_message_id}
    assert sam.post(f"/desk/cases/{case.id}/messages", data=form).status_code == 303
    assert session.scalars(select(Letter).where(Letter.kind == "case-reply")).all() == []


def test_somebody_takes_the_case_over(client, world, case):
    sign_in(client, world.max)
    form = {"owner": world.max.id, "instead_of": world.sam.id}
    assert client.post(f"/desk/cases/{case.id}/owner", data=form).status_code == 303
    session.expire_all()
    assert case.owner_id == world.max.id
    assert kinds(world.alice)[-1] == "case.assigned"
    with nothing_appears():
        assert client.post(f"/desk/cases/{case.id}/owner", data=form).status_code == 303


def test_of_two_who_take_a_case_the_second_is_told(sam, world, case):
    cases.assign(case, world.max, instead_of=world.sam.id, by=world.max, now=clock.now())
    mia_takes = {"owner": world.sam.id, "instead_of": ""}
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/owner", data=mia_takes)
    assert answer.status_code == 409
    assert "Somebody else took this case a moment ago." in answer.text


@pytest.mark.parametrize("who", ["dan", "fran"])
def test_it_refuses_an_owner_who_may_not_work_on_cases(sam, world, case, who):
    with nothing_appears():
        form = {"owner": getattr(world, who).id, "instead_of": world.sam.id}
        assert sam.post(f"/desk/cases/{case.id}/owner", data=form).status_code == 422


@pytest.mark.parametrize("owner", ["", "x", "0", "99999999999999999999"])
def test_it_refuses_an_owner_who_is_nobody(sam, world, case, owner):
    with nothing_appears():
        form = {"owner": owner, "instead_of": world.sam.id}
        assert sam.post(f"/desk/cases/{case.id}/owner", data=form).status_code == 422


def test_it_refuses_to_hand_on_what_is_solved(sam, world, case):
    cases.say_solved(case, now=clock.now())
    session.commit()
    with nothing_appears():
        form = {"owner": world.max.id, "instead_of": world.sam.id}
        assert sam.post(f"/desk/cases/{case.id}/owner", data=form).status_code == 409


@pytest.mark.parametrize("who", ["cleo", "pat", "fran", "rita"])
def test_cases_are_for_those_who_work_on_them(client, world, case, who):
    sign_in(client, getattr(world, who))
    with nothing_appears():
        assert client.get("/desk/cases").status_code == 403
        assert client.get(f"/desk/cases/{case.id}").status_code == 403
        form = {"words": "Hi", "seen": case.last_message_id}
        assert client.post(f"/desk/cases/{case.id}/messages", data=form).status_code == 403


def test_a_stranger_is_asked_to_sign_in(client, case):
    assert client.get(f"/desk/cases/{case.id}").location.startswith("/desk/sign-in")


def test_a_case_that_does_not_exist_is_not_found(sam):
    assert sam.get("/desk/cases/999999").status_code == 404
    assert sam.get(f"/desk/cases/{10**30}").status_code == 404
