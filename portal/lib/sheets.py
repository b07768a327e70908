"""CSV files that table programs open."""

import csv
from collections.abc import Iterable
from decimal import Decimal
from io import StringIO

from flask import Response

BEGINS_FORMULA = tuple("=+-@\t\r\n\0")


def plain_cell(value: object) -> str:
    """The value as text; what a table program could take for a formula begins with an apostrophe."""
    told = "" if value is None else str(value)
    return f"'{told}" if told.startswith(BEGINS_FORMULA) else told


def one_decimal(number: float) -> Decimal:
    return Decimal(f"{number:.1f}")


def as_csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """The file. What is no number is a plain cell: a score below zero is no formula."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([cell if isinstance(cell, int | Decimal) else plain_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def sent(sheet: str, name: str) -> Response:
    """The answer that brings the file, to be kept under this name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(sheet, mimetype="text/csv", headers=headers)
