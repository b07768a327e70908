"""Whether partitions by month pay for what grows fastest: `python -m tests.bench.partitions`, and docs/adr/0012.

Couriers' scans in a plain table and in one partitioned by month of `at`, with the same rows and indexes, on the bundled
PostgreSQL; each question is asked of both in turns.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

from portal.db import bundled
from tests.conftest import ROOT, scratch_database

MONTHS, SCANS, ROUNDS = 24, 5, 5
"""Months of history, scans of each parcel (within three days), rounds of which the median counts."""
COLUMNS = """
    id bigint NOT NULL, parcel_id bigint NOT NULL, at timestamptz NOT NULL, at_raw text NOT NULL, status text NOT NULL,
    code text NOT NULL, message text NOT NULL, place text NOT NULL, received_at timestamptz NOT NULL
"""
ROWS = """
    SELECT n, n / %(scans)s, '2024-01-01'::timestamptz + (n / %(scans)s) * (interval '730 days' / %(parcels)s)
      + (n %% %(scans)s) * interval '14 hours', '2024-01-01T10:00:00+01:00', 'in_transit', 'departed_facility',
      'Departed from the sorting centre', 'Köln', now()
    FROM generate_series(0, %(parcels)s * %(scans)s - 1) AS n
"""
TABLES = ("plain", "parted")
OF_A_PARCEL = "SELECT at, status, message, place FROM {} WHERE parcel_id = %s ORDER BY at DESC, id DESC"
ONE_MORE = "INSERT INTO {} VALUES (%s, %s, '2025-12-20Z', '', 'in_transit', '', 'Departed', 'Köln', now())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    rows = parser.parse_args().rows
    with filled(rows) as db:
        print(f"{rows:,} scans, {MONTHS} months; the partitioned table beside the plain one (below 1 is quicker):")
        for what, plain, parted in compared(db, rows // SCANS):
            print(f"- {what}: {plain * 1000:.3f} ms and {parted * 1000:.3f} ms, ratio {parted / plain:.2f}")
        for table in TABLES:
            print(f"- indexes of {table}: {size(db, table) / 1e6:.0f} MB")


@contextmanager
def filled(rows: int) -> Iterator[psycopg.Connection[Any]]:
    with ExitStack() as stack:
        server = bundled.start(ROOT / "var" / "bench", database="postgres")
        url = stack.enter_context(scratch_database(server, "bench_partitions"))
        db = stack.enter_context(psycopg.connect(url, autocommit=True, prepare_threshold=1))
        db.execute("SET synchronous_commit = off")
        db.execute(f"CREATE TABLE plain ({COLUMNS}, PRIMARY KEY (id))")
        db.execute(f"CREATE TABLE parted ({COLUMNS}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
        for month in range(MONTHS + 1):
            first, end = (f"{2024 + n // 12}-{n % 12 + 1:02}-01" for n in (month, month + 1))
            db.execute(f"CREATE TABLE parted_{month} PARTITION OF parted FOR VALUES FROM ('{first}') TO ('{end}')")
        for table in TABLES:
            db.execute(f"INSERT INTO {table} {ROWS}", {"scans": SCANS, "parcels": rows // SCANS})
            db.execute(f"CREATE INDEX ON {table} (parcel_id, at)")
        db.execute("VACUUM (ANALYZE)")
        yield db


def compared(db: psycopg.Connection[Any], parcels: int) -> Iterator[tuple[str, float, float]]:
    """Seconds for each question, of the plain and of the partitioned table."""
    chance = Random(1)
    asked = [chance.randrange(parcels) for _ in range(500)]

    def read(table: str) -> None:
        for parcel in asked:
            db.execute(OF_A_PARCEL.format(table), [parcel]).fetchall()

    def write(table: str) -> None:
        for parcel in asked:
            db.execute(ONE_MORE.format(table), [next(numbers), parcel])

    numbers = iter(range(10**9, 2 * 10**9))
    for what, ask in (("all scans of one parcel", read), ("one more scan", write)):
        yield what, *(seconds / len(asked) for seconds in in_turns(ask))
    rows_go, table_goes = "DELETE FROM plain WHERE at < '2024-02-01'", "DROP TABLE parted_0"
    yield "the oldest month goes", took(db, rows_go), took(db, table_goes)


def in_turns(ask: Callable[[str], None]) -> list[float]:
    """The median of some rounds for each table; the first one warms up."""
    rounds: dict[str, list[float]] = {table: [] for table in TABLES}
    for _ in range(ROUNDS + 1):
        for table in TABLES:
            begin = perf_counter()
            ask(table)
            rounds[table].append(perf_counter() - begin)
    return [median(rounds[table][1:]) for table in TABLES]


def took(db: psycopg.Connection[Any], statement: str) -> float:
    begin = perf_counter()
    db.execute(statement)
    return perf_counter() - begin


def size(db: psycopg.Connection[Any], table: str) -> int:
    """Bytes of its indexes, those of its parts too."""
    parts = "SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree(%s)"
    [(bytes_taken,)] = db.execute(parts if table == "parted" else "SELECT pg_indexes_size(%s)", [table]).fetchall()
    return int(bytes_taken)


if __name__ == "__main__":
    main()
