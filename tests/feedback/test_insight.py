"""Scores with their intervals, of whole weeks, by what happened to the order; all of it asked for in the address."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from portal.db import session
from portal.feedback import cases
from portal.feedback.insight import Wish, answered_kinds, cases_ended, picture, weeks_until
from portal.feedback.scores import Score, apart
from portal.lib import clock
from portal.lib.days import shop_day
from tests.conftest import statements
from tests.feedback.scenes import case_of, invited, tallied
from tests.world import sign_in

MONDAY = date(2026, 11, 2)
PAGE = "/desk/insight/satisfaction"


def seen(kind: str = "csat", **more):
    return picture(Wish(kind, MONDAY, MONDAY + timedelta(days=27), **more), {kind: 1})


@pytest.fixture
def counted(app):
    """A hundred lamps of which half are good, three hundred mugs that nearly all are, and two jugs."""
    for product, n, good in (("LAMP", 100, 50), ("MUG", 300, 280), ("JUG", 2, 0)):
        tallied("csat", "product", product, n, good, n - good, MONDAY)
    tallied("csat", "all", "all", 400, 330, 70, MONDAY)
    tallied("csat", "all", "all", 10, 4, 6, MONDAY + timedelta(days=7))
    tallied("csat", "all", "all", 5, 5, 0, MONDAY - timedelta(days=7))
    tallied("asked", "all", "all", 800, 400, 33, MONDAY)
    tallied("arrived", "all", "all", 1000, 900, 100, MONDAY)
    tallied("csat", "product", "LAMP", 60, 20, 40, MONDAY, within="courier", within_value="dhl")
    tallied("csat", "courier", "dhl", 70, 25, 45, MONDAY)
    session.commit()


def test_what_is_worse_than_the_rest_comes_first_and_says_so_and_what_is_few_comes_last(counted):
    rows = seen().tables["product"]
    assert [(row.value, row.stands_out) for row in rows] == [("LAMP", "worse"), ("MUG", "better"), ("JUG", "")]


def test_who_answered_and_what_came_in_time_stand_beside_and_machines_apart(counted):
    found = seen()
    assert (found.all.asked.value, found.all.arrived.value, found.machines) == (50, 90, 33)


def test_weeks_stand_in_their_order(counted):
    found = picture(Wish("csat", MONDAY - timedelta(days=7), MONDAY + timedelta(days=27)), {})
    weeks = [(row.name, row.score.n) for row in found.weeks]
    assert weeks == [("Mon 26 Oct", 5), ("Mon 2 Nov", 400), ("Mon 9 Nov", 10)]


def test_one_courier_shows_its_own_products(counted):
    found = seen(within="courier", value="dhl")
    assert (found.all.score.n, [(row.value, row.score.n) for row in found.tables["product"]]) == (70, [("LAMP", 60)])


def test_a_pair_is_found_from_its_other_side_too(counted):
    found = seen(within="product", value="LAMP")
    assert [(row.value, row.score.n) for row in found.tables["courier"]] == [("dhl", 60)]


def test_another_period_shows_others(counted):
    assert picture(Wish("csat", MONDAY - timedelta(days=28), MONDAY - timedelta(days=8)), {}).is_empty
    assert answered_kinds(MONDAY, MONDAY) == {"csat": 400}


def test_cases_are_counted_from_an_index_alone(world):
    invited(world.alice)
    cases.say_solved(case_of(world.alice), now=clock.now())
    wish = Wish("csat", *weeks_until(shop_day(clock.now()), 4))
    assert (picture(wish, {}).solved, picture(wish.before, {}).solved) == (1, 0)
    plan = explained(cases_ended(wish))
    assert "Scan using ix_cases_opened" in plan
    assert "Seq Scan" not in plan


def explained(statement) -> str:
    """How the database would carry it out if the table were too long to be read whole."""
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    how = str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
    return "\n".join(session.scalars(text(f"EXPLAIN {how}")))


def test_of_many_products_the_worst_are_shown_and_all_on_demand(app):
    for number in range(40):
        tallied("csat", "product", f"P{number:02}", 100, 60 + number, 40 - number, MONDAY)
    tallied("csat", "all", "all", 4000, 3180, 820, MONDAY)
    found = seen()
    assert found.tables["product"][0].value == "P00"
    assert found.left_out["product"] == 40 - len(found.tables["product"]) > 0
    assert {"P39", "P38"} <= {row.value for row in found.tables["product"]}, "they are better than the rest"
    whole = picture(found.wish, {}, whole="product")
    assert (len(whole.tables["product"]), whole.left_out) == (40, {})


@pytest.mark.parametrize(
    ("these", "others", "how"),
    [
        ((40, 10), (100, 90), "worse"),
        ((40, 40), (100, 50), "better"),
        ((40, 34), (100, 90), ""),
        ((29, 2), (100, 90), ""),
        ((40, 10), (20, 20), ""),
    ],
)
def test_only_what_leaves_the_others_interval_stands_out(these, others, how):
    assert apart(Score("csat", *these), Score("csat", *others)) == how


def test_a_net_score_counts_those_who_warn_others():
    score = Score("nps", 100, 67, 10)
    assert (score.value, [round(end) for end in score.interval]) == (57, [42, 68])


def test_the_page_takes_as_many_statements_for_any_number(client, world, counted):
    sign_in(client, world.max)
    with statements() as written:
        page = client.get(PAGE, query_string={"since": "2026-11-02", "until": "2026-11-29"}).text
    assert len(written) < 14
    assert page.count("worse than the others") == 2, "the lamp and DHL"
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" width="100%"') == 3, "weeks, products, couriers"


def test_the_file_says_what_the_page_says(client, world, counted):
    sign_in(client, world.max)
    period = {"since": "2026-11-02", "until": "2026-11-29"}
    lines = client.get(f"{PAGE}.csv", query_string=period).text.splitlines()
    assert "product,LAMP,csat,100,50,50,50.0,40.4,59.6,0.0,0,0,0,0" in lines
    one = client.get(f"{PAGE}.csv", query_string={**period, "table": "courier"})
    assert [line.split(",")[:2] for line in one.text.splitlines()[1:]] == [["courier", "DHL"]]
    assert "satisfaction-courier.csv" in one.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "2026-11-09", "until": "2026-11-02"}, "This day is before the first."),
        ({"weeks": "5000"}, "Choose one of these."),
        ({"since": "2001-01-01", "until": "2026-11-02"}, "At most three years can be shown at once."),
        ({"since": "tomorrow"}, "Not a valid date value."),
    ],
)
def test_a_period_that_can_not_be_is_named_at_its_field(client, world, asked, said):
    sign_in(client, world.max)
    answer = client.get(PAGE, query_string=asked)
    assert (answer.status_code, said in answer.text) == (422, True)


def test_before_the_first_answer_it_says_so(client, world):
    sign_in(client, world.max)
    assert "No answers yet" in client.get(PAGE).text


def test_weeks_end_with_this_one(world):
    assert weeks_until(date(2026, 11, 29), 4) == (date(2026, 11, 2), date(2026, 11, 29))
    assert shop_day(clock.now()) == clock.now().date()


def test_who_may_not_see_insight_is_refused(client, world):
    sign_in(client, world.cleo)
    assert client.get(PAGE).status_code == 403
