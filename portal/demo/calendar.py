"""When things happened in the demo's past: on working days, in order, and always before now."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from portal.lib import clock
from portal.orders.promise import on_or_after

SHORTLY = timedelta(minutes=7)
OPENING, CLOSING = time(8), time(17)


@dataclass
class Diary:
    """The times of one order, counted in working days from the day it was handed over; later ones are never earlier."""

    now: datetime
    handed_over: date
    country: str
    last: datetime = field(default=datetime.min.replace(tzinfo=clock.now().tzinfo))

    def on(self, days: int, hour: int, minute: int = 0) -> datetime:
        """That hour so many working days after the hand-over (before it, when negative)."""
        day = self.handed_over
        for _ in range(abs(days)):
            day = working_day_after(day, self.country) if days > 0 else working_day_before(day, self.country)
        return self._note(datetime.combine(day, time(hour, minute), self.now.tzinfo))

    def after(self, **much: float) -> datetime:
        """So long after what was last."""
        return self._note(self.last + timedelta(**much))

    def at_work(self, **much: float) -> datetime:
        """So long after what was last, but not before people are at work again."""
        when = (self.last + timedelta(**much)).astimezone(self.now.tzinfo)
        day = when.date() if when.time() < CLOSING else when.date() + timedelta(days=1)
        working = on_or_after(day, self.country)
        opening = datetime.combine(working, OPENING, self.now.tzinfo) + timedelta(minutes=when.minute)
        return self._note(max(when, opening))

    def _note(self, when: datetime) -> datetime:
        self.last = max(self.last + timedelta(seconds=30), min(when, self.now - SHORTLY))
        return self.last


def working_day_after(day: date, country: str) -> date:
    return on_or_after(day + timedelta(days=1), country)


def working_day_before(day: date, country: str) -> date:
    """The last working day before this one."""
    before = day - timedelta(days=1)
    while on_or_after(before, country) != before:
        before -= timedelta(days=1)
    return before
