"""Pages of a list by its own order, not by number: the thousandth costs what the first does, and no row comes twice.

A page begins behind a row that was seen, or ends before it. What that row is ordered by stands in the address, signed.
(The library sqlakeyset leaves out rows with a NULL in their keys, and believes all that the address says.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, Text, cast, literal, tuple_
from werkzeug.exceptions import NotFound

from portal.db import session

PAGE = 50
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, in its order, and the places of the pages before and behind; None where there is none."""

    rows: Sequence[Row]
    newer: str | None
    older: str | None


def page_of(
    found: Select[*tuple[Any, ...]],
    *keys: SQLColumnExpression[Any],
    at: str,
    last_first: bool = False,
    into: Callable[..., Row] = lambda row: row,
) -> Page[Row]:
    """The page at a place of an earlier page, the first one at "". 404 where the place is not ours, or another list's.

    `keys` order the list, all up or (`last_first`) all down; together they are unique. Before one that may be NULL
    stands whether it is. `into` makes a row of the page from what was found.
    """
    places = _places(keys, last_first)
    back, seen = _read(places, at)
    falling = last_first is not back
    marks = [cast(key, Text).label(f"key_{number}") for number, key in enumerate(keys)]
    ordered = found.order_by(*(key.desc() if falling else key.asc() for key in keys))
    behind = ordered.where(_beyond(keys, seen, falling)) if seen else ordered
    rows = session.execute(behind.add_columns(*marks).limit(PAGE + 1)).all()
    shown, more = rows[:PAGE][:: -1 if back else 1], len(rows) > PAGE

    def place(backward: bool) -> str:
        return places.dumps([backward, list(shown[0 if backward else -1][-len(keys) :])]) if shown else ""

    return Page(
        rows=[into(*row[: -len(keys)]) for row in shown],
        newer=place(True) if (more if back else seen) else None,
        older=place(False) if back or more else None,
    )


def _places(keys: Sequence[SQLColumnExpression[Any]], last_first: bool) -> URLSafeSerializer:
    """A place is good for the order that it was made in, whatever else the list leaves out."""
    order = ", ".join(map(str, keys))
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"page by {order}, {last_first}")


def _read(places: URLSafeSerializer, at: str) -> tuple[bool, list[str | None]]:
    try:
        return tuple(places.loads(at)) if at else (False, [])
    except BadData as not_ours:
        raise NotFound from not_ours


def _beyond(keys: Sequence[Any], seen: Sequence[str | None], falling: bool) -> ColumnElement[bool]:
    """One comparison of rows, which an index answers. A key that was NULL is told by the one before it."""
    known = [(key, value) for key, value in zip(keys, seen, strict=True) if value is not None]
    theirs = tuple_(*(cast(literal(value, Text), key.type) for key, value in known))
    ours = tuple_(*(key for key, _value in known))
    return ours < theirs if falling else ours > theirs
