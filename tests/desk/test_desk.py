"""The desk's front page: queues and counts, who sees which, and what they cost."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.db import session
from portal.desk.queues import GROUPS
from portal.feedback.case_models import Case
from portal.fulfilment.shorts import ShortPick
from portal.fulfilment.waves import Wave
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Order, OrderFlag
from portal.orders.pushes import ChannelPush
from portal.orders.shelves import StockClaim
from portal.refunds.alarms import Trouble, keep_alarms
from portal.refunds.comparison import COMPARED
from portal.returns.models import Return
from portal.staff.rules import Role
from tests.conftest import statements
from tests.tracking.scenes import a_parcel, an_order
from tests.tracking.test_page import a_refund
from tests.world import World, sign_in


def counts(client: FlaskClient) -> dict[str, int]:
    """What the rail says, by the label of the queue."""
    rail = client.get("/desk/").text.split('<nav class="queues"')[1].split("</nav>")[0]
    entries = [entry.split("</svg>")[1] for entry in rail.split("</a>") if 'class="count' in entry]
    return {label.strip(): int(rest.split(">")[1].split("<")[0]) for label, rest in (e.split("<span") for e in entries)}


A_PUSH: dict[str, Any] = {"channel": "shopify", "kind": "note", "key": "note-1", "body": {}, "state": "failed"}


def test_the_rail_counts_what_waits(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    before, now = counts(client), clock.now()
    session.execute(update(Order).values(promised_on=now.date() + timedelta(days=9)))
    for number, state in (("2001", "to_pick"), ("2002", "picked"), ("2003", "packed")):
        a_parcel(an_order(number), scans=None, state=state)
    stuck = an_order("2004")
    gone = a_parcel(stuck, scans=("exception",))
    missing = {"parcel_id": gone.id, "order_line_id": stuck.lines[0].id, "reported_by_id": world.cleo.id}
    session.add(ShortPick(quantity=1, reason="damaged", reported_at=now, **missing))
    a_parcel(an_order("2005"), scans=("returned",))
    a_parcel(an_order("2006"), scans=("in_transit",)).risk = "slow_lane"
    session.add(StockClaim(sku="VASE", cause="order:1", quantity=2, since=now))
    session.add(Return(rma="R-1", order_id=stuck.id, requested_at=now))
    session.add(Return(rma="R-2", order_id=stuck.id, requested_at=now, decision="approved", goods="received"))
    inspected = {"decision": "approved", "goods": "received", "inspected_at": now}
    session.add(Return(rma="R-3", order_id=stuck.id, requested_at=now, **inspected))
    session.add(Case(order_id=stuck.id, opened_at=now, due_at=now))
    session.add(a_letter(stuck, "dead"))
    keep_alarms([Trouble("balance", "1", "1 / 2 EUR")], COMPARED, now=now)
    a_refund(stuck, world.rita, world.fran, "requested")
    a_refund(stuck, world.rita, world.fran, "failed")
    session.add_all(OrderFlag(order_id=stuck.id, code=code, found_at=now) for code in ("totals", "missing_sku"))
    a_refund(stuck, world.rita, world.fran, "approved", way="hand")
    session.add(Wave(kind="singles", owner_id=world.cleo.id, made_by_id=world.cleo.id, made_at=now))
    session.add(ChannelPush(**A_PUSH, order_id=stuck.id, owed_at=now, next_try_at=now))
    after = counts(client)
    assert {label: after[label] - before[label] for label in after} == {
        "Needs attention": 1, "Channels not told": 1,
        "To pick": 1, "Waves": 1, "To pack": 1, "To ship": 1, "Promise at risk": 1,
        "Stuck parcels": 1, "Came back or lost": 1,
        "Can't be promised": 1, "Missing goods": 1,
        "Handed to you": 0,
        "Returns to decide": 1, "Withdrawals to look at": 0, "Returns to inspect": 1, "Odd parcels": 0, "Workshop": 0,
        "Money to propose": 1, "Money to approve": 1,
        "Money to give back by hand": 1, "Money that failed": 1, "Money that does not fit": 1,
        "Work of the offices": 0, "Open cases": 1, "Causes": 0, "Satisfaction": 0,
        "Letters that failed": 1,
    }  # fmt: skip


def a_letter(order: Order, state: str, **changes: object) -> Letter:
    values: dict[str, object] = {
        "kind": "on-its-way", "order_id": order.id, "to_address": "alice@example.org", "locale": "en",
        "subject": f"About {order.number}", "html": "<p>On its way</p>", "text": "On its way",
        "message_id": f"<{order.number}{state}@aftersale>", "state": state, "created_at": clock.now(),
    }  # fmt: skip
    return Letter(**{**values, **changes})


@pytest.mark.parametrize(
    ("name", "seen", "hidden"),
    [
        ("cleo", {"To pick", "To pack"}, {"Money to approve", "Open cases", "Returns to decide"}),
        ("fran", {"Money to approve", "Letters that failed"}, {"To pick", "Open cases"}),
        ("sam", {"Open cases", "Returns to decide"}, set()),
    ],
)
def test_everybody_sees_their_own_queues(
    client: FlaskClient, world: World, name: str, seen: set[str], hidden: set[str]
) -> None:
    sign_in(client, getattr(world, name))
    labels = set(counts(client))
    assert seen <= labels
    assert not hidden & labels


def test_every_queue_leads_to_a_page_of_its_own(client: FlaskClient, world: World) -> None:
    world.max.role = Role.admin
    sign_in(client, world.max)
    for _, queues in GROUPS:
        for queue in queues:
            page = client.get(queue.href)
            assert page.status_code == 200, queue.href
            marked = page.text.split('class="queues"')[1].split('aria-current="page"')[1]
            assert marked.split("</svg>")[1].startswith(str(queue.label)), queue.href


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("/desk/surveys/questions", "Surveys"),
        ("/desk/cases/rules/blank", "Rules for cases"),
        ("/desk/causes?state=closed", "Causes"),
        ("/desk/insight/satisfaction?kind=nps", "Satisfaction"),
    ],
)
def test_a_page_below_a_queue_marks_it(client: FlaskClient, world: World, address: str, label: str) -> None:
    sign_in(client, world.max)
    marked = client.get(address).text.split('class="queues"')[1].split('aria-current="page"')[1]
    assert marked.split("</svg>")[1].startswith(label)


def test_a_picker_sees_neither_search_nor_orders(client: FlaskClient, world: World) -> None:
    sign_in(client, world.cleo)
    assert 'name="q"' not in client.get("/desk/").text
    assert "Promises at risk" not in client.get("/desk/").text
    for path in ("/desk/search?q=1001", f"/desk/orders/{world.alice.id}", "/desk/letters", "/desk/letters/1"):
        assert client.get(path).status_code == 403, path


@pytest.mark.parametrize("path", ["/desk/", "/desk/search", "/desk/letters", "/desk/letters/1", "/desk/orders/1"])
def test_nobody_gets_in_without_signing_in(client: FlaskClient, world: World, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.location.startswith("/desk/sign-in")


def test_a_promise_that_is_due_is_on_the_first_page_until_it_arrives(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    order = an_order("2001")
    parcel = a_parcel(order)
    order.promised_on = clock.now().date() - timedelta(days=1)
    session.commit()
    link = f'href="/desk/orders/{order.id}"'
    page = client.get("/desk/").text
    assert link in page
    assert "Overdue" in page
    parcel = session.merge(parcel)
    parcel.tracking_status, parcel.delivered_at = "delivered", clock.now()
    session.commit()
    assert link not in client.get("/desk/").text


def test_the_first_page_costs_the_same_for_one_order_and_for_thirty(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    seen = []
    for batch in (1, 30):
        for n in range(batch):
            order = an_order(f"3{batch:02}{n:02}")
            order.promised_on = clock.now().date() - timedelta(days=1)
            a_parcel(order)
        with statements() as sent:
            assert client.get("/desk/").status_code == 200
        seen.append(len(sent))
    assert seen[0] == seen[1] <= 5


def test_the_name_of_who_is_signed_in_is_shown_and_escaped(client: FlaskClient, world: World) -> None:
    world.max.name = "<b>Max</b>"
    session.commit()
    sign_in(client, world.max)
    assert "&lt;b&gt;Max" in client.get("/desk/").text


def test_the_front_door_leads_to_the_desk(client: FlaskClient, world: World) -> None:
    assert "Sign in" in client.get("/desk/sign-in").text
    wrong = client.post("/desk/sign-in", data={"email": "max@shop.example", "password": "not-the-password"})
    assert wrong.status_code == 422
    assert "do not match" in wrong.text


def test_the_page_for_people_without_the_right_says_so(client: FlaskClient, world: World) -> None:
    sign_in(client, world.cleo)
    page = client.get("/desk/letters")
    assert page.status_code == 403
    assert "This is not yours to open" in page.text
    assert 'href="/desk/"' in page.text


def test_the_overview_counts_and_names_nothing_that_has_no_count(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    page = client.get("/desk/").text.split("<main")[1]
    assert ">None<" not in page
    assert "Working calendar" not in page
    assert "To pick" in page
