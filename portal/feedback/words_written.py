"""What customers write: words grouped by their stems in each language, and the answers that hold them, with the score.

PostgreSQL brings the stems and the words that say nothing (the, der, les …) of all our languages. A word is shown when
it stands in several answers: what one person wrote is no group.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup, escape
from sqlalchemy import func, select, text

from portal.db import session
from portal.feedback.scores import Score, apart
from portal.feedback.tallies import WordTally
from portal.lib import charts
from portal.lib.sheets import as_csv

A_GROUP = 3
"""Answers that must hold a word before it is shown."""
HEADINGS = ("language", "word", "stem", "answers", "good", "bad", "percent_bad", "low", "high")
MOST_WORDS, MOST_DRAWN, PER_PAGE, LOOKED_AT = 40, 12, 30, 300
BEGIN, END = "\ue000", "\ue001"
"""Where a found word begins and ends, while its surroundings are not yet escaped."""
CONFIGS = {"en": "english", "de": "german", "nl": "dutch", "fr": "french", "es": "spanish", "hu": "hungarian"}
MOST_WRITTEN = text(
    """
    WITH many AS (
        SELECT DISTINCT top.stem
        FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 week') AS week
        CROSS JOIN LATERAL (
            SELECT stem FROM word_tallies
            WHERE about = :about AND language = :language AND day = week::date AND n > 0 ORDER BY n DESC LIMIT 150
        ) AS top
    )
    SELECT many.stem, kept.* FROM many CROSS JOIN LATERAL (
        SELECT (array_agg(shown ORDER BY n DESC, shown))[1] AS shown, sum(n) AS n, sum(good) AS good, sum(bad) AS bad
        FROM word_tallies
        WHERE about = :about AND language = :language AND stem = many.stem AND day BETWEEN :first AND :last
    ) AS kept
    WHERE n >= :least OR stem = '' ORDER BY n DESC, stem LIMIT :most
    """
)
"""What is written often is among the most written of some week: so no more rows are read with more answers."""
FOUND = """
    SELECT c.order_id, o.number, c.said_on, c.said, a.score, v.high,
        CASE WHEN :looking
            THEN ts_headline(CAST(:config AS regconfig), translate(a.words, :marks, ''), {query}, :marked)
            ELSE a.words END AS said_so
    FROM (
        SELECT key, order_id, said_on, said FROM counted
        WHERE said_on BETWEEN :first AND :last AND language = :language
            AND (:tone = '' OR said = CASE :tone WHEN 'good' THEN 1 WHEN 'bad' THEN -1 ELSE 0 END)
            {matching}
        ORDER BY said_on DESC, key DESC LIMIT :limit OFFSET :offset
    ) AS c LEFT JOIN orders o ON o.id = c.order_id
    CROSS JOIN LATERAL (
        SELECT a.words, a.score, a.version_id FROM survey_invitations i JOIN answers a ON a.invitation_id = i.id
        WHERE i.order_id = c.order_id AND NOT a.provisional
        UNION ALL SELECT words, score, version_id FROM answers WHERE id = -c.key AND c.order_id IS NULL
    ) AS a JOIN survey_question_versions v ON v.id = a.version_id
    ORDER BY c.said_on DESC, c.key DESC
"""
ONE_BY_ONE = text("SET LOCAL plan_cache_mode = force_custom_plan")
"""A word that many wrote is found along the days, a rare one by its index: a plan made once for both serves neither."""
QUERY = "websearch_to_tsquery(CAST(:config AS regconfig), :q)"
COMPANIONS = text(
    """
    SELECT stems, tsvector_to_array(to_tsvector(CAST(:config AS regconfig), :q)) AS own FROM counted
    WHERE search @@ {query} AND language = :language AND said_on BETWEEN :first AND :last
    ORDER BY said_on DESC, key DESC LIMIT :most
    """.replace("{query}", QUERY)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which answers: of whole weeks, in one language, perhaps about one product or reason."""

    first: date
    last: date
    language: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A group of words with one stem. `rest` are the answers without it, by how many are not bad."""

    stem: str
    shown: str
    n: int
    good: int
    bad: int
    rest: Score

    @property
    def share_bad(self) -> Score:
        return Score("bad", self.n, self.bad)

    @property
    def stands_out(self) -> str:
        return apart(Score("liked", self.n, self.n - self.bad), self.rest)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, with what was looked for marked in it; a nameless one has no order."""

    order_id: int | None
    number: str | None
    on: date
    tone: str
    score: int
    high: int
    words: Markup


TONES = {1: "good", 0: "middling", -1: "bad"}


def languages(first: date, last: date) -> dict[str, int]:
    """How many answers with words there are in each language, the most first."""
    where = (WordTally.about == "", WordTally.stem == "", WordTally.day.between(first, last))
    many = func.sum(WordTally.n)
    found = select(WordTally.language, many).where(*where).group_by(WordTally.language).having(many > 0)
    return {language: int(n) for language, n in session.execute(found.order_by(many.desc(), WordTally.language))}


def words(asked: Asked) -> list[Word]:
    """The words that stand in most answers."""
    given = {"about": asked.about, "language": asked.language, "first": asked.first, "last": asked.last}
    rows = session.execute(MOST_WRITTEN, {**given, "least": A_GROUP, "most": MOST_WORDS + 1}).all()
    everything = next((row for row in rows if row.stem == ""), None)
    if everything is None:
        return []
    liked = Score("liked", int(everything.n), int(everything.n - everything.bad))
    return [
        Word(row.stem, row.shown, int(row.n), int(row.good), int(row.bad),
             liked - Score("liked", int(row.n), int(row.n - row.bad)))
        for row in rows if row.stem
    ]  # fmt: skip


def companions(asked: Asked, q: str) -> list[tuple[str, int]]:
    """The words that stand beside these most often, in the latest answers that hold them; two statements."""
    given: dict[str, Any] = {"q": q, "config": CONFIGS.get(asked.language, "simple"), "language": asked.language}
    beside: Counter[str] = Counter()
    given |= {"first": asked.first, "last": asked.last, "most": LOOKED_AT}
    for stems, own in session.execute(COMPANIONS, given):
        beside.update(set(stems) - set(own))
    often = [(stem, n) for stem, n in beside.most_common(8) if n >= A_GROUP]
    shown = _shown(asked, [stem for stem, _ in often])
    return [(shown.get(stem, stem), n) for stem, n in often]


def _shown(asked: Asked, stems: Sequence[str]) -> dict[str, str]:
    where = (WordTally.about == "", WordTally.language == asked.language, WordTally.stem.in_(stems))
    weeks = WordTally.day.between(asked.first, asked.last)
    found = select(WordTally.stem, func.min(WordTally.shown)).where(*where, weeks).group_by(WordTally.stem)
    return {row.stem: row[1] for row in session.execute(found)}


def search(asked: Asked, q: str, tone: str, page: int) -> tuple[list[Said], bool]:
    """Answers that hold all of these words in any of their forms, the latest first; and whether there are more."""
    given = {
        "first": asked.first, "last": asked.last, "language": asked.language, "tone": tone, "q": q, "looking": bool(q),
        "config": CONFIGS.get(asked.language, "simple"), "limit": PER_PAGE + 1, "offset": (page - 1) * PER_PAGE,
        "marks": BEGIN + END, "marked": f'StartSel="{BEGIN}", StopSel="{END}", HighlightAll=true',
    }  # fmt: skip
    if q:
        session.execute(ONE_BY_ONE)
    written = FOUND.replace("{matching}", "AND search @@ {query}" if q else "").replace("{query}", QUERY)
    rows: Sequence[Any] = session.execute(text(written), given).all()
    return [_said(row) for row in rows[:PER_PAGE]], len(rows) > PER_PAGE


def _said(row: Any) -> Said:
    marked = str(escape(row.said_so)).replace(BEGIN, "<mark>").replace(END, "</mark>")
    return Said(
        row.order_id, row.number, row.said_on, TONES[row.said], row.score, row.high,
        Markup(marked),  # noqa: S704 - escaped the line before
    )  # fmt: skip


def picture(found: Sequence[Word], title: str) -> Markup:
    """The share of bad answers among those that hold a word, for the words that most of them hold."""
    shown = [word for word in found if not word.share_bad.few][:MOST_DRAWN] or list(found[:MOST_DRAWN])
    points = [word.share_bad.point(word.shown, word.stands_out) for word in shown]
    said = "; ".join(f"{point.name}: {point.value:.0f} % ({point.low:.0f} – {point.high:.0f})" for point in points)
    return charts.intervals(points, id="words", title=title, told=said)


def sheet(found: Sequence[Word], asked: Asked) -> str:
    """The words as CSV."""
    return as_csv(HEADINGS, ((asked.language, *_numbers(word)) for word in found))


def _numbers(word: Word) -> tuple[object, ...]:
    return word.shown, word.stem, word.n, word.good, word.bad, *word.share_bad.plain
