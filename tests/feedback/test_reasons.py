"""Why goods come back: by product and reason, with what the bench found and what these customers wrote."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import insert

from portal.db import session
from portal.feedback import reasons
from portal.feedback.actions import give_answer
from portal.feedback.insight import weeks_until
from portal.feedback.tallies import WordTally
from portal.lib import clock
from portal.lib.days import shop_day
from portal.orders.actions import accept_order
from tests.conftest import statements
from tests.feedback.scenes import invited, tallied
from tests.returns import hands
from tests.world import ALICES_ORDER, sign_in

MONDAY = date(2026, 11, 2)
PERIOD = (MONDAY, MONDAY + timedelta(days=27))
PAGE = "/desk/insight/reasons"


def came_back(sku: str, code: str, n: int, grades: dict[str, int] | None = None) -> None:
    tallied(f"back.{code}", "product", sku, n, 0, 0, MONDAY)
    for grade, found in (grades or {}).items():
        tallied(f"grade.{code}.{grade}", "product", sku, found, 0, 0, MONDAY)


@pytest.fixture
def counted(app):
    """Of two hundred lamps forty came back broken; of a thousand mugs ten did, and thirty were too small."""
    for sku, n in (("LAMP", 200), ("MUG", 1000)):
        tallied("arrived", "product", sku, n, n, 0, MONDAY)
    came_back("LAMP", "defective", 40, {"damaged": 36, "as_new": 4})
    came_back("MUG", "defective", 10, {"damaged": 9})
    came_back("MUG", "too_small", 30)
    said = {"language": "en", "day": MONDAY, "good": 0, "about": "back.defective:LAMP"}
    rows = ({**said, "stem": stem, "shown": word, "n": n, "bad": n} for stem, word, n in WORDS)
    session.execute(insert(WordTally), list(rows))
    session.commit()


WORDS = (("switch", "switch", 22), ("broke", "broke", 18), ("quintessa", "quintessa", 1), ("", "", 30))


def test_a_reason_that_is_more_frequent_than_with_the_others_stands_out(counted):
    found = {(row.sku, row.code): row for row in reasons.table(*PERIOD)}
    lamp = found["LAMP", "defective"]
    assert (lamp.share.good, lamp.share.n, lamp.stands_out) == (40, 200, "worse")
    assert found["MUG", "defective"].stands_out == "better"
    assert found["MUG", "too_small"].stands_out == "", "no other product can be too small"


def test_what_the_bench_found_has_its_share_and_interval(counted):
    [lamp] = [row for row in reasons.table(*PERIOD) if row.sku == "LAMP"]
    assert (lamp.grades["damaged"].value, lamp.grades["as_new"].value) == (90, 10)
    assert [round(end) for end in lamp.grades["damaged"].interval] == [76, 97]


def test_the_words_of_those_who_sent_it_back_stand_beside_but_nobodys_alone(counted):
    [lamp] = [row for row in reasons.table(*PERIOD) if row.sku == "LAMP"]
    assert lamp.words == [("switch", 22), ("broke", 18)]


def test_the_page_takes_as_many_statements_for_any_number_and_says_it_in_a_file(client, world, counted):
    sign_in(client, world.max)
    period = {"since": "2026-11-02", "until": "2026-11-29"}
    with statements() as seen:
        page = client.get(PAGE, query_string=period).text
    assert len(seen) < 12
    assert page.count("more than others") == 1
    lines = client.get(f"{PAGE}.csv", query_string=period).text.splitlines()
    assert lines[1].startswith("LAMP,LAMP,defective,40,200,20.0,15.0,26.1,as_new,4,switch broke")


def test_a_return_of_a_customer_who_answered_is_joined_with_the_words(world, work):
    for number in range(3):
        bought = replace(ALICES_ORDER, external_id=f"R{number}", number=f"R{number}", payment_intent=f"pi_r{number}")
        order, _ = accept_order(replace(bought, email=f"r{number}@example.org"), by="channel", now=clock.now())
        hands.delivered(world, order)
        invited(order)
        give_answer(order.id, 1, "The handle broke", now=clock.now())
        hands.inspected(world, order, hands.wish(order, reason="defective"), grade="damaged", disposition="discard")
    work(task="feedback.count")
    [row] = reasons.table(*weeks_until(shop_day(clock.now()), 4))
    assert (row.sku, row.code, row.share.good, row.grades["damaged"].good) == ("MUG-01", "defective", 3, 3)
    assert row.words == [("broke", 3), ("handle", 3)]
    assert row.title == "Stoneware mug"


def test_before_the_first_return_it_says_so(client, world):
    sign_in(client, world.max)
    assert "Nothing came back" in client.get(PAGE).text


def test_a_period_that_can_not_be_is_named_at_its_field(client, world):
    sign_in(client, world.max)
    answer = client.get(PAGE, query_string={"since": "2026-11-09", "until": "2026-11-02"})
    assert (answer.status_code, "This day is before the first." in answer.text) == (422, True)
    assert client.get(f"{PAGE}.csv", query_string={"weeks": "x"}).status_code == 404
