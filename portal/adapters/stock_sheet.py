"""A CSV file of what lies where: a row per article and place. Pure and total: mistakes come back with their row."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

NEEDED = ("sku", "on_hand")
COLUMNS = (*NEEDED, "place", "title", "low_at")
MOST = 10_000_000


class BadStockSheet(Exception):
    """The file can't be read as a whole; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Counted:
    """So many pieces of an article lie at a place. `low_at` of None leaves the warning level as it is."""

    row: int
    sku: str
    on_hand: int
    place: str = ""
    title: str = ""
    low_at: int | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that says something impossible, and what."""

    row: int
    words: str


def read(text: str) -> tuple[list[Counted], list[Mistake]]:
    """The rows that are good, and what is wrong with the others. Raises BadStockSheet when the columns are not ours."""
    found, mistakes, known = [], [], set()
    for number, cells in _rows(text):
        counted = _counted(number, cells)
        if isinstance(counted, Counted) and (counted.sku, counted.place) in known:
            counted = Mistake(number, f"{counted.sku} is in the file twice")
        if isinstance(counted, Mistake):
            mistakes.append(counted)
        else:
            known.add((counted.sku, counted.place))
            found.append(counted)
    return found, mistakes


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    plain = text.removeprefix("\ufeff")
    delimiter = ";" if ";" in plain.partition("\n")[0] else ","
    try:
        head, *rest = list(csv.reader(StringIO(plain, newline=""), delimiter=delimiter, strict=True)) or [[]]
    except csv.Error as error:
        raise BadStockSheet(f"This is no CSV file: {error}.") from None
    names = [name.strip().lower() for name in head]
    if set(NEEDED) - set(names) or set(names) - set(COLUMNS) or len(set(names)) < len(names):
        raise BadStockSheet(f"The columns must be {', '.join(NEEDED)}, and if you like place, title, low_at.")
    for number, cells in enumerate(rest, 2):
        if any(cell.strip() for cell in cells):
            yield number, dict(zip(names, [cell.strip() for cell in cells] + [""] * len(names), strict=False))


def _counted(row: int, cells: dict[str, str]) -> Counted | Mistake:
    if not cells["sku"] or any("\x00" in cell or len(cell) > 200 for cell in cells.values()):
        return Mistake(row, "the SKU is missing" if not cells["sku"] else "a cell can't be read")
    pieces, low_at = _number(cells["on_hand"]), _number(cells.get("low_at") or "0")
    if pieces is None or low_at is None:
        return Mistake(row, "on_hand and low_at are whole numbers, 0 or more")
    warns = low_at if cells.get("low_at") else None
    return Counted(row, cells["sku"], pieces, cells.get("place", ""), cells.get("title", ""), warns)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= MOST else None
