"""Orders in a CSV file: a row per line of an order; what belongs to the whole order is read from its first row."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from portal.adapters.channels import IncomingOrder
from portal.adapters.channels.api import BadOrder, parse
from portal.lib.money import NotMoney, to_minor

NEEDED = ("number", "placed_at", "currency", "title", "quantity", "unit_price")
ADDRESS = ("company", "street", "street2", "postcode", "city", "region", "country")
COLUMNS = (*NEEDED, "paid", "kind", "sku", "variant", "name", "email", "phone", "locale", "payment_intent", *ADDRESS)

Row = dict[str, str]


class BadSheet(Exception):
    """The file holds mistakes; `mistakes` are sentences, with the row as a spreadsheet numbers it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read(text: str, channel: str, zone: ZoneInfo) -> list[IncomingOrder]:
    """Every order in the file; times without an offset are in `zone`. Raises BadSheet when there is any mistake."""
    orders, mistakes = [], []
    for number, rows in _by_order(_rows(text)).items():
        try:
            orders.append(parse(json.dumps(_body(rows, zone)).encode(), channel))
        except (ValueError, NotMoney) as error:
            mistakes.append(f"Row {rows[0][0]}, order {number}: {error}.")
        except BadOrder as error:
            mistakes += [f"Row {rows[0][0]}, order {number}: {e['field']}: {e['message']}." for e in error.errors]
    if mistakes:
        raise BadSheet(mistakes)
    return orders


def _rows(text: str) -> list[tuple[int, Row]]:
    """The rows with their numbers; semicolons do as well as commas."""
    first = text.removeprefix("\ufeff").partition("\n")[0]
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff")), delimiter=";" if ";" in first else ",")
    names = [name.strip().lower() for name in reader.fieldnames or []]
    if mistakes := list(_wrong_columns(names)):
        raise BadSheet(mistakes)
    reader.fieldnames = names
    rows = [(number, {k: (v or "").strip() for k, v in row.items() if k}) for number, row in enumerate(reader, 2)]
    return [(number, row) for number, row in rows if any(row.values())]


def _wrong_columns(names: list[str]) -> Iterator[str]:
    if missing := [name for name in NEEDED if name not in names]:
        yield f"These columns are missing: {', '.join(missing)}."
    if unknown := [name for name in names if name not in COLUMNS]:
        yield f"These columns are not known: {', '.join(unknown)}. There are: {', '.join(COLUMNS)}."


def _by_order(rows: list[tuple[int, Row]]) -> dict[str, list[tuple[int, Row]]]:
    orders: dict[str, list[tuple[int, Row]]] = {}
    for number, row in rows:
        orders.setdefault(row["number"], []).append((number, row))
    return orders


def _body(rows: list[tuple[int, Row]], zone: ZoneInfo) -> dict[str, Any]:
    """The order as the API takes it. Raises ValueError or NotMoney."""
    first = rows[0][1]
    lines = [_line(str(n), row, first["currency"]) for n, (_, row) in enumerate(rows, 1)]
    total = sum(line["paid"] for line in lines)
    optional = {name: first[name] for name in ("name", "email", "phone", "locale") if first.get(name)}
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


def _line(key: str, row: Row, currency: str) -> dict[str, Any]:
    given = {name: row[name] for name in ("kind", "sku", "title", "variant") if row.get(name)}
    quantity, price = _count(row["quantity"]), to_minor(row["unit_price"], currency)
    paid = to_minor(row["paid"], currency) if row.get("paid") else price * quantity
    return {"external_id": key, "quantity": quantity, "unit_price": price, "paid": paid, **given}


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"quantity: {text!r} is no whole number")
    return int(text)


def _moment(text: str, zone: ZoneInfo) -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"placed_at: {text!r} is no time; write it like 2026-11-23 14:30") from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).isoformat()
