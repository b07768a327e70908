"""A small known world: Alice bought, Bob did not, Cleo picks, Dan may not approve.

Alice's order 1001 has two mugs and one shirt, 84.00 EUR with 5.00 shipping, paid through Stripe. Bob bought at another
time (his order 1002, one mug, is none of Alice's business). Cleo picks, Pat packs and ships, Rita receives returns, Sam
supports, Fran approves money, Dan is a picker and may not, Max manages, and chose that existing customers may be asked.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape

from flask.testing import FlaskClient
from sqlalchemy import select

from portal.adapters.channels import IncomingAddress, IncomingLine, IncomingOrder
from portal.db import session
from portal.feedback.grounds import choose_ground
from portal.lib import clock, tokens
from portal.orders import links
from portal.orders.actions import accept_order
from portal.orders.models import Code, Order
from portal.staff.guards import cookie_name as desk_cookie
from portal.staff.models import Department, Staff, StaffSession
from portal.staff.rules import DEPARTMENTS

ALICES_ORDER = IncomingOrder(
    channel="api:shop",
    external_id="A-1001",
    number="1001",
    placed_at=datetime.fromisoformat("2026-11-20T08:00:00+00:00"),
    paid_at=datetime.fromisoformat("2026-11-20T08:01:00+00:00"),
    updated_at=datetime.fromisoformat("2026-11-20T08:01:00+00:00"),
    currency="EUR",
    total=8400,
    captured=8400,
    lines=(
        IncomingLine("L1", "Stoneware mug", 2, 2000, 4000, sku="MUG-01", variant="Moss"),
        IncomingLine("L2", "Linen shirt", 1, 3900, 3900, sku="SHIRT-M", variant="M"),
        IncomingLine("SHIP", "Standard delivery", 1, 500, 500, kind="shipping"),
    ),
    address=IncomingAddress("Alice Ångström", "", "Lindenstraße 7", "", "10115", "Berlin", "", "DE"),
    name="Alice Ångström",
    email="alice@example.org",
    locale="en",
    payment_intent="pi_alice",
)
BOBS_ORDER = replace(
    ALICES_ORDER,
    external_id="A-1002",
    number="1002",
    total=2500,
    captured=2500,
    lines=(
        IncomingLine("L1", "Stoneware mug", 1, 2000, 2000, sku="MUG-01", variant="Moss"),
        IncomingLine("SHIP", "Standard delivery", 1, 500, 500, kind="shipping"),
    ),
    name="Bob Brun",
    email="bob@example.org",
    payment_intent="pi_bob",
)


@dataclass
class World:
    """The people, and Alice's and Bob's orders."""

    now: datetime
    alice: Order
    bob: Order
    cleo: Staff
    pat: Staff
    rita: Staff
    sam: Staff
    fran: Staff
    dan: Staff
    max: Staff


ROLES = {
    "cleo": "picker",
    "pat": "shipper",
    "rita": "returns",
    "sam": "support",
    "fran": "finance",
    "dan": "picker",
    "max": "manager",
}


def lately(order: IncomingOrder, now: datetime) -> IncomingOrder:
    """The order, placed yesterday when the world is built on a later day than its own: no promise is broken by age."""
    late = timedelta(days=max(0, (now - order.placed_at).days - 1))
    if late < timedelta(days=5):
        return order
    dates = {name: getattr(order, name) + late for name in ("placed_at", "paid_at", "updated_at")}
    return replace(order, **dates)


def build(now: datetime) -> World:
    people = {
        name: Staff(email=f"{name}@shop.example", name=name.title(), role=role, created_at=now)
        for name, role in ROLES.items()
    }
    session.add_all(people.values())
    session.flush()
    heads = dict(zip(DEPARTMENTS, ("cleo", "pat", "pat", "rita", "sam", "fran"), strict=True))
    session.add_all(
        Department(code=code, responsible_id=people[name].id, deputy_id=people["max"].id)
        for code, name in heads.items()
    )
    choose_ground("DE", "existing_customer", "Told beside the e-mail field.", by=people["max"], now=now)
    alice, _ = accept_order(lately(ALICES_ORDER, now), by="channel", now=now)
    bob, _ = accept_order(lately(BOBS_ORDER, now), by="channel", now=now)
    session.commit()
    return World(now=now, alice=alice, bob=bob, **people)


def found() -> World:
    """The world that stands in the database already."""
    known = select(Staff).where(Staff.email.in_([f"{name}@shop.example" for name in ROLES]))
    people = {person.name.lower(): person for person in session.scalars(known)}
    alice, bob = session.scalars(select(Order).order_by(Order.id).limit(2))
    return World(now=alice.created_at, alice=alice, bob=bob, **people)


def sign_in(client: FlaskClient, person: Staff) -> FlaskClient:
    """The person sits down at this browser (as after a good sign-in)."""
    token, now = tokens.mint(), clock.now()
    since = {"created_at": now, "seen_at": now, "proven_at": now}
    session.add(StaffSession(digest=tokens.digest(token), staff_id=person.id, **since))
    session.commit()
    client.set_cookie(desk_cookie(), token, domain="localhost")
    return client


def open_link(client: FlaskClient, order: Order, purpose: str = "track", subject: int | None = None) -> FlaskClient:
    """The customer's browser comes through a link of this order (as from a letter)."""
    token = links.mint(order.id, purpose, subject, clock.now())
    session.commit()
    assert client.get(f"/l/{token}").status_code == 303
    return client


def show_code(client: FlaskClient, order: Order) -> FlaskClient:
    """The customer's browser comes through a link, and has typed in the code that was mailed."""
    open_link(client, order)
    cookie, now = client.get_cookie("c"), clock.now()
    assert cookie
    shown = {"created_at": now, "expires_at": now, "used_at": now}
    session.add(Code(order_id=order.id, browser=tokens.digest(cookie.value), **shown))
    session.commit()
    return client


def neighbour(page: str, way: str) -> str:
    """Where a list's page leads: to the "next" one or the one before it ("prev")."""
    link = re.search(rf'<a[^>]* href="([^"]+)"[^>]* rel="{way}"', page)
    return unescape(link[1]) if link else ""
