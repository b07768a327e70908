"""When the warehouse works and how long couriers take: what a shop sets at the desk; the environment until it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ScalarSelect, UniqueConstraint, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.config import Settings
from portal.db import Base, session
from portal.db.prepared import Prepared
from portal.lib import days
from portal.lib.days import Calendar
from portal.lib.errors import Refused

LONGEST_HANDLING, LONGEST_TRANSIT = 60, 90


class WarehouseHours(Base):
    """The one row of what the shop set: country and region for holidays, weekdays, cut-off, handling days."""

    __tablename__ = "warehouse_hours"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)
    country: Mapped[str]
    region: Mapped[str] = mapped_column(default="")
    weekdays: Mapped[list[int]] = mapped_column(JSONB)
    cutoff: Mapped[time]
    handling_days: Mapped[int]


class ClosedDay(Base):
    """A day of its own on which the shop does not work."""

    __tablename__ = "closed_days"
    day: Mapped[date] = mapped_column(unique=True)
    why: Mapped[str] = mapped_column(default="")


class TransitTime(Base):
    """Working days that a courier takes to a country; "" stands for any courier, any country.

    `usual` says that parcels to this country usually go with this courier: what is promised counts with it.
    """

    __tablename__ = "transit_times"
    __table_args__ = (UniqueConstraint("courier", "country"), CheckConstraint("days BETWEEN 0 AND 90", name="days"))
    courier: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    days: Mapped[int]
    usual: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a promise is computed from. `transit` is by courier and country, `usual` the courier by country."""

    calendar: Calendar
    cutoff: time
    handling_days: int
    transit: Mapping[tuple[str, str], int]
    usual: Mapping[str, str]
    at_home: int
    abroad: int

    def transit_days(self, courier: str | None, country: str | None) -> int:
        """Working days on the road: the row that says most, else what the environment says. Unknown is as at home."""
        to = country or self.calendar.country
        by = courier or self.usual.get(to, "")
        rows = (self.transit.get(key) for key in ((by, to), ("", to), (by, ""), ("", "")))
        otherwise = self.at_home if to == self.calendar.country else self.abroad
        return next((row for row in rows if row is not None), otherwise)


def terms() -> Terms:
    """What holds now, in one statement."""
    return of(current_app.config["SETTINGS"], *(TERMS.run().fetchone() or ()))


def terms_told() -> list[ScalarSelect[Any]]:
    """What `of` makes terms of, for a statement that asks more."""
    hours = select(func.to_jsonb(literal_column("warehouse_hours"))).select_from(WarehouseHours).limit(1)
    closed = select(func.array_agg(ClosedDay.day))
    row = func.jsonb_build_array(TransitTime.courier, TransitTime.country, TransitTime.days, TransitTime.usual)
    transit = select(func.jsonb_agg(row)).select_from(TransitTime)
    return [part.scalar_subquery() for part in (hours, closed, transit)]


TERMS = Prepared(select(*terms_told()))


def of(settings: Settings, hours: Mapping[str, Any] | None = None, closed: Any = None, transit: Any = None) -> Terms:
    """The terms that these rows make; what is not set comes from the environment."""
    given = hours or {}
    rows = {(courier, country): (days, usual) for courier, country, days, usual in transit or []}
    return Terms(
        calendar=Calendar(
            country=given.get("country") or settings.shop_country,
            region=given.get("region") or "",
            weekdays=frozenset(given.get("weekdays") or days.WEEKDAYS),
            closed=frozenset(closed or ()),
            zone=settings.zone,
        ),
        cutoff=time.fromisoformat(given["cutoff"]) if hours else settings.cutoff,
        handling_days=given.get("handling_days", settings.handling_days),
        transit={key: days for key, (days, _usual) in rows.items()},
        usual={country: courier for (courier, country), (_days, usual) in rows.items() if usual},
        at_home=settings.transit_days,
        abroad=settings.transit_days_abroad,
    )


def set_hours(country: str, region: str, weekdays: list[int], cutoff: time, handling_days: int) -> None:
    """What the shop works from now on; promises given stay. Raises Refused for what is no working week."""
    if not weekdays or not set(weekdays) <= set(range(7)):
        raise Refused(_("Choose at least one day on which people work."))
    if region and region not in days.regions_of(country):
        raise Refused(_("%(country)s has no region %(region)s.", country=country, region=region))
    values = {
        "country": country, "region": region, "weekdays": sorted(set(weekdays)), "cutoff": cutoff,
        "handling_days": handling_days,
    }  # fmt: skip
    new = insert(WarehouseHours).values(id=1, **values)
    session.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))


def close_on(day: date, why: str) -> None:
    """The shop does not work on this day."""
    new = insert(ClosedDay).values(day=day, why=why)
    session.execute(new.on_conflict_do_update(index_elements=["day"], set_={"why": why}))


def open_on(closed_id: int) -> None:
    """The shop works on this day after all, unless it is a holiday."""
    session.execute(delete(ClosedDay).where(ClosedDay.id == closed_id))


def set_transit(courier: str, country: str, count: int, *, usual: bool) -> None:
    """So many working days; one usual courier per country, so another one no longer is."""
    values = {"days": count, "usual": bool(usual and courier and country)}
    if values["usual"]:
        for row in session.scalars(select(TransitTime).where(TransitTime.country == country, TransitTime.usual)):
            row.usual = False
        session.flush()
    new = insert(TransitTime).values(courier=courier, country=country, **values)
    session.execute(new.on_conflict_do_update(index_elements=["courier", "country"], set_=values))


def forget_transit(transit_id: int) -> None:
    """This row no longer counts; the one that says less does."""
    session.execute(delete(TransitTime).where(TransitTime.id == transit_id))


def closed_days(since: date) -> list[ClosedDay]:
    return list(session.scalars(select(ClosedDay).where(ClosedDay.day >= since).order_by(ClosedDay.day)))


def transit_times() -> list[TransitTime]:
    return list(session.scalars(select(TransitTime).order_by(TransitTime.country, TransitTime.courier)))


def promised_for(paid_at: datetime, country: str | None, terms: Terms) -> date:
    """The day by which the parcel arrives. Paid after the cut-off or on a day off counts as the next working day."""
    ready = terms.calendar.add(first_day(paid_at, terms), terms.handling_days)
    return terms.calendar.add(ready, terms.transit_days(None, country))


def first_day(moment: datetime, terms: Terms) -> date:
    """The working day that a moment counts as."""
    local = moment.astimezone(terms.calendar.zone)
    return terms.calendar.next_working(local.date() + days.A_DAY if local.time() >= terms.cutoff else local.date())


def ship_by(promised_on: date, courier: str | None, country: str | None, terms: Terms) -> date:
    """The last working day on which a parcel may leave to arrive in time."""
    return terms.calendar.add(promised_on, -terms.transit_days(courier, country))
