"""The outer loop: what is behind cases is suggested, taken up, changed, and looked at again."""

import csv
from datetime import date, timedelta
from io import StringIO
from random import Random

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text

from portal.db import session
from portal.feedback import cause_measures, causes
from portal.feedback.case_models import Case
from portal.feedback.cause_models import About, Cause, CauseChange, CauseMember, cause_of
from portal.feedback.cause_suggestions import suggestions
from portal.feedback.jobs import open_cases
from portal.feedback.tallies import Counted
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.staff.actions import disable_staff
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import another_order_of_alices, answered, case_of, invited, kinds, tallied
from tests.world import sign_in

DEFECTIVE_MUG = About(product="MUG-01", reason="defective")
WEEK = timedelta(weeks=1)


def this_day() -> date:
    return shop_day(clock.now())


def taken_up(about: About, by) -> Cause:
    cause = causes.take_up(about, by=by, now=clock.now())
    session.commit()
    return cause


def counted_as(order: Order, **facts) -> None:
    """How the order stands in the tallies: what came back of it, and who brought it."""
    values = {"courier": "dhl", "products": ["MUG-01", "SHIRT-M"], "marks": [], "stems": [], **facts}
    session.query(Counted).filter(Counted.order_id == order.id).delete()
    session.execute(insert(Counted).values(key=order.id, order_id=order.id, **values))


def came_back(order: Order, sku: str = "MUG-01", reason: str = "defective") -> None:
    counted_as(order, marks=[{"m": f"back.{reason}", "p": sku, "d": this_day().isoformat(), "n": 1}])


@pytest.fixture
def complaint(world) -> Case:
    """Alice's mug came broken, she said so and sent it back."""
    invited(world.alice)
    case = case_of(world.alice)
    came_back(world.alice)
    session.commit()
    return case


@pytest.fixture
def defect(app) -> None:
    """Of two hundred mugs forty came back defective, of a thousand shirts ten; those who have a mug are displeased."""
    lately = this_day() - WEEK
    for sku, arrived, back, good in (("MUG-01", 200, 40, 90), ("SHIRT-M", 1000, 10, 900)):
        tallied("arrived", "product", sku, arrived, arrived, 0, lately)
        tallied("back.defective", "product", sku, back, 0, 0, lately)
        tallied("csat", "product", sku, arrived, good, arrived - good, lately)
    tallied("csat", "all", "all", 1200, 990, 210, lately)
    session.commit()


# --- what is suggested ------------------------------------------------------------------------------------------------


def test_a_product_that_comes_back_more_often_is_suggested_with_its_cases_and_low_answers(world, defect, complaint):
    another = another_order_of_alices()
    answered(invited(another), 1)
    came_back(another)
    [found] = suggestions([], today=this_day())
    assert (found.about, found.name) == (DEFECTIVE_MUG, "It does not work: Stoneware mug")
    assert "40 of 200" in found.why
    assert (found.cases, found.low, found.few) == (1, 2, False)


def test_what_is_looked_after_is_not_suggested_again_until_it_is_closed(world, defect, complaint):
    assert suggestions([DEFECTIVE_MUG], today=this_day()) == []


def test_a_product_and_a_courier_with_low_scores_are_suggested(world):
    for dimension, bad, fine in (("product", "MUG-01", "SHIRT-M"), ("courier", "dpd", "dhl")):
        tallied("csat", dimension, bad, 100, 40, 60, this_day())
        tallied("csat", dimension, fine, 300, 285, 15, this_day())
    tallied("csat", "all", "all", 400, 325, 75, this_day())
    found = suggestions([], today=this_day())
    assert [one.about for one in found] == [About(product="MUG-01"), About(courier="dpd")]
    assert found[0].why == "Scores 40 (31 to 50, 100 answers): worse than the others."


def test_a_department_that_gets_more_cases_than_before_is_suggested(world):
    cases_of(world, "packing", 12)
    tallied("arrived", "all", "all", 100, 100, 0, this_day())
    tallied("arrived", "all", "all", 400, 400, 0, this_day() - 8 * WEEK)
    [found] = suggestions([], today=this_day())
    assert (found.about, found.cases) == (About(department="packing"), 12)
    assert found.why == "12 of 100 orders in four weeks, 12.0 %: more than before (0.0 %)."


def cases_of(world, department: str, many: int) -> None:
    """So many orders with a case of this department."""
    for number in range(many):
        order = another_order_of_alices(f"D{number}")
        counted_as(order)
        until = {"opened_at": clock.now(), "due_at": clock.now() + WEEK}
        session.add(Case(order_id=order.id, department=department, owner_id=world.sam.id, opened_for="late", **until))
    session.flush()


def test_too_few_to_be_sure_are_shown_in_grey_from_three_cases_on(world):
    tallied("arrived", "product", "MUG-01", 9, 9, 0, this_day())
    tallied("back.defective", "product", "MUG-01", 3, 0, 0, this_day())
    cases_of(world, "support", 2)
    assert suggestions([], today=this_day()) == []
    cases_of_mugs = session.scalars(select(Case.order_id)).all()
    invited(world.alice)
    case_of(world.alice)
    for order_id in (*cases_of_mugs, world.alice.id):
        came_back(session.get_one(Order, order_id))
    [found] = suggestions([], today=this_day())
    assert (found.about, found.few, found.cases) == (DEFECTIVE_MUG, True, 3)
    assert found.why == "Came back from 3 of 9 orders: too few to be sure."


def test_one_press_takes_it_up_and_what_fits_belongs_to_it(client, world, defect, complaint):
    sign_in(client, world.sam)
    page = client.get("/desk/causes").text
    assert "Take up: It does not work: Stoneware mug" in page
    there = client.post("/desk/causes", data={"product": "MUG-01", "reason": "defective"})
    cause = session.scalars(select(Cause)).one()
    assert (there.status_code, there.location, cause.owner) == (303, f"/desk/causes/{cause.id}", world.sam)
    assert cause_of(complaint.id) == cause
    assert "The mug came broken." in client.get(there.location).text
    again = client.post("/desk/causes", data={"product": "MUG-01", "reason": "defective"})
    assert again.location == there.location, "who presses a moment later comes to the same cause"


# --- what belongs to it -----------------------------------------------------------------------------------------------


def test_a_return_that_comes_later_says_what_was_behind_the_case(world):
    cause = taken_up(DEFECTIVE_MUG, world.sam)
    invited(world.alice)
    case = case_of(world.alice)
    counted_as(world.alice)
    causes.gather_lately(now=clock.now())
    assert cause_of(case.id) is None
    came_back(world.alice)
    open_cases()
    assert cause_of(case.id) == cause


def test_the_most_particular_cause_gets_the_case(world, complaint):
    for about in (About(reason="defective"), About(product="MUG-01"), DEFECTIVE_MUG):
        taken_up(about, world.sam)
    session.execute(text("DELETE FROM cause_members"))
    causes.gather_lately(now=clock.now())
    assert cause_of(complaint.id).about == DEFECTIVE_MUG


def test_a_bad_answer_without_a_case_belongs_too_and_a_machines_does_not(world):
    answered(invited(world.alice), 1)
    counted_as(world.alice)
    answered(invited(world.bob), 1, provisional=True)
    counted_as(world.bob)
    cause = taken_up(About(courier="dhl"), world.sam)
    members = session.scalars(select(CauseMember).where(CauseMember.cause_id == cause.id)).all()
    assert [member.order for member in members] == [world.alice]


def test_few_stars_for_another_article_are_no_case_of_this_one(world):
    invitation = invited(world.alice, code="stars")
    answer = answered(invitation, 1)
    counted_as(world.alice)
    for sku, stars in (("MUG-01", 5), ("SHIRT-M", 1)):
        session.execute(
            text("INSERT INTO answer_stars (answer_id, sku, title, stars) VALUES (:answer, :sku, :sku, :stars)"),
            {"answer": answer.id, "sku": sku, "stars": stars},
        )
    mug, shirt = taken_up(About(product="MUG-01"), world.sam), taken_up(About(product="SHIRT-M"), world.sam)
    assert [one.cause_id for one in session.scalars(select(CauseMember))] == [shirt.id]
    assert mug.id != shirt.id


def test_a_person_puts_an_orders_cases_there_or_its_answer(client, world):
    sign_in(client, world.sam)
    cause = taken_up(About(courier="dpd"), world.sam)
    invited(world.alice)
    case = case_of(world.alice)
    answered(invited(world.bob), 3)
    for number in ("1001", "1002"):
        assert client.post(f"/desk/causes/{cause.id}/members", data={"number": number}).status_code == 303
    members = session.scalars(select(CauseMember).order_by(CauseMember.id)).all()
    assert [(one.case, one.order, one.put_by) for one in members] == [
        (case, world.alice, world.sam),
        (None, world.bob, world.sam),
    ]
    assert kinds(world.alice)[-1] == kinds(world.bob)[-1] == "case.put_to_cause"


def test_an_order_without_a_case_or_an_answer_is_refused(client, world):
    sign_in(client, world.sam)
    cause = taken_up(About(courier="dpd"), world.sam)
    with nothing_appears():
        answer = client.post(f"/desk/causes/{cause.id}/members", data={"number": "1001"})
    assert answer.status_code == 409
    assert "Of an order 1001 there is neither a case nor an answer." in answer.text
    assert client.post(f"/desk/causes/{cause.id}/members", data={"number": ""}).status_code == 422


def test_what_a_person_took_out_does_not_come_back_by_itself(client, world, complaint):
    sign_in(client, world.sam)
    cause = taken_up(DEFECTIVE_MUG, world.sam)
    [member] = session.scalars(select(CauseMember))
    assert client.post(f"/desk/causes/{cause.id}/members/{member.id}/removal").status_code == 303
    causes.gather_lately(now=clock.now())
    assert cause_of(complaint.id) is None
    assert kinds(world.alice)[-1] == "case.put_to_none"
    assert client.post(f"/desk/causes/{cause.id}/members/{member.id}/removal").status_code == 409


def test_at_the_case_itself_it_is_put_to_a_cause_or_to_none(client, world, complaint):
    sign_in(client, world.sam)
    cause = taken_up(About(courier="dpd"), world.sam)
    page = f"/desk/cases/{complaint.id}"
    assert "DPD" in client.get(page).text
    assert client.post(f"{page}/cause", data={"cause": cause.id}).location == page
    assert cause_of(complaint.id) == cause
    assert client.post(f"{page}/cause", data={"cause": 0}).status_code == 303
    assert cause_of(complaint.id) is None
    assert client.post(f"{page}/cause", data={"cause": 99999}).status_code == 422


# --- before and after -------------------------------------------------------------------------------------------------


def lived(sku: str, day: date, n: int, satisfied: float, back: float, chance: Random) -> None:
    """So many orders, of which by chance these shares are satisfied, and come back."""
    good, gone = (sum(chance.random() < share for _ in range(n)) for share in (satisfied, back))
    tallied("csat", "product", sku, n, good, n - good, day)
    tallied("arrived", "product", sku, n, n, 0, day)
    tallied("back.defective", "product", sku, gone, 0, 0, day)


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_improvement_is_recovered_and_what_changed_nothing_is_not_praised(world, seed):
    chance = Random(seed)
    before, after = this_day() - 6 * WEEK, this_day() - WEEK
    lived("MUG-01", before, 300, 0.5, 0.2, chance)
    lived("MUG-01", after, 300, 0.85, 0.03, chance)
    lived("SHIRT-M", before, 300, 0.7, 0.1, chance)
    lived("SHIRT-M", after, 300, 0.7, 0.1, chance)
    mug, shirt = measured("MUG-01", world), measured("SHIRT-M", world)
    assert {code: measure.became for code, measure in mug.items()} == {"csat": "better", "back": "better"}
    assert {code: measure.became for code, measure in shirt.items()} == {"csat": "", "back": ""}
    planted = {"csat": (50, 85), "back": (20, 3)}
    for code, truth in planted.items():
        reach = [score.interval for score in mug[code].scores]
        assert all(low - 3 <= true <= high + 3 for true, (low, high) in zip(truth, reach, strict=True))


def measured(sku: str, world) -> dict[str, cause_measures.Measure]:
    """What is counted about it, since it was changed three weeks ago."""
    cause = taken_up(About(product=sku, reason="defective"), world.sam)
    causes.note_change(cause, this_day() - 3 * WEEK, "Glazed anew", by=world.sam, now=clock.now())
    stretches = cause_measures.stretches_of(cause.changes, this_day())
    return {measure.code: measure for measure in cause_measures.measures_of(cause.about, stretches)}


def test_fewer_than_thirty_are_grey_and_say_nothing(world):
    chance = Random(1)
    lived("MUG-01", this_day() - 6 * WEEK, 300, 0.2, 0.5, chance)
    lived("MUG-01", this_day() - WEEK, 29, 1, 0, chance)
    csat = measured("MUG-01", world)["csat"]
    assert (csat.became, [score.few for score in csat.scores]) == ("", [False, True])
    assert cause_measures.verdict(csat) == "Before or since then it was fewer than 30: too early to say."
    assert 'class="chart-reach few"' in cause_measures.picture(csat)


def test_each_change_begins_a_stretch_of_its_own_and_the_first_is_compared_with_the_last(world):
    for weeks, good in ((8, 50), (4, 60), (1, 90)):
        tallied("csat", "courier", "dpd", 100, good, 100 - good, this_day() - weeks * WEEK)
        tallied("arrived", "courier", "dpd", 100, good, 100 - good, this_day() - weeks * WEEK)
    cause = taken_up(About(courier="dpd"), world.sam)
    for weeks in (2, 5):
        causes.note_change(cause, this_day() - weeks * WEEK, f"{weeks} weeks ago", by=world.sam, now=clock.now())
    stretches = cause_measures.stretches_of(cause.changes, this_day())
    csat, promise = cause_measures.measures_of(cause.about, stretches)
    assert [score.good for score in csat.scores] == [50, 60, 90]
    assert (csat.became, promise.code, promise.became) == ("better", "arrived", "better")
    assert [cause_measures.named(one, stretches)[-11:] for one in stretches] == ["Before", "5 weeks ago", "2 weeks ago"]


def test_of_a_department_the_orders_with_a_case_are_counted(world):
    cases_of(world, "packing", 3)
    tallied("arrived", "all", "all", 60, 60, 0, this_day())
    stretches = cause_measures.stretches_of([], this_day())
    [measure] = cause_measures.measures_of(About(department="packing"), stretches)
    assert (measure.code, measure.scores[0].value) == ("cases", 5)


def test_what_became_worse_says_so():
    stretches = cause_measures.stretches_of([CauseChange(changed_on=date(2026, 11, 2), note="")], date(2026, 11, 29))
    fewer, more = cause_measures.share(10, 200), cause_measures.share(60, 200)
    worse = cause_measures.Measure("back", stretches, [fewer, more])
    assert cause_measures.verdict(worse) == "It became worse: the lines of before and now do not meet."


# --- at the desk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cause(client, world, defect, complaint) -> Cause:
    """Sam looks after the defective mugs."""
    sign_in(client, world.sam)
    return taken_up(DEFECTIVE_MUG, world.sam)


def test_the_page_shows_before_and_after_and_its_file_says_the_same(client: FlaskClient, cause):
    page = f"/desk/causes/{cause.id}"
    noted = {"changed_on": (this_day() - 3 * WEEK).isoformat(), "note": "=A new kiln"}
    assert client.post(f"{page}/changes", data=noted).location == page
    shown = client.get(page).text
    assert "Since" in shown
    assert "=A new kiln" in shown
    assert shown.count('<svg xmlns="http://www.w3.org/2000/svg" width="100%"') == 2, "what they say, what comes back"
    rows = list(csv.DictReader(StringIO(client.get(f"{page}.csv").text)))
    assert [(row["measure"], row["n"], row["value"]) for row in rows if row["changed"]] == [
        ("csat", "201", "44.8"),
        ("back", "200", "20.0"),
    ]
    assert {row["changed"] for row in rows} == {"", "'=A new kiln"}


def test_a_change_that_was_noted_by_mistake_is_removed(client, cause):
    page = f"/desk/causes/{cause.id}"
    client.post(f"{page}/changes", data={"changed_on": this_day().isoformat(), "note": "A new kiln"})
    [change] = session.scalars(select(CauseChange))
    assert client.post(f"{page}/changes/{change.id}/removal").location == page
    assert session.scalar(select(CauseChange.id)) is None
    assert client.post(f"{page}/changes/{change.id}/removal").status_code == 409


@pytest.mark.parametrize(
    ("noted", "status", "said"),
    [
        ({"note": "A new kiln", "changed_on": "tomorrow"}, 409, "This day is still to come."),
        ({"note": "", "changed_on": "2026-11-02"}, 422, "Write a few words."),
        ({"note": "A new kiln", "changed_on": "soon"}, 422, "Not a valid date value."),
        ({"note": "k" * 501, "changed_on": "2026-11-02"}, 422, "at most 500 characters"),
    ],
)
def test_a_change_that_can_not_be_is_refused_and_kept_in_the_form(client, cause, noted, status, said):
    if noted["changed_on"] == "tomorrow":
        noted = {**noted, "changed_on": (this_day() + timedelta(days=1)).isoformat()}
    with nothing_appears():
        answer = client.post(f"/desk/causes/{cause.id}/changes", data=noted)
    assert (answer.status_code, said in answer.text, noted["note"] in answer.text) == (status, True, True)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({}, "Say what it is about"),
        ({"product": "MUG-01", "courier": "dhl"}, "Choose one of product, courier and department"),
        ({"department": "packing", "reason": "defective"}, "Choose a department, and no reason with it."),
        ({"product": "NONE"}, "No order ever had an article “NONE”."),
        ({"courier": "pigeon"}, "Choose one of the list."),
        ({"reason": "whim"}, "Choose one of the list."),
    ],
)
def test_what_the_shop_does_not_know_is_not_taken_up(client, world, about, said):
    sign_in(client, world.sam)
    with nothing_appears():
        answer = client.post("/desk/causes", data=about)
    assert (answer.status_code, said in answer.text) == (409, True)


def test_somebody_else_looks_after_it(client, world, cause):
    page = f"/desk/causes/{cause.id}"
    assert client.post(f"{page}/owner", data={"owner": world.max.id, "instead_of": world.sam.id}).location == page
    assert session.get_one(Cause, cause.id).owner == world.max
    late = client.post(f"{page}/owner", data={"owner": world.sam.id, "instead_of": world.sam.id})
    assert (late.status_code, cause.owner) == (409, world.max)
    assert client.post(f"{page}/owner", data={"owner": world.cleo.id, "instead_of": world.max.id}).status_code == 422


def test_what_somebody_had_who_left_goes_to_a_manager(world, cause):
    disable_staff(world.sam, now=clock.now())
    causes.gather_lately(now=clock.now())
    assert cause.owner_id == world.max.id


def test_a_closed_cause_takes_nothing_until_it_is_opened_again(client, world, cause):
    page = f"/desk/causes/{cause.id}"
    client.post(f"{page}/closing")
    with nothing_appears(), pytest.raises(Refused, match="This cause is closed"):
        causes.note_change(cause, this_day(), "A new kiln", by=world.sam, now=clock.now())
    assert "It does not work: Stoneware mug" in client.get("/desk/causes?state=closed").text
    assert "Take up: It does not work: Stoneware mug" in client.get("/desk/causes").text, "it is suggested anew"
    client.post(f"{page}/reopening")
    assert session.get_one(Cause, cause.id).state == "open"


def test_of_two_about_the_same_only_one_is_open(client, world, cause):
    client.post(f"/desk/causes/{cause.id}/closing")
    taken_up(DEFECTIVE_MUG, world.max)
    assert client.post(f"/desk/causes/{cause.id}/reopening").status_code == 409
    assert [one.owner for one in session.scalars(select(Cause).where(Cause.state == "open"))] == [world.max]


def test_both_pages_take_as_many_statements_for_many_as_for_few(client, world, cause):
    def counted() -> list[int]:
        found = []
        for page in ("/desk/causes", f"/desk/causes/{cause.id}"):
            with statements() as seen:
                assert client.get(page).status_code == 200
            found.append(len(seen))
        return found

    counted()
    few = counted()
    for about in (About(courier="dhl"), About(courier="dpd"), About(reason="damaged"), About(department="packing")):
        taken_up(about, world.sam)
    for number in range(5):
        order = another_order_of_alices(f"M{number}")
        answered(invited(order), 1)
        came_back(order)
    causes.gather_lately(now=clock.now())
    causes.note_change(cause, this_day() - WEEK, "A new kiln", by=world.sam, now=clock.now())
    session.commit()
    many = counted()
    assert (many[0], many[1]) <= (few[0] + 1, few[1] + 1), "the list names products in one statement"
    assert max(many) < 35


def test_before_anything_stands_out_it_says_so(client, world):
    sign_in(client, world.max)
    page = client.get("/desk/causes").text
    assert "Nobody looks after a cause" in page
    assert "Worth a look" not in page
    assert "No cause was closed yet" in client.get("/desk/causes?state=closed").text
    assert client.get("/desk/causes?state=lost").status_code == 404
    assert client.get("/desk/causes/1").status_code == 404
    cause = taken_up(About(courier="dhl"), world.max)
    page = client.get(f"/desk/causes/{cause.id}").text
    assert "No case belongs to it yet" in page


def test_who_does_not_work_on_cases_sees_no_causes(client, world, cause):
    sign_in(client, world.cleo)
    assert client.get("/desk/causes").status_code == 403
    assert client.post("/desk/causes", data={"courier": "dhl"}).status_code == 403
    assert client.get(f"/desk/causes/{cause.id}.csv").status_code == 403


def test_what_nobody_has_changed_yet_waits_in_the_queue_of_its_owner(client, world, cause):
    assert '>Causes <span class="count ">1</span>' in client.get("/desk/causes").text
    causes.note_change(cause, this_day(), "A new kiln", by=world.sam, now=clock.now())
    session.commit()
    assert '>Causes <span class="count none">0</span>' in client.get("/desk/causes").text
