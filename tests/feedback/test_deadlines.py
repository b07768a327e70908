"""A case's hours pass while the shop works: its weekdays, its holidays, the days on which it is closed."""

from datetime import UTC, date, datetime

import pytest

from portal.db import session
from portal.feedback.deadlines import deadline
from portal.orders.calendar import close_on, set_hours


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00+00:00")


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-23T09:00", 16, "2026-11-25T09:00"),  # Monday to Wednesday, at the same hour
        ("2026-11-23T09:00", 1, "2026-11-23T10:00"),
        ("2026-11-20T15:00", 2, "2026-11-23T09:00"),  # Friday 16:00 in Berlin: an hour is left, the other on Monday
        ("2026-11-21T12:00", 8, "2026-11-23T16:00"),  # Saturday: all of Monday
        ("2026-11-22T22:30", 1, "2026-11-23T09:00"),  # in the night: 10:00 in Berlin
        ("2026-12-23T10:00", 16, "2026-12-28T10:00"),  # Christmas is on a Friday
        ("2026-03-27T11:00", 16, "2026-03-31T10:00"),  # the clocks go forward on that Sunday
    ],
)
def test_a_deadline_counts_working_hours(app, start: str, hours: int, due: str) -> None:
    assert deadline(at(start), hours) == at(due)
    assert deadline(at(start), hours).utcoffset() == UTC.utcoffset(None)


def test_without_hours_of_its_own_the_shops_usual_ones_count(app) -> None:
    assert deadline(at("2026-11-23T09:00")) == at("2026-11-25T09:00")


def test_closed_days_and_other_weekdays_are_the_shops_own(app) -> None:
    close_on(date(2026, 11, 24), "Stock-taking")
    session.flush()
    assert deadline(at("2026-11-23T09:00"), 16) == at("2026-11-26T09:00")
    set_hours("DE", "", [0], at("2026-11-23T13:00").time(), 1)
    session.flush()
    assert deadline(at("2026-11-23T09:00"), 8) == at("2026-11-30T09:00")
