"""One order page that shows all, and the search that leads to it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.db import session
from portal.feedback.case_models import Case
from portal.lib import clock
from portal.orders.models import Customer, Order
from portal.orders.timeline import record
from portal.returns.lists import normal_rma
from portal.returns.models import Return, ReturnLine
from tests.conftest import nothing_appears, statements
from tests.desk.test_desk import a_letter
from tests.feedback.scenes import answered, invited
from tests.tracking.scenes import a_parcel, an_order
from tests.tracking.test_page import a_refund
from tests.world import World, sign_in

DELIVERED = ("picked_up", "in_transit", "delivered")
CAUSES = ("answer", "late", "return")


def with_everything(world: World, number: str, lines: int = 2, each: int = 1) -> Order:
    """An order with parcels, returns, refunds, cases, letters and history, so many of each."""
    order, now = an_order(number, lines=lines), clock.now()
    for n in range(each):
        a_parcel(order, share=(n, each), scans=DELIVERED)
        ret = Return(rma=normal_rma(f"RMA-{number}-{n}"), order_id=order.id, requested_at=now)
        ret.decision, ret.goods = "approved", "received"
        session.add_all([ret, a_letter(order, "sent", message_id=f"<{number}{n}@x>")])
        session.flush()
        session.add(ReturnLine(return_id=ret.id, order_line_id=order.lines[n].id, quantity=1, reason="does_not_fit"))
        a_refund(order, world.rita, world.fran, "succeeded", return_id=ret.id, decision_no=n + 1)
        record(order.id, "order.changed", by=world.sam, now=now, changed=f"thing {n}")
    session.add_all(Case(order_id=order.id, opened_for=why, opened_at=now, due_at=now) for why in CAUSES[:each])
    answered(invited(order, "answered"), 2, "It came chipped.")
    session.commit()
    return order


def test_one_page_shows_all_of_an_order(client: FlaskClient, world: World) -> None:
    order = with_everything(world, "2001")
    page = sign_in(client, world.max).get(f"/desk/orders/{order.id}").text
    for told in (
        "Order 2001", "Promise kept", "Alice Ångström", "alice@example.org", "Lindenstraße 7", "Stoneware mug no. 0",
        "SKU-0", "1ZCANARY9999", "UPS", "RMA2OOIO", "Goods received", "€12.34", "Rita", "Fran", "Case ", "About 2001",
        "<b>Bad</b>", "It came chipped.", "thing 0", "Sam",
    ):  # fmt: skip
        assert told in page, told
    for link in ("/desk/parcels/", "/desk/returns/", "/desk/refunds/", "/desk/cases/", "/desk/letters/"):
        assert f'href="{link}' in page, link


def test_a_large_order_costs_no_more_statements_than_a_small_one(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    orders = [with_everything(world, "2001", lines=1, each=1), with_everything(world, "2002", lines=40, each=5)]
    seen = []
    for path in [f"/desk/orders/{order.id}" for order in orders]:
        with statements() as sent:
            assert client.get(path).status_code == 200
        seen.append(len(sent))
    assert seen[0] == seen[1] <= 28


@pytest.mark.parametrize(
    ("promised_in", "scans", "words"),
    [
        (3, DELIVERED, "Promise kept"),
        (-9, DELIVERED, "Promise missed"),
        (3, ("in_transit",), "On time so far"),
        (-1, ("in_transit",), "Promise missed"),
    ],
)
def test_the_promise_is_held_against_what_happened(
    client: FlaskClient, world: World, promised_in: int, scans: tuple[str, ...], words: str
) -> None:
    order = an_order("2001")
    a_parcel(order, scans=scans)
    order.promised_on = clock.now().date() + timedelta(days=promised_in)
    session.commit()
    assert words in sign_in(client, world.sam).get(f"/desk/orders/{order.id}").text


def test_the_day_of_a_delivery_is_the_shops(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    parcel = a_parcel(order, scans=DELIVERED)
    order.promised_on = date(2026, 11, 20)
    parcel.delivered_at = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    session.commit()
    assert "Promise missed" in sign_in(client, world.sam).get(f"/desk/orders/{order.id}").text, "half past midnight"


def test_an_estimate_after_the_promise_is_a_risk(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    order.promised_on = clock.now().date() + timedelta(days=1)
    a_parcel(order, estimate_on=clock.now().date() + timedelta(days=3))
    assert "Promise at risk" in sign_in(client, world.sam).get(f"/desk/orders/{order.id}").text


def test_the_money_adds_up(client: FlaskClient, world: World) -> None:
    order = an_order("2001", lines=5)
    a_refund(order, world.rita, world.fran, "succeeded")
    a_refund(order, world.rita, world.fran, "pending")
    assert order.payment
    order.payment.reserved, order.payment.external = 2468, 1000
    session.commit()
    page = sign_in(client, world.fran).get(f"/desk/orders/{order.id}").text
    money = page.split("<h2>Money</h2>")[1].split("</section>")[0]
    for label, amount in (
        ("Paid", "€100.00"), ("Given back", "€12.34"), ("On its way back", "€12.34"),
        ("Given back elsewhere", "€10.00"), ("Can still be given back", "€65.32"),
    ):  # fmt: skip
        assert f"<dt>{label}</dt><dd>{amount}</dd>" in money


def test_an_order_that_does_not_exist_is_not_found(client: FlaskClient, world: World) -> None:
    assert sign_in(client, world.max).get("/desk/orders/999999").status_code == 404


def test_1_2_1_what_customers_typed_is_escaped(client: FlaskClient, world: World) -> None:
    session.execute(update(Customer).where(Customer.id == world.alice.customer_id).values(name="<svg onload=x>"))
    world.alice.ship_to = {"name": "<svg onload=x>", "street": "<svg onload=x>"}
    world.alice.lines[0].title = "<svg onload=x>"
    session.commit()
    sign_in(client, world.max)
    for path in (f"/desk/orders/{world.alice.id}", "/desk/search?q=svg"):
        page = client.get(path).text
        assert "<svg onload" not in page
        assert "&lt;svg onload" in page


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("2001", "Order number"), ("#2001", "Order number"), ("200", "Order number"), ("alice@exa", "E-mail"),
        ("ALICE@example.org", "E-mail"), ("ångst", "Name"), ("1z canary 9999", "Tracking number"),
        ("rma-2001-0", "Return number"),
    ],
)  # fmt: skip
def test_search_finds_an_order_by(client: FlaskClient, world: World, words: str, why: str) -> None:
    order = with_everything(world, "2001")
    another = with_everything(world, "2002")
    answer = sign_in(client, world.sam).get("/desk/search", query_string={"q": words})
    if answer.status_code == 303:
        assert answer.location == f"/desk/orders/{order.id}"
        assert words not in ("200", "alice@exa", "ALICE@example.org", "ångst")
    else:
        assert f'href="/desk/orders/{order.id}"' in answer.text
        assert f'href="/desk/orders/{another.id}"' in answer.text
        assert f'<td class="muted">{why}</td>' in answer.text


def test_a_number_of_one_order_opens_it_at_once(client: FlaskClient, world: World) -> None:
    answer = sign_in(client, world.sam).get("/desk/search?q=1001")
    assert (answer.status_code, answer.location) == (303, f"/desk/orders/{world.alice.id}")


@pytest.mark.parametrize("words", ["", "   ", "nobody", "%", "_", "1%", "'; DROP TABLE orders; --", "é" * 500])
def test_what_matches_nothing_is_an_empty_page_that_helps(client: FlaskClient, world: World, words: str) -> None:
    sign_in(client, world.sam)
    with nothing_appears():
        answer = client.get("/desk/search", query_string={"q": words})
    assert answer.status_code == 200
    assert "Try an order number" in answer.text


def test_search_costs_the_same_however_much_it_finds(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    for n in range(12):
        an_order(f"20{n:02}")
    session.commit()
    with statements() as few:
        client.get("/desk/search?q=ångst")
    for n in range(60):
        an_order(f"30{n:02}")
    session.commit()
    with statements() as many:
        page = client.get("/desk/search?q=ångst").text
    assert len(few) == len(many) <= 4
    assert page.count('href="/desk/orders/') == 50
