"""What the desk asks of a shop with a long past: no statement reads a table that grows from one end to the other."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from portal import create_app
from portal.backups import BUSY
from portal.db import db, paging, session
from portal.db.counting import MOST, told
from portal.db.paging import Page
from portal.feedback import case_models
from portal.orders import pushes, shelves
from portal.refunds import credit, credit_notes
from portal.refunds import lists as refunds
from portal.returns import articles, oddities, withdrawals
from portal.returns import lists as returns
from tests.bench import desk, history, shop
from tests.conftest import AS_TESTS, settings_for
from tests.desk import done

ORDERS = 3000
GROWING = {
    "orders", "order_lines", "customers", "payments", "parcels", "parcel_lines", "courier_events", "timeline", "links",
    "letters", "handoffs", *done.DONE,
} - {"articles", "stock_items"}  # fmt: skip


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[str, Flask]]:
    """A shop with some thousand orders, of which few are open."""
    with shop.database(ORDERS) as url:
        done.fill(url, ORDERS)
        app = create_app(settings_for(url, 1), **AS_TESTS)
        yield url, app
        with app.app_context():
            db.engine.dispose()


def whole_reads(url: str) -> dict[str, int]:
    """Rows that were read by going through a whole table, so far."""
    with psycopg.connect(url, autocommit=True) as asking:
        rows = asking.execute("SELECT relname, seq_tup_read FROM pg_stat_user_tables").fetchall()
    return {name: read for name, read in rows if name in GROWING}


def pages_of_the_desk() -> list[str]:
    insight = ("satisfaction?only=product:NO-SUCH", "satisfaction?only=courier:dhl", "reasons", "words?q=crack")
    known = [paths[3 % len(paths)] for paths in desk.pages(ORDERS).values()]
    what_is_done = [
        "/desk/returns?state=done", "/desk/refunds?state=done", "/desk/refunds?state=urgent",
        "/desk/cases?state=solved", "/desk/pushes?state=told", "/desk/oddities?state=settled",
        "/desk/withdrawals?state=settled", "/desk/credit-notes", "/desk/credit",
    ]  # fmt: skip
    return [*known, *what_is_done, *(f"/desk/insight/{page}" for page in insight)]


KNOWN = {
    "/desk/returns?state=to_inspect": {"orders"},
    "/desk/": {"parcels"},
    "/desk/insight/satisfaction?only=product:NO-SUCH": {"cases"},
    "/desk/insight/satisfaction?only=courier:dhl": {"cases"},
}
"""What is read as a whole all the same; nothing may join it. Of cases nearly all fall into the weeks asked for. So few
orders and parcels PostgreSQL rather joins whole with what is open; a hundred times as many it does not."""


@pytest.mark.parametrize("path", pages_of_the_desk())
def test_no_page_reads_a_growing_table_as_a_whole(past: tuple[str, Flask], path: str) -> None:
    url, app = past
    client: FlaskClient = app.test_client(use_cookies=False)
    headers: dict[str, Any] = shop.at_the_desk(url)
    client.get(path, headers=headers)
    before = settled(app, url)
    assert desk.shows(client.get(path, headers=headers))
    after = settled(app, url)
    read = {name: after[name] - before[name] for name in after if after[name] - before[name] > ORDERS // 3}
    assert set(read) == KNOWN.get(path, set()), "a sequential scan"


def settled(app: Flask, url: str) -> dict[str, int]:
    """The statistics once the portal's connections have told theirs: they do when they have ended."""
    with app.app_context():
        db.engine.dispose()
    with psycopg.connect(url, autocommit=True) as asking:
        until = time.monotonic() + 20
        while asking.execute(BUSY).fetchone() != (0,):
            assert time.monotonic() < until, "somebody else is at the database"
            time.sleep(0.01)
    return whole_reads(url)


def test_a_scan_would_be_noticed(past: tuple[str, Flask]) -> None:
    url, app = past
    before = settled(app, url)
    with psycopg.connect(url) as asking:
        asking.execute("SELECT count(*) FROM orders WHERE locale = 'xx'").fetchone()
    assert settled(app, url)["orders"] - before["orders"] >= ORDERS


LISTS: dict[str, Callable[[str], Page[Any]]] = {
    "returns": lambda at: returns.page_of("done", at),
    "refunds": lambda at: refunds.page_of("done", at),
    "cases": lambda at: case_models.page_of("solved", 1, at),
    "pushes": lambda at: pushes.page_of("told", "", at),
    "credit notes": credit_notes.page_of,
    "credits": lambda at: credit.search("", at),
    "withdrawals": lambda at: withdrawals.page_of(True, at),
    "oddities": lambda at: oddities.page_of(True, at),
    "articles": lambda at: articles.search("", at),
    "stock": lambda at: shelves.page_of("all", "", at),
}


@pytest.mark.parametrize("name", LISTS)
def test_the_fortieth_page_reads_no_more_than_the_first(
    past: tuple[str, Flask], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = LISTS[name]
    with past[1].test_request_context():
        with monkeypatch.context() as long_pages:
            long_pages.setattr(paging, "PAGE", 39 * paging.PAGE)
            far = listed("").older or ""
        first, fortieth = rows_read(lambda: listed("")), rows_read(lambda: listed(far))
    assert 0 < fortieth <= first * 1.1 + 2
    assert first < done.MANY // 2


def rows_read(ask: Callable[[], object]) -> int:
    """Rows that the first statement of this takes from the lists' tables, those that it then leaves out too."""
    asked: list[Any] = []
    event.listen(db.engine, "before_cursor_execute", note := lambda *about: asked.append(about[2:4]))
    ask()
    event.remove(db.engine, "before_cursor_execute", note)
    statement, values = asked[0]
    plan = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
    session.rollback()
    return sum(_read_in(plan[0]["Plan"]))


def _read_in(node: dict[str, Any]) -> Iterator[int]:
    if node.get("Relation Name") in done.DONE:
        yield round(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))
    for part in node.get("Plans", ()):
        yield from _read_in(part)


def test_each_way_to_search_finds_its_order(past: tuple[str, Flask]) -> None:
    url, app = past
    client = app.test_client()
    client.set_cookie("desk", shop.at_the_desk(url)["Cookie"].removeprefix("desk="))
    for name, paths in desk.searches(ORDERS).items():
        page = client.get(paths[2], follow_redirects=True)
        assert re.search(r"B100\d{4}", page.text), name
    assert history.still_open(ORDERS, 200) == 200


def test_nobody_counts_further_than_a_thousand() -> None:
    assert (told(7), told(MOST - 1), told(MOST), told(5 * MOST)) == ("7", "999", "999+", "999+")
