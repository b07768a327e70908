"""Stock from a CSV file: the good rows are counted, the others come back with what is wrong."""

from dataclasses import dataclass
from datetime import datetime

from portal.adapters.stock_sheet import Counted, Mistake, read
from portal.db import session
from portal.lib.tokens import reference
from portal.orders import stock
from portal.orders.shelves import StockPlace
from portal.staff.models import Actor


@dataclass(frozen=True, slots=True)
class Report:
    """How many rows were counted, and the mistakes of the others."""

    counted: int
    mistakes: list[Mistake]


def import_stock(text: str, *, by: Actor, now: datetime) -> Report:
    """Set the count of every row; articles that are not in the file stay as they are.

    Raises BadStockSheet when the file as a whole can't be read.
    """
    rows, mistakes = read(text)
    places: dict[str, StockPlace] = {}
    cause = f"file:{reference()}"
    for row in sorted(rows, key=lambda row: (row.sku, row.place)):
        _count(row, _place(row.place, places), cause, by, now)
    return Report(len(rows), mistakes)


def _place(code: str, known: dict[str, StockPlace]) -> StockPlace:
    if code not in known:
        known[code] = stock.add_place(code.casefold(), code) if code else stock.main_place()
    return known[code]


def _count(row: Counted, place: StockPlace, cause: str, by: Actor, now: datetime) -> None:
    item = stock.begin_counting(row.sku, place)
    item.title = row.title or item.title
    item.low_at = item.low_at if row.low_at is None else row.low_at
    session.flush()
    stock.set_count(item, row.on_hand, "imported", cause, by=by, now=now)
