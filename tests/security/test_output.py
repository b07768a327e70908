"""What people typed stays text: on every page, in every letter, in every file, in every address."""

import csv
import re
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes
from html.parser import HTMLParser
from io import StringIO
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from portal.adapters import smtp
from portal.adapters.errors import Permanent
from portal.db import Base, session
from portal.desk import kept
from portal.desk.kept import Share
from portal.fulfilment.rules import COURIERS
from portal.lib.sheets import plain_cell
from portal.mail.models import Letter
from portal.orders.models import Order
from tests.conftest import as_owner
from tests.house.road import walk
from tests.house.test_routes import rules, values_for
from tests.world import World, show_code, sign_in

Work = Callable[..., int]
LIVE = '"><svg onload=alert(1)><a href="javascript:alert(1)" onclick=alert(1)>{{1234*1000}}'
RUNS = re.compile(r"\s*(javascript|vbscript|data):(?!image/)", re.IGNORECASE)
ALLOWED = {
    "content-type", "mime-version", "subject", "from", "to", "date", "message-id", "list-unsubscribe",
    "content-transfer-encoding",
}  # fmt: skip
FILES = (".pdf", ".zpl", ".zip", ".csv", ".json")
PLACE = ("name", "company", "street", "street2", "postcode", "city", "region")
TYPED = {
    "answers": "words", "back_parcels": "tracking_number note", "case_messages": "words",
    "channel_readings": "problem", "channels": "name",
    "closed_days": "why", "courier_events": "at_raw code place message", "credit_entries": "note",
    "customers": "name phone", "handoffs": "reason note", "inbox_messages": "error", "inspections": "note",
    "job_failures": "error", "label_purchases": "carrier service trouble", "letters": "subject error",
    "money_alarms": "detail", "money_limit_changes": "reason", "order_flags": "note",
    "order_lines": "sku title variant", "oddities": "detail note", "orders": "number",
    "parcels": "tracking_number", "refund_attempts": "detail", "refund_lines": "note",
    "refunds": "reason decision_note handled_note proof failure_reason bank_reference", "return_lines": "words",
    "returns": "decision_note closing_note", "short_picks": "note", "staff": "name", "staff_events": "browser detail",
    "staff_passkeys": "name", "staff_sessions": "browser", "stock_items": "sku title", "stock_moves": "note",
    "stock_places": "name", "vans": "note reference trouble",
}  # fmt: skip
"""Columns of text that hold what somebody typed or sent."""


class Elements(HTMLParser):
    """What on a page would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.alive: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A handler, an address that runs, a drawing that is none of ours."""
        runs = [name for name, value in attrs if name.startswith("on") or RUNS.match(value or "")]
        self.alive += [f"<{tag} {name}>" for name in runs]


def write_everywhere() -> int:
    """Put the markup into every row of these columns; how many columns had rows."""
    written = 0
    with as_owner():
        for name, columns in TYPED.items():
            table = Base.metadata.tables[name]
            for column in columns.split():
                done: Any = session.execute(update(table).values({column: func.concat(LIVE, table.c.id)}))
                written += bool(done.rowcount)
    session.execute(update(Order).values(ship_to={"country": "DE", **dict.fromkeys(PLACE, LIVE)}))
    session.commit()
    return written


def test_1_2_1_and_1_3_7_nothing_that_was_typed_is_alive_in_a_letter_or_on_a_page(
    client: FlaskClient, world: World, work: Work, mails: object
) -> None:
    world.alice.customer.name = world.alice.lines[0].title = LIVE
    session.commit()
    walk(world, work)
    letters_are_still(world)
    world.max.role = "admin"
    show_code(sign_in(client, world.max), world.alice)
    assert write_everywhere() >= 40
    shown = 0
    for rule in rules(client.application):
        if "GET" in (rule.methods or set()) and not rule.rule.endswith(FILES):
            path = client.application.url_map.bind("localhost").build(rule.endpoint, values_for(rule, world))
            answer = client.get(path)
            assert answer.status_code < 500, path
            if answer.mimetype == "text/html":
                assert Elements(answer.text).alive == [], path
                assert "1234000" not in answer.text, path
                shown += "onload=alert" in answer.text
    assert shown >= 20


def letters_are_still(world: World) -> None:
    letters = session.scalars(select(Letter).where(Letter.order_id == world.alice.id)).all()
    assert sum("onload=alert" in letter.html for letter in letters) >= 3
    for letter in letters:
        assert Elements(letter.html).alive == [], letter.kind
        assert "1234000" not in letter.html + letter.text + letter.subject


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=150)
def test_1_2_2_a_number_is_no_way_out_of_a_couriers_address(number: str) -> None:
    for courier in (courier for courier in COURIERS.values() if courier.page):
        address = courier.page_of(number)
        parts = urlsplit(address)
        assert (parts.scheme, "." in parts.netloc, address.isascii()) == ("https", True, True)
        assert parts.netloc == urlsplit(courier.page_of("1")).netloc
        assert not set(address) & set(" \\<>\"'\r\n\t`{}")


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_1_2_10_no_cell_of_a_file_begins_a_formula(begins: str) -> None:
    evil = f'{begins}HYPERLINK("https://evil.example")'
    told = kept.sheet({"channel": [Share(evil, 1, 2)]})
    assert [row[1] for row in csv.reader(StringIO(told, newline=""))][1] == f"'{evil}"
    assert plain_cell(evil) == f"'{evil}"


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_1_3_11_no_name_and_no_subject_adds_a_header_to_a_mail(app: Flask, subject: str, name: str) -> None:
    """Written as it would leave, or refused for good: never one header more."""
    letter = {"subject": subject, "html": "html", "text": "text", "headers": {"List-Unsubscribe": f"<{name}>"}}
    with patch.object(smtp, "_hand_over") as handed_over, suppress(Permanent):
        smtp.send(to=f"{name}@example.org", message_id="<1@x>", **letter)  # type: ignore[arg-type]
        written = message_from_bytes(handed_over.call_args.args[-1])
        assert {header.lower() for header in written} <= ALLOWED
