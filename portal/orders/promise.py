"""The date we promise: payment time, cut-off, handling and transit days on the warehouse's working calendar."""

from datetime import date, datetime, timedelta
from functools import cache

import holidays

from portal.config import Settings

SATURDAY = 5


def promise(paid_at: datetime, country: str | None, settings: Settings) -> date:
    """The day by which the parcel arrives. Paid after the cut-off or on a day off counts as the next working day."""
    local = paid_at.astimezone(settings.zone)
    start = local.date() + timedelta(days=1) if local.time() >= settings.cutoff else local.date()
    home = settings.shop_country
    ready = add_working_days(on_or_after(start, home), settings.handling_days, home)
    abroad = country is not None and country != home
    return add_working_days(ready, settings.transit_days_abroad if abroad else settings.transit_days, home)


def add_working_days(day: date, count: int, country: str) -> date:
    """`count` working days after `day`."""
    for _ in range(count):
        day = on_or_after(day + timedelta(days=1), country)
    return day


def on_or_after(day: date, country: str) -> date:
    """The day itself when people work on it, else the next on which they do."""
    while day.weekday() >= SATURDAY or day in _holidays(country):
        day += timedelta(days=1)
    return day


@cache
def _holidays(country: str) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return holidays.HolidayBase()
