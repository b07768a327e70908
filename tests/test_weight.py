"""What the first look at a page costs a bad line: bytes as they travel, and what the browser must wait for."""

import re
from collections.abc import Callable

import brotli
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.orders.models import Order
from tests.feedback.scenes import answered, invited
from tests.tracking.scenes import a_parcel, an_order
from tests.world import World, open_link, sign_in

BROWSERS = "gzip, deflate, br"
PAGE, EVERYTHING = 14_000, 40_000
LINKED = re.compile(r'<(link|script|img)\b[^>]*?(?:href|src)="(/[^"]+)"[^>]*>')


def arrived(lines: int = 2, parcels: int = 1) -> Order:
    """An order whose parcels had a long way."""
    order = an_order("2001", lines=lines)
    for n in range(parcels):
        scans = ("picked_up", *("in_transit", "delayed") * 4, "out_for_delivery", "delivered")
        a_parcel(order, share=(n, parcels), scans=scans)
    return order


def tracking(client: FlaskClient, world: World) -> str:
    return f"/orders/{open_by_link(client, arrived())}"


def a_wide_order(client: FlaskClient, world: World) -> str:
    return f"/orders/{open_by_link(client, arrived(lines=40, parcels=5))}"


def survey(client: FlaskClient, world: World) -> str:
    order = arrived()
    invitation = invited(order)
    open_link(client, order, "survey", invitation.id)
    return f"/orders/{order.ref}/survey"


def return_form(client: FlaskClient, world: World) -> str:
    return f"/orders/{open_by_link(client, arrived())}/returns/new"


def desk_order(client: FlaskClient, world: World) -> str:
    order = arrived()
    answered(invited(order), 2, "A crack.")
    sign_in(client, world.max)
    return f"/desk/orders/{order.id}"


def open_by_link(client: FlaskClient, order: Order) -> str:
    open_link(client, order)
    return order.ref


def as_browsers_do(client: FlaskClient, path: str) -> TestResponse:
    answer = client.get(path, headers={"Accept-Encoding": BROWSERS})
    assert answer.status_code == 200, path
    return answer


@pytest.mark.parametrize("page", [tracking, a_wide_order, survey, return_form, desk_order])
def test_a_first_look_is_light_and_waits_for_nothing_but_one_stylesheet(
    client: FlaskClient, world: World, page: Callable[[FlaskClient, World], str]
) -> None:
    path = page(client, world)
    plain, packed = client.get(path), as_browsers_do(client, path)
    assert packed.headers["Content-Encoding"] in ("br", "zstd", "gzip")
    assert "Accept-Encoding" in packed.headers["Vary"]
    linked = LINKED.findall(plain.text)
    extras = [as_browsers_do(client, address) for _, address in linked if address.startswith("/static/")]
    assert extras
    assert len(packed.data) < PAGE
    assert len(packed.data) + sum(len(extra.data) for extra in extras) < EVERYTHING
    assert all("max-age=31536000" in extra.headers["Cache-Control"] for extra in extras)
    assert plain.text.count('rel="stylesheet"') == 1
    assert all(" defer" in tag for tag in re.findall(r"<script\b[^>]*>", plain.text))


def test_what_is_packed_is_what_is_told(client: FlaskClient, world: World) -> None:
    path = tracking(client, world)
    packed = client.get(path, headers={"Accept-Encoding": "br"})
    assert brotli.decompress(packed.data).decode() == client.get(path).text
    again = {"Accept-Encoding": "br", "If-None-Match": packed.headers["ETag"]}
    assert client.get(path, headers=again).status_code == 304
