"""How often a promise was kept: parcels of the last 90 days per channel, department, courier and country."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from sqlalchemy import Date, cast, func, or_, select

from portal.db import session
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import courier_name
from portal.lib.intervals import ENOUGH, adjusted_wald
from portal.lib.sheets import as_csv, one_decimal
from portal.orders import calendar
from portal.orders.models import Order, called

SINCE = timedelta(days=90)
DIMENSIONS: dict[str, Any] = {
    "all": _l("All parcels"),
    "department": _l("Department"),
    "courier": _l("Courier"),
    "country": _l("Country"),
    "channel": _l("Channel"),
}
DEPARTMENTS: dict[str, Any] = {
    "packing": _l("Picked and packed in time to leave"),
    "shipping": _l("Handed over in time"),
}


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many were in time, with the interval in which the true share lies."""

    name: str
    kept: int
    total: int

    @property
    def percent(self) -> float:
        return 100 * self.kept / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        low, high = adjusted_wald(self.kept, self.total)
        return 100 * low, 100 * high

    @property
    def few(self) -> bool:
        """Too few to say much."""
        return self.total < ENOUGH


Tables = dict[str, list[Share]]


def tables(*, now: datetime) -> Tables:
    """The shares by dimension, the worst first; two statements, however many parcels there are."""
    rows, terms = _counted(now), calendar.terms()
    today = now.astimezone(terms.calendar.zone).date()
    due = [row for row in rows if row.arrived is not None or row.promised_on < today]
    found = {
        "all": _shares(due, lambda _: "all", _in_time),
        "department": _departments(rows, terms, today),
        "courier": _shares([row for row in due if row.courier], lambda row: row.courier, _in_time),
        "country": _shares(due, lambda row: row.country or "", _in_time),
        "channel": _shares(due, lambda row: called(row.channel), _in_time),
    }
    return {dimension: [_named(dimension, share) for share in shares] for dimension, shares in found.items()}


def _counted(now: datetime) -> Sequence[Any]:
    """Parcels with the same days, counted by the database."""
    zone = current_app.config["SETTINGS"].shop_timezone

    def day(column: Any) -> Any:
        return cast(func.timezone(zone, column), Date)

    columns = (
        Order.channel, Order.country, Order.promised_on, Parcel.courier, day(Parcel.packed_at).label("packed"),
        day(Parcel.handed_over_at).label("left"), day(Parcel.delivered_at).label("arrived"),
    )  # fmt: skip
    lately = (Order.promised_on > (now - SINCE).date(), Order.state != "cancelled", Parcel.state != "cancelled")
    done = or_(Order.promised_on <= now.date(), Parcel.delivered_at.is_not(None), Parcel.handed_over_at.is_not(None))
    found = select(*columns, func.count().label("n")).join(Parcel.order).where(*lately, done)
    return session.execute(found.group_by(*columns)).all()


def _in_time(row: Any) -> bool:
    return row.arrived is not None and row.arrived <= row.promised_on


def _shares(rows: Iterable[Any], name: Any, kept: Any) -> list[Share]:
    total: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for row in rows:
        total[name(row)] += row.n
        hits[name(row)] += row.n if kept(row) else 0
    return sorted((Share(key, hits[key], n) for key, n in total.items()), key=lambda share: (share.percent, share.name))


def _departments(rows: Sequence[Any], terms: calendar.Terms, today: date) -> list[Share]:
    """What each had to do by the last day on which a parcel could leave and still be in time."""
    last = {row: calendar.ship_by(row.promised_on, row.courier, row.country, terms) for row in rows}
    due = [row for row in rows if row.left or last[row] < today]
    packed = _shares(due, lambda _: "packing", lambda row: bool(row.packed) and row.packed <= last[row])
    return packed + _shares(due, lambda _: "shipping", lambda row: bool(row.left) and row.left <= last[row])


def _named(dimension: str, share: Share) -> Share:
    return Share(_name(dimension, share.name) or "–", share.kept, share.total)


def _name(dimension: str, name: str) -> str:
    if dimension == "country":
        locale = get_locale()
        return str(locale.territories.get(name, name)) if locale else name
    if dimension == "courier":
        return courier_name(name)
    return str({**DEPARTMENTS, "all": DIMENSIONS["all"]}.get(name, name))


def sheet(found: Tables) -> str:
    """The same as CSV, with plain numbers."""
    rows = (
        (dimension, share.name, share.kept, share.total, *map(one_decimal, (share.percent, *share.interval)))
        for dimension, shares in found.items()
        for share in shares
    )
    return as_csv(("by", "name", "kept", "parcels", "percent", "low", "high"), rows)
