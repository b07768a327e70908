"""Dates as people of our languages write them, without the year while it is this one; and which days are worked on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import holidays
from babel.dates import format_date
from flask import current_app
from flask_babel import lazy_gettext as _l

LONG = {
    "en": "EEEE, d MMMM", "de": "EEEE, d. MMMM", "fr": "EEEE d MMMM",
    "nl": "EEEE d MMMM", "es": "EEEE, d 'de' MMMM", "hu": "MMMM d., EEEE",
}  # fmt: skip
WITH_YEAR = {
    "en": "d MMMM y", "de": "d. MMMM y", "fr": "d MMMM y",
    "nl": "d MMMM y", "es": "d 'de' MMMM 'de' y", "hu": "y. MMMM d.",
}  # fmt: skip
SHORT = {
    "en": "EEE d MMM", "de": "EEE d. MMM", "fr": "EEE d MMM", "nl": "EEE d MMM", "es": "EEE d MMM", "hu": "MMM d., EEE",
}  # fmt: skip
NEAR = {0: _l("today"), 1: _l("tomorrow"), -1: _l("yesterday")}
MANY = 10_000
"""Spelled dates that are kept, three years in four languages: to spell one takes longer than to find it."""


def shop_day(moment: datetime) -> date:
    """The day on which it is then in the shop."""
    day: date = moment.astimezone(current_app.config["SETTINGS"].zone).date()
    return day


@lru_cache(MANY)
def spelled(day: date, today: date, locale: str) -> str:
    """Weekday and date in this year, else the date with its year."""
    if day.year != today.year:
        return with_year(day, locale)
    return format_date(day, LONG[_language(locale)], locale=locale)


@lru_cache(MANY)
def with_year(day: date, locale: str) -> str:
    """Date and year, for what is read at any time."""
    return format_date(day, WITH_YEAR[_language(locale)], locale=locale)


@lru_cache(MANY)
def short(day: date, locale: str) -> str:
    """For where there is little room: "Fri 20 Nov"."""
    return format_date(day, SHORT[_language(locale)], locale=locale)


def _language(locale: str) -> str:
    language = locale.split("_", maxsplit=1)[0]
    return language if language in LONG else "en"


A_DAY = timedelta(days=1)
WEEKDAYS = frozenset(range(5))
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days and hours people work. Holidays are those of the country and, when it is named, of its region.

    A country that the `holidays` library does not know has none. Raises ValueError when nobody ever works.
    """

    country: str
    region: str = ""
    weekdays: frozenset[int] = WEEKDAYS
    closed: frozenset[date] = frozenset()
    opens: time = time(9)
    closes: time = time(17)
    zone: ZoneInfo = UTC

    def __post_init__(self) -> None:
        if not self.weekdays & set(range(7)) or self.opens >= self.closes:
            raise ValueError("there must be a weekday and an hour on which somebody works")

    def is_working(self, day: date) -> bool:
        public = _holidays(self.country, self.region)
        return day.weekday() in self.weekdays and day not in self.closed and day not in public

    def next_working(self, day: date) -> date:
        """The day itself when people work on it, else the next on which they do."""
        while not self.is_working(day):
            day += A_DAY
        return day

    def add(self, day: date, count: int) -> date:
        """`count` working days after `day`, or before it when negative."""
        step = A_DAY if count > 0 else -A_DAY
        for _ in range(abs(count)):
            day += step
            while not self.is_working(day):
                day += step
        return day

    def days_between(self, first: date, last: date) -> int:
        """Working days after `first` up to and with `last`; negative when `last` is the earlier."""
        if last < first:
            return -self.days_between(last, first)
        return sum(self.is_working(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))

    def working_hours_between(self, start: datetime, end: datetime) -> timedelta:
        """How much of the time between two aware moments lies in working hours; nothing when `end` is the earlier."""
        return sum((self._overlap(day, start, end) for day in self._days(start, end)), timedelta())

    def after(self, start: datetime, work: timedelta) -> datetime:
        """The moment at which so much working time has passed since `start`, in UTC."""
        day, left = start.astimezone(self.zone).date(), work
        while True:
            if self.is_working(day):
                begins = max(start, datetime.combine(day, self.opens, self.zone)).astimezone(UTC)
                room = datetime.combine(day, self.closes, self.zone).astimezone(UTC) - begins
                if room >= left:
                    return begins + left
                left -= max(room, timedelta())
            day += A_DAY

    def _days(self, start: datetime, end: datetime) -> Iterator[date]:
        day, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        while day <= last:
            if self.is_working(day):
                yield day
            day += A_DAY

    def _overlap(self, day: date, start: datetime, end: datetime) -> timedelta:
        first = max(start, datetime.combine(day, self.opens, self.zone))
        return max(timedelta(), min(end, datetime.combine(day, self.closes, self.zone)) - first)


def regions_of(country: str) -> list[str]:
    """The codes of the regions whose own holidays are known."""
    return sorted(holidays.list_supported_countries(include_aliases=False).get(country, []))


@cache
def _holidays(country: str, region: str) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country, subdiv=region or None)
    except NotImplementedError:
        return holidays.HolidayBase()
