"""Insight as pictures and as files: what the tables beside them say, drawn and in plain numbers."""

from collections.abc import Iterable, Iterator, Sequence

from flask_babel import gettext as _
from markupsafe import Markup

from portal.feedback.insight import DIMENSIONS, Picture, Row
from portal.feedback.scores import KIND_NAMES, Score
from portal.lib import charts
from portal.lib.sheets import as_csv, one_decimal

MOST_DRAWN = 12


def spell(value: float) -> str:
    """A value as a whole number, with a minus that is not a hyphen."""
    return f"{value:.0f}".replace("-", "−") if round(value) else "0"


def between(score: Score) -> str:
    low, high = score.interval
    return _("%(low)s to %(high)s", low=spell(low), high=spell(high))


def by_value(dimension: str, rows: Sequence[Row], everything: Score) -> Markup:
    """The rows of a table as lines, the interval of everything behind them."""
    shown = [row for row in rows if not row.score.few][:MOST_DRAWN] or list(rows[:MOST_DRAWN])
    title = str(DIMENSIONS[dimension])
    return charts.intervals(
        [_point(row) for row in shown], id=f"by-{dimension}", title=title, told=_told(shown),
        scale=everything.scale, among=None if everything.few else everything.interval,
    )  # fmt: skip


def _point(row: Row) -> charts.Point:
    return row.score.point(row.name, row.stands_out)


def _told(rows: Iterable[Row]) -> str:
    """The same for those who do not see it."""
    return "; ".join(f"{row.name}: {spell(row.score.value)} ({between(row.score)})" for row in rows)


def by_week(rows: Sequence[Row], kind: str) -> Markup:
    weeks = [row for row in rows if row.score.n]
    title = _("%(kind)s by week", kind=KIND_NAMES[kind])
    scale = Score(kind).scale
    return charts.course([_point(row) for row in weeks], id="by-week", title=title, told=_told(weeks), scale=scale)


HEADINGS = (
    "by", "name", "kind", "answers", "good", "bad", "score", "low", "high", "mean",
    "asked", "answered", "arrived", "in_time",
)  # fmt: skip


def sheet(found: Picture, only: str = "") -> str:
    """The tables as CSV; `only` one of them."""
    rows = ((dimension, row.name, *_numbers(row)) for dimension, row in _rows(found) if only in ("", dimension))
    return as_csv(HEADINGS, rows)


def _rows(found: Picture) -> Iterator[tuple[str, Row]]:
    yield "all", found.all
    yield from (("week", Row(row.value, row.value, row.score, row.asked, row.arrived)) for row in found.weeks)
    for dimension, rows in found.tables.items():
        yield from ((dimension, row) for row in rows)


def _numbers(row: Row) -> tuple[object, ...]:
    score = row.score
    counted = (score.kind, score.n, score.good, score.bad, *score.plain, one_decimal(score.mean))
    return (*counted, row.asked.n, row.asked.good, row.arrived.n, row.arrived.good)
