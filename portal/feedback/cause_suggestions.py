"""What may be behind cases and low answers: read from what stands out, so that a person need only take it up."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import func

from portal.db import session
from portal.feedback import reasons
from portal.feedback.cause_measures import Stretch, orders_with_cases, share, tallied
from portal.feedback.cause_models import About, bad_answers_since, belongs, cases_since, names_of
from portal.feedback.insight import Wish, answered_kinds, picture, weeks_until
from portal.feedback.scores import Score, apart
from portal.returns.reasons import all_reasons
from portal.staff.rules import DEPARTMENTS

WEEKS = 13
LATELY = timedelta(weeks=4)
MOST, MOST_FEW = 12, 3
LOOKED_AT = 5_000
"""Cases and bad answers that are looked at for a suggestion: the page stays quick however many there are."""
FEW_CASES = 3
"""Of so many cases a product and a reason are worth a look, though they are too few to count on."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What cases have in common, why it stands out, how many of them there are, and how many low answers."""

    about: About
    name: str
    why: str
    few: bool
    cases: int
    low: int


@dataclass(frozen=True, slots=True)
class Found:
    """What stands out before anybody looked which cases there are."""

    about: About
    why: str
    few: bool = False


def suggestions(taken: Iterable[About], *, today: date) -> list[Suggestion]:
    """What stands out in the last thirteen weeks and was not taken up; as many statements for many as for few."""
    known, (first, last) = set(taken), weeks_until(today, WEEKS)
    found = [one for one in _found(first, last, today) if one.about not in known]
    if not found:
        return []
    counts = _counted([one.about for one in found], first)
    names = names_of([one.about for one in found])
    all_ = [
        Suggestion(one.about, name, one.why, one.few, cases, low)
        for one, name, (cases, low) in zip(found, names, counts, strict=True)
    ]
    sure = sorted((one for one in all_ if not one.few), key=lambda one: -one.cases)
    few = sorted((one for one in all_ if one.few and one.cases >= FEW_CASES), key=lambda one: -one.cases)
    return [*sure[:MOST], *few[:MOST_FEW]]


def _found(first: date, last: date, today: date) -> Iterator[Found]:
    back = reasons.table(first, last)
    yield from _reasons_of_products(back)
    yield from _low_scores(first, last, {row.sku for row in back if row.stands_out == "worse"})
    yield from _risen(today)


def _reasons_of_products(rows: Sequence[reasons.Reason]) -> Iterator[Found]:
    for row in rows:
        about, counts = About(product=row.sku, reason=row.code), {"back": row.share.good, "arrived": row.share.n}
        if row.stands_out == "worse":
            why = _("Came back from %(back)s of %(arrived)s orders: more often than others for this reason.", **counts)
            yield Found(about, why)
        elif row.share.few:
            why = _("Came back from %(back)s of %(arrived)s orders: too few to be sure.", **counts)
            yield Found(about, why, few=True)


def _low_scores(first: date, last: date, explained: set[str]) -> Iterator[Found]:
    """Products and couriers whose score is worse than that of all others; not again what a reason explains."""
    kinds = answered_kinds(first, last)
    seen = picture(Wish(next(iter(kinds), "csat"), first, last), kinds)
    for dimension in ("product", "courier"):
        for row in seen.tables[dimension]:
            if row.stands_out == "worse" and (dimension == "courier" or row.value not in explained):
                value, low, high = (f"{number:.0f}" for number in (row.score.value, *row.score.interval))
                how = {"value": value, "low": low, "high": high, "many": row.score.n}
                why = _("Scores %(value)s (%(low)s to %(high)s, %(many)s answers): worse than the others.", **how)
                yield Found(About(**{dimension: row.value}), why)


def _risen(today: date) -> Iterator[Found]:
    """Reasons and departments with more in the last four weeks than in the nine before."""
    begin = today - LATELY
    stretches = [Stretch(today - timedelta(weeks=WEEKS), begin), Stretch(begin + timedelta(days=1), today)]
    for about, before, now in _shares(stretches):
        if apart(now, before) == "better":
            how = {"some": now.good, "all": now.n, "now": f"{now.value:.1f}", "before": f"{before.value:.1f}"}
            why = _("%(some)s of %(all)s orders in four weeks, %(now)s %%: more than before (%(before)s %%).", **how)
            yield Found(about, why)


def _shares(stretches: Sequence[Stretch]) -> Iterator[tuple[About, Score, Score]]:
    """Of all orders that arrived, those that came back for each reason, and those of which a department got a case."""
    codes = [code for code, one in all_reasons().items() if one.group]
    counts = tallied(["arrived", *(f"back.{code}" for code in codes)], ("all", "all"), stretches)
    arrived, had = [counts["arrived", n].n for n in (0, 1)], orders_with_cases(stretches)
    for code in codes:
        before, now = (share(counts[f"back.{code}", n].n, arrived[n]) for n in (0, 1))
        yield About(reason=code), before, now
    for code in DEPARTMENTS:
        before, now = (share(had[code, n], arrived[n]) for n in (0, 1))
        yield About(department=code), before, now


def _counted(abouts: Sequence[About], first: date) -> list[tuple[int, int]]:
    """Of each, how many cases and bad answers there are since the first day, among the last ones; two statements."""
    since = datetime.combine(first, time(), current_app.config["SETTINGS"].zone)
    each = [func.count().filter(belongs(about)) for about in abouts]
    cases = session.execute(cases_since(since, *each, latest=LOOKED_AT)).one()
    low = session.execute(bad_answers_since(since, *each, latest=LOOKED_AT)).one()
    return list(zip(cases, low, strict=True))
