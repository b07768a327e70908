"""What customers say, counted honestly: satisfaction by what happened to the order, with its interval."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Date, Select, Subquery, case, cast, exists, func, select, tuple_

from portal.db import session
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, SurveyInvitation
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import courier_name
from portal.lib.days import short
from portal.lib.intervals import ENOUGH, adjusted_wald
from portal.lib.sheets import plain_cell
from portal.orders.models import Order, OrderLine, called
from portal.returns.models import Return

SINCE = timedelta(days=90)
DIMENSIONS: dict[str, Any] = {
    "all": _l("All answers"),
    "week": _l("Week from"),
    "promise": _l("Late or on time"),
    "back": _l("Sent back or kept"),
    "courier": _l("Courier"),
    "country": _l("Country"),
    "channel": _l("Channel"),
    "language": _l("Language"),
    "product": _l("Product"),
}
NAMES = {"late": _l("Late"), "on_time": _l("On time"), "returned": _l("Sent something back"), "kept": _l("Kept it all")}


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many were satisfied, with the interval in which the true share lies; `rest` is all the others."""

    name: str
    good: int
    total: int
    rest: tuple[int, int] = (0, 0)

    @property
    def percent(self) -> float:
        return 100 * self.good / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        low, high = adjusted_wald(self.good, self.total)
        return 100 * low, 100 * high

    @property
    def few(self) -> bool:
        """Too few to say much."""
        return self.total < ENOUGH

    @property
    def stands_out(self) -> str:
        """`worse` or `better` when the intervals of these and of all the others do not meet; else nothing."""
        if self.few or self.rest[1] < ENOUGH:
            return ""
        (low, high), (others_low, others_high) = adjusted_wald(self.good, self.total), adjusted_wald(*self.rest)
        return "worse" if high < others_low else "better" if low > others_high else ""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the page shows; `machines` are answers that count for nothing."""

    asked: int
    answered: int
    machines: int
    solved: int
    silent: int
    tables: dict[str, list[Share]]

    @property
    def responded(self) -> Share:
        """Of the asked, who answered."""
        return Share("", self.answered, self.asked)


def picture(*, now: datetime) -> Picture:
    """The last 90 days in four statements, however many answers there are."""
    since = now - SINCE
    cases = func.count().filter(Case.state == "solved"), func.count().filter(Case.state == "closed")
    asked = func.count(), func.count(Answer.id).filter(Answer.provisional.is_(False))
    found = select(*asked, func.count(Answer.id)).select_from(SurveyInvitation).outerjoin(SurveyInvitation.answer)
    sent, answered, came = session.execute(found.where(SurveyInvitation.sent_at > since)).one()
    solved, silent = session.execute(select(*cases).where(Case.opened_at > since)).one()
    return Picture(sent, answered, came - answered, solved, silent, _tables(since))


def _tables(since: datetime) -> dict[str, list[Share]]:
    """Satisfaction by dimension, the worst first; weeks in their order."""
    told = _answers(since).subquery()
    found: dict[str, list[tuple[str, int, int]]] = {name: [] for name in DIMENSIONS}
    for dimension, name, good, total in (*_by_order(told), *_by_product(told)):
        if name is not None:
            found[dimension].append((str(name), good, total))
    good, total = next(((good, total) for _name, good, total in found["all"]), (0, 0))
    return {dimension: _shares(dimension, rows, good, total) for dimension, rows in found.items()}


def _answers(since: datetime) -> Select[Any]:
    """One row per answer that a person gave, beside what happened to the order."""
    zone = current_app.config["SETTINGS"].shop_timezone
    parcels = select(Parcel).where(Parcel.order_id == Order.id, Parcel.state != "cancelled").correlate(Order)
    arrived = cast(
        func.timezone(zone, parcels.with_only_columns(func.max(Parcel.delivered_at)).scalar_subquery()), Date
    )
    week = cast(func.date_trunc("week", func.timezone(zone, Answer.answered_at)), Date)
    columns = (
        Order.id.label("order_id"),
        (Answer.mood == "good").label("good"),
        week.label("week"),
        case((arrived > Order.promised_on, "late"), (arrived.is_not(None), "on_time")).label("promise"),
        case((exists().where(Return.order_id == Order.id), "returned"), else_="kept").label("back"),
        parcels.with_only_columns(func.min(Parcel.courier)).scalar_subquery().label("courier"),
        Order.country.label("country"),
        Order.channel.label("channel"),
        func.substr(Order.locale, 1, 2).label("language"),
    )
    told = select(*columns).select_from(Answer).join(Answer.invitation).join(Order)
    return told.where(Answer.answered_at > since, Answer.provisional.is_(False))


def _by_order(told: Subquery) -> Iterable[tuple[str, Any, int, int]]:
    """All dimensions of the order in one pass."""
    names = [name for name in DIMENSIONS if name not in ("all", "product")]
    columns = [told.c[name] for name in names]
    sets = func.grouping_sets(tuple_(), *[tuple_(column) for column in columns])
    which = func.grouping(*columns)
    rows = session.execute(select(which, *columns, *_counts(told)).group_by(sets)).all()
    for row in rows:
        kept = [index for index in range(len(names)) if not row[0] & (1 << (len(names) - 1 - index))]
        dimension, name = (names[kept[0]], row[1 + kept[0]]) if kept else ("all", "all")
        yield dimension, name, row[-2], row[-1]


def _by_product(told: Subquery) -> Iterable[tuple[str, Any, int, int]]:
    """An answer about an order speaks for each product in it, once."""
    goods = select(OrderLine.order_id, OrderLine.sku, func.min(OrderLine.title).label("title"))
    named = goods.where(OrderLine.kind == "item").group_by(OrderLine.order_id, OrderLine.sku).subquery()
    found = select(func.min(named.c.title), *_counts(told)).join(named, named.c.order_id == told.c.order_id)
    for row in session.execute(found.group_by(named.c.sku)).all():
        yield "product", *row


def _counts(told: Subquery) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return func.count().filter(told.c.good), func.count()


def _shares(dimension: str, rows: Sequence[tuple[str, int, int]], good: int, total: int) -> list[Share]:
    told = sorted(rows)
    made = [Share(_called(dimension, name), hits, many, (good - hits, total - many)) for name, hits, many in told]
    return made if dimension == "week" else sorted(made, key=lambda share: (share.percent, share.name))


def _called(dimension: str, name: str) -> str:
    locale = get_locale()
    if dimension == "week":
        return short(date.fromisoformat(name), str(locale))
    if dimension == "country":
        return str(locale.territories.get(name, name)) if locale else name
    if dimension == "language":
        return str(locale.languages.get(name, name)) if locale else name
    if dimension == "courier":
        return courier_name(name)
    if dimension == "channel":
        return called(name)
    return str(_("All answers") if dimension == "all" else NAMES.get(name, name))


def sheet(found: Picture) -> str:
    """The same as CSV, with plain numbers."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(("by", "name", "satisfied", "answers", "percent", "low", "high"))
    for dimension, shares in found.tables.items():
        for share in shares:
            numbers = (f"{number:.1f}" for number in (share.percent, *share.interval))
            writer.writerow((dimension, plain_cell(share.name), share.good, share.total, *numbers))
    return out.getvalue()
