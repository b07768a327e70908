"""A month of a shop with a truth that was planted: the page finds it again, and alarms for nothing else."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import insert

from portal.db import Base, session
from portal.feedback.case_models import Case
from portal.feedback.insight import Picture, Share, picture
from portal.feedback.models import Answer, SurveyInvitation
from portal.feedback.questions import current
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.models import Customer, Order, OrderLine
from portal.returns.models import Return
from tests.conftest import statements
from tests.feedback.scenes import answered, invited
from tests.world import sign_in

START = datetime(2026, 10, 19, 9, tzinfo=UTC)
NOW = START + timedelta(days=33)
ORDERS = 600
SCANNED = 3
"""Of every so many mails one is scanned by a machine that answers the worst."""
PRODUCTS = {"LAMP": 0.45, "JUG": 0.5, "MUG": 0.9, "BOWL": 0.9, "SHIRT": 0.9, "CANDLE": 0.9}
"""The share of the satisfied, with a courier in time; the first two have a defect."""
SLOW, LATE_COSTS = "hermes", 0.3


@pytest.fixture
def month(app) -> Picture:
    put = current("csat", now=START)
    rows: dict[type[Base], list[dict[str, object]]] = {}
    chance = Random(6)
    for number in range(10_000, 10_000 + ORDERS):
        of_one(rows, number, chance, put)
    for table, values in rows.items():
        session.execute(insert(table), values)
    session.commit()
    return picture(now=NOW)


def of_one(rows, id, chance, put) -> None:
    """An order with its parcel and question; machines answer a third of all, always with the worst."""
    product, courier = chance.choice(list(PRODUCTS)), chance.choice(("dhl", "ups", SLOW))
    good = chance.random() < PRODUCTS[product] - (LATE_COSTS if courier == SLOW else 0)
    placed = START + timedelta(days=chance.randrange(20))
    arrived = placed + timedelta(days=5 if courier == SLOW else 2)
    asked = arrived + timedelta(days=5)

    def add(table, **values):
        rows.setdefault(table, []).append(values)

    add(Customer, id=id, email=f"c{id}@example.org", name="C", locale="en")
    add(
        Order, id=id, ref=f"r{id}", channel=chance.choice(("shopify", "api:shop")), external_id=f"{id}",
        number=str(id), state="closed", customer_id=id, locale=chance.choice(("de", "en", "fr")), currency="EUR",
        total=1, country=chance.choice(("DE", "DE", "AT")), placed_at=placed, paid_at=placed,
        external_updated_at=placed, promised_on=(placed + timedelta(days=3)).date(), created_at=placed,
    )  # fmt: skip
    add(OrderLine, order_id=id, external_id="1", sku=product, title=product.title(), quantity=1, unit_price=1, paid=1)
    there = {"created_at": placed, "handed_over_at": placed, "delivered_at": arrived, "tracking_number": f"T{id}"}
    add(Parcel, order_id=id, ref=f"p{id}", state="handed_over", courier=courier, tracking_status="delivered", **there)
    add(SurveyInvitation, id=id, order_id=id, state="answered", due_at=asked, sent_at=asked, version_id=put.id)
    which = {"invitation_id": id, "version_id": put.id, "question": "How was it?", "kind": "csat"}
    answer = {**which, "answered_at": asked + timedelta(hours=chance.randrange(40))}
    if id % SCANNED == 0:
        add(Answer, **answer, score=1, mood="bad", provisional=True)
    else:
        score = chance.choice((4, 5) if good else (1, 2, 3))
        add(Answer, **answer, score=score, mood=put.mood(score), provisional=False)


def named(found: Picture, dimension: str) -> dict[str, Share]:
    return {share.name: share for share in found.tables[dimension]}


def outstanding(found: Picture) -> set[tuple[str, str, str]]:
    shares = ((dimension, share) for dimension, row in found.tables.items() for share in row)
    return {(dimension, share.name, share.stands_out) for dimension, share in shares if share.stands_out}


def test_it_finds_the_two_bad_products_and_the_slow_courier_and_nothing_that_was_not_planted(month):
    found = outstanding(month)
    assert {("product", "Lamp", "worse"), ("product", "Jug", "worse"), ("promise", "Late", "worse")} <= found
    assert [name for dimension, name, how in found if dimension == "courier" and how == "worse"] == [SLOW]
    assert {dimension for dimension, *_ in found} <= {"product", "courier", "promise"}


def test_the_intervals_hold_what_was_planted(month):
    for product, share in PRODUCTS.items():
        low, high = named(month, "product")[product.title()].interval
        assert low <= 100 * (share - LATE_COSTS / 3) <= high


def test_machines_are_counted_apart(month):
    assert (month.asked, month.answered, month.machines) == (ORDERS, ORDERS - ORDERS // SCANNED, ORDERS // SCANNED)
    [everything] = month.tables["all"]
    assert everything.total == month.answered
    assert all(sum(share.total for share in rows) == month.answered for rows in month.tables.values())


def test_weeks_stand_in_their_order(month):
    weeks = [share.name for share in month.tables["week"]]
    assert weeks == ["Mon 26 Oct", "Mon 2 Nov", "Mon 9 Nov", "Mon 16 Nov"]


@pytest.mark.parametrize(
    ("share", "how"),
    [
        (Share("", 10, 40, (90, 100)), "worse"),
        (Share("", 40, 40, (50, 100)), "better"),
        (Share("", 34, 40, (90, 100)), ""),
        (Share("", 2, 29, (90, 100)), ""),
        (Share("", 10, 40, (20, 20)), ""),
    ],
)
def test_only_what_leaves_the_others_interval_stands_out(share, how):
    assert share.stands_out == how


def test_the_page_and_the_file_tell_the_same_in_as_many_statements_for_any_number(client, world, month):
    with clock.moved(NOW - clock.now()):
        sign_in(client, world.max)
        with statements() as seen:
            page = client.get("/desk/insight/satisfaction").text
        sheet = client.get("/desk/insight/satisfaction.csv").text
    assert len(seen) < 14
    assert page.count("worse than the others") == 4
    assert "product,Lamp," in sheet


def test_before_the_first_answer_it_says_so(client, world):
    sign_in(client, world.max)
    assert "No answers yet" in client.get("/desk/insight/satisfaction").text


def test_solved_and_silent_cases_and_returns_are_told_apart(app, world):
    now = clock.now()
    for order, state in ((world.alice, "solved"), (world.bob, "closed")):
        session.add(Case(order_id=order.id, state=state, opened_at=now, due_at=now))
        answered(invited(order, "answered"), 5)
    session.add(Return(rma="R1", order_id=world.bob.id, requested_at=now))
    session.commit()
    found = picture(now=now)
    assert (found.solved, found.silent) == (1, 1)
    assert {name: share.total for name, share in named(found, "back").items()} == {
        "Kept it all": 1,
        "Sent something back": 1,
    }
