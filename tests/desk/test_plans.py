"""What the desk asks of a shop with a long past: no statement reads a table that grows from one end to the other."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import create_app
from portal.db import db
from portal.db.counting import MOST, told
from tests.bench import desk, history, shop
from tests.conftest import AS_TESTS, settings_for

ORDERS = 3000
GROWING = {
    "orders", "order_lines", "customers", "payments", "parcels", "parcel_lines", "courier_events", "timeline", "links",
    "letters", "handoffs",
}  # fmt: skip


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[str, Flask]]:
    """A shop with some thousand orders, of which few are open."""
    with shop.database(ORDERS) as url:
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
    return [*known, *(f"/desk/insight/{page}" for page in insight)]


@pytest.mark.parametrize("path", pages_of_the_desk())
def test_no_page_reads_a_growing_table_as_a_whole(past: tuple[str, Flask], path: str) -> None:
    url, app = past
    client: FlaskClient = app.test_client()
    headers: dict[str, Any] = shop.at_the_desk(url)
    client.get(path, headers=headers)
    before = settled(app, url)
    assert client.get(path, headers=headers).status_code in (200, 303)
    after = settled(app, url)
    read = {name: after[name] - before[name] for name in after if after[name] - before[name] > ORDERS // 3}
    assert read == {}, "a sequential scan"


def settled(app: Flask, url: str) -> dict[str, int]:
    """The statistics once the portal's connections have told theirs: they do when they end."""
    with app.app_context():
        db.engine.dispose()
    return whole_reads(url)


def test_a_scan_would_be_noticed(past: tuple[str, Flask]) -> None:
    url, app = past
    before = settled(app, url)
    with psycopg.connect(url) as asking:
        asking.execute("SELECT count(*) FROM orders WHERE locale = 'xx'").fetchone()
    assert settled(app, url)["orders"] - before["orders"] >= ORDERS


def test_each_way_to_search_finds_its_order(past: tuple[str, Flask]) -> None:
    url, app = past
    client = app.test_client()
    client.set_cookie("desk", shop.at_the_desk(url)["Cookie"].removeprefix("desk="))
    for name, paths in desk.searches(ORDERS).items():
        page = client.get(paths[2], follow_redirects=True)
        assert re.search(r"B100\d{4}", page.text), name
    assert history.still_open(ORDERS) == history.OPEN_AT_LEAST


def test_nobody_counts_further_than_a_thousand() -> None:
    assert (told(7), told(MOST - 1), told(MOST), told(5 * MOST)) == ("7", "999", "999+", "999+")
