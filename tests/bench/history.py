"""A shop with many orders in its past, made by SQL in the real tables; it keeps every constraint."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg import sql

STATEMENTS = Path(__file__).with_name("history.sql").read_text("utf-8")
PEOPLE = (("max", "manager"), ("fran", "finance"))
OPEN_SHARE = 200
FULL_PAGES = 2_000
"""With so many open orders each of the desk's lists fills a page: else fifty rows were measured beside eight."""
SIXTEEN_TO_BASE32 = str.maketrans("0189", "ghij")


def build(url: str, orders: int, now: datetime | None = None, open_at_least: int = 200) -> None:
    """Fill an empty, migrated database. What holds only between tables is checked afterwards, as the keys would."""
    values = {"orders": orders, "open": still_open(orders, open_at_least), "now": now or datetime.now(UTC)}
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SET session_replication_role = replica")  # foreign keys are looked at once, at the end
        db.execute("SET synchronous_commit = off")
        db.execute("SET maintenance_work_mem = '512MB'")
        db.execute("SET work_mem = '128MB'")
        for number, (name, role) in enumerate(PEOPLE, start=1):
            row = (number, f"{name}@bench.example", name.title(), role, values["now"])
            db.execute(
                "INSERT INTO staff (id, email, name, role, locale, created_at) OVERRIDING SYSTEM VALUE"
                " VALUES (%s, %s, %s, %s, 'en', %s)",
                row,
            )
        filled = with_defaults(db)
        indexes = _without_indexes(db)
        for statement in STATEMENTS.split(";\n\n"):
            db.execute(statement, values)
        for index in indexes:
            db.execute(index)
        for table, column in filled:
            drop = sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT")
            db.execute(drop.format(sql.Identifier(table), sql.Identifier(column)))
        _go_on_counting(db)
        db.execute("VACUUM (ANALYZE, FREEZE)")
        _refuse_orphans(db)


def still_open(orders: int, at_least: int) -> int:
    """A big shop's past grows faster than its day: one in two hundred is open."""
    return min(orders // 2, max(at_least, orders // OPEN_SHARE))


EMPTY = {"character varying": "''", "bigint": "0", "boolean": "false", "jsonb": "'{}'"}


def with_defaults(db: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """What the history does not say is empty, as the models have it; a column that is new tomorrow too."""
    found = db.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND data_type = ANY(%s)"
        " AND table_name NOT LIKE 'procrastinate%%'",
        [list(EMPTY)],
    ).fetchall()
    for table, column, kind in found:
        fill = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}")
        db.execute(fill.format(sql.Identifier(table), sql.Identifier(column), sql.SQL(EMPTY[kind])))
    return [(table, column) for table, column, _kind in found]


def _without_indexes(db: psycopg.Connection[Any]) -> list[str]:
    """Drop what is no constraint; how to make it again."""
    found = db.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indrelid"
        " WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'procrastinate%%'"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
    ).fetchall()
    for name, _definition in found:
        db.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(name)))
    return [definition for _name, definition in found]


def _go_on_counting(db: psycopg.Connection[Any]) -> None:
    counted = db.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'id' AND is_identity = 'YES'"
    ).fetchall()
    for (name,) in counted:
        highest = sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), greatest(max(id), 1)) FROM {}")
        db.execute(highest.format(name, sql.Identifier(name)))


def _refuse_orphans(db: psycopg.Connection[Any]) -> None:
    """Every foreign key of the filled tables leads somewhere, else this is no data to measure with."""
    keys = db.execute(
        "SELECT conrelid::regclass::text, attname, confrelid::regclass::text FROM pg_constraint"
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'"
    ).fetchall()
    for table, column, target in keys:
        query = sql.SQL(
            "SELECT count(*) FROM {t} t WHERE {c} IS NOT NULL AND NOT EXISTS (SELECT FROM {o} o WHERE o.id = t.{c})"
        ).format(t=sql.SQL(table), c=sql.Identifier(column), o=sql.SQL(target))
        orphans = db.execute(query).fetchone()
        assert orphans == (0,), f"{table}.{column} leads nowhere"


def secret(kind: str, number: int, wide: int = 28) -> str:
    """The same as in the database: the reference, link or browser of this order."""
    return sha256(f"{kind}{number}".encode()).hexdigest().translate(SIXTEEN_TO_BASE32)[:wide]


def browsers(orders: int, many: int, seed: int = 1) -> list[tuple[str, str]]:
    """Reference and cookie of some orders whose customers are looking, anywhere in the history."""
    granted = range(7, orders + 1, 7)
    chosen = Random(seed).sample(granted, min(many, len(granted)))
    return [(secret("ref", number, 14), secret("browser", number)) for number in chosen]
