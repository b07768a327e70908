"""The bench measures what it says: every piece becomes an order or moves a parcel, and the bare loop sends all rows."""

import re
from typing import Any

import pytest

from portal import create_app
from portal.db import db
from tests.bench import desk, floor, history, measure, pages, shop
from tests.bench.reasons import REASONS
from tests.bench.report import Row, written
from tests.conftest import AS_TESTS, settings_for


def test_every_piece_is_done_and_every_row_is_sent_again(monkeypatch: Any) -> None:
    came: list[set[str]] = []
    changed: list[set[str]] = []
    write = measure._write

    def watched(bare: Any, commits: Any, pieces: int) -> Any:
        took, written = write(bare, commits, pieces), [one for commit in commits for one in commit]
        for one in written:
            there = {row[0] for row in bare.execute(f"SELECT id FROM bare.{one.table}").fetchall()}
            assert {row[-1 if one.before else 0] for row in one.values} <= there
        came.append({one.table for one in written if not one.before})
        changed.append({one.table for one in written if one.before})
        return took

    monkeypatch.setattr(measure, "_write", watched)
    found = measure.measured(pieces=2, rounds=1)
    assert [result.what.split(",")[0].split(":")[0] for result in found] == [
        "Shopify order", "WooCommerce order", "courier webhook", "courier event",
    ]  # fmt: skip
    assert all(result.ours > 0 and result.bare > 0 for result in found)
    assert {"orders", "order_lines", "customers", "payments", "timeline", "inbox_messages"} <= came[0]
    assert {"courier_events", "timeline", "inbox_messages"} <= came[-1]
    assert changed[0] == {"inbox_messages"}
    assert changed[-1] == {"inbox_messages", "parcels"}


def test_a_shop_of_any_size_keeps_every_rule_and_opens_to_its_customers() -> None:
    """The history is made in the real tables, and the portal and the floor tell of the same orders."""
    with shop.database(400) as url:
        app, client = create_app(settings_for(url, 1), **AS_TESTS), floor.create_app(url).test_client()
        browser = app.test_client()
        for ref, secret in history.browsers(400, 5):
            browser.set_cookie("c", secret)
            ours, theirs = browser.get(f"/orders/{ref}"), client.get(f"/orders/{ref}")
            assert (ours.status_code, theirs.status_code) == (200, 200)
            number = re.search(r"B\d{7}", ours.text)
            assert number
            assert number[0] in theirs.text
        signed_in = {"Cookie": shop.at_the_desk(url)["Cookie"]}
        for paths in desk.pages(400).values():
            assert desk.shows(app.test_client(use_cookies=False).get(paths[0], headers=signed_in)), paths
        with app.app_context():
            db.engine.dispose()


def test_the_page_says_what_was_reached_and_how_to_get_it() -> None:
    rows = [Row("page", "the floor", 1.2, 1.0), Row("shelf", "small", 1.6, 1.5, higher=False)]
    page = written(rows, [("to pick", 0.01, 0.015)], ["12 bytes"], command="make bench", load=0.5, server="18.1")
    assert "| page | the floor | 1.20 | at least 1.00 | yes |" in page
    assert "| shelf | small | 1.60 | at most 1.50 | **no** |" in page
    assert "- **shelf**: not looked into yet." in page
    assert "- **page**" not in page
    assert "| to pick | 10 | 15 | 1.50 |" in page
    assert "Measured by `make bench`" in page


def test_it_says_why_something_is_not_reached_where_that_was_measured() -> None:
    page = written([Row("letters", "nothing", 0.1, 0.6)], [], [], command="make bench", load=0.5, server="18.1")
    assert f"- **letters**: {REASONS['letters']}" in page
    reached = written([Row("letters", "nothing", 0.7, 0.6)], [], [], command="make bench", load=0.5, server="18.1")
    assert "Everything is reached." in reached


def test_without_wrk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pages.NoWrk, match="apt-get install wrk"):
        pages.look_for_wrk()
