"""What customers write: in groups, with the score, found again in any of its forms, and nobody's alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from portal.db import session
from portal.feedback import words_written as written
from portal.feedback.actions import give_answer
from portal.feedback.insight import weeks_until
from portal.lib import clock
from portal.lib.days import shop_day
from portal.orders.actions import accept_order
from portal.orders.models import Order
from tests.conftest import statements
from tests.feedback.scenes import invited
from tests.world import ALICES_ORDER, sign_in

PAGE = "/desk/insight/words"
SAID = (
    (1, "The handle broke"), (1, "Handles broken after a day"), (2, "The handle came loose, tea everywhere"),
    (5, "Lovely colour"), (5, "I love it, lovely tea mug"), (4, "<b>Quintessa</b> next door wants one"),
)  # fmt: skip


def answered(number: int, score: int, words: str, locale: str = "en") -> Order:
    incoming = replace(
        ALICES_ORDER, external_id=f"W-{number}", number=f"W{number}", payment_intent=f"pi_w{number}", locale=locale,
        email=f"w{number}@example.org",
    )  # fmt: skip
    order, _ = accept_order(incoming, by="channel", now=clock.now())
    invited(order, closes_at=clock.now() + timedelta(days=9))
    give_answer(order.id, score, words, now=clock.now())
    return order


@pytest.fixture
def asked(world) -> written.Asked:
    for number, (score, words) in enumerate(SAID):
        answered(number, score, words)
    answered(90, 1, "Der Henkel ist abgebrochen", "de")
    session.commit()
    return written.Asked(*weeks_until(shop_day(clock.now()), 4), "en")


def test_forms_of_a_word_are_one_group_with_its_scores(asked):
    groups = {word.stem: (word.n, word.good, word.bad) for word in written.words(asked)}
    assert groups == {"handl": (3, 0, 3)}


def test_what_fewer_than_three_wrote_is_no_group(asked):
    assert "quintessa" not in {word.stem for word in written.words(asked)}


def test_words_of_one_product_are_counted_for_it(asked):
    assert [word.stem for word in written.words(replace(asked, about="product:MUG-01"))] == ["handl"]
    assert written.words(replace(asked, about="product:NONE")) == []


def test_each_language_has_its_own(asked):
    assert written.languages(asked.first, asked.last) == {"en": 6, "de": 1}


@pytest.mark.parametrize(
    ("q", "found"), [("handle", 3), ("handles broken", 1), ("-handle tea", 1), ('"lovely tea"', 1)]
)
def test_it_finds_any_form_of_a_word_and_what_search_boxes_know(asked, q, found):
    said, more = written.search(asked, q, "", 1)
    assert (len(said), more) == (found, False)


def test_it_finds_only_good_ones_when_these_are_wanted(asked):
    assert {one.score for one in written.search(asked, "", "good", 1)[0]} == {4, 5}


def test_words_that_stand_beside_it_are_told(asked):
    for number in range(3):
        answered(50 + number, 1, "Handle broke and tea ran out")
    assert {"broke", "tea"} <= {word for word, _ in written.companions(asked, "handles")}


def test_the_page_marks_what_was_found_and_shows_no_markup_of_customers(client, asked, world):
    sign_in(client, world.max)
    page = client.get(PAGE, query_string={"q": "handles", "language": "en"}).text
    assert page.count("<mark>") == 3
    whole = client.get(PAGE, query_string={"language": "en"}).text
    assert "&lt;b&gt;Quintessa&lt;/b&gt;" in whole
    assert "<b>Quintessa" not in whole


def test_the_order_is_a_link_for_who_may_see_it(client, asked, world):
    sign_in(client, world.max)
    page = client.get(PAGE).text
    assert page.count('href="/desk/orders/') >= len(SAID)


def test_the_page_takes_as_many_statements_for_any_number(client, asked, world):
    sign_in(client, world.max)
    with statements() as seen:
        client.get(PAGE)
    assert len(seen) < 12
    with statements() as seen:
        client.get(PAGE, query_string={"q": "handle"})
    assert len(seen) < 12


def test_the_file_holds_the_words(client, asked, world):
    sign_in(client, world.max)
    assert client.get(f"{PAGE}.csv").text.splitlines()[1].startswith("en,handle,handl,3,0,3,100.0,")


@pytest.mark.parametrize("q", ["'", "a & b | !", "((", "%", "\\", "<->", "x" * 201])
def test_no_search_is_a_mistake_of_ours(client, asked, world, q):
    sign_in(client, world.max)
    assert client.get(PAGE, query_string={"q": q}).status_code in (200, 422)


def test_before_the_first_word_it_says_so(client, world):
    sign_in(client, world.max)
    assert "As soon as customers write something" in client.get(PAGE).text


def test_a_search_is_planned_for_its_own_word(asked):
    """One plan for all words read a third of a million answers for a word that many wrote."""
    written.search(asked, "handle", "", 1)
    assert session.scalar(text("SHOW plan_cache_mode")) == "force_custom_plan"
