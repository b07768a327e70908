"""Orders in a CSV file: a row per line of an order; what belongs to the whole order is read from its first row."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from portal.adapters.channels import IncomingOrder
from portal.adapters.channels.api import BadOrder, Mistake, parse
from portal.lib.money import NotMoney, to_minor

NEEDED = ("number", "placed_at", "currency", "title", "quantity", "unit_price")
ADDRESS = ("company", "street", "street2", "postcode", "city", "region", "country")
COLUMNS = (
    *NEEDED,
    "paid",
    "kind",
    "sku",
    "variant",
    "name",
    "email",
    "phone",
    "locale",
    "payment_intent",
    "updated_at",
    *ADDRESS,
)


class BadSheet(Exception):
    """The file can't be read as a whole; the message says what to mend."""


class _BadCell(Exception):
    """A cell that does not hold what its column is for."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, numbered as a spreadsheet does."""

    place: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the rows of one order: the order, or the mistakes in it."""

    place: int
    number: str
    order: IncomingOrder | None
    mistakes: tuple[str, ...] = ()


def read(text: str, channel: str, zone: ZoneInfo) -> list[Found]:
    """Every order in the file; times without an offset are in `zone`. Raises BadSheet when the columns are not ours."""
    orders: dict[str, list[Row]] = {}
    for row in _rows(text):
        orders.setdefault(row.cells["number"], []).append(row)
    return [_found(number, rows, channel, zone) for number, rows in orders.items()]


def _rows(text: str) -> list[Row]:
    """The rows that are not empty; semicolons do as well as commas."""
    plain = text.removeprefix("\ufeff")
    delimiter = ";" if ";" in plain.partition("\n")[0] else ","
    try:
        head, *rest = list(csv.reader(StringIO(plain, newline=""), delimiter=delimiter, strict=True)) or [[]]
    except csv.Error as error:
        raise BadSheet(f"This is no CSV file: {error}.") from None
    names = [name.strip().lower() for name in head]
    if wrong := list(_wrong_columns(names)):
        raise BadSheet("\n".join(wrong))
    filled = [(place, cells) for place, cells in enumerate(rest, 2) if any(cell.strip() for cell in cells)]
    return [Row(place, _by_name(names, cells)) for place, cells in filled]


def _by_name(names: list[str], cells: list[str]) -> dict[str, str]:
    padded = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
    return dict(zip(names, padded, strict=False))


def _wrong_columns(names: list[str]) -> Iterator[str]:
    if missing := [name for name in NEEDED if name not in names]:
        yield f"These columns are missing: {', '.join(missing)}."
    if unknown := [name for name in names if name not in COLUMNS]:
        yield f"These columns are not known: {', '.join(unknown)}. There are: {', '.join(COLUMNS)}."
    if len(set(names)) < len(names):
        yield "A column stands there twice."


def _found(number: str, rows: list[Row], channel: str, zone: ZoneInfo) -> Found:
    place = rows[0].place
    try:
        order = parse(json.dumps(_body(rows, zone)).encode(), channel)
    except _BadCell as error:
        return Found(place, number, None, (str(error),))
    except BadOrder as error:
        return Found(place, number, None, tuple(_told(mistake) for mistake in error.mistakes))
    return Found(place, number, order)


def _told(mistake: Mistake) -> str:
    return f"{mistake.pointer.rpartition('/')[2] or 'order'}: {mistake.message}"


def _body(rows: list[Row], zone: ZoneInfo) -> dict[str, Any]:
    """The order as the API takes it."""
    first = rows[0].cells
    lines = [_line(place, row.cells, first["currency"]) for place, row in enumerate(rows, 1)]
    total = sum(line["paid"] for line in lines)
    optional = {name: first[name] for name in ("name", "email", "phone", "locale") if first.get(name)}
    if first.get("updated_at"):
        optional["updated_at"] = _moment(first["updated_at"], zone, "updated_at")
    return {
        "external_id": first["number"],
        "number": first["number"],
        "placed_at": _moment(first["placed_at"], zone),
        "currency": first["currency"],
        "total": total,
        "lines": lines,
        "address": {name: first[name] for name in ("name", *ADDRESS) if first.get(name)},
        "payment": {"captured": total, "payment_intent": first.get("payment_intent") or None},
        **optional,
    }


def _line(place: int, row: dict[str, str], currency: str) -> dict[str, Any]:
    given = {name: row[name] for name in ("kind", "sku", "title", "variant") if row.get(name)}
    quantity, price = _count(row["quantity"]), _amount("unit_price", row["unit_price"], currency)
    paid = _amount("paid", row["paid"], currency) if row.get("paid") else price * quantity
    return {"external_id": str(place), "quantity": quantity, "unit_price": price, "paid": paid, **given}


def _amount(column: str, text: str, currency: str) -> int:
    try:
        return to_minor(text, currency)
    except NotMoney as error:
        raise _BadCell(f"{column}: {error}") from None


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        raise _BadCell(f"quantity: {text[:40]!r} is no whole number that we take")
    return int(text)


def _moment(text: str, zone: ZoneInfo, column: str = "placed_at") -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise _BadCell(f"{column}: {text[:40]!r} is no time; write it like 2026-11-23 14:30") from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).isoformat()
