"""Before and after: what was counted about a cause until it was changed, and from that day on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy import ColumnElement, Date, case, cast, func, select

from portal.db import session
from portal.feedback.case_models import Case
from portal.feedback.cause_models import About, CauseChange
from portal.feedback.insight_pictures import between, spell
from portal.feedback.questions import KINDS
from portal.feedback.scores import KIND_NAMES, Score, apart
from portal.feedback.tallies import Tally
from portal.lib import charts
from portal.lib.days import short
from portal.lib.sheets import as_csv

BEFORE = timedelta(weeks=13)
"""So much before the first change is looked at."""
MOST_STRETCHES = 8
NAMES = {
    **KIND_NAMES,
    "arrived": _l("Promise kept"),
    "back": _l("Came back for this reason"),
    "cases": _l("Orders with a case of this department"),
}
LESS_IS_BETTER = ("back", "cases")
TURNED = {"better": "worse", "worse": "better", "": ""}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days from the first to the last, both included; `change` began them."""

    first: date
    last: date
    change: CauseChange | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that was counted, stretch by stretch: a kind of question, a promise, what came back, cases."""

    code: str
    stretches: Sequence[Stretch]
    scores: Sequence[Score]

    @property
    def name(self) -> str:
        return str(NAMES[self.code])

    @property
    def became(self) -> str:
        """`better` or `worse` since the first change, when the intervals do not meet; else nothing."""
        if len(self.scores) < 2:
            return ""
        how = apart(self.scores[-1], self.scores[0])
        return TURNED[how] if self.code in LESS_IS_BETTER else how

    @property
    def few(self) -> bool:
        return self.scores[0].few or self.scores[-1].few

    @property
    def digits(self) -> int:
        return 1 if self.code in LESS_IS_BETTER else 0

    def value(self, score: Score) -> str:
        if not score.n:
            return "–"
        return f"{score.value:.1f}" if self.digits else spell(score.value)

    def reach(self, score: Score) -> str:
        if not score.n:
            return "–"
        return "{:.1f} – {:.1f}".format(*score.interval) if self.digits else between(score)


def stretches_of(changes: Sequence[CauseChange], today: date) -> list[Stretch]:
    """Thirteen weeks before the first change, then from each change to the next; without one the last thirteen weeks.

    Of several changes on one day the last one stands for all; of very many the first ones are left out.
    """
    began = {change.changed_on: change for change in changes if change.changed_on <= today}
    days = sorted(began)[1 - MOST_STRETCHES :]
    if not days:
        return [Stretch(today - BEFORE, today)]
    ends = [day - timedelta(days=1) for day in days[1:]] + [today]
    later = [Stretch(day, end, began[day]) for day, end in zip(days, ends, strict=True)]
    return [Stretch(days[0] - BEFORE, days[0] - timedelta(days=1)), *later]


def measures_of(about: About, stretches: Sequence[Stretch]) -> list[Measure]:
    """All that is counted about it, in at most two statements: what customers said first, the most frequent first."""
    every = range(len(stretches))
    back = f"back.{about.reason}"
    counts = tallied((*KINDS, "arrived", back), about.where, stretches)
    shown: dict[str, list[Score]] = {}
    if about.product or about.courier:
        said = {kind: sum(counts[kind, n].n for n in every) for kind in KINDS}
        asked = sorted(filter(said.__getitem__, KINDS), key=lambda kind: -said[kind])
        shown = {kind: [counts[kind, n] for n in every] for kind in asked}
    if about.courier:
        shown["arrived"] = [counts["arrived", n] for n in every]
    if about.reason:
        shown["back"] = [share(counts[back, n].n, counts["arrived", n].n) for n in every]
    if about.department:
        had = orders_with_cases(stretches)
        shown["cases"] = [share(had[about.department, n], counts["arrived", n].n) for n in every]
    return [Measure(code, stretches, scores) for code, scores in shown.items()]


def share(some: int, of: int) -> Score:
    """What came back or was complained of can be of orders that arrived before: never more than all."""
    return Score("share", of, min(some, of))


def tallied(names: Sequence[str], where: tuple[str, str], stretches: Sequence[Stretch]) -> Mapping[Any, Score]:
    """What was counted under these names in each stretch, by name and the stretch's number."""
    dimension, value = where
    of_days = (Tally.grain == "day", Tally.within == "", Tally.within_value == "", Tally.measure.in_(names))
    days = Tally.day.between(stretches[0].first, stretches[-1].last)
    sums = [func.sum(column) for column in (Tally.n, Tally.good, Tally.bad, Tally.total)]
    number = _numbered(Tally.day, stretches)
    found = select(Tally.measure, number, *sums).where(
        *of_days, days, Tally.dimension == dimension, Tally.value == value
    )
    counts: dict[Any, Score] = {(name, n): Score(name) for name in names for n in range(len(stretches))}
    for measure, at, *numbers in session.execute(found.group_by(Tally.measure, number)):
        counts[measure, at] = Score(measure, *(int(one) for one in numbers))
    return counts


def _numbered(day: Any, stretches: Sequence[Stretch]) -> ColumnElement[int]:
    """In which stretch the day lies."""
    return case(*((day <= stretch.last, n) for n, stretch in enumerate(stretches))).label("stretch")


def orders_with_cases(stretches: Sequence[Stretch]) -> Mapping[tuple[str, int], int]:
    """Of how many orders a department got a case, by department and the number of the stretch it was opened in."""
    zone = current_app.config["SETTINGS"].zone
    begin = datetime.combine(stretches[0].first, time(), zone)
    end = datetime.combine(stretches[-1].last + timedelta(days=1), time(), zone)
    number = _numbered(cast(func.timezone(zone.key, Case.opened_at), Date), stretches)
    keys = (Case.department, number)
    found = select(*keys, func.count(func.distinct(Case.order_id))).where(Case.opened_at >= begin, Case.opened_at < end)
    return Counter({(code, n): many for code, n, many in session.execute(found.group_by(*keys))})


# --- shown ------------------------------------------------------------------------------------------------------------


def since(stretch: Stretch, stretches: Sequence[Stretch]) -> str:
    """When, in a few words."""
    if len(stretches) == 1:
        return _("Last thirteen weeks")
    return _("Since %(day)s", day=_day(stretch)) if stretch.change else _("Before")


def _day(stretch: Stretch) -> str:
    return short(stretch.first, str(get_locale() or "en"))


def days(stretch: Stretch) -> str:
    last = short(stretch.last, str(get_locale() or "en"))
    return _("%(first)s to %(last)s", first=_day(stretch), last=last)


def named(stretch: Stretch, stretches: Sequence[Stretch]) -> str:
    """When, and what began then, as it stands beside the picture's lines."""
    if stretch.change is None:
        return since(stretch, stretches)
    return _("Since %(day)s: %(note)s", day=_day(stretch), note=" ".join(stretch.change.note.split()))


def picture(measure: Measure) -> Markup:
    """One line per stretch with its interval; the last one red or green when it is apart from the first."""
    scores, last = measure.scores, len(measure.scores) - 1
    points = [
        score.point(named(stretch, measure.stretches), measure.became if n == last else "")
        for n, (stretch, score) in enumerate(zip(measure.stretches, scores, strict=True)) if score.n
    ]  # fmt: skip
    scale = charts.up_to(max((point.high for point in points), default=0)) if measure.digits else scores[0].scale
    told = "; ".join(
        f"{point.name}: {measure.value(score)} ({measure.reach(score)})"
        for point, score in zip(points, (score for score in scores if score.n), strict=True)
    )
    drawn = charts.intervals(points, id=f"measured-{measure.code}", title=measure.name, told=told, scale=scale)
    return drawn if points else Markup("")


def verdict(measure: Measure) -> str:
    """What came of it, in one sentence."""
    if len(measure.scores) < 2:
        return _("As soon as you note what was changed, you see here what came of it.")
    if measure.became == "better":
        return _("It became better: the lines of before and now do not meet.")
    if measure.became == "worse":
        return _("It became worse: the lines of before and now do not meet.")
    if measure.few:
        return _("Before or since then it was fewer than 30: too early to say.")
    return _("Not to be told from chance yet: the lines of before and now meet.")


HEADINGS = ("measure", "from", "until", "changed", "n", "good", "bad", "value", "low", "high")


def sheet(measures: Sequence[Measure]) -> str:
    """The tables as CSV: one line per measure and stretch."""
    return as_csv(HEADINGS, _lines(measures))


def _lines(measures: Sequence[Measure]) -> Iterator[tuple[object, ...]]:
    for measure in measures:
        for stretch, score in zip(measure.stretches, measure.scores, strict=True):
            note = stretch.change.note if stretch.change else ""
            yield measure.code, stretch.first, stretch.last, note, score.n, score.good, score.bad, *score.plain
