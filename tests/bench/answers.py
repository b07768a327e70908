"""Insight over a thousand answers beside insight over a million: the same pages, asked in turns.

`python -m tests.bench.answers` fills two databases by SQL and prints the medians and their ratio. Orders, questions and
answers are rows like any other; what is counted of them is written as `rollups` would, and summed by its own SQL.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from statistics import median

import flask_migrate
import psycopg
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from portal import create_app
from portal.db import bundled, db, session
from portal.feedback.counting import ADD_CELLS, ADD_WORDS, ALL_KEPT, CELLS, WORDS
from portal.feedback.questions import current
from portal.lib import clock
from portal.staff.models import Staff
from tests.conftest import AS_TESTS, ROOT, scratch_database, settings_for
from tests.world import sign_in

DAYS = 91
PAGES = {
    "satisfaction": "/desk/insight/satisfaction",
    "satisfaction within one courier": "/desk/insight/satisfaction?only=courier:dhl",
    "why goods come back": "/desk/insight/reasons",
    "what customers write": "/desk/insight/words",
    "a word that many wrote": "/desk/insight/words?q=aaab",
    "a word that few wrote": "/desk/insight/words?q=bffx",
}
CHOSEN = """
    SELECT n, (CAST(:first AS date) + (h % {days})::int) AS day, 'SKU-' || h / 91 % 50 AS sku,
        (ARRAY['dhl', 'ups', 'dpd', 'gls'])[1 + h / 5000 % 4] AS courier,
        (ARRAY['DE', 'AT', 'NL', 'FR', 'ES', 'HU'])[1 + h / 20000 % 6] AS country,
        (ARRAY['shopify', 'woocommerce', 'api:shop'])[1 + h / 120000 % 3] AS channel,
        (h / 360000 % 10 < 8)::int AS good, (h / 360000 % 10 > 8)::int AS bad, h / 3600000 % 10 < 9 AS on_time,
        n % 3 = 0 AS wrote
    FROM (SELECT n, abs(hashint8(n)::bigint) AS h FROM generate_series(1, CAST(:many AS bigint)) AS n) AS hashed
""".replace("{days}", str(DAYS))
SPELLED = (
    "translate(lpad(floor(2000 * power(n * w * 7919 % 9973 / 9973.0, 3))::text, 4, '0'), '0123456789', 'abwxyzcdef')"
)
FILL = (
    """
    INSERT INTO customers (id, name, locale, email) OVERRIDING SYSTEM VALUE
    SELECT n, 'C', 'en', 'c' || n || '@example.org' FROM generate_series(1, 100) AS n
    """,
    """
    INSERT INTO orders (id, ref, channel, external_id, number, state, customer_id, locale, currency, total, ship_to,
        country, placed_at, paid_at, external_updated_at, external_rank, promised_on, accepted_at, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, 'bench' || n, channel, 'B' || n, 'B' || n, 'closed', 1 + n % 100, 'en', 'EUR', 2000, '{}', country,
        day, day, day, '', day, day, day FROM ({chosen}) AS one
    """,
    """
    INSERT INTO order_lines (order_id, external_id, kind, sku, title, variant, quantity, unit_price, paid)
    SELECT n, '1', 'item', sku, 'Article ' || sku, '', 1, 2000, 2000 FROM ({chosen}) AS one
    """,
    """
    INSERT INTO survey_invitations (id, order_id, state, version_id, due_at, sent_at) OVERRIDING SYSTEM VALUE
    SELECT n, n, 'answered', :version, day, day FROM ({chosen}) AS one
    """,
    """
    INSERT INTO answers (invitation_id, version_id, question, kind, score, mood, words, provisional, answered_at)
    SELECT n, :version, 'How was it?', 'csat', CASE WHEN good = 1 THEN 5 WHEN bad = 1 THEN 1 ELSE 3 END,
        CASE WHEN good = 1 THEN 'good' WHEN bad = 1 THEN 'bad' ELSE 'middle' END,
        CASE WHEN wrote
            THEN (SELECT string_agg({spelled}, ' ') FROM generate_series(1, 8) AS w) ELSE '' END, false, day
    FROM ({chosen}) AS one
    """,
    """
    INSERT INTO counted (key, order_id, promise, back, courier, country, channel, language, products, marks,
        said_on, said, stems, search)
    SELECT n, n, CASE WHEN on_time THEN 'on_time' ELSE 'late' END, CASE WHEN n % 20 = 0 THEN 'returned' ELSE 'kept' END,
        courier, country, channel, 'en', ARRAY[sku],
        jsonb_build_array(
            jsonb_build_object('m', 'asked', 'd', day, 'p', NULL, 'n', 1, 'g', 1, 'b', 0, 't', 0),
            jsonb_build_object('m', 'arrived', 'd', day, 'p', NULL, 'n', 1, 'g', on_time::int,
                               'b', (NOT on_time)::int, 't', 0),
            jsonb_build_object('m', 'csat', 'd', day, 'p', NULL, 'n', 1, 'g', good, 'b', bad, 't', 4)
        ) || CASE WHEN n % 20 = 0 THEN jsonb_build_array(
            jsonb_build_object('m', 'back.defective', 'd', day, 'p', sku, 'n', 1, 'g', 0, 'b', 0, 't', 1),
            jsonb_build_object('m', 'grade.defective.damaged', 'd', day, 'p', sku, 'n', 1, 'g', 0, 'b', 0, 't', 1)
        ) ELSE '[]' END,
        CASE WHEN wrote THEN day END, CASE WHEN wrote THEN good - bad END,
        CASE WHEN wrote THEN tsvector_to_array(to_tsvector('simple', a.words)) ELSE '{}' END,
        CASE WHEN wrote THEN to_tsvector('english', a.words) END
    FROM ({chosen}) AS one JOIN answers a ON a.invitation_id = one.n
    """,
    ADD_CELLS.replace("{cells}", CELLS.replace("{source}", ALL_KEPT)),
    ADD_WORDS.replace("{words}", WORDS.replace("{source}", ALL_KEPT)),
)
"""Each answer is about one of fifty articles; every third has eight words, some of them written often, some rarely."""


def fill(many: int) -> None:
    """So many answers of the last three months, in the application's database."""
    today = clock.now().date()
    given = {"many": many, "first": today - timedelta(days=DAYS - 1), "version": current("csat", now=clock.now()).id}
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL work_mem = '512MB'"))
    for written in FILL:
        told = written.replace("{chosen}", CHOSEN).replace("{spelled}", SPELLED)
        session.execute(text(told), {name: value for name, value in given.items() if f":{name}" in told})
    session.commit()


@contextmanager
def shop(server: str, many: int) -> Iterator[Callable[[str], float]]:
    """A shop with so many answers: how many seconds its manager waits for a page."""
    with scratch_database(server, f"answers_{many}_{os.getpid()}") as url:
        app = create_app(settings_for(url, 1), **AS_TESTS)
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            fill(many)
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("VACUUM ANALYZE")
            manager = Staff(email="m@shop.example", name="M", role="manager", created_at=clock.now())
            session.add(manager)
            session.flush()
            client = sign_in(app.test_client(), manager)
            session.remove()
        yield lambda page: _waited(app, client, page)
        with app.app_context():
            db.engine.dispose()


def _waited(app: Flask, client: FlaskClient, page: str) -> float:
    begin = time.perf_counter()
    answer = client.get(page)
    took = time.perf_counter() - begin
    assert answer.status_code == 200, answer.text
    return took


def measured(few: int, many: int, rounds: int) -> dict[str, tuple[float, float]]:
    """By page, the medians in seconds with few and with many answers, asked in turns; a first round only warms up."""
    server = bundled.start(ROOT / "var" / "bench", database="postgres")
    with ExitStack() as shops:
        small, large = (shops.enter_context(shop(server, number)) for number in (few, many))
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in PAGES}
        for _round in range(rounds + 1):
            for name, page in PAGES.items():
                took[name].append((small(page), large(page)))
    return {name: (median(a for a, _ in times[1:]), median(b for _, b in times[1:])) for name, times in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.answers", description=__doc__)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    for name, (few, many) in measured(given.few, given.many, given.rounds).items():
        print(f"{name}: {1000 * few:.0f} ms with {given.few}, {1000 * many:.0f} ms with {given.many}: {many / few:.2f}")


if __name__ == "__main__":
    main()
