"""A stranger with the public pages, the public code and a leaked link gets no name, no address and no money."""

import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment.models import Parcel
from portal.lib import clock, tokens
from portal.orders import links
from portal.orders.links import LIVES, OPENS
from portal.orders.models import Customer, Link, Order, Payment
from portal.refunds.models import Refund
from portal.staff.models import Staff, StaffInvitation
from tests.house.road import walk
from tests.house.test_routes import rules
from tests.security.crawler import MINE, Page, Stranger
from tests.world import World

Work = Callable[..., int]
PUBLIC = (
    "/",
    "/find",
    "/desk/",
    "/desk/sign-in",
    "/desk/password-reset",
    "/healthz",
    "/readyz",
    "/api/v1/openapi.json",
)
PHONE, NOTE = "+49 30 5550142", "a note of staff's"
HOME = {"name": "Nightjar Nestling", "street": "Finkenweg 12", "postcode": "99817", "city": "Vogelsdorf"}


@pytest.fixture
def told(world: World) -> World:
    """Everything that is somebody's is known by its own words."""
    session.execute(update(Customer).values(phone=PHONE, name="Nightjar Nestling"))
    session.execute(update(Order).values(ship_to={**world.alice.ship_to, **HOME}))
    session.commit()
    return world


@pytest.fixture
def peopled(told: World, work: Work, mails: list[EmailMessage]) -> World:
    """Everything has happened, too."""
    walk(told, work)
    session.execute(update(Refund).values(handled_note=NOTE))
    work()
    mails.clear()
    session.commit()
    return told


def canaries() -> Iterator[str]:
    """Names, addresses, numbers, staff: all that nobody may learn who has only a link."""
    yield from (PHONE, NOTE, "Nightjar", "Nestling", *HOME.values())
    yield from (email for email in session.scalars(select(Customer.email)) if email)
    yield from (number for number in session.scalars(select(Parcel.tracking_number)) if number)
    yield from (intent for intent in session.scalars(select(Payment.payment_intent)) if intent)
    yield from session.scalars(select(Staff.email))


def every_route(app: Flask, ref: str) -> Iterator[tuple[str, str]]:
    """All that the code knows, with the reference that the link gave away and numbers that are easy to guess."""
    for rule in rules(app):
        path = re.sub(r"<ref>", ref, rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            yield method, re.sub(r"<[^>]+>", "1", path)


def money() -> tuple[list[tuple[object, ...]], list[int]]:
    """Refunds that anybody may act on, and what is taken of each payment."""
    session.expire_all()
    decided = select(Refund.id, Refund.state, Refund.amount).where(Refund.state != "proposed").order_by(Refund.id)
    return [tuple(row) for row in session.execute(decided)], list(session.scalars(select(Payment.captured)))


def dead_links(world: World) -> list[str]:
    """Expired, ended, meant for something else, and an invitation that was used."""
    now = clock.now()
    expired = links.mint(world.alice.id, "track", None, now - LIVES["track"])
    ended = links.mint(world.alice.id, "track", None, now)
    session.execute(update(Link).where(Link.digest == tokens.digest(ended)).values(revoked_at=now))
    other = links.mint(world.alice.id, "unsubscribe", world.alice.customer_id, now)
    used = tokens.mint()
    kept = {"staff_id": world.max.id, "expires_at": now, "used_at": now}
    session.add(StaffInvitation(digest=tokens.digest(used), **kept))
    session.commit()
    return [f"/{door}/{token}" for token in (expired, ended, other, used) for door in ("l", "desk/invitations")]


def met_nobody(stranger: Stranger) -> None:
    found = {canary: where for canary in set(canaries()) if (where := stranger.holding(canary))}
    assert found == {}
    assert [asked for asked, answer in stranger.met.items() if answer.status_code >= 500] == []


def test_with_a_dead_link_a_stranger_gets_nothing(app: Flask, told: World) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    stranger, before = Stranger(app.test_client()), money()
    stranger.begin(*PUBLIC, *dead_links(told))
    stranger.try_all(every_route(app, told.alice.ref))
    met_nobody(stranger)
    assert money() == before
    opened = {asked for asked, answer in stranger.met.items() if answer.status_code == 200 and "/orders/" in asked}
    assert opened == set()


def test_with_links_that_live_a_stranger_sees_how_far_it_is_and_no_more(
    app: Flask, peopled: World, work: Work, mails: list[EmailMessage]
) -> None:
    """All four kinds at once, in one browser, on the day they were sent."""
    app.config["WTF_CSRF_ENABLED"] = False
    stranger, before = Stranger(app.test_client()), money()
    live = [f"/l/{links.mint(peopled.alice.id, purpose, 1, clock.now())}" for purpose in OPENS if purpose != "case"]
    session.commit()
    stranger.begin(*live, *PUBLIC)
    stranger.try_all(every_route(app, peopled.alice.ref))
    assert stranger.met[f"GET /orders/{peopled.alice.ref}"].status_code == 200
    assert len(stranger.met) >= 200
    met_nobody(stranger)
    work()
    mine = [mail for mail in mails if MINE in str(mail["To"])]
    assert {str(mail["Subject"]).rpartition(" ")[0] for mail in mine} <= {"Receipt of your withdrawal"}
    told = "".join(part.get_content() for mail in mine for part in mail.walk() if not part.is_multipart())
    assert [canary for canary in canaries() if canary in told] == []
    assert money() == before


def test_l9_no_page_takes_a_postcode_for_a_key(app: Flask, told: World) -> None:
    stranger = Stranger(app.test_client())
    stranger.begin(*PUBLIC, f"/l/{links.mint(told.alice.id, 'track', None, clock.now())}")
    fields = {
        name
        for asked, answer in stranger.met.items()
        if answer.mimetype == "text/html"
        for form in Page(asked.partition(" ")[2], answer.text).forms
        for name in form.fields
    }
    assert fields >= {"number", "email"}
    assert [name for name in fields if re.search("post|zip|plz|phone", name)] == []
