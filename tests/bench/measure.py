"""What comes in, each measured in turns with a bare loop that inserts the same rows."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from statistics import median
from typing import Any

import flask_migrate
import psycopg
from flask import Flask
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import func, select

from portal import create_app
from portal.db import bundled, db, session
from portal.fulfilment.jobs import work_off
from portal.inbox.models import InboxMessage
from portal.orders.jobs import work_off_shopify, work_off_woocommerce
from tests.bench.pieces import Piece, courier_events, prepare_parcels, shopify_orders, woocommerce_orders
from tests.conftest import AS_TESTS, ROOT, scratch_database, settings_for

Rows = dict[str, list[tuple[Any, ...]]]
FIRST = ("inbox_messages", "procrastinate_jobs", "procrastinate_events")
"""What the webhook itself writes; the rest is the worker's commit."""


@dataclass(frozen=True)
class Result:
    """Pieces per second in every round; the first only warmed up and is not here."""

    what: str
    ours_by_round: tuple[float, ...]
    bare_by_round: tuple[float, ...]
    wanted: float
    database: str
    beside: str = "bare inserts of the same rows"

    @property
    def ours(self) -> float:
        """The median."""
        return median(self.ours_by_round)

    @property
    def bare(self) -> float:
        return median(self.bare_by_round)


ORDERS = {"shopify": work_off_shopify, "woocommerce": work_off_woocommerce}
Times = tuple[float, float]
"""Seconds at the door, and in the worker."""


@dataclass(frozen=True)
class Kind:
    """What comes in, what its rows are called, and how much of the bare loop is wanted."""

    make: Callable[[int, int], list[Piece]]
    rows: Mapping[str, Callable[[Times], float]]
    wanted: float


KINDS = (
    Kind(shopify_orders, {"Shopify order, from webhook to accepted": sum}, 0.4),
    Kind(woocommerce_orders, {"WooCommerce order, from webhook to accepted": sum}, 0.4),
    Kind(
        courier_events,
        {
            "courier webhook: verify, store, answer": itemgetter(0),
            "courier event, worked off to the moved status": itemgetter(1),
        },
        0.5,
    ),
)


def measured(pieces: int, rounds: int) -> list[Result]:
    """Both measurements, on a database of their own that is dropped afterwards."""
    server = bundled.start(ROOT / "var" / "bench", database="postgres")
    with scratch_database(server, f"bench_{os.getpid()}") as url:
        app = create_app(settings_for(url, 1), **AS_TESTS)
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            prepare_parcels(pieces)
            with psycopg.connect(url) as bare:
                database = bare.execute("SHOW server_version").fetchone()
                name = str(database[0]).split()[0] if database else ""
                found = [result for kind in KINDS for result in _results(app, bare, kind, pieces, rounds, name)]
            session.remove()
            db.engine.dispose()
    return found


def _results(
    app: Flask, bare: psycopg.Connection[Any], kind: Kind, pieces: int, rounds: int, name: str
) -> Iterator[Result]:
    ours, theirs = _turns(app, bare, kind.make, pieces, rounds)
    for what, of in kind.rows.items():
        speeds = [tuple(pieces / of(times) for times in side) for side in (ours, theirs)]
        yield Result(what, speeds[0], speeds[1], kind.wanted, name)


def _turns(
    app: Flask, bare: psycopg.Connection[Any], make: Callable[[int, int], list[Piece]], pieces: int, rounds: int
) -> tuple[list[Times], list[Times]]:
    """Portal, bare, portal, bare …; a first round of each only warms up."""
    ours, theirs = [], []
    for number in range(rounds + 1):
        given = make(number, pieces)
        with _new_rows(bare) as rows:
            ours.append(_portal(app, given))
        theirs.append(_insert(bare, rows, pieces))
    return ours[1:], theirs[1:]


def _portal(app: Flask, given: list[Piece]) -> Times:
    """Each piece through the door, then each through the worker's job, one after the other."""
    client, works = app.test_client(), {**ORDERS, "easypost": work_off}
    last = session.scalar(select(func.max(InboxMessage.id))) or 0
    session.rollback()
    begin = time.perf_counter()
    for piece in given:
        answer = client.post(f"/hooks/{piece.source}", data=piece.body, headers=piece.headers)
        assert answer.status_code == 200, answer.text
    stored = time.perf_counter()
    kept = session.execute(select(InboxMessage.id, InboxMessage.source).where(InboxMessage.id > last)).all()
    session.rollback()
    for message, source in kept:
        works[source](message)
    return stored - begin, time.perf_counter() - stored


@contextmanager
def _new_rows(bare: psycopg.Connection[Any]) -> Iterator[Rows]:
    """After the block, the rows by table that came within it; for each table a twin stands ready in schema "bare"."""
    before = {name: _last_id(bare, name) for name in _tables(bare)}
    found: Rows = {}
    yield found
    for name, last in before.items():
        rows = bare.execute(
            sql.SQL("SELECT * FROM {} WHERE id > %s ORDER BY id").format(sql.Identifier(name)), (last,)
        ).fetchall()
        if rows:
            found[name] = [tuple(Jsonb(v) if isinstance(v, dict | list) else v for v in row) for row in rows]
    _twins(bare, found)


def _tables(bare: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'"
    return sorted(row[0] for row in bare.execute(query).fetchall())


def _last_id(bare: psycopg.Connection[Any], name: str) -> int:
    found = bare.execute(sql.SQL("SELECT coalesce(max(id), 0) FROM {}").format(sql.Identifier(name))).fetchone()
    return int(found[0]) if found else 0


def _twins(bare: psycopg.Connection[Any], rows: Rows) -> None:
    bare.execute("DROP SCHEMA IF EXISTS bare CASCADE")
    bare.execute("CREATE SCHEMA bare")
    for name in rows:
        twin, like = sql.Identifier("bare", name), sql.Identifier("public", name)
        bare.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(twin, like))
    bare.commit()


def _insert(bare: psycopg.Connection[Any], rows: Rows, pieces: int) -> Times:
    """The same rows, one statement each, with as many commits: one per piece at the door, and one in the worker."""
    statements = {name: _statement(name, len(found[0])) for name, found in rows.items()}
    took = []
    for at_the_door in (True, False):
        begin = time.perf_counter()
        for piece in range(pieces):
            for name, found in rows.items():
                if (name in FIRST) is at_the_door:
                    for row in _share(found, piece, pieces):
                        bare.execute(statements[name], row)
            bare.commit()
        took.append(time.perf_counter() - begin)
    return took[0], took[1]


def _statement(name: str, columns: int) -> sql.Composed:
    gaps = sql.SQL(", ").join(sql.Placeholder() * columns)
    return sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier("bare", name), gaps)


def _share(rows: list[tuple[Any, ...]], piece: int, pieces: int) -> list[tuple[Any, ...]]:
    """The rows of one piece, where each has about as many."""
    return rows[len(rows) * piece // pieces : len(rows) * (piece + 1) // pieces]
