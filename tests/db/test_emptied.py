"""The database on which tests commit is the same for each, whatever the one before did to it."""

from collections.abc import Callable

import psycopg
import pytest

NOW = """SELECT (SELECT array_agg(r::text ORDER BY id) FROM return_reasons r), nextval('orders_id_seq'),
 to_regclass('planted'), (SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND NOT attisdropped)"""


@pytest.mark.parametrize(
    "done",
    [
        "DELETE FROM return_reasons",
        "UPDATE return_reasons SET place = place + 1",
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())",
        "ALTER TABLE orders ADD COLUMN planted text",
        "ALTER TABLE orders DROP COLUMN locale CASCADE",
        "CREATE TABLE planted (id int)",
    ],
)
def test_what_a_test_did_is_undone(migrated: Callable[[], str], done: str) -> None:
    with psycopg.connect(migrated()) as before:
        found = before.execute(NOW).fetchone()
        assert found
        assert found[0]
        before.execute(done)
    with psycopg.connect(migrated()) as after:
        assert after.execute(NOW).fetchone() == found
        assert after.execute("SELECT count(*) FROM procrastinate_workers").fetchone() == (0,)


def test_who_still_looks_at_it_is_sent_away(migrated: Callable[[], str]) -> None:
    with psycopg.connect(migrated()) as left:
        left.execute("LOCK TABLE orders")
        migrated()
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
