"""What is done in a shop with a past: some thousand rows in each list, made by SQL in the real tables."""

import psycopg

from tests.bench import history

MANY = 2500
FIRST = 100_000
"""No row of the history has such a number."""

DONE = {
    "returns": (
        "rma, order_id, kind, decision, goods, requested_at",
        "'R' || n, o, 'return', 'declined', 'not_expected', t",
    ),
    "refunds": (
        "order_id, payment_id, source, way, state, amount, currency, requested_at, uuid, idem_key",
        "o, o, 'ours', 'card', 'rejected_by_us', 100, 'EUR', t, 'u' || n, 'i' || n",
    ),
    "cases": ("order_id, opened_for, state, opened_at, due_at, solved_at", "n, 'late', 'closed', t, t, t"),
    "channel_pushes": (
        "order_id, channel, kind, key, state, owed_at, next_try_at, told_at",
        "o, 'api:bench', 'note', 'k' || n, 'told', t, t, t",
    ),
    "credit_notes": (
        "number, refund_id, amount, currency, issued_at, content",
        """n, FIRST + n, 100, 'EUR', t, '{"issued_on": "2026-01-02"}'""",
    ),
    "store_credits": ("refund_id, customer_id, currency, code, issued_at", "FIRST + n, 1, 'EUR', 'C' || n, t"),
    "credit_entries": (
        "credit_id, number, kind, amount, balance, at, by_id, note",
        "FIRST + n, 1, 'issued', 100, 100, t, (SELECT min(id) FROM staff), ''",
    ),
    "withdrawals": ("reference, form_key, stated_at, state, settled_at", "'W' || n, 'f' || n, t, 'answered', t"),
    "oddities": ("kind, state, choice, found_at, settled_at", "'no_number', 'settled', 'unasked', t, t"),
    "articles": ("sku, title", "'S' || n, 'An article'"),
    "stock_items": ("sku, place_id, title", "'S' || n, (SELECT min(id) FROM stock_places), 'An article'"),
}


def fill(url: str, orders: int) -> None:
    """Add MANY rows to each list, about orders of the history."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SET session_replication_role = replica")  # not every list needs all that stands behind its rows
        history.with_defaults(db)
        db.execute("INSERT INTO stock_places (code, name, sold) VALUES ('done', 'Shelf', true)")
        for table, (columns, values) in DONE.items():
            db.execute(
                f"INSERT INTO {table} (id, {columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {FIRST} + n, {values.replace('FIRST', str(FIRST))} FROM generate_series(1, {MANY}) AS n,"
                f" LATERAL (SELECT 1 + n % {orders} AS o, now() - make_interval(hours => n) AS t) AS about"
            )
        db.execute("VACUUM (ANALYZE)")
