"""Which days and hours people work."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.lib.days import Calendar, regions_of

GERMANY, BAVARIA = Calendar("DE"), Calendar("DE", "BY")
SHOP = Calendar(
    "DE", weekdays=frozenset({1, 2, 3, 4, 5}), closed=frozenset({date(2026, 11, 24)}), zone=ZoneInfo("Europe/Berlin"),
    opens=time(9), closes=time(17),
)  # fmt: skip


@pytest.mark.parametrize(
    ("calendar", "day", "works"),
    [
        (GERMANY, date(2026, 11, 23), True),  # Monday
        (GERMANY, date(2026, 11, 22), False),  # Sunday
        (GERMANY, date(2026, 12, 25), False),  # Christmas
        (GERMANY, date(2026, 1, 6), True),  # Epiphany is no holiday in all of Germany
        (BAVARIA, date(2026, 1, 6), False),
        (SHOP, date(2026, 11, 23), False),  # closed on Mondays
        (SHOP, date(2026, 11, 28), True),  # and open on Saturdays
        (SHOP, date(2026, 11, 24), False),  # a day off of its own
        (Calendar("QQ"), date(2026, 12, 25), True),  # a country nobody knows
    ],
)
def test_a_day_is_worked_on_or_not(calendar: Calendar, day: date, works: bool) -> None:
    assert calendar.is_working(day) is works


@pytest.mark.parametrize(
    ("day", "count", "then"),
    [
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
        (date(2026, 11, 20), 1, date(2026, 11, 23)),
        (date(2026, 12, 23), 3, date(2026, 12, 29)),
        (date(2026, 11, 23), -1, date(2026, 11, 20)),
        (date(2026, 11, 22), -1, date(2026, 11, 20)),
    ],
)
def test_working_days_are_counted_on_and_back(day: date, count: int, then: date) -> None:
    assert GERMANY.add(day, count) == then


def test_a_day_off_moves_on_to_the_next_working_day() -> None:
    assert GERMANY.next_working(date(2026, 12, 25)) == date(2026, 12, 28)
    assert SHOP.next_working(date(2026, 11, 22)) == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [("2026-11-20", "2026-11-23", 1), ("2026-11-23", "2026-11-20", -1), ("2026-11-23", "2026-11-23", 0)],
)
def test_working_days_between_two_days(first: str, last: str, days: int) -> None:
    assert GERMANY.days_between(date.fromisoformat(first), date.fromisoformat(last)) == days


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-25T10:00+01:00", "2026-11-25T12:30+01:00", 2.5),
        ("2026-11-25T16:00+01:00", "2026-11-26T10:00+01:00", 2),  # over night
        ("2026-11-21T16:00+01:00", "2026-11-25T10:00+01:00", 2),  # over Sunday, Monday and a day off
        ("2026-11-25T15:00+00:00", "2026-11-25T23:00+00:00", 1),  # told in another zone
        ("2026-11-25T12:00+01:00", "2026-11-25T11:00+01:00", 0),
        ("2026-11-22T08:00+01:00", "2026-11-22T20:00+01:00", 0),
    ],
)
def test_working_hours_between_two_moments(start: str, end: str, hours: float) -> None:
    passed = SHOP.working_hours_between(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert passed == timedelta(hours=hours)


@pytest.mark.parametrize("never", [{"weekdays": frozenset()}, {"opens": time(17)}], ids=str)
def test_a_shop_that_never_works_is_none(never: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="somebody works"):
        Calendar("DE", **never)  # type: ignore[arg-type]


def test_regions_are_known_by_country() -> None:
    assert "BY" in regions_of("DE")
    assert regions_of("QQ") == []
