"""Whatever is sent, the answer is a clear one, nothing is kept that nobody signed, and no parser falls over.

The bodies stand in `tests/security/bodies.py`; the generated ones are the same in every run.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from email.message import EmailMessage
from functools import reduce
from itertools import cycle
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.adapters import replies, stock_sheet, stripe
from portal.adapters.channels import api, checkout, sheet, shopify, woocommerce
from portal.adapters.couriers.known import LISTENED
from portal.adapters.errors import Malformed
from portal.db import session
from portal.inbox.models import InboxMessage
from portal.inbox.sources import SOURCES
from portal.lib import clock
from portal.lib.tokens import digest
from portal.orders.keys import make_key
from portal.orders.models import Code
from portal.pictures import reading as pictures
from portal.staff.models import StaffSession
from tests.adapters.test_replies import mail as plain_mail
from tests.adapters.test_replies import report as delivery_report
from tests.adapters.values import NASTY
from tests.conftest import nothing_appears
from tests.house.test_routes import rules, values_for
from tests.orders.test_api import ORDER
from tests.security.bodies import BODIES, FORM, Body
from tests.security.senders import MESSAGES, signed
from tests.uploads import files
from tests.world import World, show_code, sign_in

FEWEST = 300
GENERATED = int(os.environ.get("HOSTILE_BODIES", "10000"))
"""Per parser."""
PER_ROUTE = int(os.environ.get("HOSTILE_FORMS", "1"))
"""Per form, which costs a request each; `make hostile` takes more."""
ZONE = ZoneInfo("Europe/Berlin")
Parse = Callable[[bytes], Any]


def sent(client: FlaskClient, path: str, body: Body, **headers: str) -> TestResponse:
    return client.post(path, data=body.raw, content_type=body.kind, headers={**body.headers, **headers})


def test_there_are_three_hundred_and_they_are_the_same_in_every_run() -> None:
    assert len({body.name for body in BODIES}) == len(BODIES) >= FEWEST
    listed = hashlib.sha256(b"".join(hashlib.sha256(body.raw).digest() for body in BODIES)).hexdigest()
    assert listed.startswith("67a1674377363032")


def test_no_sender_keeps_what_nobody_signed(client: FlaskClient) -> None:
    with nothing_appears(but={"inbox_refusals"}):
        for body, source in zip(BODIES, cycle(SOURCES), strict=False):
            answer = sent(client, f"/hooks/{source}", body)
            assert (answer.status_code, answer.is_json) in ((401, True), (200, True)), (source, body.name)
            assert answer.get_json() in ({"error": "signature"}, {"status": "heard"}), (source, body.name)


def test_what_was_signed_is_kept_or_refused_and_never_lost(client: FlaskClient, work: Callable[..., int]) -> None:
    kept = 0
    for body, source in zip(BODIES, cycle(SOURCES), strict=False):
        answer = sent(client, f"/hooks/{source}", body, **signed(source, body.raw))
        assert answer.status_code in (200, 400, 401), (source, body.name)
        kept += answer.get_json().get("status") == "stored"
    assert session.scalar(select(func.count()).select_from(InboxMessage)) == kept > 50
    work(task="fulfilment.work_off")
    for task in ("orders.work_off_shopify", "orders.work_off_woocommerce"):
        work(task=task)
    couriers = InboxMessage.source.in_({*LISTENED, "shopify", "woocommerce"})
    assert session.scalar(select(func.count()).where(InboxMessage.state == "received", couriers)) == 0


def test_no_body_is_an_order_that_is_none(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.orders.api.PER_MINUTE", 10_000)
    key = {"Authorization": f"Bearer {make_key('lantern', 'first', by=None, now=clock.now())}"}
    session.commit()
    with nothing_appears():
        for body in BODIES:
            answer = sent(client, "/api/v1/orders", body, **key)
            assert (answer.status_code in (400, 415, 422), answer.is_json) == (True, True), body.name
        assert {sent(client, "/api/v1/orders", body).status_code for body in BODIES[::20]} == {401}


def test_no_form_falls_over(client: FlaskClient, world: World) -> None:
    """Each form meets some of the bodies, each body some of the forms, from a browser that may do everything."""
    world.max.role = "admin"
    app, met = client.application, cycle([body for body in BODIES if body.kind.startswith(("multipart", FORM))])
    for rule in rules(app):
        if "POST" in (rule.methods or set()) and not rule.rule.startswith(("/hooks", "/api")):
            filled = {name: value or 1 for name, value in values_for(rule, world).items()}
            path = app.url_map.bind("localhost").build(rule.endpoint, filled)
            for body in (next(met) for _ in range(PER_ROUTE)):
                if not is_in(client):
                    show_code(sign_in(client, world.max), world.alice)
                answer = sent(client, path, body)
                assert answer.status_code < 500, (path, body.name)


def is_in(client: FlaskClient) -> bool:
    """Whether both of its cookies still open something: some of the forms end sessions, links and codes."""
    desk, customer = client.get_cookie("desk"), client.get_cookie("c")
    alive = select(StaffSession.id).where(StaffSession.digest == digest(desk.value if desk else ""))
    shown = select(Code.id).where(Code.browser == digest(customer.value if customer else ""))
    return session.scalar(alive) is not None and session.scalar(shown) is not None


# --- generated ---


def mail_in_parts() -> bytes:
    """Words, the same as a page, a picture with a name in another script."""
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "Zoë <zoe@example.org>", "Tasse – kaputt", "<1@example.org>"
    mail["In-Reply-To"] = "<ours@shop.example>"
    mail.set_content("Kaputt, schön.\n> Wie war es?\n", charset="iso-8859-15", cte="quoted-printable")
    mail.add_alternative("<p>Kaputt</p><blockquote>Wie war es?</blockquote>", subtype="html")
    mail.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", filename="壊れた.png")
    return mail.as_bytes()


def read_sheet(raw: bytes) -> Any:
    return list(sheet.read(raw.decode("utf-8", "replace"), "api:shop", ZONE))


PARSERS: dict[str, tuple[Parse, bytes]] = {
    "shopify": (shopify.parse, MESSAGES["shopify"]),
    "shopify's refunds": (shopify.parse_refund, b'{"id": 9, "order_id": 1, "created_at": "2026-11-21T09:00:00Z"}'),
    "woocommerce": (woocommerce.parse, MESSAGES["woocommerce"]),
    "checkout": (checkout.bought, MESSAGES["checkout"]),
    "the API": (lambda raw: api.parse(raw, "api:shop"), json.dumps(ORDER).encode()),
    "stripe": (stripe.read_event, MESSAGES["stripe"]),
    **{source: (LISTENED[source].parse, MESSAGES[source]) for source in LISTENED},
}
SHEETS: dict[str, tuple[Parse, bytes]] = {
    "orders from a file": (
        read_sheet,
        b"number,placed_at,currency,title,quantity,unit_price\n7,2026-11-20 09:30,EUR,Mug,2,39.00\n",
    ),
    "stock from a file": (
        lambda raw: stock_sheet.read(raw.decode("utf-8", "replace")),
        b"sku,on_hand,place,low_at\nMUG-01,12,A1,3\n",
    ),
}
MAILS: dict[str, tuple[Parse, bytes]] = {
    "a plain mail": (replies.read, plain_mail(b"Content-Type: text/plain; charset=utf-8\r\n")),
    "a mail in parts": (replies.read, mail_in_parts()),
    "a delivery report": (replies.read, delivery_report()),
}
SAID_SO = (replies.Unreadable, pictures.NotAPicture, Malformed, api.BadOrder, sheet.BadSheet, stock_sheet.BadStockSheet)
STRANGE = [value for value in NASTY if len(str(value)) < 100]  # what is long is among the fixed ones, and costs time
BITS = [
    b"",
    b"\0",
    b"\xff",
    b'"',
    b",",
    b";",
    b"\n",
    b"\r",
    b"=",
    b"-",
    b"1e9",
    b"9" * 30,
    "２".encode(),
    b"{",
    b"]",
    b"\\u0000",
    b"\\ud800",
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b"boundary=",
    b"=?utf-8?q?",
    b"(<",
    b"*0*=",
]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all values in it."""
    for where in value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*way, where)
        yield from places(value[where], (*way, where))


def spoilt(raw: bytes, chance: Random) -> bytes:
    """One to three bits of it cut, changed or put in."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.choice(BITS) + raw[at + chance.choice((0, 0, 1, 9)) :]
    return raw


def odd(raw: bytes, ways: list[tuple[Any, ...]], chance: Random) -> bytes:
    """The same JSON with one to three values that nobody expects."""
    value = json.loads(raw)
    for *way, last in chance.sample(ways, min(len(ways), chance.randint(1, 3))):
        with suppress(KeyError, IndexError, TypeError):  # an earlier change took it away
            reduce(lambda inner, where: inner[where], way, value)[last] = deepcopy(chance.choice(STRANGE))
    return json.dumps(value).encode()


def survives(name: str, parse: Parse, raw: bytes) -> bool:
    """Whether it was read; the parser may say that it is no message, and nothing else."""
    try:
        parse(raw)
    except SAID_SO:
        return False
    except Exception as error:
        pytest.fail(f"{name} fell over {raw[:300]!r}: {error!r}")
    return True


@pytest.mark.parametrize("name", PARSERS)
def test_odd_messages_crash_no_parser(name: str) -> None:
    parse, raw = PARSERS[name]
    chance, ways = Random(name), list(places(json.loads(raw)))
    made = (odd(raw, ways, chance) if n % 4 else spoilt(raw, chance) for n in range(GENERATED))
    read = sum(survives(name, parse, body) for body in made)
    assert 0 < read < GENERATED


@pytest.mark.parametrize("name", SHEETS | MAILS)
def test_odd_files_and_mails_crash_no_parser(name: str) -> None:
    parse, raw = (SHEETS | MAILS)[name]
    chance = Random(name)
    read = sum(survives(name, parse, spoilt(raw, chance)) for _ in range(GENERATED))
    assert 0 < read < GENERATED + (name in MAILS)  # almost anything is a mail


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_pictures_crash_no_parser(app: Flask, kind: str) -> None:
    raw, chance = files.saved(files.scene(24, 16), kind), Random(kind)
    read = sum(survives(kind, pictures.read, spoilt(raw, chance)) for _ in range(GENERATED // 5))
    assert 0 < read < GENERATED // 5
