"""Why goods come back: each product's reasons, what the bench found of them, and what those customers wrote."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import get_locale
from markupsafe import Markup
from sqlalchemy import func, select, text

from portal.db import session
from portal.feedback.insight import product_titles
from portal.feedback.scores import Score, apart
from portal.feedback.tallies import Tally
from portal.feedback.words_written import A_GROUP
from portal.lib import charts
from portal.lib.sheets import as_csv
from portal.returns.models import FOUND, GRADES, WITHDRAWN
from portal.returns.reasons import all_reasons
from portal.returns.words import GRADE
from portal.returns.words import reason as told

MOST_PRODUCTS, MOST_DRAWN, MOST_WORDS, LOOKED_AT = 20, 12, 5, 10
HEADINGS = ("sku", "product", "reason", "back", "arrived", "percent", "low", "high", "grade", "graded", "words")
WRITTEN = text(
    """
    WITH many AS (
        SELECT wanted.about, top.stem,
            row_number() OVER (PARTITION BY wanted.about ORDER BY sum(top.n) DESC, top.stem) AS place
        FROM unnest(CAST(:abouts AS text[])) AS wanted(about)
        CROSS JOIN generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 week') AS week
        CROSS JOIN LATERAL (
            SELECT stem, n FROM word_tallies AS one
            WHERE one.about = wanted.about AND language = :language AND day = week::date AND n > 0
            ORDER BY n DESC LIMIT :looked_at
        ) AS top
        WHERE top.stem <> ''
        GROUP BY wanted.about, top.stem
    )
    SELECT about, n, (
        SELECT shown FROM word_tallies AS one
        WHERE one.about = word.about AND language = :language AND one.stem = word.stem AND day BETWEEN :first AND :last
        ORDER BY one.n DESC, shown LIMIT 1
    ) AS shown FROM (
        SELECT many.about, many.stem, kept.n,
            row_number() OVER (PARTITION BY many.about ORDER BY kept.n DESC, many.stem) AS place
        FROM many CROSS JOIN LATERAL (
            SELECT sum(n) AS n FROM word_tallies AS one
            WHERE one.about = many.about AND language = :language AND one.stem = many.stem
                AND day BETWEEN :first AND :last
        ) AS kept
        WHERE many.place <= :looked_at AND kept.n >= :least
    ) AS word WHERE place <= :most ORDER BY about, place
    """
)
"""The words of each reason: of those that were most often among the most written of a week, the most frequent."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Of the orders with this product that arrived, those in which it came back for this reason.

    `grades` are what the bench found of them; `rest` is the same reason of all other products.
    """

    sku: str
    title: str
    code: str
    share: Score
    grades: Mapping[str, Score]
    rest: Score
    words: Sequence[tuple[str, int]] = ()

    @property
    def name(self) -> str:
        return told(self.code)

    @property
    def stands_out(self) -> str:
        """`worse` when it comes back more often for this reason than the others do."""
        return {"worse": "better", "better": "worse", "": ""}[apart(self.share, self.rest)]


def table(first: date, last: date) -> list[Reason]:
    """The reasons of the products that come back most, in three statements; the most frequent product first."""
    counted = _counted(first, last)
    back: dict[str, dict[str, int]] = defaultdict(dict)
    for (measure, sku), n in counted.items():
        if sku and measure.startswith("back."):
            back[sku][measure.removeprefix("back.")] = n
    often = sorted(back, key=lambda sku: (-sum(back[sku].values()), sku))[:MOST_PRODUCTS]
    titles = product_titles(often)
    written = _written([(sku, code) for sku in often for code in back[sku]], first, last)
    return [
        _reason(sku, code, counted, titles, written.get(_about(sku, code), ()))
        for sku in often
        for code in sorted(back[sku], key=lambda code: (-back[sku][code], code))
    ]


def _counted(first: date, last: date) -> dict[tuple[str, str], int]:
    """By measure and product; the product "" is all of them together."""
    weeks = (Tally.grain == "week", Tally.within == "", Tally.within_value == "", Tally.day.between(first, last))
    found = select(Tally.measure, Tally.value, func.sum(Tally.n)).where(*weeks, Tally.measure.in_(_measures()))
    rows = session.execute(found.where(Tally.dimension == "product").group_by(Tally.measure, Tally.value)).all()
    counted = {(measure, sku): int(n) for measure, sku, n in rows if n}
    for (measure, _sku), n in list(counted.items()):
        counted[measure, ""] = counted.get((measure, ""), 0) + n
    return counted


def _measures() -> list[str]:
    """What arrived, each reason by itself, and with each grade; retired reasons too."""
    codes = (*all_reasons(), WITHDRAWN, FOUND)
    graded = (f"grade.{code}.{grade}" for code in codes for grade in GRADES)
    return ["arrived", *(f"back.{code}" for code in codes), *graded]


def _about(sku: str, code: str) -> str:
    return f"back.{code}:{sku}"


def _written(pairs: Sequence[tuple[str, str]], first: date, last: date) -> dict[str, list[tuple[str, int]]]:
    """What the customers wrote who sent it back for this reason, in the reader's language."""
    abouts, language = [_about(sku, code) for sku, code in pairs], str(get_locale() or "en")[:2]
    given = {
        "abouts": abouts, "language": language, "first": first, "last": last, "least": A_GROUP, "most": MOST_WORDS,
        "looked_at": LOOKED_AT,
    }  # fmt: skip
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for about, n, shown in session.execute(WRITTEN, given):
        found[about].append((shown, int(n)))
    return found


def _reason(
    sku: str, code: str, counted: Mapping[tuple[str, str], int], titles: Mapping[str, str], words: Any
) -> Reason:
    def of(product: str) -> Score:
        n = counted.get((f"back.{code}", product), 0)
        return Score("share", max(n, counted.get(("arrived", product), 0)), n)

    seen = {grade: counted.get((f"grade.{code}.{grade}", sku), 0) for grade in GRADES}
    looked_at = sum(seen.values())
    grades = {grade: Score("share", looked_at, n) for grade, n in seen.items() if n}
    return Reason(sku, titles.get(sku, sku), code, of(sku), grades, of("") - of(sku), words)


def picture(rows: Sequence[Reason], title: str) -> Markup:
    """The reasons that are most frequent for their product, each with its interval."""
    sure = [row for row in rows if not row.share.few]
    worst = sorted(sure, key=lambda row: (-row.share.value, row.title, row.code))[:MOST_DRAWN]
    points = [row.share.point(f"{row.name}: {row.title}", row.stands_out) for row in worst]
    scale = charts.up_to(max((point.high for point in points), default=0))
    said = "; ".join(f"{point.name}: {point.value:.1f} % ({point.low:.1f} – {point.high:.1f})" for point in points)
    return charts.intervals(points, id="reasons", title=title, told=said, scale=scale) if points else Markup("")


def sheet(rows: Sequence[Reason]) -> str:
    """The table as CSV: one line per product, reason and grade."""
    return as_csv(HEADINGS, (line for row in rows for line in _lines(row)))


def _lines(row: Reason) -> Iterator[tuple[object, ...]]:
    known = (row.sku, row.title, row.code, row.share.good, row.share.n, *row.share.plain)
    words = " ".join(word for word, _n in row.words)
    for grade, found in row.grades.items() or (("", Score("share")),):
        yield *known, grade, found.good, words


def grade_name(grade: str) -> str:
    return str(GRADE[grade])
