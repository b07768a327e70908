"""The customer's page, through the link, as HTML: what it tells, what it keeps to itself, what it costs."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.db import session
from portal.feedback.case_models import Case
from portal.fulfilment.promises import PromiseBreak
from portal.lib import clock
from portal.orders.links import end_all
from portal.orders.models import Order
from portal.refunds.models import Refund
from portal.returns.models import Return
from portal.staff.models import Staff
from tests.conftest import nothing_appears, statements
from tests.feedback.scenes import answered, invited
from tests.tracking.scenes import LONG_TITLE, a_parcel, an_order
from tests.world import World, open_link

MOST_STATEMENTS = 1
DELIVERED = ("picked_up", "in_transit", "out_for_delivery", "delivered")


def page_of(client: FlaskClient, order: Order) -> str:
    response = open_link(client, order).get(f"/orders/{order.ref}")
    assert response.status_code == 200
    return response.text


def headline(html: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", html)
    assert found
    return found[1]


def a_refund(order: Order, asks: Staff, approves: Staff, state: str, **changes: object) -> Refund:
    assert order.payment
    key = f"{order.id}-{state}-{changes.get('return_id')}-{changes.get('decision_no')}"
    refund = Refund(
        order_id=order.id, payment_id=order.payment.id, state=state, amount=1234, currency="EUR",
        requested_by_id=asks.id, approved_by_id=approves.id, requested_at=clock.now(), approved_at=clock.now(),
        uuid=key, idem_key=key,
        stripe_refund_id=f"re_{key}" if state in ("pending", "succeeded", "failed") else None, **changes,
    )  # fmt: skip
    session.add(refund)
    session.commit()
    return refund


def a_return(order: Order, **changes: str) -> Return:
    ret = Return(rma=f"R-{order.number}", order_id=order.id, requested_at=clock.now(), **changes)
    session.add(ret)
    session.commit()
    return ret


def test_a_new_order_says_when_it_comes_and_what_is_in_it(client: FlaskClient, world: World) -> None:
    world.alice.promised_on = clock.now().date() + timedelta(days=3)
    html = page_of(client, world.alice)
    assert headline(html).startswith("Arriving ")
    assert "Order 1001" in html
    assert "Stoneware mug" in html
    assert "Linen shirt" in html
    assert "Standard delivery" not in html
    assert "Next: we pack your order." in html


def test_every_parcel_has_a_card_with_its_own_goods_and_story(client: FlaskClient, world: World) -> None:
    order = an_order("2001", lines=4)
    a_parcel(order, share=(0, 2), scans=DELIVERED)
    a_parcel(order, share=(1, 2))
    first, second = page_of(client, order).split("Parcel 2 of 2")
    assert "Stoneware mug no. 0" in first
    assert "Stoneware mug no. 3" not in first
    assert "Stoneware mug no. 3" in second
    assert "On the delivery van" in first
    assert "On the delivery van" not in second


def test_what_is_in_no_parcel_yet_is_still_to_come(client: FlaskClient, world: World) -> None:
    order = an_order("2001", lines=4)
    a_parcel(order, share=(0, 2))
    html = page_of(client, order)
    assert "Still to come" in html
    assert "Stoneware mug no. 3" in html.split("Still to come")[1]


def test_a_parcel_that_was_cancelled_is_not_told(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=None, state="cancelled")
    html = page_of(client, order)
    assert "Parcel 1" not in html
    assert "Stoneware mug no. 0" in html, "its goods wait again"


def test_older_scans_are_folded(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=("picked_up", "in_transit", "delayed", "in_transit", "out_for_delivery"))
    shown, folded = page_of(client, order).split("<details")
    assert "On the delivery van" in shown
    assert "4 older entries" in folded
    assert "The courier has the parcel" in folded


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ready_for_pickup", "Your parcel waits for you at the pick-up point"),
        ("attempt_failed", "The courier could not hand over your parcel"),
    ],
)
def test_what_the_customer_can_do_comes_before_the_steps(
    client: FlaskClient, world: World, status: str, words: str
) -> None:
    order = an_order("2001")
    a_parcel(order, scans=("in_transit", status))
    html = page_of(client, order)
    assert html.index(words) < html.index('class="stepper"')


def test_nothing_is_asked_of_the_customer_once_it_is_delivered(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=("attempt_failed", "delivered")).action_required = True
    session.commit()
    assert "could not hand over your parcel" not in page_of(client, order)


@pytest.mark.parametrize("scans", [None, (), ("in_transit",), DELIVERED, ("in_transit", "exception")])
def test_l7_and_14_2_6_the_link_alone_shows_no_name_address_number_or_place(
    client: FlaskClient, world: World, scans: tuple[str, ...] | None
) -> None:
    order = an_order("2001")
    a_parcel(order, scans=scans)
    html = page_of(client, order)
    secrets = ("Alice", "Ångström", "alice@", "Lindenstra", "10115", "Berlin", "1ZCANARY9999", "CANARY", "UPS", "pi_")
    assert [secret for secret in secrets if secret in html] == []


def test_after_delivery_it_asks_how_it_was_with_one_row_of_faces(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=DELIVERED)
    invited(order)
    session.commit()
    html = page_of(client, order)
    links = [f"/orders/{order.ref}/survey?v={score}" for score in range(1, 6)]
    assert all(f'href="{link}"' in html for link in links)
    assert html.index("How was it?") < html.index("Your parcel<")


def test_before_delivery_it_does_not_ask(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order)
    invited(order, "scheduled")
    session.commit()
    assert "How was it?" not in page_of(client, order)


def test_an_answer_is_thanked_for_and_its_case_is_shown(client: FlaskClient, world: World) -> None:
    order, now = an_order("2001"), clock.now()
    a_parcel(order, scans=DELIVERED)
    answer = answered(invited(order, "answered"), 1)
    case = Case(order_id=order.id, answer_id=answer.id, opened_at=now, due_at=now + timedelta(days=2))
    session.add(case)
    session.commit()
    html = page_of(client, order)
    assert "How was it?" not in html
    assert "Thank you for telling us" in html
    assert "We are making this right" in html
    assert f"/orders/{order.ref}/cases/{case.id}" in html


def test_it_offers_to_send_back_while_the_window_is_open(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=DELIVERED)
    offer = f"/orders/{order.ref}/returns/new"
    assert offer in page_of(client, order)
    with clock.moved(timedelta(days=40)):
        assert offer not in page_of(client, order)


def test_nothing_can_be_sent_back_before_it_arrived(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order)
    assert "/returns/new" not in page_of(client, order)


def test_it_says_sent_only_when_the_refund_says_so(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=DELIVERED)
    ret = a_return(order, decision="approved", goods="received")
    refund = a_refund(order, world.rita, world.fran, "pending", return_id=ret.id)
    html = page_of(client, order)
    assert "It has arrived with us." in html
    assert "Money back: €12.34. Waiting for your bank." in html
    assert "Sent. It takes" not in html
    refund.state, refund.settled_at = "succeeded", clock.now()
    session.commit()
    assert "Money back: €12.34. Sent. It takes five to ten days" in page_of(client, order)


def test_a_refund_that_was_tried_again_is_told_once(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    ret = a_return(order, decision="approved", goods="received")
    first = a_refund(order, world.rita, world.fran, "failed", return_id=ret.id, decision_no=1)
    assert "We could not send it. We will write to you." in page_of(client, order)
    a_refund(order, world.rita, world.fran, "pending", return_id=ret.id, decision_no=2, instead_of_id=first.id)
    html = page_of(client, order)
    assert "We could not send it" not in html
    assert html.count("Money back:") == 1


def test_a_refund_without_a_return_is_shown_and_one_that_we_refused_is_not(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_refund(order, world.rita, world.fran, "rejected_by_us")
    assert "Money back" not in page_of(client, order)
    a_refund(order, world.rita, world.fran, "succeeded")
    assert "Money back: €12.34." in page_of(client, order)


@pytest.mark.parametrize(
    ("state", "words", "badge"),
    [("cancelled", "This order was cancelled", "Cancelled"), ("on_hold", "We are checking your order", "On hold")],
)
def test_an_order_that_stopped_shows_its_goods_and_no_steps(
    client: FlaskClient, world: World, state: str, words: str, badge: str
) -> None:
    order = an_order("2001")
    session.execute(update(Order).where(Order.id == order.id).values(state=state))
    session.commit()
    html = page_of(client, order)
    assert headline(html) == words
    assert badge in html
    assert "Stoneware mug no. 0" in html
    assert 'class="stepper"' not in html


def test_the_page_speaks_the_language_of_the_order(client: FlaskClient, world: World) -> None:
    order = an_order("2001", locale="de")
    assert '<html lang="de"' in page_of(client, order)


def test_what_people_typed_is_escaped(client: FlaskClient, world: World) -> None:
    world.alice.lines[0].title = '"><svg onload=alert(1)>'
    session.commit()
    html = page_of(client, world.alice)
    assert "<svg onload" not in html
    assert "&lt;svg onload" in html


@pytest.mark.parametrize(("lines", "parcels"), [(1, 1), (40, 5)])
def test_it_asks_the_database_once_whatever_the_orders_size(
    client: FlaskClient, world: World, lines: int, parcels: int
) -> None:
    order = an_order("2001", lines=lines)
    for n in range(parcels):
        a_parcel(order, share=(n, parcels), scans=("picked_up", *("in_transit", "delayed") * 4))
    a_return(order, decision="approved", goods="awaited")
    a_refund(order, world.rita, world.fran, "pending")
    open_link(client, order)
    path = f"/orders/{order.ref}"
    with statements() as seen:
        html = client.get(path).text
    assert html.count("Stoneware mug no.") + html.count(LONG_TITLE) == lines
    assert 0 < len(seen) <= MOST_STATEMENTS, seen


def test_reading_the_page_writes_nothing(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    path = f"/orders/{world.alice.ref}"
    with nothing_appears():
        assert client.get(path).status_code == 200


def test_l21_and_8_2_2_somebody_elses_order_is_the_page_of_a_link_that_ended(client: FlaskClient, world: World) -> None:
    open_link(client, world.bob)
    foreign, unknown = client.get(f"/orders/{world.alice.ref}"), client.get("/orders/nothinghere")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.data == unknown.data
    assert "This link has expired" in foreign.text
    assert 'href="/find"' in foreign.text


def test_a_survey_link_does_not_open_the_page(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice, "survey")
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404


def test_l15_nothing_comes_from_elsewhere_and_nothing_is_inline(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=DELIVERED)
    html = page_of(client, order)
    assert "<script" not in html
    assert " style=" not in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_who_holds_the_page_already_is_told_that_it_is_the_same(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    a_parcel(order, scans=("in_transit",))
    first = open_link(client, order).get(f"/orders/{order.ref}")
    held = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get(f"/orders/{order.ref}", headers=held)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    a_parcel(order, share=(0, 1), scans=("out_for_delivery",))
    changed = client.get(f"/orders/{order.ref}", headers=held)
    assert (changed.status_code, changed.headers["ETag"] != first.headers["ETag"]) == (200, True)


def test_a_held_page_is_worth_nothing_to_who_may_not_see_it(app: Flask, client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    held = {"If-None-Match": open_link(client, order).get(f"/orders/{order.ref}").headers["ETag"]}
    stranger = app.test_client().get(f"/orders/{order.ref}", headers=held)
    assert (stranger.status_code, stranger.headers["Cache-Control"]) == (404, "no-store, private")
    end_all(order.id, by="system", now=clock.now())
    session.commit()
    assert client.get(f"/orders/{order.ref}", headers=held).status_code == 404


def test_a_page_with_a_form_is_never_kept(client: FlaskClient, world: World) -> None:
    order = an_order("2001")
    session.add(PromiseBreak(order_id=order.id, number=1, noticed_at=clock.now(), promised_on=order.promised_on))
    session.commit()
    page = open_link(client, order).get(f"/orders/{order.ref}")
    assert ("ETag" in page.headers, page.headers["Cache-Control"]) == (False, "no-store, private")
