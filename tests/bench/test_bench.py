"""The bench measures what it says: every piece becomes an order or moves a parcel, and the bare loop sends all rows."""

from pathlib import Path
from typing import Any

from tests.bench import measure
from tests.bench.measure import Result
from tests.bench.report import written


def test_every_piece_is_done_and_every_row_is_sent_again(monkeypatch: Any) -> None:
    sent: list[tuple[int, int]] = []
    insert = measure._insert

    def watched(bare: Any, rows: Any, pieces: int) -> None:
        insert(bare, rows, pieces)
        for name, found in rows.items():
            kept = bare.execute(f"SELECT count(*) FROM bare.{name}").fetchone()[0]
            sent.append((len(found), kept))
        tables.append(set(rows))

    tables: list[set[str]] = []
    monkeypatch.setattr(measure, "_insert", watched)
    found = measure.measured(pieces=2, rounds=1)
    assert [result.what.split(",")[0] for result in found] == [
        "Shopify orders", "WooCommerce orders", "courier events",
    ]  # fmt: skip
    assert all(result.ours > 0 and result.bare > 0 for result in found)
    assert all(ours == theirs for ours, theirs in sent)
    assert {"orders", "order_lines", "customers", "payments", "timeline", "inbox_messages"} <= tables[0]
    assert {"courier_events", "timeline", "inbox_messages"} <= tables[-1]


def test_the_page_names_the_command_and_the_numbers(tmp_path: Path) -> None:
    page = written([Result("orders", (48.0, 50.4, 61.0), (301.2, 290.0, 302.9), "18.1")], 7, 3)
    assert "| orders | 50 (48 to 61) | 301 (290 to 303) | 1 : 6.0 |" in page
    assert "`make bench` (7 pieces a round, 3 rounds" in page
    assert "PostgreSQL 18.1" in page
