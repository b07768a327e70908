"""What customers say, counted honestly: scores by what happened to the order, each with its interval.

All of it is read from tallies by week (`tallies`), so that it takes no longer with more answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select, text, union_all

from portal.db import session
from portal.feedback.case_models import Case
from portal.feedback.questions import KINDS
from portal.feedback.scores import Score, apart
from portal.feedback.tallies import Tally
from portal.fulfilment.rules import courier_name
from portal.lib.days import short
from portal.orders.models import called

A_WEEK = timedelta(days=7)
MOST_ROWS = 25
DIMENSIONS: dict[str, Any] = {
    "product": _l("Product"),
    "courier": _l("Courier"),
    "promise": _l("Late or on time"),
    "back": _l("Sent back or kept"),
    "country": _l("Country"),
    "channel": _l("Channel"),
    "language": _l("Language"),
}
NAMES = {"late": _l("Late"), "on_time": _l("On time"), "returned": _l("Sent something back"), "kept": _l("Kept it all")}
BESIDE = ("asked", "arrived")
"""Measures that stand beside every score: who answered of those who were asked, and what came in time."""
Numbers = tuple[int, int, int, int]
"""How many, good, bad, and the sum."""
SUMS = (Tally.n, Tally.good, Tally.bad, Tally.total)
TITLES = text(
    """
    SELECT sku, coalesce((
        SELECT title FROM (
            SELECT id, order_id, title FROM order_lines WHERE sku = wanted.sku ORDER BY id DESC LIMIT 40
        ) AS line JOIN orders ON orders.id = order_id WHERE left(locale, 2) = :language ORDER BY line.id DESC LIMIT 1
    ), (SELECT title FROM order_lines WHERE sku = wanted.sku ORDER BY id DESC LIMIT 1)) AS title
    FROM unnest(CAST(:skus AS text[])) AS wanted(sku)
    """
)
"""Products are called as in an order of the reader's language, when one of the last forty is in it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the reader wants to see: which kind of question, whole weeks, and perhaps only one value of a dimension."""

    kind: str
    first: date
    last: date
    within: str = ""
    value: str = ""

    @property
    def before(self) -> "Wish":
        """As many weeks before these."""
        length = self.last - self.first + timedelta(days=1)
        return Wish(self.kind, self.first - length, self.last - length, self.within, self.value)


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a dimension, or a week; `rest` is all the others."""

    value: str
    name: str
    score: Score
    asked: Score
    arrived: Score
    rest: Score | None = None

    @property
    def stands_out(self) -> str:
        return apart(self.score, self.rest) if self.rest else ""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the page shows. `machines` were answers that count for nothing."""

    wish: Wish
    kinds: Mapping[str, int]
    all: Row
    weeks: list[Row]
    tables: Mapping[str, list[Row]]
    left_out: Mapping[str, int] = field(default_factory=dict)
    solved: int = 0
    silent: int = 0

    @property
    def machines(self) -> int:
        return self.all.asked.bad

    @property
    def is_empty(self) -> bool:
        return not (self.all.asked.n or self.all.score.n or self.all.arrived.n)


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def answered_kinds(first: date, last: date) -> dict[str, int]:
    """How many answers of each kind there are, the most first."""
    weeks = (Tally.grain == "week", Tally.within == "", Tally.within_value == "", Tally.day.between(first, last))
    found = select(Tally.measure, func.sum(Tally.n)).where(*weeks, Tally.measure.in_(KINDS), Tally.dimension == "all")
    rows = session.execute(found.group_by(Tally.measure)).all()
    return {kind: int(n) for kind, n in sorted(rows, key=lambda row: (-row[1], row[0])) if n}


def picture(wish: Wish, kinds: Mapping[str, int], *, whole: str = "") -> Picture:
    """The scores in four statements, however many answers there are. Of the dimension `whole` nothing is left out."""
    cells: dict[tuple[str, str, date | None], dict[str, Numbers]] = {}
    for measure, dimension, value, week, *numbers in session.execute(_cells(wish)):
        cells.setdefault((dimension, value, week), {})[measure] = tuple(int(n) for n in numbers)  # type: ignore[assignment]
    rows = {where: _row(wish.kind, where[1], measured) for where, measured in cells.items()}
    everything = _total(wish.kind, (row for (dimension, *_), row in rows.items() if dimension == "all"))
    by_week = sorted(((week, row) for (_, _, week), row in rows.items() if week), key=lambda one: one[0])
    weeks = [_week(week, row) for week, row in by_week]
    tables = {
        name: [row for (dimension, *_), row in rows.items() if dimension == name and row.score.n] for name in DIMENSIONS
    }
    shown = {name: _shown(found, everything, name == whole) for name, found in tables.items()}
    left_out = {name: len(found) - len(shown[name]) for name, found in tables.items() if len(found) > len(shown[name])}
    solved, silent = _cases(wish)
    return Picture(wish, kinds, everything, weeks, _named(shown), left_out, solved, silent)


def _cells(wish: Wish) -> Select[Any]:
    """Sums by measure, dimension and value; of everything also by week."""
    part = _only(wish) if wish.within else _everything(wish)
    week = case((part.c.dimension == "all", part.c.day)).label("week")
    sums = [func.sum(part.c[name]) for name in ("n", "good", "bad", "total")]
    keys = (part.c.measure, part.c.dimension, part.c.value, week)
    return select(*keys, *sums).group_by(*keys).having(func.sum(part.c.n) > 0)


def _weeks(wish: Wish) -> tuple[ColumnElement[bool], ...]:
    measures = Tally.measure.in_((wish.kind, *BESIDE))
    return Tally.grain == "week", Tally.day.between(wish.first, wish.last), measures


def _everything(wish: Wish) -> Any:
    columns = (Tally.measure, Tally.day, Tally.dimension, Tally.value, *SUMS)
    return select(*columns).where(*_weeks(wish), Tally.within == "", Tally.within_value == "").subquery()


def _only(wish: Wish) -> Any:
    """The one value by itself, and in every other dimension: a pair is kept once, from one of its sides."""
    itself = and_(Tally.dimension == wish.within, Tally.value == wish.value)
    alone = select(Tally.measure, Tally.day, literal("all").label("dimension"), literal("all").label("value"), *SUMS)
    inside = select(Tally.measure, Tally.day, Tally.dimension, Tally.value, *SUMS)
    across = select(Tally.measure, Tally.day, Tally.within, Tally.within_value, *SUMS)
    return union_all(
        alone.where(*_weeks(wish), itself, Tally.within == "", Tally.within_value == ""),
        inside.where(*_weeks(wish), Tally.within == wish.within, Tally.within_value == wish.value),
        across.where(*_weeks(wish), itself, Tally.within != ""),
    ).subquery()


def _row(kind: str, value: str, measured: Mapping[str, Numbers]) -> Row:
    none = (0, 0, 0, 0)
    score, asked, arrived = (Score(name, *measured.get(name, none)) for name in (kind, *BESIDE))
    return Row(value, value, score, asked, arrived)


def _total(kind: str, rows: Iterable[Row]) -> Row:
    score, asked, arrived = Score(kind), Score("asked"), Score("arrived")
    for row in rows:
        score, asked, arrived = score + row.score, asked + row.asked, arrived + row.arrived
    return Row("all", str(_("All answers")), score, asked, arrived)


def _week(week: date, row: Row) -> Row:
    return Row(week.isoformat(), short(week, str(get_locale() or "en")), row.score, row.asked, row.arrived)


def _shown(rows: Sequence[Row], everything: Row, whole: bool) -> list[Row]:
    """The worst first, those of whom little is known at the end. What stands out is never left out."""
    compared = [
        Row(row.value, row.name, row.score, row.asked, row.arrived, everything.score - row.score) for row in rows
    ]
    ordered = sorted(compared, key=lambda row: (row.score.few, row.score.value, -row.score.n, row.value))
    kept = ordered[:MOST_ROWS] + [row for row in ordered[MOST_ROWS:] if row.stands_out]
    return ordered if whole else kept


def _named(tables: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    titles = product_titles({row.value for row in tables["product"]})
    return {
        dimension: [
            Row(row.value, called_in(dimension, row.value, titles), row.score, row.asked, row.arrived, row.rest)
            for row in rows
        ]
        for dimension, rows in tables.items()
    }


def product_titles(skus: Iterable[str]) -> dict[str, str]:
    """What products are called, in one statement; those without an article number are their own title."""
    rows = session.execute(TITLES, {"skus": sorted(skus), "language": str(get_locale() or "en")[:2]})
    return {sku: title for sku, title in rows if title}


def called_in(dimension: str, value: str, titles: Mapping[str, str]) -> str:
    """The value as people call it."""
    locale = get_locale()
    if dimension == "country":
        return str(locale.territories.get(value, value)) if locale else value
    if dimension == "language":
        return str(locale.languages.get(value, value)) if locale else value
    if dimension == "courier":
        return courier_name(value)
    if dimension == "channel":
        return called(value)
    return titles.get(value, value) if dimension == "product" else str(NAMES.get(value, value))


def _cases(wish: Wish) -> tuple[int, int]:
    """How many cases the customer called solved, and how many ended in silence."""
    solved, silent = session.execute(cases_ended(wish)).one()
    return solved, silent


def cases_ended(wish: Wish) -> Select[int, int]:
    """Of the cases opened in these weeks; read from an index by itself (`ix_cases_opened`)."""
    ended = func.count().filter(Case.state == "solved"), func.count().filter(Case.state == "closed")
    zone = current_app.config["SETTINGS"].zone
    begin, end = (datetime.combine(day, time(), zone) for day in (wish.first, wish.last + timedelta(days=1)))
    return select(*ended).where(Case.opened_at >= begin, Case.opened_at < end)


def weeks_until(today: date, weeks: int) -> tuple[date, date]:
    """From a Monday to the Sunday of this week."""
    return monday(today) - A_WEEK * (weeks - 1), monday(today) + timedelta(days=6)
