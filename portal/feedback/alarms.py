"""A score that fell: the interval of the last weeks lies below that of the weeks before. Told once; ends by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, Index, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped

from portal import mail
from portal.db import Base, session
from portal.feedback.insight import DIMENSIONS, Row, Wish, called_in, monday, picture, product_titles
from portal.feedback.questions import KINDS
from portal.feedback.scores import Score, apart
from portal.feedback.tallies import Tally
from portal.lib.days import shop_day
from portal.staff.models import Staff
from portal.staff.rules import PERMISSIONS

LATELY, BEFORE = timedelta(weeks=4), timedelta(weeks=13)
"""The days that are looked at, up to yesterday, and those before them that are the baseline."""
WATCHED = ("all", "product", "courier", "country", "channel")
MOST_CAUSES = 3


class ScoreAlarm(Base):
    """A score of one value of a dimension that is lower than it was; the figures are those of the day it was found."""

    __tablename__ = "score_alarms"
    __table_args__ = (
        CheckConstraint("closed_at IS NULL OR closed_at >= opened_at", name="closed"),
        Index("uq_score_alarms_open", "kind", "dimension", "value", unique=True, postgresql_where="closed_at IS NULL"),
    )
    kind: Mapped[str]
    dimension: Mapped[str]
    value: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    n: Mapped[int]
    good: Mapped[int]
    bad: Mapped[int]
    before_n: Mapped[int]
    before_good: Mapped[int]
    before_bad: Mapped[int]

    @property
    def now(self) -> Score:
        return Score(self.kind, self.n, self.good, self.bad)

    @property
    def before(self) -> Score:
        return Score(self.kind, self.before_n, self.before_good, self.before_bad)


@dataclass(frozen=True, slots=True)
class Fallen:
    """A score of the last weeks beside the one it had."""

    kind: str
    dimension: str
    value: str
    now: Score
    before: Score

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.dimension, self.value


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm as people read it: what fell, from where to where, and what to look at."""

    alarm: ScoreAlarm
    name: str
    causes: Sequence[Row]

    @property
    def sentence(self) -> str:
        now, before = self.alarm.now, self.alarm.before
        (low, high), (before_low, before_high) = now.interval, before.interval
        values = {"now": now.value, "low": low, "high": high, "before": before.value}
        values |= {"before_low": before_low, "before_high": before_high}
        figures = {name: f"{value:.0f}" for name, value in values.items()} | {"many": str(now.n)}
        if not self.name:
            return _(
                "All answers: %(now)s in the last four weeks (between %(low)s and %(high)s, %(many)s answers), after"
                " %(before)s in the thirteen weeks before (between %(before_low)s and %(before_high)s).",
                **figures,
            )
        return _(
            "%(name)s: %(now)s in the last four weeks (between %(low)s and %(high)s, %(many)s answers), after"
            " %(before)s in the thirteen weeks before (between %(before_low)s and %(before_high)s).",
            name=self.name, **figures,
        )  # fmt: skip

    @property
    def look_at(self) -> str:
        """What is worse than the rest, the worst first; empty when nothing is."""
        found = ", ".join(f"{row.name} ({row.score.value:.0f})" for row in self.causes)
        return _("Look here first: %(what)s", what=found) if found else ""


def watch(*, now: datetime) -> int:
    """Open an alarm for what fell, close those of what has recovered, and tell of the new ones. How many are new.

    What was counted on few answers raises no alarm, now or before.
    """
    today = shop_day(now)
    wanted = {fallen.key: fallen for fallen in fallen_scores(today)}
    for alarm in session.scalars(_open().with_for_update()):
        if wanted.pop((alarm.kind, alarm.dimension, alarm.value), None) is None:
            alarm.closed_at = now
    new = _open_new(wanted.values(), now)
    if new:
        _tell(new, today, now)
    return len(new)


def fallen_scores(today: date) -> list[Fallen]:
    """Scores whose interval lies wholly below that of the weeks before; one statement."""
    begin, old = today - LATELY, today - LATELY - BEFORE
    late = case((Tally.day >= begin, True), else_=False).label("late")
    where = (Tally.grain == "day", Tally.within == "", Tally.within_value == "", Tally.measure.in_(KINDS))
    keys = (Tally.measure, Tally.dimension, Tally.value, late)
    sums = [func.sum(column) for column in (Tally.n, Tally.good, Tally.bad)]
    found = select(*keys, *sums).where(*where, Tally.dimension.in_(WATCHED), Tally.day >= old, Tally.day < today)
    scores: dict[tuple[str, str, str], dict[bool, Score]] = {}
    for kind, dimension, value, lately, *numbers in session.execute(found.group_by(*keys)):
        scores.setdefault((kind, dimension, value), {})[lately] = Score(kind, *(int(n) for n in numbers))
    both = (Fallen(*key, found[True], found[False]) for key, found in sorted(scores.items()) if len(found) == 2)
    return [one for one in both if apart(one.now, one.before) == "worse"]


def _open() -> Any:
    return select(ScoreAlarm).where(ScoreAlarm.closed_at.is_(None)).order_by(ScoreAlarm.id)


def _open_new(fallen: Iterable[Fallen], now: datetime) -> list[ScoreAlarm]:
    """Of two who find it at once, one opens the alarm and tells of it."""
    rows = [
        {
            "kind": one.kind, "dimension": one.dimension, "value": one.value, "opened_at": now,
            "n": one.now.n, "good": one.now.good, "bad": one.now.bad,
            "before_n": one.before.n, "before_good": one.before.good, "before_bad": one.before.bad,
        }
        for one in fallen
    ]  # fmt: skip
    if not rows:
        return []
    made = insert(ScoreAlarm).values(rows).on_conflict_do_nothing().returning(ScoreAlarm)
    return list(session.scalars(made))


def _tell(new: Sequence[ScoreAlarm], today: date, now: datetime) -> None:
    """One letter to everybody who may see insight, however many are new."""
    roles = [role.value for role, may in PERMISSIONS.items() if "insight.see" in may]
    here = (Staff.role.in_(roles), Staff.disabled_at.is_(None), Staff.password_hash.is_not(None))
    for person in session.scalars(select(Staff).where(*here).order_by(Staff.id)):
        with force_locale(person.locale):
            alarms = told(new, today)
        mail.queue("score-alarm", to=person.email, locale=person.locale, now=now, alarms=alarms)


def told(alarms: Sequence[ScoreAlarm], today: date | None = None) -> list[Told]:
    """The alarms in the reader's words; with `today` each with what stands out within it."""
    skus = {alarm.value for alarm in alarms if alarm.dimension == "product"}
    titles = product_titles(skus) if skus else {}
    return [Told(alarm, _name(alarm, titles), _causes(alarm, today) if today else ()) for alarm in alarms]


def _name(alarm: ScoreAlarm, titles: dict[str, str]) -> str:
    return "" if alarm.dimension == "all" else called_in(alarm.dimension, alarm.value, titles)


def _causes(alarm: ScoreAlarm, today: date) -> list[Row]:
    """Where in the last weeks it is worse than elsewhere: there somebody should look first."""
    weeks = monday(today - LATELY), monday(today) + timedelta(days=6)
    within = ("", "") if alarm.dimension == "all" else (alarm.dimension, alarm.value)
    seen = picture(Wish(alarm.kind, *weeks, *within), {})
    worse = [row for name in DIMENSIONS for row in seen.tables[name] if row.stands_out == "worse"]
    return sorted(worse, key=lambda row: row.score.value)[:MOST_CAUSES]


def open_alarms() -> list[Told]:
    """What fell and has not recovered, the newest last; at most two statements."""
    return told(list(session.scalars(_open())))
