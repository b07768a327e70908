"""The demo's web shop: what is bought there is paid, and the portal is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from portal.adapters.channels import api
from portal.demo.outside import create_outside
from portal.demo.webshop import WebShop


class Portal:
    """Takes orders and answers with `code`."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.paid: list[tuple[str, int, str]] = []
        self.code = 201

    def pay(self, number: str, amount: int, currency: str) -> str:
        self.paid.append((number, amount, currency))
        return f"pi_shop{number}"

    def send(self, order: dict[str, Any]) -> tuple[int, str]:
        self.orders.append(order)
        return self.code, "words"


@pytest.fixture
def portal() -> Portal:
    return Portal()


@pytest.fixture
def client(portal: Portal, tmp_path: Path) -> FlaskClient:
    nobody: Any = None
    return create_outside(nobody, nobody, WebShop(tmp_path / "webshop", portal.pay, portal.send)).test_client()


def test_what_is_bought_is_paid_and_told_in_the_portal_s_own_shape(client: FlaskClient, portal: Portal) -> None:
    answer = client.post(
        "/shop/orders", data={"MUG-STONE": "2", "name": "Zoë O'Hara", "language": "de"}, follow_redirects=True
    )
    assert "Paid. Order 5001 is at the desk" in answer.text
    order = api.parse(json.dumps(portal.orders[0]).encode(), "api:webshop")
    assert (order.number, order.total, order.captured, order.payment_intent) == ("5001", 4090, 4090, "pi_shop5001")
    assert portal.paid == [("5001", 4090, "EUR")]
    assert [(line.title, line.quantity) for line in order.lines] == [
        ("Becher aus Steinzeug", 2),
        ("Standardversand", 1),
    ]
    assert (order.email, order.locale, order.problems) == ("zoe.o.hara@example.org", "de", ())


def test_every_order_has_a_number_of_its_own(client: FlaskClient, portal: Portal) -> None:
    for _ in range(3):
        client.post("/shop/orders", data={"CANDLE-6": "1"})
    assert [order["number"] for order in portal.orders] == ["5001", "5002", "5003"]


@pytest.mark.parametrize("form", [{}, {"MUG-STONE": "0"}, {"MUG-STONE": "-1"}, {"MUG-STONE": "many"}, {"NO-SUCH": "1"}])
def test_who_chooses_nothing_pays_nothing(client: FlaskClient, portal: Portal, form: dict[str, str]) -> None:
    assert "Choose something first." in client.post("/shop/orders", data=form, follow_redirects=True).text
    assert (portal.orders, portal.paid) == ([], [])


def test_what_the_portal_refuses_is_said(client: FlaskClient, portal: Portal) -> None:
    portal.code = 422
    answer = client.post("/shop/orders", data={"MUG-STONE": "1", "name": "李"}, follow_redirects=True)
    assert "The portal answered 422: words" in answer.text
    assert portal.orders[0]["email"] == "somebody@example.org"
