"""Rules say what opens a case, whose it is and how soon it is answered; they show what they would have done."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback import cases, watching
from portal.feedback.actions import give_answer
from portal.feedback.case_models import Case
from portal.feedback.case_rules import CaseRule, current_rules, set_rule, would_open
from portal.feedback.deadlines import deadline
from portal.feedback.jobs import open_cases
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.returns import actions as returns
from portal.returns.rules import Wish
from portal.staff import absences
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import delivered, invited, kinds
from tests.returns import hands
from tests.world import sign_in

ZONE = "Europe/Berlin"
USUAL = {
    "name": "A rule", "active": True, "trigger": "answer", "question": "", "score": "bad", "score_to": None,
    "words": {}, "sku": "", "days_late": 0, "reason": "", "department": "support", "owner_id": None, "hours": 8,
    "severity": 3,
}  # fmt: skip


def rule(world, **more) -> CaseRule:
    made = set_rule("blank", {**USUAL, **more}, by=world.max, now=clock.now())
    session.commit()
    return made


def says(order: Order, score: int, words: str = "") -> list[Case]:
    """The customer answers; the cases of the order then."""
    invited(order)
    give_answer(order.id, score, words, now=clock.now())
    session.commit()
    return cases_of(order)


def cases_of(order: Order) -> list[Case]:
    session.expire_all()
    return list(session.scalars(select(Case).where(Case.order_id == order.id)))


def test_a_bad_answer_opens_a_case_as_the_portal_comes(world):
    (case,) = says(world.alice, 2, "Late.")
    assert (case.owner_id, case.department, case.severity, case.hours) == (world.sam.id, "support", 2, None)
    assert case.due_at == deadline(case.opened_at, 16)
    assert says(world.bob, 3) == []


@pytest.mark.parametrize(
    ("more", "score", "words", "opens"),
    [
        ({"score": "up_to", "score_to": 3}, 3, "", True),
        ({"score": "up_to", "score_to": 3}, 4, "", False),
        ({"score": "up_to", "score_to": 3, "question": "nps"}, 3, "", False),
        ({"score": "any", "words": {"en": ["Broken"]}}, 5, "Nice, though BROKEN.", True),
        ({"score": "any", "words": {"de": ["broken"]}}, 5, "broken", False),
        ({"score": "any", "words": {"de": ["kaputt"], "": ["100%"]}}, 5, "I paid 100% of it", True),
        ({"score": "any", "words": {"": ["100%"]}}, 5, "I paid 1000 of it", False),
        ({"score": "up_to", "score_to": 4, "sku": "SHIRT-M"}, 4, "", True),
        ({"score": "up_to", "score_to": 4, "sku": "VASE"}, 4, "", False),
        ({"score": "up_to", "score_to": 4, "active": False}, 4, "", False),
    ],
)
def test_all_that_a_rule_names_must_be_true_and_it_foresees_what_it_does(world, more, score, words, opens):
    made = rule(world, **more)
    found = says(world.alice, score, words)
    assert [case.rule_id for case in found] == ([made.id] if opens else [])
    if made.active:
        assert [order.id for order in would_open(made, now=clock.now(), zone=ZONE)] == [world.alice.id] * opens


def test_of_several_rules_the_most_severe_counts_and_there_is_one_case(world):
    strong = rule(world, severity=3, department="returns")
    rule(world, severity=1)
    (case,) = says(world.alice, 1)
    assert (case.rule_id, case.department, case.severity) == (strong.id, "returns", 3)
    assert case.due_at == deadline(case.opened_at, 8)


def test_who_answers_for_a_department_but_may_not_work_on_cases_is_passed_over(world):
    """Rita answers for returns and has no business with cases: Max, her deputy, has."""
    rule(world, department="returns")
    (case,) = says(world.alice, 1)
    assert case.owner_id == world.max.id


def test_a_named_owner_gets_it(world):
    rule(world, owner_id=world.max.id)
    assert says(world.alice, 1)[0].owner_id == world.max.id


def test_a_late_parcel_opens_a_case_before_anybody_complains_once(world, work):
    with clock.moved(-timedelta(days=20)):
        made = rule(world, trigger="late", days_late=1, name="Two days late")
    late = world.alice.promised_on - shop_day(clock.now()) + timedelta(days=1)
    with clock.moved(late):
        open_cases()
        assert cases_of(world.alice) == []
    with clock.moved(late + timedelta(days=1)):
        assert {order.id for order in would_open(made, now=clock.now(), zone=ZONE)} >= {world.alice.id}
        open_cases()
        (case,) = cases_of(world.alice)
        assert (case.opened_for, case.rule_id, case.answer_id) == ("late", made.id, None)
        assert kinds(world.alice) == ["case.opened_by_rule"]
        with nothing_appears():
            open_cases()
            assert cases.open_by_rule(world.alice.id, made, now=clock.now()) is None


def test_what_was_late_before_the_rule_was_set_opens_nothing(world):
    with clock.moved(timedelta(days=40)):
        rule(world, trigger="late", days_late=1)
        with nothing_appears():
            open_cases()


def test_what_came_in_time_opens_nothing(world):
    rule(world, trigger="late")
    delivered(world.alice, world.pat)
    with clock.moved(timedelta(days=20)):
        open_cases()
        assert cases_of(world.alice) == []


def test_a_return_for_this_reason_opens_a_case(world):
    made = rule(world, trigger="return", reason="defective")
    hands.delivered(world, world.alice)
    wish = [Wish(world.alice.lines[0].id, 1, "defective", "It leaks.")]
    returns.request_return(world.alice.id, wish, key="one", by="customer", now=clock.now())
    session.commit()
    open_cases()
    (case,) = cases_of(world.alice)
    assert (case.opened_for, case.rule_id) == ("return", made.id)
    assert [order.id for order in would_open(made, now=clock.now(), zone=ZONE)] == [world.alice.id]


def test_different_causes_are_different_cases_and_the_same_one_is_never_two(world):
    with clock.moved(-timedelta(days=20)):
        rule(world, trigger="late")
    assert len(says(world.alice, 1)) == 1
    with clock.moved(world.alice.promised_on - shop_day(clock.now()) + timedelta(days=2)):
        open_cases()
        open_cases()
    assert sorted(case.opened_for for case in cases_of(world.alice)) == ["answer", "late"]


# --- at the desk ---


FORM = {
    "name": "Broken", "active": "y", "trigger": "answer", "question": "", "score": "any",
    "words": "de:\nkaputt\nen:\nbroken", "department": "support", "owner": "0", "hours": "4", "severity": "3",
    "days_late": "", "reason": "", "sku": "",
}  # fmt: skip


def test_a_rule_is_looked_at_and_then_set_and_kept_in_versions(client, world):
    says(world.alice, 4, "The mug is broken.")
    sign_in(client, world.max)
    with nothing_appears():
        page = client.post("/desk/cases/rules/blank", data={**FORM, "look": "yes"})
    assert page.status_code == 200
    assert "It would have opened one case." in page.text
    assert client.post("/desk/cases/rules/blank", data=FORM).status_code == 303
    made = next(one for one in current_rules() if one.name == "Broken")
    assert made.words == {"de": ["kaputt"], "en": ["broken"]}
    client.post(f"/desk/cases/rules/{made.code}", data={**FORM, "hours": "6"})
    page = client.get(f"/desk/cases/rules/{made.code}").text
    assert "Version 2" in page
    assert "Version 1" in page
    assert "de:\nkaputt\nen:\nbroken</textarea>" in page
    (now_held,) = [one for one in current_rules() if one.code == made.code]
    assert (now_held.hours, now_held.number) == (6, 2)


def test_the_list_says_what_each_rule_would_have_opened(client, world):
    says(world.alice, 1)
    sign_in(client, world.max)
    page = client.get("/desk/cases/rules").text
    assert "A bad answer" in page
    assert '<td class="num">1</td>' in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"score": "up_to", "score_to": ""},
        {"score": "up_to", "score_to": "11"},
        {"trigger": "return", "reason": ""},
        {"trigger": "weather"},
        {"hours": "0"},
        {"hours": "x"},
        {"severity": "9"},
        {"department": "moon"},
        {"owner": "999999"},
        {"words": "xx:\nword"},
        {"words": "word\n" * 61},
        {"days_late": "-1", "trigger": "late"},
    ],
)
def test_it_refuses_a_rule_that_makes_no_sense(client, world, wrong):
    sign_in(client, world.max)
    with nothing_appears():
        assert client.post("/desk/cases/rules/blank", data={**FORM, **wrong}).status_code == 422


def test_it_refuses_an_owner_who_may_not_work_on_cases(world):
    with nothing_appears(), pytest.raises(Refused):
        set_rule("blank", {**USUAL, "owner_id": world.dan.id}, by=world.max, now=clock.now())


@pytest.mark.parametrize("who", ["sam", "fran", "cleo"])
def test_rules_are_for_managers(client, world, who):
    sign_in(client, getattr(world, who))
    with nothing_appears():
        assert client.get("/desk/cases/rules").status_code == 403
        assert client.post("/desk/cases/rules/blank", data=FORM).status_code == 403


def test_a_rule_that_does_not_exist_is_not_found(client, world):
    sign_in(client, world.max)
    with nothing_appears():
        assert client.get("/desk/cases/rules/nothing").status_code == 404
        assert client.post("/desk/cases/rules/nothing", data=FORM).status_code == 404


def test_the_page_of_rules_asks_no_more_for_many_answers_than_for_few(client, world):
    says(world.alice, 1)
    sign_in(client, world.max)
    client.get("/desk/cases/rules")
    with statements() as few:
        client.get("/desk/cases/rules")
    says(world.bob, 1)
    with statements() as many:
        client.get("/desk/cases/rules")
    assert len(few) == len(many) <= 8


# --- who is away ---


def test_the_cases_of_who_is_away_go_to_the_deputy_and_new_ones_too(world):
    (case,) = says(world.alice, 1)
    first = shop_day(clock.now())
    absences.go_away(world.sam, first, first + timedelta(days=3), by=world.sam, now=clock.now())
    session.commit()
    assert list(watching.without_owner(now=clock.now())) == [case.id]
    assert watching.give_an_owner(case.id, now=clock.now())
    assert case.owner_id == world.max.id
    assert says(world.bob, 1)[0].owner_id == world.max.id
    assert list(watching.without_owner(now=clock.now())) == []


def test_the_days_after_an_absence_nothing_moves_back(world):
    (case,) = says(world.alice, 1)
    first = shop_day(clock.now())
    absences.go_away(world.sam, first, first, by=world.sam, now=clock.now())
    session.commit()
    assert list(watching.without_owner(now=clock.now() + timedelta(days=1))) == []
    assert case.owner_id == world.sam.id
