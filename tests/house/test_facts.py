"""Law 8: a fact lives once. How far an order has come is read from its parcels, its money from its refunds."""

import re
from collections.abc import Iterable

import pytest
from sqlalchemy import Column

from portal.db import Base

TOLD_ELSEWHERE = {
    "orders": r"deliver|pack|pick|ship(?!_to)|hand|return|refund|track|score|answer",
    "order_lines": r"return|refund|sent|left",
    "returns": r"refund|money|amount|paid|succeeded",
    "return_lines": r"refund|money|amount|paid",
    "refunds": r"returned|received|inspect",
    "survey_invitations": r"score|words|case",
    "letters": r"token|secret|link",
}
"""Words that would mean a second place for what another table says; keys of other tables may have them."""


HINTS = {"returns.money_proposed_at"}
"""What is no truth but finds it faster, as an index would that spanned two tables: docs/adr/0016."""


def copies(columns: Iterable[Column[object]], table: str) -> list[str]:
    strange = re.compile(TOLD_ELSEWHERE.get(table, r"(?!)"))
    return [f"{table}.{column.name}" for column in columns if strange.search(column.name) and not column.foreign_keys]


def test_no_table_repeats_what_another_one_says() -> None:
    tables = Base.metadata.tables
    assert set(TOLD_ELSEWHERE) <= set(tables)
    assert [found for name, table in tables.items() for found in copies(table.columns, name)] == [*HINTS]


@pytest.mark.parametrize(
    ("table", "column"),
    [("orders", "delivered_at"), ("orders", "shipped"), ("returns", "refunded_at"), ("order_lines", "returned")],
)
def test_a_copy_is_found(table: str, column: str) -> None:
    assert copies([Column(column)], table) == [f"{table}.{column}"]
