"""What comes in, each measured in turns with a bare loop that writes the same rows."""

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
from sqlalchemy import select
from werkzeug.test import EnvironBuilder

from portal import create_app
from portal.db import bundled, db, session
from portal.fulfilment.jobs import work_off
from portal.inbox.models import InboxMessage
from portal.orders.jobs import work_off_shopify, work_off_woocommerce
from tests.bench.pieces import Piece, courier_events, prepare_parcels, shopify_orders, woocommerce_orders
from tests.conftest import AS_TESTS, ROOT, scratch_database, settings_for


@dataclass(frozen=True)
class Result:
    """Pieces per second in every round; the first only warmed up and is not here."""

    what: str
    ours_by_round: tuple[float, ...]
    bare_by_round: tuple[float, ...]
    wanted: float
    beside: str = "the same rows written bare"

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
                found = [result for kind in KINDS for result in _results(app, bare, kind, pieces, rounds)]
            session.remove()
            db.engine.dispose()
    return found


def _results(app: Flask, bare: psycopg.Connection[Any], kind: Kind, pieces: int, rounds: int) -> Iterator[Result]:
    ours, theirs = _turns(app, bare, kind.make, pieces, rounds)
    for what, of in kind.rows.items():
        speeds = [tuple(pieces / of(times) for times in side) for side in (ours, theirs)]
        yield Result(what, speeds[0], speeds[1], kind.wanted)


def _turns(
    app: Flask, bare: psycopg.Connection[Any], make: Callable[[int, int], list[Piece]], pieces: int, rounds: int
) -> tuple[list[Times], list[Times]]:
    """Portal, bare, portal, bare …; a first round of each only warms up."""
    ours, theirs = [], []
    for number in range(rounds + 1):
        given = make(number, pieces)
        with _written(bare) as at_the_door:
            stored = _store(app, given)
        with _written(bare) as in_the_worker:
            done = _work_off()
        ours.append((stored, done))
        theirs.append(_write(bare, (at_the_door, in_the_worker), pieces))
    return ours[1:], theirs[1:]


def _store(app: Flask, given: list[Piece]) -> float:
    """Each piece through the door, one after the other, as a server hands it in; how long that took."""
    asked = [_asked(piece) for piece in given]
    said: list[str] = []
    begin = time.perf_counter()
    for environ in asked:
        list(app(environ, lambda status, _headers, *_error: said.append(status)))
    took = time.perf_counter() - begin
    assert said == ["200 OK"] * len(given)
    return took


def _asked(piece: Piece) -> dict[str, Any]:
    asked = EnvironBuilder(f"/hooks/{piece.source}", method="POST", data=piece.body, headers=piece.headers)
    return asked.get_environ()


def _work_off() -> float:
    """Each through the worker's job."""
    works = {**ORDERS, "easypost": work_off}
    waiting = select(InboxMessage.id, InboxMessage.source).where(InboxMessage.state == "received")
    kept = session.execute(waiting.order_by(InboxMessage.id)).all()
    session.commit()
    begin = time.perf_counter()
    for message, source in kept:
        works[source](message)
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Written:
    """What one commit of every piece did to a table: rows that came, or what changed in those that were there.

    `before` are the latter as they were.
    """

    table: str
    statement: str
    values: list[tuple[Any, ...]]
    before: list[tuple[Any, ...]]


@contextmanager
def _written(bare: psycopg.Connection[Any]) -> Iterator[list[Written]]:
    """After the block, what came and what changed within it, table by table."""
    before = _everything(bare)
    found: list[Written] = []
    yield found
    for name, (columns, rows) in _everything(bare).items():
        old = before[name][1]
        came = [row for key, row in rows.items() if key not in old]
        changed = {key: row for key, row in rows.items() if key in old and row != old[key]}
        if came:
            found.append(Written(name, _insert(bare, name, len(columns)), came, []))
        if changed:
            places = [n for n in range(len(columns)) if any(row[n] != old[key][n] for key, row in changed.items())]
            values = [(*(row[n] for n in places), key) for key, row in changed.items()]
            update = _update(bare, name, [columns[n] for n in places])
            found.append(Written(name, update, values, [old[key] for key in changed]))


def _everything(bare: psycopg.Connection[Any]) -> dict[str, tuple[list[str], dict[int, tuple[Any, ...]]]]:
    """By table its columns, and its rows by their id, which leads in each."""
    query = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'"
    tables = {}
    for (name,) in bare.execute(query + " ORDER BY table_name").fetchall():
        rows = bare.execute(sql.SQL("SELECT * FROM public.{} ORDER BY id").format(sql.Identifier(name)))
        columns = [column.name for column in rows.description or ()]
        tables[name] = (columns, {row[0]: row for row in rows.fetchall()})
    bare.commit()
    return tables


def _insert(bare: psycopg.Connection[Any], name: str, columns: int) -> str:
    gaps = sql.SQL(", ").join(sql.Placeholder() * columns)
    return sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier("bare", name), gaps).as_string(bare)


def _update(bare: psycopg.Connection[Any], name: str, columns: list[str]) -> str:
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in columns)
    return sql.SQL("UPDATE {} SET {} WHERE id = %s").format(sql.Identifier("bare", name), sets).as_string(bare)


def _write(bare: psycopg.Connection[Any], commits: tuple[list[Written], list[Written]], pieces: int) -> Times:
    """The same by itself: a statement for each row, as many commits: one per piece at the door and in the worker."""
    _twins(bare, [written for commit in commits for written in commit])
    took = []
    for commit in commits:
        statements = [(written.statement, _sent(written.values)) for written in commit]
        begin = time.perf_counter()
        for piece in range(pieces):
            for statement, rows in statements:
                for row in _share(rows, piece, pieces):
                    bare.execute(statement, row)
            bare.commit()
        took.append(time.perf_counter() - begin)
    return took[0], took[1]


def _twins(bare: psycopg.Connection[Any], writes: list[Written]) -> None:
    """For each table a twin in schema "bare", in which stands what will be changed, unless it comes before that."""
    bare.execute("DROP SCHEMA IF EXISTS bare CASCADE")
    bare.execute("CREATE SCHEMA bare")
    for name in {written.table for written in writes}:
        twin, like = sql.Identifier("bare", name), sql.Identifier("public", name)
        bare.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(twin, like))
        mine = [written for written in writes if written.table == name]
        there = {row[0]: row for written in mine for row in written.before}
        coming = {row[0] for written in mine if not written.before for row in written.values}
        for row in (row for key, row in there.items() if key not in coming):
            bare.execute(_insert(bare, name, len(row)), _sent([row])[0])
    bare.commit()


def _sent(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(Jsonb(value) if isinstance(value, dict | list) else value for value in row) for row in rows]


def _share(rows: list[tuple[Any, ...]], piece: int, pieces: int) -> list[tuple[Any, ...]]:
    """The rows of one piece, where each has about as many."""
    return rows[len(rows) * piece // pieces : len(rows) * (piece + 1) // pieces]
